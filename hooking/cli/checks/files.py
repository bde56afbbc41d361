"""What can be said of a script as a file: mode, first line, place."""

from __future__ import annotations

import ast
import os
import re
import shutil
import stat
from pathlib import Path

import hooking
from hooking import points
from hooking.cli.bundling import is_bundle
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.script import is_at_place, place_above
from hooking.cli.scripts import IMPORTS_HOOKING, PROGRAM, PROGRAM_FOLDERS
from hooking.cli.syntax import syntax_tree
from hooking.exceptions import HookError
from hooking.testing.private_folder import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hooking.cli.checks.script import Script

COPY = re.compile(
    r"~$|[._-](bak|backup|orig|old|copy|rej|disabled)$|\.(save|swp|tmp|rpm(save|new|orig)|(dpkg|ucf)-\w+)$"
)
"""Names of copies."""

_PLATFORM_PYTHON = "/usr/libexec/platform-python"
_VDSMS_NAMES = {*hooking._MODULES["vdsm"].split(), "log", "tobool"}  # noqa: SLF001 - the public names by module


def check(script: Script) -> Iterator[Finding]:
    """Check mode, first line and place."""
    yield from _mode(script)
    yield from _place(script)
    if script.data.startswith(PROGRAM):
        return
    if not script.data.startswith(b"#!"):
        start = script.data[:3]
        hidden = "a byte order mark stands before #!" if start == b"\xef\xbb\xbf" else "it does not begin with #!"
        yield Finding("H102", 1, hidden)
    elif script.data.split(b"\n", 1)[0].endswith(b"\r"):
        yield Finding("H103", 1, "the first line ends with CR LF")
    else:
        if script.is_shell and b"\r\n" in script.data:
            yield Finding("H103", script.data[: script.data.index(b"\r\n")].count(b"\n") + 1, "a line ends with CR LF")
        if script.is_archive and is_bundle(script.data):  # of a whole one, the script is what is read
            yield Finding("H111", 1, "the bundle is damaged; make it again")
        yield from _interpreter(script)


def _mode(script: Script) -> Iterator[Finding]:
    mode = os.stat(script.path).st_mode
    if not mode & 0o111 and (is_at_place(script.path) or place_above(script.path)):
        yield Finding("H101", 1, f"its mode is {stat.S_IMODE(mode):04o}")
    if mode & 0o002:
        yield Finding("H109", 1, f"its mode is {stat.S_IMODE(mode):04o}")


def _place(script: Script) -> Iterator[Finding]:
    path = os.path.abspath(script.path)
    folder, name = os.path.split(path)
    hooks = next((up for up in (folder, os.path.dirname(folder)) if up.endswith("/libvirt/hooks")), "")
    if hooks and _serves(path, hooks):
        return
    if folder == hooks and name not in points.DRIVERS:
        yield Finding("H110", 1, f"libvirt knows no driver {name}: {', '.join(sorted(points.DRIVERS))}")
    above = place_above(script.path)
    if above and not any(map(_is_started, [above.with_suffix(""), *above.iterdir()])):
        yield Finding("H110", 1, f"no script in {above.name} that could start it, and hosts enter no folders")
    upper = os.path.basename(folder)
    if os.path.dirname(folder) == hooks and upper not in {f"{name}.d" for name in points.DRIVERS}:
        yield Finding("H110", 1, f"libvirt knows no folder {upper}")
    if os.path.dirname(folder).endswith("/vdsm/hooks") and not points.is_known("vdsm", upper):
        yield Finding("H302", 1, points.misspelt("vdsm", upper))
    elif script.sure and script.points and all(point.absent for point in script.points):
        yield Finding("H302", 1, f"{script.points[0].name}: {script.points[0].absent}")
    if script.sure and COPY.search(name):
        yield Finding("H113", 1, name)


def _is_started(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _serves(path: str, hooks: str) -> bool:
    """Tell whether a script that libvirt starts is a link to a file, or names it."""
    drivers = [Path(hooks, driver) for driver in points.DRIVERS]
    scripts = [*drivers, *(each for driver in drivers for each in Path(f"{driver}.d").glob("*"))]
    named = re.compile(rb"(?<![\w.-])%b(?![\w-])" % re.escape(os.fsencode(os.path.basename(path))))
    others = [each for each in scripts if _is_started(each) and str(each) != path]
    try:
        return any(each.samefile(path) or named.search(read_regular(each)) for each in others)
    except (OSError, HookError):  # somebody else's, or gone by now
        return False


def _interpreter(script: Script) -> Iterator[Finding]:
    path, *arguments = script.shebang or [""]
    name = script.interpreter
    if re.fullmatch(r"python(2[\d.]*)?", name) and not _is_python3_of_venv(path):
        yield Finding("H105", 1, f"its interpreter is {name}")
        return
    with_env = os.path.basename(path) == "env"
    if with_env and len(arguments) > 1 and not arguments[0].startswith("-S"):
        yield Finding("H108", 1, " ".join(script.shebang))
    if not os.path.isabs(path) or not os.access(path, os.X_OK) or (with_env and not shutil.which(name)):
        yield Finding("H104", 1, f"there is no {name if with_env else path or 'interpreter'} here")
    standard = path == _PLATFORM_PYTHON or os.path.dirname(os.path.realpath(path)) in PROGRAM_FOLDERS
    if script.under_libvirt and not standard:
        yield Finding("H106", 1, path)
    open_to_vdsm = script.under_vdsm and script.is_python and not _is_isolated(script)
    if open_to_vdsm and (with_env or IMPORTS_HOOKING.search(script.text)) and not wants_vdsms_module(script):
        yield Finding("H107", 1, " ".join(script.shebang))


def _is_python3_of_venv(path: str) -> bool:
    is_standard = os.path.dirname(path) in PROGRAM_FOLDERS
    return not is_standard and os.path.basename(os.path.realpath(path)).startswith("python3")


def _is_isolated(script: Script) -> bool:
    options = "".join(word[1:] for word in script.shebang[1:] if re.fullmatch("-[A-Za-z]+", word))
    return bool({"I", "E"} & {*options})


def wants_vdsms_module(script: Script) -> bool:
    """Tell whether VDSM's own module ``hooking`` is what a script gets and all that it needs, so nothing is missing."""
    if not script.under_vdsm or _is_isolated(script):
        return False
    try:
        used = set(_used(ast.walk(syntax_tree(script.data))))
    except (SyntaxError, ValueError, RecursionError):
        return False
    return bool(used) and used <= _VDSMS_NAMES


def _used(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names that a script takes out of the module ``hooking``."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "hooking":
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "hooking":
            yield from (alias.name if node.module == "hooking" else node.module or "" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("hooking."))
