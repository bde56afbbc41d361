"""Files and device nodes that the user which QEMU runs as has to open."""

from __future__ import annotations

import os
import stat

from hooking.exceptions import HostError, InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hooking.states import State

_NO_ID = 2**32 - 1  # chown(2) leaves the owner as it is


def give_to_user(state: State, path: str, user: str | int = "qemu", group: str | int | None = None) -> None:
    """Let a user own a device node or a file while the guest runs: a node of USB, a scratch disk.

    What libvirt itself gives to QEMU needs no such thing, and must not have it: it restores another owner. The old
    owner is restored only if the file is the same still: a device may have been plugged in again. See chown(2).

    Args:
        state: Where the undo is remembered.
        path: The file, absolute. No link is followed, in its folders neither.
        user: Its name or number; what QEMU runs as is ``qemu`` on Enterprise Linux, ``libvirt-qemu`` on Debian.
        group: Likewise; by default the group stays.

    Raises:
        InvalidValueError: The path is not absolute, or there is no such user or group.
        HostError: There is no such file, its owner cannot be changed, or it would not be safe: it is a link, is one of
            several hard links, changes user or group when it is run, or is something else than a file or device.
    """
    import grp
    import pwd

    if not path.startswith("/") or "\0" in path:
        raise InvalidValueError(f"{path!r} is not an absolute path")
    uid = _number(user, "user", lambda name: pwd.getpwnam(name).pw_uid)
    gid = -1 if group is None else _number(group, "group", lambda name: grp.getgrnam(name).gr_gid)
    path = os.path.normpath(path)
    descriptor = _open(state.root, path)
    try:
        _check(descriptor, path)
        identity = _identity(descriptor)
        change = f"owner of {path} {identity}"  # a device that is plugged in again is another file
        with state.lock(change):
            old = os.fstat(descriptor)
            state.remember(change, restore_owner, state.root, path, identity, old.st_uid, old.st_gid)
            _chown(descriptor, path, uid, gid)
    finally:
        os.close(descriptor)


def restore_owner(root: str, path: str, identity: list[int], uid: int, gid: int) -> None:
    """Give a file back to its owner, unless it is gone or is another one now.

    Args:
        root: The root of the host.
        path: The file, absolute.
        identity: The numbers of its file system and inode.
        uid: The number of its owner.
        gid: The number of its group.

    Raises:
        HostError: Its owner cannot be changed.
    """
    try:
        descriptor = _open(root, path)
    except HostError:
        return
    try:
        if _identity(descriptor) == identity:
            _chown(descriptor, path, uid, gid)
    finally:
        os.close(descriptor)


def _number(given: str | int, kind: str, find: Callable[[str], int]) -> int:
    name = str(given)
    if name.isascii() and name.isdecimal() and int(name) < _NO_ID:
        return int(name)
    try:
        return find(name)
    except (KeyError, ValueError) as error:
        raise InvalidValueError(f"there is no {kind} {name!r} on this host; see getent") from error


def _open(root: str, path: str) -> int:
    """Return a descriptor that names the file, without opening it: a device might do something then."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(root, flags & ~os.O_NOFOLLOW)
    for part in path.split("/")[1:]:
        folder = descriptor
        try:
            descriptor = os.open(part, flags, dir_fd=folder)
        except OSError as error:
            raise HostError(f"cannot use {path}: {error.strerror} ({part}); no link is followed") from error
        finally:
            os.close(folder)
    return descriptor


def _identity(descriptor: int) -> list[int]:
    found = os.fstat(descriptor)
    return [found.st_dev, found.st_ino]


def _check(descriptor: int, path: str) -> None:
    found = os.fstat(descriptor)
    kind = stat.S_IFMT(found.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFBLK, stat.S_IFCHR):
        raise HostError(f"{path} is neither a file nor a device node; a link is not followed, name what it leads to")
    if kind == stat.S_IFREG and found.st_nlink > 1:
        raise HostError(f"{path} has another name as well (a hard link), and may be somebody else's file; copy it")
    if found.st_mode & (stat.S_ISUID | stat.S_ISGID):
        raise HostError(f"{path} changes user or group when it is run; that is not for guests")


def _chown(descriptor: int, path: str, uid: int, gid: int) -> None:
    try:
        os.chown(f"/proc/self/fd/{descriptor}", uid, gid)
    except OSError as error:
        raise HostError(f"cannot change the owner of {path}: {error.strerror}") from error
