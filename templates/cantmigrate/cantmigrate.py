#!/usr/bin/python3 -I
"""Keep guests on their host: custom property cantmigrate.

With the property, whatever its value, a live migration is refused: by VDSM on the source, by libvirt on the
destination, so there the hook belongs on every host that a guest could come to.

    engine-config -s UserDefinedVMProperties='cantmigrate=^(true|1)$' --cver=4.7
    virsh metadata vm --config urn:libvirt-hooking:1 --key hooking --set '<properties><cantmigrate/></properties>'

VDSM: before_vm_migrate_source. libvirt: qemu, libxl.
"""

from __future__ import annotations

import hooking

REASON = "the custom property cantmigrate keeps this guest on its host"

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_migrate_source")
@hook.qemu("migrate")
@hook.libxl("migrate")
def stay(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if "cantmigrate" in context.custom_properties:
        hooking.block_migration(context, REASON)


if __name__ == "__main__":
    hook.run()
