"""What a host has: daemons, and scripts that they run."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from hooking.cli import daemons, listing
from hooking.cli.scripts import FOLDERS
from hooking.testing.virhook import SCAN_ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.daemons import Daemon
    from hooking.cli.host_files import Tree
    from hooking.cli.rules import Found

    Findings = Iterator[tuple[str, Found]]
    """What is wrong, and where; paths are those of this machine."""


@dataclass(frozen=True)
class Host:
    """A host.

    Attributes:
        tree: Its files.
        daemons: Its libvirt daemons.
        scripts: What they run, by driver.
        vdsm: What VDSM runs.
    """

    tree: Tree
    daemons: list[Daemon]
    scripts: dict[str, list[str]]
    vdsm: list[str]

    @property
    def hooks(self) -> str:
        """The folder of libvirt's scripts."""
        return self.tree.at(FOLDERS["libvirt"])

    def running(self) -> list[str]:
        """Return all scripts that run."""
        return [*(script for scripts in self.scripts.values() for script in scripts), *self.vdsm]


def look(tree: Tree) -> Host:
    """Return what the host has."""
    found = list(listing.scripts(tree))
    by_driver = {driver: [script for point, script in found if point == driver] for driver in SCAN_ORDER}
    vdsm = dict.fromkeys(script for point, script in found if point not in SCAN_ORDER)
    return Host(tree, daemons.running(tree), {k: v for k, v in by_driver.items() if v}, list(vdsm))


def children(folder: str) -> list[str]:
    """Return the paths of what lies in a folder; none if it cannot be opened."""
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    except OSError:
        return []


def mode(path: str) -> str:
    """Return the mode of a file in words."""
    return f"its mode is {stat.S_IMODE(os.stat(path).st_mode):04o}"
