"""What is wrong inside the scripts of a host: what ``hooking check`` reads, and whether their interpreter can do it."""

from __future__ import annotations

import functools
import os
import re
import shutil
import stat
from pathlib import Path

from hooking.cli.check import findings
from hooking.cli.checks.files import COPY, wants_vdsms_module
from hooking.cli.checks.script import load
from hooking.cli.diagnosis.findings import at
from hooking.cli.diagnosis.folders import exposed
from hooking.cli.diagnosis.host import children, is_file
from hooking.cli.scripts import IMPORTS_HOOKING, PROGRAM_FOLDERS, has_package
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.script import Script
    from hooking.cli.diagnosis.host import Findings, Host

_TEXT = re.compile(r"^(readme|licen[cs]e|copying|changelog)\b|\.(txt|md|rst|example|sample)$", re.IGNORECASE)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SAID_BY_DOCTOR = {"H106", "H109", "H113"}
_OF_THIS_MACHINE = {"H104"}


def check(host: Host) -> Findings:
    """Check the scripts."""
    running = {*host.running()}
    for path, is_executable in _files(host):
        if COPY.search(path) or _TEXT.search(os.path.basename(path)):
            if is_executable:
                yield at(path, "D208", os.path.basename(path))
        elif is_executable or _is_script(path):
            yield from _read(host, path, runs=path in running)


def _files(host: Host) -> Iterator[tuple[str, bool]]:
    """Yield the files among the scripts, and whether each is executable."""
    folders = host.folders()
    for path in (path for folder in folders for path in children(host.tree, folder)):
        found = host.tree.status(path)
        if found and stat.S_ISREG(found.st_mode) and path not in folders and _is_of(host, path):
            yield path, bool(found.st_mode & 0o111)


def _is_of(host: Host, path: str) -> bool:
    """Tell whether a link of an image leads to the same file on this machine."""
    return os.path.realpath(path) == os.path.realpath(host.tree.resolve(path))


def _is_script(path: str) -> bool:
    """Tell whether a file was meant to run; settings and documents may lie beside the scripts."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _read(host: Host, path: str, *, runs: bool) -> Findings:
    try:
        script = load(Path(path))
        found = findings(script, no_run=True)
    except (HookError, OSError):  # it has gone, or is not ours to read
        return
    left_out = _SAID_BY_DOCTOR if host.tree.is_live else _SAID_BY_DOCTOR | _OF_THIS_MACHINE
    for finding in found:
        if finding.code not in left_out and (finding.code.startswith("H1") or finding.severity == "error"):
            yield path, finding
    python = _python(script)
    if runs and host.tree.is_live and _is_safe(host, python) and not _has_package(python):
        yield at(path, "D209", python)


def _python(script: Script) -> str:
    """Return the interpreter of a script that needs this package; else nothing."""
    needs = script.is_python and IMPORTS_HOOKING.search(script.text) and not wants_vdsms_module(script)
    if not needs or script.bundled or script.is_archive:
        return ""
    path = "".join(script.shebang[:1])
    return shutil.which(script.interpreter, path=_PATH) or "" if os.path.basename(path) == "env" else path


def _is_safe(host: Host, program: str) -> bool:
    """Tell whether a program is one of the system's, which root may start."""
    place = host.tree.at(program)
    folders = {host.tree.resolve(host.tree.at(folder)) for folder in PROGRAM_FOLDERS}
    is_ours = os.path.dirname(host.tree.resolve(place)) in folders and is_file(host.tree, place)
    return is_ours and not any(found for step in host.tree.way(place) for found in exposed(host, step))


_has_package = functools.cache(has_package)
