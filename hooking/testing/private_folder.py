"""Files where other users may be at work too: stored for their owner alone, and read only if they are files."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from hooking import _process
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SHARED = 0o1777
_LARGEST = 64 * 2**20


def store(folder: str | Path, label: str, files: Mapping[str, bytes]) -> Path:
    """Write ``files`` into a new folder ``NNN-label``, all or none, and return that.

    Args:
        folder: Where: a folder of ours or root's that nobody else can write, or whose sticky bit is set.
        label: What it is called, besides its number.
        files: Names and contents, in the order of writing.

    Raises:
        HookError: ``folder`` is not safe, or they cannot be stored.
    """
    try:
        with _open_folder(os.path.abspath(folder)) as parent:
            name = _make_folder(parent, label)
            _fill(parent, name, files)
    except OSError as error:
        raise HookError(f"cannot record the call in {folder}: {error.strerror}") from error
    return Path(folder, name)


def prepare(folder: str | Path, *, shared: bool) -> None:
    """Make ``folder`` for recordings, if it is not there, and find whether `store` will be able to use it.

    Args:
        folder: Where recordings will lie.
        shared: Several users store them there: a new folder gets mode 1777, one that is there must have it.

    Raises:
        HookError: It cannot be made, or used.
    """
    folder = os.path.abspath(folder)
    is_new = not os.path.lexists(folder)
    try:
        if is_new:
            os.makedirs(folder, 0o700)
        with _open_folder(folder) as descriptor:
            if is_new and shared:
                os.fchmod(descriptor, _SHARED)
            if shared and os.fstat(descriptor).st_mode & _SHARED != _SHARED:
                raise HookError(f"scripts of VDSM run as vdsm and as root; let both write: chmod 1777 {folder}")
    except OSError as error:
        raise HookError(f"cannot record calls in {folder}: {error.strerror}") from error


def publish(path: str | Path, data: bytes, mode: int) -> None:
    """Write a new file that is whole and has its ``mode`` from the first moment on.

    The draft beside it cannot be executed before it is whole, so a host that looks there meanwhile leaves it alone.

    Raises:
        HookError: There is something at ``path`` already, or it cannot be written.
    """
    folder, name = os.path.split(os.path.abspath(path))
    draft = os.path.join(folder, f".{name}.{os.getpid()}")
    try:
        with create(draft, 0o600) as descriptor:
            try:
                _process.write(descriptor, data)
                os.fchmod(descriptor, mode)
                os.link(draft, path)
            finally:
                os.unlink(draft)
    except OSError as error:
        raise HookError(f"cannot write {path}: {error.strerror}") from error


def read_regular(path: str | os.PathLike[str], kind: str = "script") -> bytes:
    """Return the content of a regular file; what is none is not waited for.

    Args:
        path: The file.
        kind: What it should be, for the message.

    Raises:
        HookError: It is something else, or too large.
        OSError: It cannot be read.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise HookError(f"{path} is no regular file, so it is no {kind}")
        if found.st_size > _LARGEST:
            raise HookError(f"{path} has more than {_LARGEST >> 20} MiB, so it is no {kind}")
        return file.read(_LARGEST)


def create(path: str, mode: int, folder: int | None = None) -> contextlib.AbstractContextManager[int]:
    """Open a new file for writing; its descriptor is closed at the end of the block.

    Raises:
        OSError: There is something at ``path`` already, if only a symbolic link, or it cannot be written.
    """
    return _opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, folder)


@contextlib.contextmanager
def _open_folder(folder: str) -> Generator[int, None, None]:
    """Open the folder itself, so that nobody can put another in its place, and refuse one that is not safe."""
    if os.path.islink(folder):
        raise HookError(f"{folder} is a symbolic link, which is not followed; give the folder itself")
    with _opened(folder, _FOLDER) as descriptor:
        found = os.fstat(descriptor)
        if found.st_uid not in (0, os.geteuid()):
            raise HookError(
                f"{folder} belongs to user {found.st_uid}, who could change recordings; use one of your own"
            )
        if found.st_mode & OTHERS_CAN_WRITE and not found.st_mode & stat.S_ISVTX:
            raise HookError(f"others can write to {folder}, and change recordings; do: chmod go-w, or chmod +t")
        yield descriptor


@contextlib.contextmanager
def _opened(path: str, flags: int, mode: int = 0, folder: int | None = None) -> Generator[int, None, None]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, mode, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make_folder(parent: int, label: str) -> str:
    label = re.sub(r"[^\w.-]", "_", label, flags=re.ASCII)[:100]
    numbers = [found[0] for found in map(re.compile(r"\d{1,6}(?=-)", re.ASCII).match, os.listdir(parent)) if found]
    number = max(map(int, numbers), default=-1) + 1
    while True:
        name = f"{number:03}-{label}"
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            number += 1
        else:
            return name


def _fill(parent: int, name: str, files: Mapping[str, bytes]) -> None:
    """Write all files into the new folder, or leave none and no folder."""
    with _opened(name, _FOLDER, folder=parent) as folder:
        try:
            for file, data in files.items():
                with create(file, 0o600, folder) as descriptor:
                    _process.write(descriptor, data)
        except OSError:
            for file in os.listdir(folder):
                os.unlink(file, dir_fd=folder)
            os.rmdir(name, dir_fd=parent)
            raise
