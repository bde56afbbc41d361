"""What type checkers accept and refuse in a hook. It is only checked, never run.

Each line with two ignores has to be an error in mypy and in pyright: both complain about an ignore that is not needed.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

import hooking
from hooking import Device, Disk, Domain, HookContext, HookData, Interface, PortData

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start", "after_vm_destroy")
@hook.qemu("migrate", "restore", object="web*")
@hook.lxc("start")
@hook.libxl("migrate")
@hook.bhyve("prepare")
def domain_handler(domain: Domain, context: HookContext) -> None:
    assert_type(domain.name, str)
    assert_type(domain.uuid, "str | None")
    assert_type(domain.vcpu.cpuset, "str | None")
    assert_type(domain.vcpu.count, "int | None")
    assert_type(domain.memory.bytes, "int | None")
    assert_type(domain.interfaces, "list[Interface]")
    assert_type(domain.disks[0].readonly, bool)
    domain.vcpu.cpuset = None
    domain.vcpu.cpuset = 4  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    domain.name = "x"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    context.custom_properties["x"] = "y"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


@hook.vdsm("before_device_create", "before_device_destroy", device="interface")
def interface_handler(interface: Interface, context: HookContext) -> None: ...


@hook.vdsm("before_disk_hotplug", device="disk")
def disk_handler(disk: Disk, context: HookContext) -> None: ...


@hook.vdsm("before_nic_hotplug", device="hostdev")
@hook.vdsm("before_nic_hotplug")
def device_handler(device: Device, context: HookContext) -> None: ...


@hook.vdsm("after_device_create", "before_nic_hotplug")
def maybe_handler(device: Device | None, context: HookContext) -> None: ...


@hook.vdsm("before_network_setup")
def object_handler(request: dict[str, Any], context: HookContext) -> None: ...


@hook.vdsm("after_get_all_vm_stats")
def array_handler(stats: list[Any], context: HookContext) -> None: ...


@hook.vdsm("before_vm_destroy")
@hook.daemon("start", "reload")
def plain_handler(context: HookContext) -> None: ...


@hook.network("port-created", "port-deleted")
def port_handler(data: PortData, context: HookContext) -> None:
    assert_type(data.port.owner_name, "str | None")


@hook.network("started", "port-created")
def network_handler(data: HookData, context: HookContext) -> None:
    assert_type(data.domain, "Domain | None")


hook.qemu("migarte")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
hook.lxc("migrate")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
hook.vdsm("before_vm_strat")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
hook.vdsm("before_vm_start", device="disk")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
hook.vdsm("before_vm_start", "before_get_caps")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
hook.qemu("start")(plain_handler)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
hook.daemon("start")(domain_handler)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
hook.vdsm("before_network_setup")(domain_handler)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
hook.vdsm("after_device_create")(device_handler)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
hook.network("started")(port_handler)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
hooking.nope()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
