#!/usr/bin/python3 -I
"""Keep VMs that hold a USB dongle where they are, and pin the others."""

from __future__ import annotations

import hooking

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
@hook.qemu("migrate", "restore", object="web*")
def pin(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if cpuset := context.custom_properties.get("pincpu"):
        hooking.set_cpuset(domain, cpuset)


@hook.vdsm("before_device_create", "before_nic_hotplug", device="interface")
def allow_spoofing(interface: hooking.Interface, context: hooking.HookContext) -> None:
    if hooking.tobool(context.custom_properties.get("ifacemacspoof")):
        hooking.remove_filter(interface, "vdsm-no-mac-spoofing")


@hook.vdsm("before_vm_migrate_source")
def stay(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if "cantmigrate" in context.custom_properties:
        hooking.block_migration(context, "the USB dongle is plugged into this host")


if __name__ == "__main__":
    hook.run()
