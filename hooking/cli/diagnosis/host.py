"""What a host has: daemons, and scripts that they run."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass

from hooking.cli import daemons, listing
from hooking.cli.scripts import FOLDERS
from hooking.exceptions import HookError
from hooking.testing.private_folder import read_regular
from hooking.testing.virhook import SCAN_ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.daemons import Daemon
    from hooking.cli.host_files import Tree
    from hooking.cli.rules import Found

    Findings = Iterator[tuple[str, Found]]
    """What is wrong, and where; paths are those of this machine."""


_DEPTH = 3


@dataclass(frozen=True)
class Host:
    """A host.

    Attributes:
        tree: Its files.
        daemons: Its libvirt daemons.
        scripts: What they run, by driver.
        vdsm: What VDSM runs.
        trees: The folders below those of libvirt whose files a dispatcher runs, by driver.
    """

    tree: Tree
    daemons: list[Daemon]
    scripts: dict[str, list[str]]
    vdsm: list[str]
    trees: dict[str, list[str]]

    @property
    def hooks(self) -> str:
        """The folder of libvirt's scripts."""
        return self.tree.at(FOLDERS["libvirt"])

    def folders(self) -> list[str]:
        """Return the folders in which the hosts look for scripts."""
        of_drivers = [os.path.join(self.hooks, f"{driver}.d") for driver in SCAN_ORDER]
        return [self.hooks, *of_drivers, *children(self.tree, self.tree.at(FOLDERS["vdsm"]))]

    def holding(self) -> set[str]:
        """Return all folders whose scripts run, those of trees too."""
        return {*self.folders(), *(path for paths in self.trees.values() for path in paths)}

    def running(self) -> list[str]:
        """Return all scripts that run."""
        return [*(script for scripts in self.scripts.values() for script in scripts), *self.vdsm]


def look(tree: Tree) -> Host:
    """Return what the host has."""
    found = list(listing.scripts(tree))
    by_driver = {driver: [script for point, script in found if point == driver] for driver in SCAN_ORDER}
    vdsm = dict.fromkeys(script for point, script in found if point not in SCAN_ORDER)
    trees = {driver: _tree(tree, driver) for driver in by_driver if _has_dispatcher(tree, driver, by_driver[driver])}
    return Host(tree, daemons.running(tree), {k: v for k, v in by_driver.items() if v}, list(vdsm), trees)


def children(tree: Tree, folder: str) -> list[str]:
    """Return the paths of what lies in a folder; none if it cannot be opened."""
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(tree.resolve(folder)))]
    except OSError:
        return []


def is_folder(tree: Tree, path: str) -> bool:
    """Tell whether a path leads to a folder."""
    found = tree.status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_file(tree: Tree, path: str) -> bool:
    """Tell whether a path leads to a regular file; opening anything else may take for ever."""
    found = tree.status(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def mode(found: os.stat_result) -> str:
    """Return the mode of a file in words."""
    return f"its mode is {stat.S_IMODE(found.st_mode):04o}"


def _has_dispatcher(tree: Tree, driver: str, scripts: list[str]) -> bool:
    """Tell whether one of the scripts runs those in folders below, as VFIO-Tools' and ours do."""
    for script in scripts:
        if "run-tree" in os.path.basename(script):
            return True
        with contextlib.suppress(HookError, OSError):
            if f"{driver}.d/".encode() in read_regular(tree.resolve(script)):
                return True
    return False


def _tree(tree: Tree, driver: str) -> list[str]:
    """Return the folders of guests, operations and sub-operations."""
    found = level = [tree.at(f"{FOLDERS['libvirt']}/{driver}.d")]
    for _ in range(_DEPTH):
        level = [path for folder in level for path in children(tree, folder) if is_folder(tree, path)]
        found = [*found, *level]
    return found
