"""A hook script as it is to lie on a host: where the host looks for it, and what its first line says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hooking import points
from hooking.cli.bundling import is_bundle, source_of
from hooking.cli.host_files import quoted
from hooking.cli.ready_made import load_hook, points_of
from hooking.cli.syntax import syntax_tree
from hooking.exceptions import HookError
from hooking.testing.executable import interpreter_of
from hooking.testing.private_folder import OTHERS_CAN_WRITE, read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.host_files import Tree
    from hooking.points import HostName

FOLDERS: dict[HostName, str] = {"libvirt": "/etc/libvirt/hooks", "vdsm": "/usr/libexec/vdsm/hooks"}
"""Where the hosts look for scripts."""

PYTHON = "/usr/bin/python3"

PROGRAM_FOLDERS = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
"""Where AppArmor lets libvirt start programs."""

IMPORTS_HOOKING = re.compile(r"^\s*(import\s+([\w., ]+,\s*)?hooking\b|from\s+hooking\b)", re.MULTILINE)

APPARMOR = "/sys/kernel/security/apparmor/profiles"

CONFINED = re.compile(r"^(\S*/)?(libvirtd|virtqemud|virtxend) \(enforce\)$", re.MULTILINE)
"""What stands in there if it confines libvirt."""

PROGRAM = b"\x7fELF"
"""What a compiled program begins with."""


@dataclass(frozen=True)
class Place:
    """Where a host looks for the scripts that it starts together.

    Attributes:
        host: ``libvirt`` or ``vdsm``.
        label: The libvirt driver, or the hook point of VDSM.
    """

    host: HostName
    label: str

    def within(self, folder: str) -> str:
        """Return its folder, if ``folder`` is where the host looks."""
        return f"{folder}/{self.label}.d" if self.host == "libvirt" else f"{folder}/{self.label}"

    def path(self, name: str, priority: int) -> str:
        """Return the path of the hook ``name``, as the other scripts of the host are called."""
        words = f"{priority:02}-{name}" if self.host == "libvirt" else f"{priority:02}_{name.replace('-', '_')}"
        return f"{self.within(FOLDERS[self.host])}/{words}"


@dataclass(frozen=True)
class Script:
    """A hook script.

    Attributes:
        name: What it is called when it is installed.
        data: Its content, with the first line that it needs on the host.
        places: Where hosts look for it.
        is_hook: Whether it has a `Hook`, which does nothing where it has no handler.
        remarks: What the user has to know of it.
    """

    name: str
    data: bytes
    places: tuple[Place, ...]
    is_hook: bool
    remarks: tuple[str, ...] = ()


def read_script(path: Path, names: tuple[str, ...], name: str | None, python: str | None, tree: Tree) -> Script:
    """Return a script as it is to be installed.

    Args:
        path: The script.
        names: Hook points or libvirt drivers; none for what its `Hook` has handlers for.
        name: What it is to be called; its own name if `None`.
        python: The interpreter, if it is written in Python; the first that has this package if `None`.
        tree: The host.

    Raises:
        HookError: It cannot be installed; the message says why.
    """
    name = name or path.stem.replace("_", "-")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}", name):
        raise HookError(f"{name!r} is no name for a hook; give letters, digits and dashes with --name")
    data = _read(path)
    is_hook = has_hook(source_of(data))
    remarks: list[str] = []
    if names:
        places = tuple(dict.fromkeys(map(_place, names)))
    else:
        places = _of_this_host(_places_of(path, data, is_hook=is_hook), tree, remarks)
    return Script(name, _with_interpreter(path, data, python, tree, remarks), places, is_hook, tuple(remarks))


def _read(path: Path) -> bytes:
    data = read_regular(path)
    if path.stat().st_mode & OTHERS_CAN_WRITE:
        raise HookError(
            f"others can write to {path}, so it is not installed; read it, then: chmod go-w {quoted(str(path))}"
        )
    return data


def has_hook(data: bytes) -> bool:
    """Tell whether a script assigns a `Hook` to ``hook``, and so can be loaded without being run."""
    try:
        statements = syntax_tree(data).body
        pattern = r"hook(: [\w.]+)? = (hooking\.)?Hook\("
        return any(re.match(pattern, ast.unparse(statement)) for statement in statements)
    except (SyntaxError, ValueError, RecursionError):
        return False


def _place(name: str) -> Place:
    if name in points.DRIVERS:
        return Place("libvirt", name)
    point = points.parse(name)
    if point.host == "vdsm" and point.absent:
        raise HookError(f"{point.name}: {point.absent}; leave it out")
    return Place(point.host, point.driver if point.host == "libvirt" else point.op)


def _places_of(path: Path, data: bytes, *, is_hook: bool) -> tuple[Place, ...]:
    if not is_hook:
        raise HookError(f"{path} has no hook = hooking.Hook(), so say when it is called, as in: --point qemu/prepare")
    try:
        with tempfile.TemporaryDirectory(prefix="hooking-") as folder:
            copy = Path(folder, path.name)  # what was read, whatever stands at the path by now
            copy.write_bytes(data)
            found = points_of(load_hook(copy))
    except (Exception, SystemExit) as error:
        lacks = isinstance(error, ModuleNotFoundError) and path.with_name(f"{error.name}.py").exists()
        advice = "; one file of script and modules is what hooking bundle makes" if lacks else ""
        raise HookError(f"{path} cannot be loaded: {str(error) or type(error).__name__}{advice}") from error
    if not found:
        raise HookError(f"{path} has no handler, so no host has to call it; write one")
    return tuple(dict.fromkeys(_place(point.name) for point in found))


def _of_this_host(places: tuple[Place, ...], tree: Tree, remarks: list[str]) -> tuple[Place, ...]:
    """Leave out the places of VDSM on a host that has none."""
    if not tree.is_live or os.path.isdir(tree.at(os.path.dirname(FOLDERS["vdsm"]))):
        return places
    found = tuple(place for place in places if place.host != "vdsm")
    if not found:
        raise HookError("all its handlers are for VDSM, which is not on this host; to prepare for it, give --point")
    if found != places:
        remarks.append("its handlers for VDSM are left out, as VDSM is not on this host; --point puts them there")
    return found


def _with_interpreter(path: Path, data: bytes, python: str | None, tree: Tree, remarks: list[str]) -> bytes:
    """Return a script with the first line that it needs on the host; a program or a shell script as it is."""
    words = interpreter_of(path)
    has_line = data.startswith(b"#!")
    given = (data[2:200].split() or [b""])[0].decode("utf-8", "replace") if has_line else ""
    if not words and (has_line or data.startswith(PROGRAM)):
        if has_line:
            _check_interpreter(given, tree, remarks)
        return data
    if not words and path.suffix != ".py":
        raise HookError(f"{path} does not say what starts it; let its first line be #!{PYTHON} -I, or #!/bin/sh")
    needs_package = not is_bundle(data) and bool(IMPORTS_HOOKING.search(data.decode("utf-8", "replace")))
    chosen = _choose_python(python, given, tree, remarks, needs_package=needs_package)
    line = f"#!{chosen} {_options(words[1:])}"
    old, _, rest = data.partition(b"\n") if has_line else (b"", b"", data)
    if given and chosen != given:
        remarks.append(f"its first line is replaced: {old.decode('utf-8', 'replace')} by {line}")
    return f"{line}\n".encode() + rest


def _options(given: list[str]) -> str:
    """Return options of Python that keep VDSM's module ``hooking`` away, besides those that are there."""
    text = " ".join(given)
    if re.search(r"(^|\s)-\w*[IE]", text):
        return text
    return f"-I{text.lstrip('-')}"


