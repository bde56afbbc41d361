"""Which scripts the hosts run, in their order, and who put them there."""

from __future__ import annotations

import contextlib
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from hooking import points
from hooking.cli.host_files import checksum
from hooking.cli.scripts import FOLDERS
from hooking.testing.vdsm_runner import HookRunner
from hooking.testing.virhook import SCAN_ORDER, ScriptFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.host_files import Tree
    from hooking.cli.manifests import Manifest


@dataclass(frozen=True)
class Listed:
    """A script that a host runs.

    Attributes:
        point: The libvirt driver, at whose every operation it runs, or the hook point of VDSM.
        path: Where it lies on the host.
        owner: The user whom it belongs to.
        sha256: Its checksum; `None` if this user cannot read it.
        hook: The installed hook that it belongs to.
        changed: Whether it was changed since it was installed.
    """

    point: str
    path: str
    owner: str
    sha256: str | None
    hook: str | None
    changed: bool


def idle(tree: Tree, known: dict[str, Manifest]) -> list[str]:
    """Return the installed files that no host runs: they are not executable any more, or gone.

    Args:
        tree: The host.
        known: What is installed.
    """
    run = {script for _, script in scripts(tree)}
    return [path for manifest in known.values() for path in manifest.files if tree.at(path) not in run]


def listed(tree: Tree, known: dict[str, Manifest]) -> list[Listed]:
    """Return the scripts that the hosts run, in the order in which they do.

    Args:
        tree: The host.
        known: What is installed.
    """
    owners = {path: manifest for manifest in known.values() for path in manifest.files}
    found: list[Listed] = []
    for point, script in scripts(tree):
        path = "/" + os.path.relpath(script, tree.root)
        manifest, status = owners.get(path), tree.status(script)
        if status is None:  # it has gone
            continue
        sum_ = _checksum(tree.resolve(script))
        changed = manifest is not None and sum_ is not None and sum_ not in manifest.files[path]
        found.append(Listed(point, path, owner(status.st_uid), sum_, manifest.name if manifest else None, changed))
    return found


def require_sight(tree: Tree) -> None:
    """Find out whether this user can see which scripts there are.

    Raises:
        OSError: It cannot.
    """
    for folder in map(tree.at, FOLDERS.values()):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for name in os.listdir(folder):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    os.listdir(os.path.join(folder, name))


def warnings(tree: Tree) -> list[str]:
    """Return what the libvirt daemons log about scripts that they do not run."""
    return ScriptFolder(Path(tree.at(FOLDERS["libvirt"])), follow=tree.resolve).warnings


def scripts(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield the scripts that the hosts run: driver or hook point of VDSM, and where each lies on this machine."""
    folder = ScriptFolder(Path(tree.at(FOLDERS["libvirt"])), follow=tree.resolve)
    for driver in SCAN_ORDER:
        yield from ((driver, str(script)) for script in folder.scripts(driver))
    runner = HookRunner(Path(tree.at(FOLDERS["vdsm"])), {}, Path(), taskset=False, follow=tree.resolve)
    for point in points.all_points():
        if point.host == "vdsm":
            yield from ((point.op, script) for script in runner.scripts(point.op))


def _checksum(script: str) -> str | None:
    try:
        return checksum(Path(script).read_bytes())
    except OSError:
        return None


def owner(number: int) -> str:
    """Return the name of a user, or the number."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
