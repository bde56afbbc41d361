#!/usr/bin/python3 -I
"""Set what the SMBIOS tables say to a VM: custom property smbios.

``smbios={'vendor': 'ACME'}^{'serial': '0815', 'sku': 'web'}``. ``vendor``, ``version``, ``date`` and ``release`` are
the BIOS's; all others are the system's: ``manufacturer``, ``product``, ``serial``, ``sku``, ``family``.

    engine-config -s UserDefinedVMProperties='smbios=^[{].*[}]$' --cver=4.7

VDSM: before_vm_start.
"""

from __future__ import annotations

import hooking

BIOS = ("vendor", "version", "date", "release")
ENTRIES = hooking.list_of(hooking.mapping_of(hooking.TEXT), "^")

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
def describe(domain: hooking.Domain, context: hooking.HookContext) -> None:
    for entries in hooking.read_property(context, "smbios", ENTRIES) or []:
        for name, value in entries.items():
            hooking.set_sysinfo(domain, "bios" if name in BIOS else "system", name, value)


if __name__ == "__main__":
    hook.run()
