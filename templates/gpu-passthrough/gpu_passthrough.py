#!/usr/bin/python3 -I
"""Hand the host's graphics card to a guest, and take it back: guests named gpu-*.

The display manager stops and the consoles leave the card; the guest's unmanaged ``<hostdev>`` devices go to vfio-pci.
A pinned guest has its CPUs for itself, at full speed. The host stays awake. All is undone when the guest is gone, or
does not come up. What a host does not have (a display manager, cpufreq), take out below.

libvirt: qemu.
"""

from __future__ import annotations

import hooking

GUESTS = "gpu-*"
UNITS = ["display-manager.service"]

hook = hooking.Hook(timeout=120)


@hook.qemu("prepare", object=GUESTS)
def hand_over(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if not context.privileged:
        return
    state = hooking.state(context)
    hooking.stop_units(state, *UNITS)
    hooking.unbind_consoles(state)
    hooking.bind_to_vfio(state)
    if hooking.pinned_cpus(domain):
        hooking.isolate_cpus(state)
        hooking.set_governor(state, "performance")
    hooking.inhibit_sleep(state, "a guest has the graphics card")


@hook.qemu("release", object=GUESTS)
def take_back(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if context.privileged:
        hooking.state(context).undo()


if __name__ == "__main__":
    hook.run()
