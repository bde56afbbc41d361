#!/usr/bin/python3 -I
"""Let VMs send from any MAC address: properties macspoof and ifacemacspoof.

``macspoof=true`` is a custom property of a VM, and for all its network cards; ``ifacemacspoof=true`` is one of a vNIC
profile. Such a VM is a router or a host of guests itself; it can pretend to be any other.

    engine-config -s UserDefinedVMProperties='macspoof=^(true|false)$' --cver=4.7
    engine-config -s CustomDeviceProperties='{type=interface;prop={ifacemacspoof=^(true|false)$}}' --cver=4.7

VDSM: before_vm_start for macspoof; before_device_create and before_nic_hotplug for ifacemacspoof.
"""

from __future__ import annotations

import hooking

FILTER = "vdsm-no-mac-spoofing"

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
def allow_all_cards(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if hooking.read_property(context, "macspoof", hooking.BOOLEAN):
        for interface in domain.interfaces:
            hooking.remove_filter(interface, FILTER)


@hook.vdsm("before_device_create", "before_nic_hotplug", device="interface")
def allow_card(interface: hooking.Interface, context: hooking.HookContext) -> None:
    if hooking.read_property(context, "ifacemacspoof", hooking.BOOLEAN):
        hooking.remove_filter(interface, FILTER)


if __name__ == "__main__":
    hook.run()
