"""Bundles: one executable file with a hook, this package and what both import, for hosts where nothing is installed.

The first line makes Python run `_START` out of the archive. Given the archive alone, Python would import ``runpy`` for
it, which takes as long as half of a hook that has nothing to do. Nothing is compressed, for the same reason.
"""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import tempfile
import zipapp
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import defusedxml

import hooking
from hooking._process import BUNDLE
from hooking.cli.syntax import syntax_tree
from hooking.exceptions import HookError
from hooking.testing.executable import interpreter_of
from hooking.testing.private_folder import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_START = b'''"""Run the script of this archive."""

import sys
from os.path import abspath
from zipimport import zipimporter


def run():
    del sys.argv[0]
    archive = sys.path[0] = abspath(sys.path[0])
    loader = zipimporter(archive)
    main = sys.modules["__main__"].__dict__
    main.update(__file__=archive + "/__main__.py", __loader__=loader)
    exec(loader.get_code("__main__"), main)
'''
_OPTIONS = f"-Icimport sys;sys.path.insert(0,sys.argv[1]);from {BUNDLE} import run;run()"
_LONGEST_LINE = 127  # of a first line, on old Linux

_PACKAGES = {"libvirt-hooking": Path(hooking.__file__).parent, "defusedxml": Path(defusedxml.__file__).parent}
_NAMES = {folder.name for folder in _PACKAGES.values()}
_TOOLS = {"__main__.py", "cli", "testing"}
"""What of this package no hook needs."""

_LICENCES = "/usr/share/doc/python3-{}/copyright", "/usr/share/licenses/python3-{}/LICENSE"
"""Where distributions keep what they leave out of their packages."""

_PROBE = """
import sys
from importlib.util import find_spec
print("%d.%d" % sys.version_info[:2], *[name for name in sys.argv[1:] if not find_spec(name)])
"""


@dataclass(frozen=True)
class Bundle:
    """A bundle.

    Attributes:
        data: The file.
        version: Of the Python that its bytecode is for; others compile the sources at each start.
        own: The modules and packages that the script has beside it.
        left_out: Those that are named like one of Python's own, which is taken instead.
        absent: The modules that are neither inside nor Python's own, so the host has to have them.
    """

    data: bytes
    version: str
    own: list[str]
    left_out: list[str]
    absent: list[str]


def bundle(script: Path, python: str, compiler: str) -> Bundle:
    """Return a script as a bundle: for the same script, packages and Python the same bytes.

    Args:
        script: The script, in Python.
        python: The interpreter on the hosts.
        compiler: One of the same version on this machine, which makes the bytecode.

    Raises:
        HookError: It cannot be bundled; the message says why.
    """
    line = f"{python} {_OPTIONS}"
    if not os.path.isabs(python) or len(f"#!{line}") > _LONGEST_LINE or len(python.split()) != 1:
        raise HookError(
            f"{python} cannot start a script; give the interpreter's path on the hosts, as /usr/bin/python3"
        )
    sources = {"__main__.py": _script(script)}
    beside = sorted({path.stem for path in script.parent.iterdir() if path.stem.isidentifier()} - {"__main__"})
    of_python = {*beside} - {*_probe(compiler, beside)[1]}
    imported = _add_own(script, sources, leave_out=_NAMES | of_python)
    own = sorted({name.split("/")[0].removesuffix(".py") for name in sources} - {"__main__"})
    version, absent = _probe(compiler, sorted(imported - {*own, *_NAMES, "__main__"}))
    for package in _PACKAGES.values():
        sources.update(_modules(package, leave_out=_TOOLS))
    sources[f"{BUNDLE}.py"] = _START
    licences = {name: data for distribution in _PACKAGES for name, data in _licences(distribution)}
    data = _archive({**sources, **_compiled(compiler, sources), **licences}, line)
    left_out = sorted(name for name in imported & of_python if any(_beside(script.parent, name)))
    return Bundle(data, version, own, left_out, absent)


def is_bundle(data: bytes) -> bool:
    """Tell whether a file is a bundle."""
    return data.startswith(b"#!") and data.split(b"\n", 1)[0].endswith(_OPTIONS.encode())


def source_of(data: bytes) -> bytes:
    """Return the script in a bundle, with the first line of the bundle; what is none, or a damaged one, as it is."""
    if not is_bundle(data):
        return data
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            script = archive.read("__main__.py")
    except (zipfile.BadZipFile, KeyError):
        return data
    first, _, rest = script.partition(b"\n")
    return data.split(b"\n", 1)[0] + b"\n" + (rest if first.startswith(b"#!") else script)


