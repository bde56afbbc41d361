"""What can be said of a script as a file: mode, first line, place."""

from __future__ import annotations

import os
import re
import shutil
import stat

from hooking import points
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.script import place_above
from hooking.cli.scripts import PROGRAM_FOLDERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hooking.cli.checks.script import Script

COPY = re.compile(
    r"~$|[._-](bak|backup|orig|old|copy|rej|disabled)$|\.(save|swp|tmp|rpm(save|new|orig)|(dpkg|ucf)-\w+)$"
)
"""Names of copies."""

IMPORTS_HOOKING = re.compile(r"^\s*(import\s+([\w., ]+,\s*)?hooking\b|from\s+hooking\b)", re.MULTILINE)


def check(script: Script) -> Iterator[Finding]:
    """Check mode, first line and place."""
    yield from _mode(script)
    yield from _place(script)
    if not script.data.startswith(b"#!"):
        start = script.data[:3]
        hidden = "a byte order mark stands before #!" if start == b"\xef\xbb\xbf" else "it does not begin with #!"
        yield Finding("H102", 1, hidden)
    elif script.data.split(b"\n", 1)[0].endswith(b"\r"):
        yield Finding("H103", 1, "the first line ends with CR LF")
    else:
        if script.is_shell and b"\r\n" in script.data:
            yield Finding("H103", script.data[: script.data.index(b"\r\n")].count(b"\n") + 1, "a line ends with CR LF")
        yield from _interpreter(script)


def _mode(script: Script) -> Iterator[Finding]:
    mode = os.stat(script.path).st_mode
    if not mode & 0o111:
        yield Finding("H101", 1, f"its mode is {stat.S_IMODE(mode):04o}")
    if mode & 0o002:
        yield Finding("H109", 1, f"its mode is {stat.S_IMODE(mode):04o}")


def _place(script: Script) -> Iterator[Finding]:
    path = os.path.abspath(script.path)
    folder, name = os.path.split(path)
    if folder.endswith("/libvirt/hooks") and name not in points.DRIVERS:
        yield Finding("H110", 1, f"libvirt knows no driver {name}: {', '.join(sorted(points.DRIVERS))}")
    above = place_above(script.path)
    if above and not any(map(_is_started, [above.with_suffix(""), *above.iterdir()])):
        yield Finding("H110", 1, f"no script in {above.name} that could start it, and hosts enter no folders")
    upper = os.path.basename(folder)
    if os.path.dirname(folder).endswith("/libvirt/hooks") and upper not in {f"{name}.d" for name in points.DRIVERS}:
        yield Finding("H110", 1, f"libvirt knows no folder {upper}")
    if os.path.dirname(folder).endswith("/vdsm/hooks") and not points.is_known("vdsm", upper):
        yield Finding("H302", 1, points.misspelt("vdsm", upper))
    elif script.sure and script.points and all(point.absent for point in script.points):
        yield Finding("H302", 1, f"{script.points[0].name}: {script.points[0].absent}")
    if script.sure and COPY.search(name):
        yield Finding("H113", 1, name)


def _is_started(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _interpreter(script: Script) -> Iterator[Finding]:
    path, *arguments = script.shebang or [""]
    name = script.interpreter
    if re.fullmatch(r"python(2[\d.]*)?", name):
        yield Finding("H105", 1, f"its interpreter is {name}")
        return
    with_env = os.path.basename(path) == "env"
    if with_env and len(arguments) > 1 and not arguments[0].startswith("-S"):
        yield Finding("H108", 1, " ".join(script.shebang))
    if not os.path.isabs(path) or not os.access(path, os.X_OK) or (with_env and not shutil.which(name)):
        yield Finding("H104", 1, f"there is no {name if with_env else path or 'interpreter'} here")
    if script.under_libvirt and os.path.dirname(os.path.realpath(path)) not in PROGRAM_FOLDERS:
        yield Finding("H106", 1, path)
    if script.under_vdsm and script.is_python and (with_env or IMPORTS_HOOKING.search(script.text)):
        options = "".join(word[1:] for word in arguments if re.fullmatch("-[A-Za-z]+", word))
        if not {"I", "E"} & {*options}:
            yield Finding("H107", 1, " ".join(script.shebang))
