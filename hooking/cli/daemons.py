"""The libvirt daemons of a host: whose scripts each runs, and when it is known to have looked for them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from hooking.cli.host_files import lineage
from hooking.cli.scripts import FOLDERS
from hooking.exceptions import HookError
from hooking.run_folder import RunFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.host_files import Tree

HOOKS = FOLDERS["libvirt"]
SPLIT = {
    "qemu": "virtqemud",
    "lxc": "virtlxcd",
    "libxl": "virtxend",
    "bhyve": "virtbhyved",
    "network": "virtnetworkd",
}
"""The daemon of each driver, where libvirt is not one daemon for all."""

NAMES = frozenset(("libvirtd", "virtproxyd", *SPLIT.values()))

_RELOADS = "/run/libvirt-hooking-reloads"
_PARENT, _START = 1, 19  # proc(5): 4 and 22, less the two before the state, which may hold spaces, and from 0
_SECONDS = 10.0


@dataclass(frozen=True)
class Daemon:
    """A libvirt daemon that runs.

    Attributes:
        process: Its process ID.
        name: Its name, as in ``virtqemud``.
        user: The number of the user whose session it serves; 0 for the system's.
        started: When it was started, by the clock.
        sees: Whether the host's folder of hooks is its own; in a container it is another. `None` if only root can tell.
    """

    process: int
    name: str
    user: int
    started: float
    sees: bool | None

    def runs(self, driver: str) -> bool:
        """Tell whether it runs the scripts of ``driver``."""
        return self.sees is not False and (driver == "daemon" or self.name in {"libvirtd", SPLIT[driver]})

    def __str__(self) -> str:
        user = f", user {self.user}" if self.user else ""
        return f"{self.name} (process {self.process}{user})"


def running(tree: Tree) -> list[Daemon]:
    """Return the libvirt daemons that run hooks."""
    boot = _boot_time(tree)
    found = (_daemon(process, tree, boot) for process in Path(tree.at("/proc")).glob("[0-9]*"))
    return sorted(filter(None, found), key=lambda daemon: daemon.process)


def last_look(tree: Tree, daemon: Daemon) -> float:
    """Return when a daemon is known to have looked for scripts last: at its start, or at a reload.

    A reload is known if systemd or `reload` did it. Nothing tells of a SIGHUP that somebody else sent.
    """
    return max(daemon.started, _noted(tree, daemon), _changed(daemon) if tree.is_live else 0)


def reload(tree: Tree, daemon: Daemon) -> None:
    """Let a daemon look again for scripts, and note when that was.

    Raises:
        HookError: It is not ours.
        OSError: It has ended.
    """
    now = time.time()
    try:
        os.kill(daemon.process, signal.SIGHUP)
    except PermissionError as error:
        raise HookError(f"{daemon} is not yours; become root") from error
    note_look(tree, daemon, now)


def note_look(tree: Tree, daemon: Daemon, when: float) -> None:
    """Remember that a daemon knows of the scripts that were there at this time."""
    with contextlib.suppress(HookError):  # then last_look knows less, and that is all
        folder = RunFolder(tree.at(_RELOADS))
        with folder.lock(_key(daemon)):
            folder.write(_key(daemon), when)


def ask(*command: str) -> str:
    """Return what a program of the host says; nothing if it fails, takes long, or is not there."""
    environ = {**os.environ, "LC_ALL": "C"}
    try:
        ended = subprocess.run(command, capture_output=True, check=True, cwd="/", env=environ, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout.decode("utf-8", "replace")


def children(tree: Tree) -> dict[int, list[tuple[int, float]]]:
    """Return the children of each process that has some, and when each was started."""
    boot = _boot_time(tree)
    found: dict[int, list[tuple[int, float]]] = {}
    for process in Path(tree.at("/proc")).glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):  # it has just ended
            parent, started = _parent_and_start(process, boot)
            found.setdefault(parent, []).append((int(process.name), started))
    return found


def _parent_and_start(process: Path, boot: float) -> tuple[int, float]:
    words = (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return int(words[_PARENT]), boot + int(words[_START]) / os.sysconf("SC_CLK_TCK")


def _daemon(process: Path, tree: Tree, boot: float) -> Daemon | None:
    try:
        name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
        if name not in NAMES:
            return None
        user = (process / "status").read_text(encoding="utf-8").partition("\nUid:")[2].split()[0]
        _, started = _parent_and_start(process, boot)
        return Daemon(int(process.name), name, int(user), started, _sees(process, tree))
    except (OSError, IndexError):  # it has just ended
        return None


def _sees(process: Path, tree: Tree) -> bool | None:
    """Tell whether a process sees the host's folder of hooks, or, if there is none, the nearest folder above it."""
    folder = [path for path in lineage(HOOKS) if os.path.isdir(tree.at(path))][-1]
    try:
        return os.path.samefile(f"{process}/root{folder}", tree.at(folder))
    except PermissionError:
        return None
    except OSError:  # it has no such folder
        return False


def _boot_time(tree: Tree) -> float:
    """Return the end of the second in which the machine was started, or 0."""
    try:
        text = Path(tree.at("/proc/stat")).read_text(encoding="utf-8")
        return int(text.partition("\nbtime ")[2].split()[0]) + 1
    except (OSError, IndexError):
        return 0


def _noted(tree: Tree, daemon: Daemon) -> float:
    try:
        return float(RunFolder(tree.at(_RELOADS)).read(_key(daemon)) or 0)
    except (HookError, TypeError, ValueError):  # it is root's, or none of ours
        return 0


def _key(daemon: Daemon) -> str:
    return f"{daemon.process}-{daemon.started:.2f}"


def _changed(daemon: Daemon) -> float:
    """Return when systemd last started or reloaded the unit of a daemon; 0 if it did not."""
    said = ask("systemctl", "show", "--property=MainPID,StateChangeTimestampMonotonic", f"{daemon.name}.service")
    if f"MainPID={daemon.process}" not in said.splitlines():
        return 0
    return time.time() - time.monotonic() + int(said.partition("Monotonic=")[2].split()[0]) / 1e6
