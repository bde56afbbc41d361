"""What the tests of the simulated VDSM host share: a VM, and hosts with scripts for the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hooking.testing.vdsmd import Vdsmd
from hooking.testing.vm import Vm

MAC = "52:54:00:00:00:01"
UUID = "3573e29e-5de9-468a-9fae-16050c6b3dcc"
VM = f"""<domain type='kvm'><name>web01</name><uuid>{UUID}</uuid>
<memory unit='KiB'>65536</memory><vcpu>2</vcpu><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/d'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><alias name='ua-cd'/></disk>
<interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/><alias name='ua-nic'/></interface>
<memballoon model='virtio'/>
</devices></domain>"""
CARD = "<interface type='bridge'><mac address='52:54:00:00:00:09'/><source bridge='br0'/></interface>"
UNREADABLE = "printf '\\377' > ${_hook_domxml:-$_hook_json}"


def sh(host: Vdsmd, point: str, text: str, name: str = "50_test") -> Path:
    """Install a script for the shell."""
    folder = host.hooks / point
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def failing(folder: Path, *failing_points: str) -> Vdsmd:
    """A host with a script that fails at some points."""
    host = Vdsmd(folder, timeout=5)
    for point in failing_points:
        sh(host, point, "echo no >&2; exit 1")
    return host


def calls(host: Vdsmd) -> list[tuple[str, bool]]:
    return [(call.point.op, call.failed) for call in host.log]


def names(host: Vdsmd) -> list[str]:
    return [call.point.op for call in host.log]


def started(host: Vdsmd, document: str = VM, **options: Any) -> Vm:
    """A VM that runs, and whose start is no longer in the log."""
    vm = host.start_vm(document, **options)
    assert vm.up
    host.log.clear()
    return vm
