"""The files of a host, or of an image or package of one: folders that are safe, and files that are whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from hooking import _process
from hooking.exceptions import HookError
from hooking.testing import private_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_LINKS = 40  # as in Linux

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
        """Return where ``path`` lies on this machine; links to folders of an image lead into the image."""
        place = os.path.join(self.root, path.lstrip("/"))
        if self.is_live:
            return place
        return os.path.join(self.resolve(os.path.dirname(place)), os.path.basename(place))

    def way(self, place: str) -> Iterator[str]:
        """Yield the root, each folder on the way to ``place`` through all links, and what is there, if anything.

        Args:
            place: A path on this machine below the root. Links lead where they do on the host.
        """
        root = here = str(self.root)
        names, links = os.path.relpath(place, root).split("/")[::-1], 0
        yield root
        while names:
            name = names.pop()
            step = os.path.join(here, name)
            if name == "..":
                here = os.path.dirname(here) if here != root else root
            elif os.path.islink(step) and links < _MOST_LINKS:
                target, links = os.readlink(step), links + 1
                here = root if target.startswith("/") else here
                names += target.split("/")[::-1]
            elif name not in {"", "."}:
                here = step
                yield here

    def resolve(self, place: str) -> str:
        """Return where the links on the way to ``place`` lead: a path on this machine, too."""
        return [*self.way(place)][-1]

    def status(self, place: str) -> os.stat_result | None:
        """Return what is known of the file or folder to which ``place`` leads; `None` if there is none to be seen."""
        try:
            found = os.lstat(self.resolve(place))
        except OSError:
            return None
        return None if stat.S_ISLNK(found.st_mode) else found

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
            raise HookError(
                f"{place} belongs to user {found.st_uid}, who could change hooks; do: chown root {quoted(place)}"
            )
        if found.st_mode & private_folder.OTHERS_CAN_WRITE:
            raise HookError(f"others can write to {place}, and change hooks; do: chmod go-w {quoted(place)}")
        return True


def lineage(folder: str) -> list[str]:
    """Return ``folder`` and those above it, the highest first."""
    return [str(path) for path in (*reversed(Path(folder).parents), Path(folder))]


def quoted(path: str) -> str:
    """Return a path as a word for a shell; one that cannot be printed as Bash and ksh read it."""
    if path.isprintable():
        return shlex.quote(path)
    plain = set(range(0x20, 0x7F)) - set(b"'\\")
    return "$'" + "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in os.fsencode(path)) + "'"


def checksum(data: bytes) -> str:
    """Return the SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()
