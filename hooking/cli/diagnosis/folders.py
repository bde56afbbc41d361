"""What is wrong with the folders of scripts, and who else could change what runs."""

from __future__ import annotations

import os
import stat

from hooking.cli.diagnosis.findings import at
from hooking.cli.diagnosis.host import children, mode
from hooking.cli.host_files import lineage
from hooking.cli.listing import owner
from hooking.cli.scripts import FOLDERS
from hooking.testing.virhook import SCAN_ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.diagnosis.host import Findings, Host

_OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check(host: Host) -> Findings:
    """Check the folders."""
    if not host.running():
        yield at(host.hooks, "D201", "neither libvirt nor VDSM has a script that it runs")
    for path in sorted(_trusted(host)):
        yield from _exposed(host, path)
    for driver in SCAN_ORDER:
        yield from _driver(os.path.join(host.hooks, driver))
    for path in children(host.hooks):
        yield from _name(path)
    for folder in children(host.tree.at(FOLDERS["vdsm"])):
        for path in children(folder):
            yield from _link(path)


def _trusted(host: Host) -> set[str]:
    """Return all that only root may change: scripts, the folders on the way to them, and where links lead."""
    root = os.path.realpath(host.tree.root)
    found: set[str] = set()
    for path in (*map(host.tree.at, FOLDERS.values()), *host.running()):
        for name in path, os.path.realpath(path):
            below = os.path.relpath(name, root)
            if not below.startswith(".."):  # else a link leads out of an image
                found |= {os.path.realpath(host.tree.at(each)) for each in lineage(f"/{below}")}
    return {path for path in found if os.path.exists(path)}


def _exposed(host: Host, path: str) -> Findings:
    found = os.stat(path)
    if found.st_uid not in ({0} if host.tree.is_live else {0, os.geteuid()}):
        yield at(path, "D202", f"its owner is {owner(path)}")
    is_shared = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & _OTHERS_CAN_WRITE and not is_shared:
        yield at(path, "D203", mode(path))


def _driver(main: str) -> Findings:
    folder = f"{main}.d"
    if os.path.isdir(main):
        yield at(main, "D205", f"scripts are looked for in {os.path.basename(folder)}")
    if os.path.exists(folder) and not os.path.isdir(folder):
        yield at(folder, "D204", "it is no folder")
    for path in (main, folder, *children(folder)):
        yield from _link(path)
    for path in children(folder):
        if os.path.isdir(path):
            yield at(path, "D207", f"{os.path.basename(path)} is a folder")


def _link(path: str) -> Findings:
    if os.path.islink(path) and not os.path.exists(path):
        yield at(path, "D206", f"there is no {os.readlink(path)}")


def _name(path: str) -> Findings:
    """Find a folder that was meant for a driver."""
    name = os.path.basename(path)
    meant = [driver for driver in SCAN_ORDER if name.lower().startswith(driver)]
    if os.path.isdir(path) and meant and name not in {driver + end for driver in SCAN_ORDER for end in ("", ".d")}:
        yield at(path, "D210", f"libvirt looks into {meant[0]}.d")
