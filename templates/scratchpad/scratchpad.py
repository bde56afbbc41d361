#!/usr/bin/python3 -I
"""Give VMs empty disks that end with them: custom property scratchpad.

``scratchpad=20G,/var/scratch/web01:512M,/var/scratch/swap``: sizes and paths of files, in a folder of the host where
the user vdsm may write. A file that is there already is never touched. Such a VM stays on its host, and awake. Beside
each file lies a second name of it, with the VM's ID, which tells that the file is this hook's.

    engine-config -s UserDefinedVMProperties='scratchpad=^[0-9]{1,6}[kMGT]?,/.+$' --cver=4.7

VDSM: before_vm_start, before_vm_migrate_source, before_vm_hibernate, after_vm_destroy.
"""

from __future__ import annotations

import contextlib
import os

import hooking

DISKS = hooking.list_of(hooking.pattern("[0-9]{1,6}[kMGT]?,/.+"), ":")

hook = hooking.Hook(timeout=30)


@hook.vdsm("before_vm_start")
def make(domain: hooking.Domain, context: hooking.HookContext) -> None:
    for item in hooking.read_property(context, "scratchpad", DISKS) or []:
        size, path = item.split(",", 1)
        try:
            make_file(hooking.state(context), path, f"{path}.{context.uuid}", hooking.SIZE.read(size))
        except OSError as error:
            hooking.refuse(context, f"cannot make the scratch disk {path}: {error.strerror}")
        disk = hooking.add_disk(domain, path)
        disk.snapshot = "no"
        hooking.set_disk_driver(disk, cache="writeback", error_policy="stop")


@hook.vdsm("before_vm_migrate_source", "before_vm_hibernate")
def stay(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if "scratchpad" in context.custom_properties:
        hooking.refuse(context, "the scratch disks of this VM are on this host alone, and end with it")


@hook.vdsm("after_vm_destroy")
def remove(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.state(context).undo()


def make_file(state: hooking.State, path: str, mark: str, size: int) -> None:
    file, mark = state.path(path), state.path(mark)
    remove_file(file, mark)  # of a start that was cut short
    state.remember(f"scratch disk {path}", remove_file, file, mark)
    with open(mark, "xb") as stream:
        os.fchmod(stream.fileno(), 0o660)  # QEMU is of the group kvm, as vdsm is
        stream.truncate(size)
    os.link(mark, file)


def remove_file(file: str, mark: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if os.path.samefile(file, mark):
            os.unlink(file)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(mark)


if __name__ == "__main__":
    hook.run()
