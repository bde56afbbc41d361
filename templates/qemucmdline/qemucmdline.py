#!/usr/bin/python3 -I
"""Add arguments to the command line of QEMU: custom property qemu_cmdline.

``qemu_cmdline=["-fw_cfg", "name=opt/example,string=text"]``. libvirt does not know what they mean, and marks the VM as
tainted. Who may set this property may do on the host what QEMU may.

    engine-config -s UserDefinedVMProperties='qemu_cmdline=^[[].*[]]$' --cver=4.7

VDSM: before_vm_start.
"""

from __future__ import annotations

import hooking

ARGUMENTS = hooking.array_of(hooking.TEXT)

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
def add(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if arguments := hooking.read_property(context, "qemu_cmdline", ARGUMENTS):
        hooking.add_qemu_args(domain, arguments)


if __name__ == "__main__":
    hook.run()
