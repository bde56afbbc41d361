#!/usr/bin/python3 -I
"""Give USB devices of the host to VMs: custom property hostusb.

``hostusb=0x1234:0xbeef&0x1050:0x0407``: vendor and product, as lsusb prints them, wherever they are plugged in. libvirt
gives QEMU the right to open them. Such a VM stays on its host.

    engine-config -s UserDefinedVMProperties='hostusb=^(0x[0-9a-fA-F]{4}:0x[0-9a-fA-F]{4}(&|$))+$' --cver=4.7

VDSM: before_vm_start, before_vm_migrate_source.
"""

from __future__ import annotations

import hooking

DEVICES = hooking.list_of(hooking.pattern("0x[0-9a-fA-F]{4}:0x[0-9a-fA-F]{4}"), "&")

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
def give(domain: hooking.Domain, context: hooking.HookContext) -> None:
    for device in hooking.read_property(context, "hostusb", DEVICES) or []:
        vendor, product = device.split(":")
        hooking.add_usb_hostdev(domain, vendor, product)


@hook.vdsm("before_vm_migrate_source")
def stay(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if hooking.read_property(context, "hostusb", DEVICES):
        hooking.block_migration(context, "the USB devices of this VM are plugged into this host")


if __name__ == "__main__":
    hook.run()
