"""A folder below ``/run`` for what outlives one call: files that only their owner can reach, and locks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
import threading
import time

from hooking.exceptions import HostError, InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, Final

LOCK_TIMEOUT: Final = 120.0
"""Seconds that a hook waits for what another hook has locked: longer than any action takes."""

_LONGEST_NAME = 120  # two of them, and what is between and behind, are at most the 255 bytes of a file's name
_held: dict[str, tuple[int, int]] = {}
"""The locks that are held, by which process and thread."""


class RunFolder:
    """A folder that only this user can enter, gone after a reboot. It and its folders are there only while needed.

    Files hold JSON. They are replaced whole, so a hook that is killed leaves the old file or the new one.

    Args:
        path: Where; the folder around it is the system's.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self, name: str) -> Any:
        """Return what the file ``name`` holds; `None` if there is none.

        Raises:
            HostError: It cannot be read.
        """
        with self._reporting(name):
            try:
                with open(self._open(name, os.O_RDONLY), "rb") as file:
                    return json.load(file)
            except FileNotFoundError:
                return None
            except ValueError as error:
                message = f"{self._path(name)} is damaged ({error}); look at it, then remove it"
                raise HostError(message) from error

    def write(self, name: str, value: object) -> None:
        """Let the file ``name`` hold ``value``. Hold a lock: two at once would write the same draft.

        Raises:
            HostError: It cannot be written.
        """
        with self._reporting(name):
            with open(self._open(_draft(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(json.dumps(value, indent=1).encode())
            os.rename(self._path(_draft(name)), self._path(name))

    def remove(self, name: str) -> None:
        """Remove the file ``name``, if it is there, and the folders that this leaves empty.

        Raises:
            HostError: It cannot be removed.
        """
        with self._reporting(name):
            for path in self._path(name), self._path(_draft(name)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            self._remove_empty_folders(name)

    @contextlib.contextmanager
    def lock(self, name: str, timeout: float = LOCK_TIMEOUT) -> Generator[None, None, None]:
        """Keep other hooks out of a block of code that takes the lock ``name``; in it this thread may take it again.

        A process that ends, however, loses its locks.

        Args:
            name: Any text that the hooks agree on.
            timeout: Seconds to wait for the hook that holds it.

        Raises:
            HostError: Another hook holds it too long, or it cannot be taken.
        """
        file = f"locks/{quote(name)}"
        path = self._path(file)
        holder = os.getpid(), threading.get_ident()
        if _held.get(path) == holder:
            yield
            return
        with self._reporting(file):
            descriptor = self._acquire(file, name, timeout)
        _held[path] = holder
        try:
            yield
        finally:
            if os.getpid() == holder[0]:  # else a child that was forked in the block leaves it
                del _held[path]
                self._release(file, descriptor)

    def tidy(self) -> None:
        """Remove the locks that killed hooks left behind."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._path("locks")):
                file = f"locks/{name}"
                descriptor = self._path(file) not in _held and self._try(file)
                if descriptor:
                    self._release(file, descriptor)

    def _acquire(self, file: str, name: str, timeout: float) -> int:
        patience = time.monotonic() + timeout
        while True:
            descriptor = self._try(file)
            if descriptor is not None:
                return descriptor
            if time.monotonic() > patience:
                raise HostError(f"another hook has held {name!r} for more than {timeout:g} s")
            time.sleep(0.005)

    def _try(self, file: str) -> int | None:
        """Return the descriptor of the lock's file if the lock is free. Who releases a lock removes its file."""
        descriptor = self._open(file, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = os.path.samestat(os.fstat(descriptor), os.stat(self._path(file)))
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if is_ours:
            return descriptor
        os.close(descriptor)
        return None

    def _release(self, file: str, descriptor: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(file))
        os.close(descriptor)
        self._remove_empty_folders(file)

    def _open(self, name: str, flags: int) -> int:
        """Open the file ``name``. Where one is made, its folders are too, which another hook may remove meanwhile."""
        path = self._path(name)
        for _ in range(1000):
            self._check()
            try:
                return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                if not flags & os.O_CREAT or not os.path.isdir(os.path.dirname(self.path)):
                    raise
                self._make_folders(os.path.dirname(name))
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _make_folders(self, name: str) -> None:
        path = self.path
        with contextlib.suppress(FileNotFoundError):
            for part in ("", *name.split("/")):
                path = os.path.join(path, part)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(path, 0o700)

    def _check(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(self.path, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
                message = f"{self.path} is not a folder of mode 0700 that belongs to this user; remove it"
                raise HostError(message)

    def _remove_empty_folders(self, name: str) -> None:
        parts = name.split("/")
        with contextlib.suppress(OSError):
            while parts:
                parts.pop()
                with contextlib.suppress(FileNotFoundError):  # removed by another hook, or never made
                    os.rmdir(self._path("/".join(parts)))

    def _path(self, name: str) -> str:
        return os.path.join(self.path, name)

    @contextlib.contextmanager
    def _reporting(self, name: str) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            raise HostError(f"cannot use {self._path(name)}: {error.strerror}") from error


def quote(text: str) -> str:
    """Return ``text`` as the name of a file: other texts have other names.

    Raises:
        InvalidValueError: It is empty.
    """
    name = re.sub(rb"[^\w.-]|^\.", lambda found: b"%%%02X" % found[0][0], text.encode("utf-8", "surrogateescape"))
    if not name:
        raise InvalidValueError("an empty text names nothing")
    if len(name) > _LONGEST_NAME:
        import hashlib

        name = name[: _LONGEST_NAME - 65] + b"~" + hashlib.sha256(name).hexdigest().encode()
    return name.decode()


def _draft(name: str) -> str:
    return f"{name}.new"
