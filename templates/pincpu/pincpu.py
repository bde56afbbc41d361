#!/usr/bin/python3 -I
"""Pin guests to CPUs of the host: custom property pincpu.

``pincpu=1-4,^3``, in libvirt's syntax. VDSM asks when a VM starts, and one that the Engine has pinned stays as it is.
libvirt asks when a guest comes from another host or from a file, and what pinned it there gives way.

    engine-config -s UserDefinedVMProperties='pincpu=^[0-9,^-]+$' --cver=4.7
    virsh metadata vm --config urn:libvirt-hooking:1 --key hooking --set '<properties><pincpu>0-1</pincpu></properties>'

VDSM: before_vm_start. libvirt: qemu.
"""

from __future__ import annotations

import hooking

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
@hook.qemu("migrate", "restore")
def pin(domain: hooking.Domain, context: hooking.HookContext) -> None:
    cpuset = hooking.read_property(context, "pincpu", hooking.CPUSET)
    pinned_by_engine = context.host == "vdsm" and domain.vcpu.cpuset
    if cpuset and not pinned_by_engine:
        hooking.set_cpuset(domain, cpuset)


if __name__ == "__main__":
    hook.run()
