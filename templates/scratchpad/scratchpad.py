#!/usr/bin/python3 -I
"""Give VMs empty disks that end with them: custom property scratchpad.

``scratchpad=20G,/var/scratch/web01:512M,/var/scratch/swap``: sizes and paths of files, in a folder of the host where
the user vdsm may write. A file that is there already is never touched. Such a VM stays on its host.

    engine-config -s UserDefinedVMProperties='scratchpad=^[0-9]+[kMGT]?,/.+$' --cver=4.7

VDSM: before_vm_start, before_vm_migrate_source, after_vm_destroy.
"""

from __future__ import annotations

import contextlib
import os

import hooking

DISKS = hooking.list_of(hooking.pattern("[0-9]+[kMGT]?,/.+"), ":")

hook = hooking.Hook(timeout=30)


@hook.vdsm("before_vm_start")
def make(domain: hooking.Domain, context: hooking.HookContext) -> None:
    for item in hooking.read_property(context, "scratchpad", DISKS) or []:
        size, path = item.split(",", 1)
        try:
            make_file(hooking.state(context), path, hooking.SIZE.read(size))
        except OSError as error:
            hooking.refuse(context, f"cannot make the scratch disk {path}: {error.strerror}")
        disk = hooking.add_disk(domain, path)
        disk.snapshot = "no"
        hooking.set_disk_driver(disk, cache="writeback", error_policy="stop")


@hook.vdsm("before_vm_migrate_source")
def stay(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if "scratchpad" in context.custom_properties:
        hooking.block_migration(context, "the scratch disks of this VM are on this host alone")


@hook.vdsm("after_vm_destroy")
def remove(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.state(context).undo()


def make_file(state: hooking.State, path: str, size: int) -> None:
    with open(state.path(path), "xb") as file:
        state.remember(f"scratch disk {path}", remove_file, state.path(path))  # not earlier: now the file is ours
        os.fchmod(file.fileno(), 0o660)  # QEMU is of the group kvm, as vdsm is
        file.truncate(size)


def remove_file(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


if __name__ == "__main__":
    hook.run()
