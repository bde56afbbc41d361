"""What is wrong inside the scripts of a host: what ``hooking check`` reads, and whether their interpreter can do it."""

from __future__ import annotations

import functools
import os
import re
import stat
import zipfile
from pathlib import Path

from hooking.cli.check import findings
from hooking.cli.checks.files import COPY, IMPORTS_HOOKING
from hooking.cli.checks.script import load
from hooking.cli.diagnosis.findings import at
from hooking.cli.diagnosis.host import children
from hooking.cli.scripts import FOLDERS, PROGRAM, has_package
from hooking.testing.virhook import SCAN_ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.checks.script import Script
    from hooking.cli.diagnosis.host import Findings, Host

_TEXT = re.compile(r"^(readme|licen[cs]e|copying|changelog)\b|\.(txt|md|rst|example|sample)$", re.IGNORECASE)
_SAID_BY_DOCTOR = {"H109", "H113"}
_OF_THIS_MACHINE = {"H104"}


def check(host: Host) -> Findings:
    """Check the scripts."""
    running = {*host.running()}
    for path in _files(host):
        if COPY.search(path) or _TEXT.search(os.path.basename(path)):
            if _is_executable(path):
                yield at(path, "D208", os.path.basename(path))
        elif path in running or _looks_like_script(path):
            yield from _read(host, path)


def _files(host: Host) -> list[str]:
    of_drivers = [os.path.join(host.hooks, f"{driver}.d") for driver in SCAN_ORDER]
    folders = [host.hooks, *of_drivers, *children(host.tree.at(FOLDERS["vdsm"]))]
    files = [path for folder in folders for path in children(folder) if os.path.isfile(path)]
    return [path for path in files if path not in of_drivers]  # what is wrong there is that it is a file


def _is_executable(path: str) -> bool:
    return bool(stat.S_IMODE(os.stat(path).st_mode) & 0o111)


def _looks_like_script(path: str) -> bool:
    """Tell whether a file was meant to run; settings and documents may lie beside the scripts."""
    if _is_executable(path):
        return True
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _read(host: Host, path: str) -> Findings:
    try:
        script = load(Path(path))
    except OSError:
        return
    if script.data.startswith(PROGRAM):
        return
    left_out = _SAID_BY_DOCTOR if host.tree.is_live else _SAID_BY_DOCTOR | _OF_THIS_MACHINE
    for finding in findings(script, no_run=True):
        if finding.code not in left_out and (finding.code.startswith("H1") or finding.severity == "error"):
            yield path, finding
    if host.tree.is_live and _lacks_package(script):
        yield at(path, "D209", script.shebang[0])


def _lacks_package(script: Script) -> bool:
    needs = script.is_python and IMPORTS_HOOKING.search(script.text) and not zipfile.is_zipfile(script.path)
    return bool(needs and os.access("".join(script.shebang[:1]), os.X_OK) and not _has_package(script.shebang[0]))


_has_package = functools.cache(has_package)
