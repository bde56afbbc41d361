"""The files of a host, or of an image or package of one: folders that are safe, and files that are whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from hooking import _process
from hooking.exceptions import HookError
from hooking.testing import private_folder

_OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH

NO_FILE = "no regular file"
"""The checksum of a link, a folder, and whatever else has none."""


@dataclass(frozen=True)
class Tree:
    """The files of a host.

    Paths are those of the host.

    Attributes:
        root: The folder that stands for its ``/``.
    """

    root: Path

    @property
    def is_live(self) -> bool:
        """Whether this is the machine itself."""
        return str(self.root) == "/"

    def at(self, path: str) -> str:
        """Return where ``path`` lies on this machine."""
        return os.path.join(self.root, path.lstrip("/"))

    def missing(self, folder: str) -> list[str]:
        """Return which of ``folder`` and the folders above it are not there, the highest first.

        Raises:
            HookError: One is no folder, or a symbolic link, or somebody else can write to it.
        """
        return [path for path in lineage(folder) if not self._is_safe_folder(path)]

    def make_folder(self, folder: str, mode: int = 0o755) -> None:
        """Make a folder, if it is not there."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.at(folder))
            os.chmod(self.at(folder), mode)

    def remove_empty(self, folders: list[str]) -> None:
        """Remove those of ``folders`` that are empty, the lowest first."""
        for folder in sorted(folders, reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(self.at(folder))

    def write(self, path: str, data: bytes, mode: int) -> None:
        """Write a new file, owned by who runs this.

        Raises:
            OSError: There is something already, or it cannot be written.
        """
        with private_folder.create(self.at(path), 0o600) as descriptor:
            _process.write(descriptor, data)
            os.fchown(descriptor, os.geteuid(), os.getegid())
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.at(path))

    def checksum(self, path: str) -> str | None:
        """Return the SHA-256 of a regular file; `None` if nothing is there."""
        try:
            mode = os.lstat(self.at(path)).st_mode
            return checksum(Path(self.at(path)).read_bytes()) if stat.S_ISREG(mode) else NO_FILE
        except FileNotFoundError:
            return None

    def _is_safe_folder(self, path: str) -> bool:
        place = self.at(path)
        try:
            found = os.lstat(place)
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(found.st_mode):
            raise HookError(f"{place} is no folder, and links are not followed; see what it is, and move it away")
        if found.st_uid not in (0, os.geteuid()):
            raise HookError(f"{place} belongs to user {found.st_uid}, who could change hooks; do: chown root {place}")
        if found.st_mode & _OTHERS_CAN_WRITE:
            raise HookError(f"others can write to {place}, and change hooks; do: chmod go-w {place}")
        return True


def lineage(folder: str) -> list[str]:
    """Return ``folder`` and those above it, the highest first."""
    return [str(path) for path in (*reversed(Path(folder).parents), Path(folder))]


def checksum(data: bytes) -> str:
    """Return the SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()
