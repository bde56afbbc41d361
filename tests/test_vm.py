"""The VM of a simulated VDSM host: its devices and drives, and the documents that VDSM writes."""

from __future__ import annotations

import pytest

from hooking.devices import Disk
from hooking.domain import Domain
from hooking.exceptions import DocumentError
from hooking.testing.vm import Vm, as_vdsm_writes
from support import canonical
from vdsm_support import MAC, VM

BLOCK = "<disk type='block' device='disk'><source dev='/dev/sdx'/><target dev='vdb'/></disk>"


def test_a_block_drive_is_described_with_its_device() -> None:
    vm = Vm(f"<domain><devices>{BLOCK}</devices></domain>".encode())
    assert vm.drives == ["vdb"]
    assert vm.drive("vdb")["path"] == "/dev/sdx"
    assert vm.drive("vdb")["format"] == "raw"


def test_a_vm_knows_its_devices_by_all_their_names() -> None:
    vm = Vm(VM.encode())
    assert vm.device(MAC) == vm.device("ua-nic")
    assert vm.is_disk("vda")
    assert not vm.is_disk(MAC)
    assert isinstance(Domain(vm.domain.element).devices[0], Disk)
    assert vm.drives == ["vda"]
    assert vm.properties("vda") == {}


def test_documents_come_as_vdsm_writes_them() -> None:
    written = as_vdsm_writes(
        b"<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><!-- gone --><metadata>"
        b"<o:vm xmlns:o='http://ovirt.org/vm/1.0'/></metadata><qemu:commandline/></domain>"
    )
    assert canonical(written) == canonical(
        b"<domain xmlns:ns1='http://libvirt.org/schemas/domain/qemu/1.0' xmlns:ovirt-vm='http://ovirt.org/vm/1.0'>"
        b"<metadata><ovirt-vm:vm/></metadata><ns1:commandline/></domain>"
    )
    assert b"<?xml" in written
    with pytest.raises(DocumentError, match="DOCTYPE"):
        as_vdsm_writes(b"<!DOCTYPE d><d/>")
