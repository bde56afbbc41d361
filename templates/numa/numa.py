#!/usr/bin/python3 -I
"""Take the memory of guests from NUMA nodes of the host: custom property numa.

``numa=strict:0-1``: a mode (``strict``, ``interleave``, ``preferred``, ``restrictive``) and nodes. A VM to which the
Engine has given nodes already does not start under VDSM. libvirt asks when a guest comes from another host or from a
file, and the nodes that it had there give way.

    engine-config -s UserDefinedVMProperties='numa=^(strict|interleave|preferred|restrictive):[0-9,^-]+$' --cver=4.7
    virsh metadata x --config urn:libvirt-hooking:1 --key hooking --set '<properties><numa>strict:0</numa></properties>'

VDSM: before_vm_start. libvirt: qemu.
"""

from __future__ import annotations

import hooking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TUNING = hooking.pattern("(strict|interleave|preferred|restrictive):.+")

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
def refuse_two_masters(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if "numa" in context.custom_properties and domain.numatune.mode:
        hooking.refuse(context, "the Engine sets NUMA nodes already; remove them, or the custom property numa")


@hook.vdsm("before_vm_start")
@hook.qemu("migrate", "restore")
def bind(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if tuning := hooking.read_property(context, "numa", TUNING):
        mode: Any
        mode, nodes = tuning.split(":", 1)
        hooking.set_numatune(domain, mode, nodes)


if __name__ == "__main__":
    hook.run()
