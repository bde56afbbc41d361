"""`Vdsmd`: a simulated VDSM host that calls hook scripts in the real order, with the real consequences.

The sequences are those of VDSM and of the oVirt Engine that drives it: it destroys a VM that did not come up, or
that went elsewhere. What VDSM does in several threads at once is done here one after the other. VMs do not run here:
what they are is their document.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hooking import points
from hooking.exceptions import InvocationError
from hooking.testing import documents
from hooking.testing.vdsm_host import VdsmHost, gives_up
from hooking.testing.vm import Vm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hooking.testing.documents import DocumentSource
    from hooking.testing.outcome import Outcome


class Vdsmd(VdsmHost):
    """A simulated VDSM host.

    Arguments and attributes are those of `VdsmHost`.
    """

    # VMs come and go

    def start_vm(
        self,
        document: DocumentSource = None,
        *,
        custom_properties: Mapping[str, str] | None = None,
        device_properties: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Vm:
        """Start a VM; whether it came up is its ``up``. If not, it is destroyed.

        Args:
            document: Its ``<domain>``; a recorded sample by default.
            custom_properties: Its custom properties.
            device_properties: Those of devices, each by MAC address, target (``sda``) or alias.

        Raises:
            DocumentError: The document is no ``<domain>``.
            InvocationError: A device with custom properties is not in it.
        """
        given = documents.load(points.find("vdsm", "before_vm_start"), document)
        vm = Vm(given, custom_properties or {}, device_properties or {})
        vm.up = (
            self._prepare_drives(vm)
            and self._create_devices(vm)
            and self._before_start(vm)
            and self._passes("after_vm_start", vm)
            and self._each_device("after_device_create", vm)
        )
        return self._up_or_destroyed(vm)

    def destroy_vm(self, vm: Vm) -> bool:
        """Destroy a VM, or clear up after one that is down; tell whether that worked."""
        if not (self._each_device("before_device_destroy", vm) and self._passes("before_vm_destroy", vm)):
            return False
        vm.up = False
        return self._passes("after_vm_destroy", vm) and self._each_device("after_device_destroy", vm)

    def migrate_vm(self, vm: Vm, destination: Vdsmd | None = None) -> Vm:
        """Migrate a VM; return the VM at the destination, which is ``up`` if that worked, and then ``vm`` is not.

        Args:
            vm: The VM.
            destination: The other host; by default both are this one.
        """
        _require_up(vm)
        incoming = replace(vm, up=False, known_devices=frozenset(vm.custom_devices))
        if self._each_device("before_device_migrate_source", vm) and self._passes("before_vm_migrate_source", vm):
            (destination or self)._take_in(incoming, vm, self)  # noqa: SLF001 - another one of this class
        return incoming

    def hibernate_vm(self, vm: Vm) -> bool:
        """Save a VM to a file and destroy it; tell whether that worked. If not, it is resumed."""
        if not (self.pause_vm(vm) and self._passes("before_vm_hibernate", vm)):
            self.resume_vm(vm)
            return False
        vm.up = False
        self._passes("after_vm_hibernate", vm)
        self.destroy_vm(vm)
        return True

    def restore_vm(self, vm: Vm, *, from_snapshot: bool = False) -> bool:
        """Start a VM from its file; tell whether it came up. If not, it is destroyed.

        What hooks make of drives, devices and domain is dropped, as the saved domain comes up. If there is a script at
        ``after_vm_dehibernate``, VDSM fails: it means to put a truth value into the environment.

        Raises:
            InvocationError: It runs.
        """
        if vm.up:
            raise InvocationError(f"VM {vm.id} runs, so it cannot be restored; call hibernate_vm() first")
        vm.known_devices = frozenset()
        saved = replace(vm)
        vm.up = (
            self._prepare_drives(saved, used=False)
            and self._create_devices(saved, used=False)
            and self._before_start(saved, used=False)
            and self._passes("before_vm_dehibernate", vm, params={"FROM_SNAPSHOT": str(from_snapshot)})
            and self._resume(vm)
            and self._passes("after_vm_dehibernate", vm, params={"FROM_SNAPSHOT": from_snapshot})
        )
        return self._up_or_destroyed(vm).up

    # What happens to a VM that runs

    def pause_vm(self, vm: Vm) -> bool:
        """Pause a VM; tell whether that worked."""
        _require_up(vm)
        if not self._passes("before_vm_pause", vm):
            return False
        self._passes("after_vm_pause", vm)
        return True

    def resume_vm(self, vm: Vm) -> bool:
        """Let a paused VM go on; tell whether that worked."""
        _require_up(vm)
        return self._resume(vm)

    def hotplug_nic(
        self, vm: Vm, device: DocumentSource, *, properties: Mapping[str, str] | None = None, trouble: bool = False
    ) -> bool:
        """Plug a network card into a VM; tell whether that worked. The VM's document has it then.

        Args:
            vm: The VM.
            device: The ``<interface>``.
            properties: Its custom properties.
            trouble: libvirt fails.
        """
        return self._hotplug("nic", vm, device, properties, trouble=trouble)

    def hotplug_disk(
        self, vm: Vm, device: DocumentSource, *, properties: Mapping[str, str] | None = None, trouble: bool = False
    ) -> bool:
        """Plug a disk into a VM. Arguments and result are those of `hotplug_nic`."""
        return self._hotplug("disk", vm, device, properties, trouble=trouble)

    def hotplug_memory(self, vm: Vm, device: DocumentSource, *, trouble: bool = False) -> bool:
        """Plug memory into a VM. Arguments and result are those of `hotplug_nic`; it has no custom properties."""
        return self._hotplug("memory", vm, device, None, trouble=trouble)

    def hotunplug_nic(self, vm: Vm, name: str, *, trouble: bool = False) -> bool:
        """Unplug the network card with a MAC address or alias; tell whether that worked.

        Args:
            vm: The VM.
            name: The card.
            trouble: libvirt fails.
        """
        return self._hotunplug("nic", vm, name, trouble=trouble)

    def hotunplug_disk(self, vm: Vm, name: str, *, trouble: bool = False) -> bool:
        """Unplug the disk with a target or alias. Arguments and result are those of `hotunplug_nic`."""
        return self._hotunplug("disk", vm, name, trouble=trouble)

    def update_device(
        self,
        vm: Vm,
        name: str,
        device: DocumentSource,
        *,
        properties: Mapping[str, str] | None = None,
        trouble: bool = False,
    ) -> bool:
        """Change the network card with a MAC address or alias; tell whether that worked.

        Args:
            vm: The VM.
            name: The card.
            device: What it becomes.
            properties: Custom properties of this call.
            trouble: libvirt fails.
        """
        _require_up(vm)
        vm.device(name)
        given = documents.load(points.find("vdsm", "before_update_device"), device)
        before = self._vm_call("before_update_device", vm, given, params=properties)
        stopped = gives_up(before)
        if stopped or trouble:
            device = before.before if stopped else before.after
            self._vm_call("after_update_device_fail", vm, device, params=properties)
            return False
        vm.replace_device(name, before.after)
        self._vm_call("after_update_device", vm, before.after, params=properties)
        return True

    def set_number_of_cpus(self, vm: Vm, count: int) -> bool:
        """Let a VM have ``count`` virtual CPUs; tell whether that worked. The scripts are not told of which VM."""
        _require_up(vm)
        if gives_up(self._host_call("before_set_num_of_cpus", b"")):
            return False
        vm.set_vcpus(count)
        self._host_call("after_set_num_of_cpus", b"")
        return True

    def set_ticket(self, vm: Vm, params: Mapping[str, str] | None = None) -> bool:
        """Set the password of a VM's console; tell whether that worked.

        Args:
            vm: The VM.
            params: The parameters of the request, which the scripts find in their environment.
        """
        _require_up(vm)
        return self._passes("before_vm_set_ticket", vm, params=params) and self._passes(
            "after_vm_set_ticket", vm, params=params
        )

    # The parts of these sequences

    def _up_or_destroyed(self, vm: Vm) -> Vm:
        if not vm.up:
            self.destroy_vm(vm)
        return vm

    def _prepare_drives(self, vm: Vm, *, used: bool = True) -> bool:
        for name in vm.drives:
            outcome = self._vm_call("after_disk_prepare", vm, json.dumps(vm.drive(name)).encode())
            if gives_up(outcome):
                return False
            if used and outcome.changed:
                vm.update_drive(name, outcome.json)
        return True

    def _create_devices(self, vm: Vm, *, used: bool = True) -> bool:
        for name in vm.custom_devices:
            if vm.is_disk(name):
                continue
            outcome = self._vm_call(
                "before_device_create", vm, vm.device(name), params=vm.device_properties[name], used=used
            )
            if gives_up(outcome):
                return False
            vm.replace_device(name, outcome.after)
        return True

    def _before_start(self, vm: Vm, *, used: bool = True) -> bool:
        """Call ``before_vm_start``, whose document stays with the VM even if the start fails."""
        outcome = self._vm_call("before_vm_start", vm, used=used)
        vm.document = outcome.after
        return not gives_up(outcome)

    def _take_in(self, incoming: Vm, vm: Vm, source: Vdsmd) -> None:
        """Be the destination of a migration."""
        ready = (
            self._prepare_drives(incoming, used=False)
            and self._each_device("before_device_migrate_destination", incoming)
            and self._passes("before_vm_migrate_destination", incoming)
        )
        if not ready:
            self.destroy_vm(incoming)
            return
        vm.up = False
        incoming.up = self._passes("after_vm_migrate_destination", incoming) and self._each_device(
            "after_device_migrate_destination", incoming
        )
        self._up_or_destroyed(incoming)
        source._let_go(vm)

    def _let_go(self, vm: Vm) -> None:
        """Be the source of a migration that is over."""
        if self._passes("after_vm_migrate_source", vm):
            self._each_device("after_device_migrate_source", vm)
        self.destroy_vm(vm)

    def _resume(self, vm: Vm) -> bool:
        if not self._passes("before_vm_cont", vm):
            return False
        self._passes("after_vm_cont", vm)
        return True

    def _hotplug(
        self, kind: str, vm: Vm, device: DocumentSource, properties: Mapping[str, str] | None, *, trouble: bool
    ) -> bool:
        _require_up(vm)
        given = documents.load(points.find("vdsm", f"before_{kind}_hotplug"), device)
        before = self._vm_call(f"before_{kind}_hotplug", vm, given, params=properties)
        if gives_up(before):
            return False
        if not trouble:
            vm.add_device(before.after, properties)
        self._after_plugging(f"after_{kind}_hotplug", vm, before.after, properties, trouble=trouble)
        return not trouble

    def _hotunplug(self, kind: str, vm: Vm, name: str, *, trouble: bool) -> bool:
        _require_up(vm)
        device, properties = vm.device(name), vm.properties(name)
        if gives_up(self._vm_call(f"before_{kind}_hotunplug", vm, device, params=properties)):
            return False
        if not trouble:
            vm.remove_device(name)
        self._after_plugging(f"after_{kind}_hotunplug", vm, device, properties, trouble=trouble)
        return not trouble

    def _after_plugging(
        self, op: str, vm: Vm, device: bytes, properties: Mapping[str, str] | None, *, trouble: bool
    ) -> None:
        """Call the point after success or failure; only network cards have the latter."""
        name = f"{op}_fail" if trouble else op
        if points.is_known("vdsm", name):
            self._vm_call(name, vm, device, params=properties)

    # How the calls are made

    def _passes(self, op: str, vm: Vm, *, params: Mapping[str, Any] | None = None) -> bool:
        return not gives_up(self._vm_call(op, vm, params=params))

    def _each_device(self, op: str, vm: Vm) -> bool:
        """Make a call for each device with custom properties, until VDSM gives up."""
        may_be_empty = points.find("vdsm", op).may_be_empty
        for name in vm.custom_devices:
            device = b"" if may_be_empty and name not in vm.known_devices else vm.device(name)
            if gives_up(self._vm_call(op, vm, device, params=vm.device_properties[name])):
                return False
        return True

    def _vm_call(
        self,
        op: str,
        vm: Vm,
        document: bytes | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        used: bool = True,
    ) -> Outcome:
        data = vm.document if document is None else document
        return self._call(points.find("vdsm", op), data, vm.id, vm.custom_properties, params, used=used)


def _require_up(vm: Vm) -> None:
    if not vm.up:
        raise InvocationError(f"VM {vm.id} does not run; start it first")
