#!/usr/bin/python3 -I
"""Find the disks of incoming guests where this host has them.

Set ``PATHS`` to what differs between the hosts: for a folder (or a file) there, the one here. Disks, their backing
chains and their mirrors follow. What a guest sees stays the same.

libvirt: qemu, libxl. Under VDSM no hook can do this: what one changes at before_vm_migrate_destination is dropped.
"""

from __future__ import annotations

import hooking

PATHS = {"/srv/vm": "/mnt/vm"}

hook = hooking.Hook(timeout=10)


@hook.qemu("migrate", "restore")
@hook.libxl("migrate")
def retarget(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.retarget_disks(domain, PATHS)


if __name__ == "__main__":
    hook.run()
