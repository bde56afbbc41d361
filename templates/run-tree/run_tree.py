#!/usr/bin/python3 -I
"""Run trees of scripts as VFIO-Tools has them.

For guest win10 at ``prepare begin`` that is the file /etc/libvirt/hooks/qemu.d/win10/prepare/begin, or all files in the
folder of that name, in the order of their bytes. The same goes for lxc.d, libxl.d, bhyve.d and network.d.

Each script gets libvirt's four arguments, and the document on standard input. What it writes to standard output counts
at ``migrate`` and ``restore`` only, where each one reads what the one before wrote; name and UUID must stay. The first
that fails ends the call, which fails too, whatever that does: at ``started`` and ``reconnect`` it kills the guest.

A tree is run whole or not at all: not if others than root can change one of its scripts, or a folder on the way to it
through all links. Such an error, unlike a script that fails, passes at ``reconnect``, where it would kill the guest.

libvirt: qemu, lxc, libxl, bhyve, network. Remove the other dispatcher, /etc/libvirt/hooks/qemu, or all runs twice.
"""

from __future__ import annotations

import os

import hooking
import hooking.points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HOOKS = "etc/libvirt/hooks"  # below the root of the host; FreeBSD has usr/local/etc/libvirt/hooks

hook = hooking.Hook(timeout=600)  # such scripts may sleep, but one that calls virsh waits for ever


def run_tree(document: hooking.Domain | hooking.HookData, context: hooking.HookContext) -> None:
    data = context.handed_over.payload if context.handed_over else b""
    found = list(scripts(context))  # all are checked before the first one changes anything
    if found:
        warn_of_other_dispatcher(context)
    for script in found:
        output = run(script, context, data)
        if output.strip():
            replace(document, output, script)
            data = output


def hooks(context: hooking.HookContext) -> str:
    return os.path.join(os.path.realpath(context.root), HOOKS)


def warn_of_other_dispatcher(context: hooking.HookContext) -> None:
    path = os.path.join(hooks(context), context.driver)
    if os.path.isfile(path) and os.access(path, os.X_OK):
        with open(path, "rb") as file:
            if f"{context.driver}.d/".encode() in file.read():
                hooking.log(f"{path} seems to run this tree too; remove it")


def scripts(context: hooking.HookContext) -> Iterator[str]:
    name = context.object or ""
    if name in ("", ".", "..") or "/" in name:
        raise hooking.InvalidValueError(f"{name!r} is the name of no folder, so it has no tree of scripts; rename it")
    tree = os.path.join(hooks(context), f"{context.driver}.d", name, context.op, context.subop)
    names = sorted(os.listdir(tree), key=os.fsencode) if os.path.isdir(tree) else []
    for path in [os.path.join(tree, name) for name in names] or [tree]:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            check(path, context)
            yield path
        elif os.path.lexists(path) and not os.path.isdir(path):
            hooking.log(f"{path} is not an executable file, so it was not run; do: chmod +x, or remove it")


def check(script: str, context: hooking.HookContext) -> None:
    root = os.path.realpath(context.root)
    for place in way(script):
        found = os.stat(place)
        if f"{root}/".startswith(f"{place}/"):
            continue
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            message = f"{script} was not run: others than root can change {place}; do: chown root, chmod go-w"
            raise hooking.HostError(message)


def way(path: str) -> Iterator[str]:
    """Yield each folder on the way to a file, through all links, and the file."""
    place, names = "/", path.split("/")[::-1]
    while names:
        name = names.pop()
        step = os.path.join(place, name)
        if name == "..":
            place = os.path.dirname(place)
        elif os.path.islink(step):
            target = os.readlink(step)
            place = "/" if target.startswith("/") else place
            names += target.split("/")[::-1]
        elif name not in ("", "."):
            place = step
            yield place


def run(script: str, context: hooking.HookContext, data: bytes) -> bytes:
    import subprocess  # these are slow to load, and most guests have no tree
    import tempfile

    command = [script, context.object or "", context.op, context.subop, context.extra]
    with tempfile.TemporaryFile() if context.point.reply else open(os.devnull, "r+b") as output:
        try:
            ended = subprocess.run(command, input=data, stdout=output, check=False)
        except OSError as error:
            message = f"{script} cannot be started ({error.strerror}); see what its first line names"
            raise hooking.CommandError(message) from error
        if ended.returncode:
            how = "status" if ended.returncode > 0 else "signal"
            raise hooking.Refusal(f"{script} ended with {how} {abs(ended.returncode)}")
        output.seek(0)
        return output.read()


def replace(document: hooking.Domain | hooking.HookData, output: bytes, script: str) -> None:
    from hooking.document import parse

    try:
        document.element = parse(output)
    except hooking.DocumentError as error:
        raise hooking.DocumentError(f"{script}: {error}") from error


for point in hooking.points.all_points():
    if point.host == "libvirt" and point.driver != "daemon" and not point.absent:
        getattr(hook, point.driver)(point.op)(run_tree)


if __name__ == "__main__":
    hook.run()
