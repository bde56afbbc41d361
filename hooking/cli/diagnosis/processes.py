"""What is wrong with the libvirt daemons: which run, which see the scripts, and which look at them in vain."""

from __future__ import annotations

import os
import re
import time

from hooking.cli import daemons
from hooking.cli.diagnosis.findings import at
from hooking.cli.diagnosis.host import mode
from hooking.cli.host_files import lineage
from hooking.cli.scripts import FOLDERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.diagnosis.host import Findings, Host

_READ_AND_EXECUTE = 0o005
_FIRST_WITH_FOLDERS = (6, 5)


def check(host: Host) -> Findings:
    """Check the daemons."""
    if host.tree.is_live and os.geteuid() != 0:
        yield at(host.hooks, "D107", "processes, logs and scripts of root are left out")
    for daemon in host.daemons:
        if not daemon.sees:
            yield at(host.hooks, "D102", str(daemon))
    for driver, scripts in host.scripts.items():
        yield from _served(host, driver, scripts)
    yield from _sessions(host)
    yield from _version(host)


def _served(host: Host, driver: str, scripts: list[str]) -> Findings:
    serving = [daemon for daemon in host.daemons if daemon.runs(driver)]
    if not any(daemon.user == 0 for daemon in serving):
        names = " and no ".join(dict.fromkeys(("libvirtd", daemons.SPLIT.get(driver, "libvirtd"))))
        yield at(scripts[0], "D101", f"no {names} is running")
    for daemon in serving:
        look, first = daemons.last_look(host.tree, daemon), min(map(_placed, scripts))
        if look < first:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(first))
            yield at(scripts[0], "D103", f"{daemon} has not been reloaded since {when}, as far as can be told")


def _placed(script: str) -> float:
    """Return when a script came where it is, or was last changed."""
    return max(os.lstat(script).st_ctime, os.stat(script).st_ctime)


def _sessions(host: Host) -> Findings:
    users = sorted({daemon.user for daemon in host.daemons if daemon.user and daemon.sees})
    if not users:
        return
    closed = [path for path in map(host.tree.at, lineage(FOLDERS["libvirt"])) if _is_closed(path, 0o001)]
    for path in closed:
        yield at(path, "D105", mode(path))
    for script in dict.fromkeys(script for scripts in host.scripts.values() for script in scripts):
        if not closed and _is_closed(script, _READ_AND_EXECUTE) and os.stat(script).st_uid not in users:
            yield at(script, "D104", f"{mode(script)}, and a session of user {users[0]} runs")


def _is_closed(path: str, bits: int) -> bool:
    return os.path.exists(path) and os.stat(path).st_mode & bits != bits


def version(host: Host) -> str:
    """Return the version of libvirt on this machine; nothing if it is not known."""
    names = [*(daemon.name for daemon in host.daemons), "libvirtd", "virtqemud"] if host.tree.is_live else []
    said = (daemons.ask(name, "--version") for name in dict.fromkeys(names))
    return next((found[0] for found in map(re.compile(r"\d+\.\d+\.\d+").search, said) if found), "")


def _version(host: Host) -> Findings:
    found = version(host)
    if found and tuple(map(int, found.split(".")[:2])) < _FIRST_WITH_FOLDERS:
        for driver in host.scripts:
            folder = os.path.join(host.hooks, f"{driver}.d")
            if os.path.isdir(folder):
                yield at(folder, "D106", f"libvirt is {found}")
