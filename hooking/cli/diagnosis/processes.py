"""What is wrong with the libvirt daemons: which run, which see the scripts, and which look at them in vain."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path

from hooking.cli import daemons
from hooking.cli.diagnosis import log
from hooking.cli.diagnosis.findings import at
from hooking.cli.diagnosis.host import is_folder, mode
from hooking.cli.host_files import lineage
from hooking.cli.scripts import FOLDERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.daemons import Daemon
    from hooking.cli.diagnosis.host import Findings, Host

_READ_AND_EXECUTE = 0o005
_MOST = 1000
_FIRST_WITH_FOLDERS = (6, 5)
_LONG = 10


def check(host: Host) -> Findings:
    """Check the daemons."""
    if host.tree.is_live and os.geteuid() != 0:
        yield at(host.hooks, "D107", "processes, logs and scripts of root are left out")
    for daemon in host.daemons:
        if daemon.sees is False:
            yield at(host.hooks, "D102", str(daemon))
    yield from _waiting(host)
    for driver, scripts in host.scripts.items():
        yield from _served(host, driver, scripts)
    yield from _sessions(host)
    yield from _version(host)


def _served(host: Host, driver: str, scripts: list[str]) -> Findings:
    serving = [daemon for daemon in host.daemons if daemon.runs(driver)]
    is_image = not host.tree.is_live and not host.daemons
    if not is_image and not any(daemon.user == 0 for daemon in serving):
        names = " and no ".join(dict.fromkeys(("libvirtd", daemons.SPLIT.get(driver, "libvirtd"))))
        yield at(scripts[0], "D101", f"no {names} is running")
    for daemon in serving:
        if not is_aware(host, daemon, driver):
            first = min(_placed(host, script) for script in scripts)
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(first))
            yield at(scripts[0], "D103", f"{daemon} has not been reloaded since {when}, as far as can be told")


def is_aware(host: Host, daemon: Daemon, driver: str) -> bool:
    """Tell whether a daemon is known to have seen a script of a driver: one is older, or has failed since."""
    look, scripts = daemons.last_look(host.tree, daemon), host.scripts.get(driver, [])
    if not scripts or any(_placed(host, script) <= look for script in scripts):
        return bool(scripts)
    since = log.in_utc(look + 1)
    return any(failure.driver == driver and failure.time >= since for failure in log.failures(host.tree, _MOST))


def _placed(host: Host, script: str) -> float:
    """Return when a script came where it is, or was last changed; 0 if it has gone."""
    try:
        return max(os.lstat(script).st_ctime, os.lstat(host.tree.resolve(script)).st_ctime)
    except OSError:
        return 0


def _waiting(host: Host) -> Findings:
    """Find scripts that daemons have long been waiting for."""
    children = daemons.children(host.tree)
    for daemon in host.daemons:
        for process, started in children.get(daemon.process, []) if daemon.sees else []:
            words, seconds = _called(host, process), time.time() - started
            if words and seconds > _LONG:
                what = f"{daemon} waits for {' '.join(words[:3])} for {seconds:.0f} s (process {process})"
                yield at(host.tree.at(words[0]), "D108", what, (process, *_descendants(children, process)))


def _called(host: Host, process: int) -> list[str]:
    """Return the hook script that a process runs, and its arguments; nothing if it runs something else."""
    try:
        words = os.fsdecode(Path(host.tree.at(f"/proc/{process}/cmdline")).read_bytes()).split("\0")
    except OSError:  # it has just ended
        return []
    places = [place for place, word in enumerate(words) if word.startswith(f"{FOLDERS['libvirt']}/")]
    return words[places[0] :] if places else []


def _descendants(children: dict[int, list[tuple[int, float]]], process: int) -> list[int]:
    own = [child for child, _ in children.get(process, [])]
    return [*own, *(each for child in own for each in _descendants(children, child))]


def _sessions(host: Host) -> Findings:
    users = sorted({daemon.user for daemon in host.daemons if daemon.user and daemon.sees is not False})
    if not users:
        return
    ways = [(path, host.tree.status(path)) for path in map(host.tree.at, lineage(FOLDERS["libvirt"]))]
    closed = [at(path, "D105", mode(found)) for path, found in ways if found and not found.st_mode & stat.S_IXOTH]
    yield from closed
    for script in dict.fromkeys(script for scripts in host.scripts.values() for script in scripts):
        found = host.tree.status(script)
        if found and not closed and found.st_uid not in users and ~found.st_mode & _READ_AND_EXECUTE:
            yield at(script, "D104", f"{mode(found)}, and a session of user {users[0]} runs")


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
            if is_folder(host.tree, folder):
                yield at(folder, "D106", f"libvirt is {found}")