def _script(path: Path) -> bytes:
    data = read_regular(path)
    if is_bundle(data):
        raise HookError(f"{path} is a bundle already; give the script that it was made of")
    if path.suffix != ".py" and not interpreter_of(path):
        raise HookError(f"{path} is not written in Python, so it needs no bundle; install it as it is")
    return data


def _add_own(script: Path, sources: dict[str, bytes], leave_out: set[str]) -> set[str]:
    """Add the modules and packages beside the script that it imports, and return the names of all that is imported."""
    found: set[str] = set()
    waiting = [("__main__.py", sources["__main__.py"])]
    while waiting:
        name, data = waiting.pop()
        new = _imported(script if name == "__main__.py" else script.parent / name, data) - found
        found |= new
        added = {file: text for module in new - leave_out for file, text in _beside(script.parent, module)}
        sources.update(added)
        waiting += added.items()
    return found


def _imported(path: Path, data: bytes) -> set[str]:
    """Return the first words of the names of all modules that a source imports, but those of its own package."""
    try:
        nodes = list(ast.walk(syntax_tree(data)))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise HookError(f"{path} is not Python: {error}") from error
    imports = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imports += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in imports}


def _beside(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the module ``name`` of a folder, or all modules of the package."""
    path = folder / f"{name}.py"
    if name in {BUNDLE, "__main__"} and path.is_file():
        raise HookError(f"{path} has a name that the bundle needs itself; rename it")
    if (folder / name / "__init__.py").is_file():
        yield from _modules(folder / name)
    elif path.is_file():
        yield f"{name}.py", path.read_bytes()


def _modules(package: Path, leave_out: Iterable[str] = ()) -> Iterator[tuple[str, bytes]]:
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] not in leave_out:
            yield path.relative_to(package.parent).as_posix(), path.read_bytes()


def _licences(distribution: str) -> Iterator[tuple[str, bytes]]:
    """Yield the licences of what is inside; they have to travel along."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    listed = [Path(file.locate()) for file in files if re.match("LICEN[CS]E|COPYING|NOTICE", file.name)]
    found = [path for path in listed or (Path(name.format(distribution)) for name in _LICENCES) if path.is_file()]
    if not found:
        raise HookError(f"the licence of {distribution}, which has to go along, is not here; install that with pip")
    for path in found:
        yield f"licences/{distribution}/{path.name}", path.read_bytes()


def _probe(python: str, names: Iterable[str]) -> tuple[str, list[str]]:
    """Return the version of ``python``, and which of these modules are not its own."""
    version, *absent = _run([python, "-I", "-S", "-c", _PROBE, *names], python).split() or [""]
    if not re.fullmatch(r"3\.(9|\d\d)", version):
        raise HookError(f"{python} is not Python 3.9 or newer; name another with --compiler")
    return version, absent


def _compiled(python: str, sources: dict[str, bytes]) -> dict[str, bytes]:
    """Return the bytecode of ``sources``, which Python then takes without asking how old they are."""
    with tempfile.TemporaryDirectory(prefix="hooking-") as folder:
        for name, data in sources.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        options = ["-q", "-b", "--invalidation-mode", "unchecked-hash", "-s", folder]
        _run([python, "-s", "-m", "compileall", *options, folder], python)
        return {f"{name}c": Path(folder, f"{name}c").read_bytes() for name in sources}


def _run(command: list[str], python: str) -> str:
    # sets of constants get their order from the hashes
    environ = {"PYTHONHASHSEED": "0"}
    try:
        ended = subprocess.run(command, env=environ, cwd="/", capture_output=True, text=True, check=False)
    except OSError as error:
        raise HookError(
            f"{python} does not start here ({error.strerror}); name one of the hosts' version with --compiler"
        ) from error
    if ended.returncode:
        said = (ended.stdout + ended.stderr).strip() or f"status {ended.returncode}"
        raise HookError(f"{python} cannot compile it: {said.splitlines()[-1]}")
    return ended.stdout


def _archive(files: dict[str, bytes], line: str) -> bytes:
    plain, whole = BytesIO(), BytesIO()
    with zipfile.ZipFile(plain, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name])
    plain.seek(0)
    zipapp.create_archive(plain, whole, interpreter=line)
    return whole.getvalue()
