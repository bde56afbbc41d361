"""What was installed on a host: a manifest for each hook, written before its files and removed after them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass

from hooking.cli.host_files import lineage
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from hooking.cli.host_files import Tree

FOLDER = "/var/lib/libvirt-hooking"

_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """What belongs to an installed hook.

    Attributes:
        name: The hook's name.
        files: The paths of its files, and the checksums that each may have: while it is replaced, the old and the new.
        folders: The folders that were made for it, and for others that lie there too.
    """

    name: str
    files: dict[str, list[str]]
    folders: list[str]


class Manifests:
    """The manifests of a host."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def load(self) -> dict[str, Manifest]:
        """Return them all, by name.

        Raises:
            HookError: They cannot be read, or others could have changed them.
        """
        if self._tree.missing(FOLDER):
            return {}
        folder = self._tree.at(FOLDER)
        paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".json")]
        return {manifest.name: manifest for manifest in map(_load, paths)}

    @contextlib.contextmanager
    def lock(self) -> Generator[list[str], None, None]:
        """Let nobody else change them meanwhile; the value is the folders that were made for them.

        Raises:
            HookError: Somebody else is at it.
        """
        made = self._tree.missing(FOLDER)
        for folder in made:
            self._tree.make_folder(folder, 0o700 if folder == FOLDER else 0o755)
        descriptor = os.open(self._tree.at(FOLDER), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield made
        except BlockingIOError as error:
            raise HookError("hooks are being installed or uninstalled; try again when that is done") from error
        finally:
            self._tree.remove_empty(made)
            os.close(descriptor)

    def store(self, manifest: Manifest) -> None:
        """Write a manifest, in the place of the old one if there is one."""
        draft = f"{FOLDER}/{manifest.name}.draft"
        self._tree.remove(draft)
        text = json.dumps({"version": _VERSION, **asdict(manifest)}, indent=2)
        self._tree.write(draft, f"{text}\n".encode(), 0o600)
        os.rename(self._tree.at(draft), self._tree.at(_path(manifest.name)))

    def remove(self, name: str) -> None:
        """Remove a manifest, and what a killed `store` left of it."""
        self._tree.remove(f"{FOLDER}/{name}.draft")
        self._tree.remove(_path(name))


def folders_for(tree: Tree, files: list[str], known: dict[str, Manifest], made: list[str]) -> set[str]:
    """Return the folders that a hook with ``files`` has to name: those made for it, and those made before.

    Args:
        tree: The host.
        files: The hook's files.
        known: The manifests so far.
        made: The folders that were made for manifests just now.
    """
    ours = {folder for manifest in known.values() for folder in manifest.folders}
    found = {FOLDER, *made}
    for folder in {os.path.dirname(path) for path in files}:
        found |= {*tree.missing(folder), *(ours & {*lineage(folder), *lineage(FOLDER)})}
    return found


def _path(name: str) -> str:
    return f"{FOLDER}/{name}.json"


def _load(path: str) -> Manifest:
    with open(path, "rb") as file:
        data = file.read()
    try:
        found = json.loads(data)
        versions = {_VERSION: Manifest}
        return versions[found.pop("version")](**found)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HookError(f"{path} is no manifest that this version wrote; see what it is, and move it away") from error
