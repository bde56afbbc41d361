#!/usr/bin/python3 -I
"""Plug the network cards of incoming guests into the bridges of this host.

Set ``BRIDGES`` to what differs between the hosts: for the name of a bridge there, the one here. For networks of libvirt
there is ``hooking.rename_networks``.

libvirt: qemu, libxl. Under VDSM no hook can do this: what one changes at before_vm_migrate_destination is dropped.
"""

from __future__ import annotations

import hooking

BRIDGES = {"br0": "br-lan"}

hook = hooking.Hook(timeout=10)


@hook.qemu("migrate", "restore")
@hook.libxl("migrate")
def rename(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.rename_bridges(domain, BRIDGES)


if __name__ == "__main__":
    hook.run()
