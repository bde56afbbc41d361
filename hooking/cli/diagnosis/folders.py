"""What is wrong with the folders of scripts, and who else could change what runs."""

from __future__ import annotations

import os
import stat

from hooking.cli.diagnosis.findings import at
from hooking.cli.diagnosis.host import children, is_folder, mode
from hooking.cli.listing import owner
from hooking.cli.scripts import FOLDERS
from hooking.testing.private_folder import OTHERS_CAN_WRITE
from hooking.testing.virhook import SCAN_ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.diagnosis.host import Findings, Host


def check(host: Host) -> Findings:
    """Check the folders."""
    if not host.running():
        yield at(host.hooks, "D201", "neither libvirt nor VDSM has a script that it runs")
    for path in sorted(_trusted(host)):
        yield from exposed(host, path)
    for folder in host.folders():
        yield from _place(host, folder)
    for driver in SCAN_ORDER:
        yield from _driver(host, driver)
    for path in children(host.tree, host.hooks):
        yield from _name(host, path)


def _trusted(host: Host) -> set[str]:
    """Return all that only root may change: what lies in the folders, and the ways there and to where links lead."""
    folders = host.holding()
    places = {*map(host.tree.at, FOLDERS.values()), *folders}
    places |= {path for folder in folders for path in children(host.tree, folder)}
    return {step for place in places for step in host.tree.way(place)}


def exposed(host: Host, path: str) -> Findings:
    """Find out who else can change a file, or what lies in a folder."""
    found = host.tree.status(path)
    if found is None:
        return
    if found.st_uid not in ({0} if host.tree.is_live else {0, os.geteuid()}):
        yield at(path, "D202", f"its owner is {owner(found.st_uid)}")
    is_shared = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & OTHERS_CAN_WRITE and (not is_shared or path in host.holding()):
        yield at(path, "D203", mode(found))


def _place(host: Host, folder: str) -> Findings:
    """Find what hosts do not run in a folder where they look for scripts."""
    found = host.tree.status(folder)
    if found and not stat.S_ISDIR(found.st_mode):
        yield at(folder, "D204", "it is no folder")
    for path in children(host.tree, folder):
        found = host.tree.status(path)
        if found is None and os.path.islink(path):
            yield at(path, "D206", f"it leads to {host.tree.resolve(path)}")
        elif found and not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            yield at(path, "D211", mode(found))


def _driver(host: Host, driver: str) -> Findings:
    main = os.path.join(host.hooks, driver)
    if is_folder(host.tree, main):
        yield at(main, "D205", f"scripts are looked for in {driver}.d")
    if driver not in host.trees:
        for path in children(host.tree, f"{main}.d"):
            if is_folder(host.tree, path):
                yield at(path, "D207", f"{os.path.basename(path)} is a folder")


def _name(host: Host, path: str) -> Findings:
    """Find a folder that was meant for a driver."""
    name = os.path.basename(path)
    meant = [driver for driver in SCAN_ORDER if name.lower().startswith(driver)]
    known = {driver + end for driver in SCAN_ORDER for end in ("", ".d")}
    if meant and name not in known and is_folder(host.tree, path):
        yield at(path, "D210", f"libvirt looks into {meant[0]}.d")
