"""A hook script as it is to lie on a host: where the host looks for it, and what its first line says."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
from dataclasses import dataclass

from hooking import points
from hooking.cli.bundling import is_bundle, source_of
from hooking.cli.ready_made import load_hook, points_of
from hooking.exceptions import HookError
from hooking.testing.executable import interpreter_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from hooking.cli.host_files import Tree
    from hooking.points import HostName

FOLDERS: dict[HostName, str] = {"libvirt": "/etc/libvirt/hooks", "vdsm": "/usr/libexec/vdsm/hooks"}
"""Where the hosts look for scripts."""

PYTHON = "/usr/bin/python3"

PROGRAM_FOLDERS = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
"""Where AppArmor lets libvirt start programs."""

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
    """

    name: str
    data: bytes
    places: tuple[Place, ...]
    is_hook: bool


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
    is_hook = _has_hook(source_of(data))
    places = tuple(dict.fromkeys(map(_place, names))) if names else _places_of(path, is_hook=is_hook)
    return Script(name, _with_interpreter(path, data, python, tree), places, is_hook)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise HookError(f"others can write to {path}, so it is not installed; read it, then: chmod go-w {path}")
        return file.read()


def _has_hook(data: bytes) -> bool:
    """Tell whether a script assigns a `Hook` to ``hook``, and so can be loaded without being run."""
    try:
        statements = ast.parse(data).body
    except (SyntaxError, ValueError):
        return False
    pattern = r"hook(: [\w.]+)? = (hooking\.)?Hook\("
    return any(re.match(pattern, ast.unparse(statement)) for statement in statements)


def _place(name: str) -> Place:
    if name in points.DRIVERS:
        return Place("libvirt", name)
    point = points.parse(name)
    if point.host == "vdsm" and point.absent:
        raise HookError(f"{point.name}: {point.absent}; leave it out")
    return Place(point.host, point.driver if point.host == "libvirt" else point.op)


def _places_of(path: Path, *, is_hook: bool) -> tuple[Place, ...]:
    if not is_hook:
        raise HookError(f"{path} has no hook = hooking.Hook(), so say when it is called, as in: --point qemu/prepare")
    try:
        found = points_of(load_hook(path))
    except (Exception, SystemExit) as error:
        raise HookError(f"{path} cannot be loaded: {str(error) or type(error).__name__}") from error
    if not found:
        raise HookError(f"{path} has no handler, so no host has to call it; write one")
    return tuple(dict.fromkeys(_place(point.name) for point in found))


def _with_interpreter(path: Path, data: bytes, python: str | None, tree: Tree) -> bytes:
    """Return a script with the first line that it needs on the host; a program or a shell script as it is."""
    words = interpreter_of(path)
    has_line = data.startswith(b"#!")
    if not words and (has_line or data.startswith(PROGRAM)):
        if has_line:
            _check_interpreter((data[2:200].split() or [b""])[0].decode("utf-8", "replace"), tree)
        return data
    if not words and path.suffix != ".py":
        raise HookError(f"{path} does not say what starts it; let its first line be #!{PYTHON} -I, or #!/bin/sh")
    chosen = _choose_python(python, tree, needs_package=b"import hooking" in data and not is_bundle(data))
    rest = data.split(b"\n", 1)[1] if has_line else data
    return f"#!{chosen} {_options(words[1:])}\n".encode() + rest


def _options(given: list[str]) -> str:
    """Return options of Python that keep VDSM's module ``hooking`` away, besides those that are there."""
    text = " ".join(given)
    if re.search(r"(^|\s)-\w*[IE]", text):
        return text
    return f"-I{text.lstrip('-')}"


def _choose_python(python: str | None, tree: Tree, *, needs_package: bool) -> str:
    if python:
        _check_interpreter(python, tree)
    chosen = python or PYTHON
    if tree.is_live and needs_package and not has_package(chosen):
        raise HookError(f"{chosen} has no libvirt-hooking; install it there, or name another in /usr/bin with --python")
    return chosen


def _check_interpreter(program: str, tree: Tree) -> None:
    resolved = os.path.realpath(program) if tree.is_live else os.path.normpath(program)
    if not os.path.isabs(program) or os.path.dirname(resolved) not in PROGRAM_FOLDERS:
        raise HookError(f"{resolved} does not lie in /usr/bin, and AppArmor lets libvirt start nothing else")


def has_package(python: str) -> bool:
    """Tell whether an interpreter of this machine finds this package, as it does when a host starts it."""
    command = [python, "-I", "-c", "import hooking.document"]
    try:
        return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0
    except OSError:
        return False
