#!/usr/bin/python3 -I
"""Boot VMs from a device of the host: custom property boot_hostdev.

``boot_hostdev=pci_0000_0b_00_0``, ``usb_2_8`` (bus and device, as lsusb prints them) or ``scsi_2_0_6_0``, which the
Engine has given to the VM. The VM tries it first, and then what it tried before.

    engine-config -s UserDefinedVMProperties='boot_hostdev=^(pci|usb|scsi)_[0-9a-z_]+$' --cver=4.7

VDSM: before_vm_start.
"""

from __future__ import annotations

import hooking

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
def boot(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if name := hooking.read_property(context, "boot_hostdev"):
        device = hooking.find_hostdev(domain, name)
        if device is None:
            hooking.refuse(context, f"custom property boot_hostdev: the VM has no device {name}")
        hooking.boot_first(domain, device)


if __name__ == "__main__":
    hook.run()