def _choose_python(python: str | None, given: str, tree: Tree, remarks: list[str], *, needs_package: bool) -> str:
    """Return the interpreter that the user names, the script's own if that will do, or the host's."""
    lacks = tree.is_live and needs_package
    if python:
        _check_interpreter(python, tree, remarks)
    elif _is_python(given) and _is_program(given, tree) and not (lacks and not has_package(given)):
        return given
    chosen = python or PYTHON
    if lacks and not has_package(chosen):
        raise HookError(f"{chosen} has no libvirt-hooking; install it there, or name another in /usr/bin with --python")
    return chosen


def _is_python(program: str) -> bool:
    return bool(re.fullmatch(r"python[\d.]*", os.path.basename(program)))


def _is_program(program: str, tree: Tree) -> bool:
    """Tell whether a program lies where AppArmor lets libvirt start it."""
    resolved = os.path.realpath(program) if tree.is_live else os.path.normpath(program)
    return os.path.isabs(program) and os.path.dirname(resolved) in PROGRAM_FOLDERS


def _check_interpreter(program: str, tree: Tree, remarks: list[str]) -> None:
    if _is_program(program, tree):
        return
    message = f"{program} does not lie in /usr/bin, and AppArmor lets libvirt start nothing else"
    if not os.path.isabs(program) or not tree.is_live or _has_apparmor(tree):
        raise HookError(message)
    remarks.append(f"{message}; it does not confine libvirt here")


def _has_apparmor(tree: Tree) -> bool:
    """Tell whether AppArmor confines libvirt; also if that cannot be seen."""
    try:
        profiles = Path(tree.at(APPARMOR)).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return bool(CONFINED.search(profiles))


def has_package(python: str) -> bool:
    """Tell whether an interpreter of this machine finds this package, as it does when a host starts it."""
    command = [python, "-I", "-c", "import hooking.document"]
    try:
        return subprocess.run(command, cwd="/", capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
