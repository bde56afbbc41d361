"""``hooking bundle``: one file that hosts run where nothing is installed."""

from __future__ import annotations

import ast
import importlib.metadata
import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import lxml
import pytest
from click.testing import CliRunner, Result

from hooking.cli import bundling, scripts
from hooking.cli.bundling import is_bundle, source_of
from hooking.cli.command import hooking as command
from hooking.cli.host_files import Tree
from hooking.testing import Libvirtd, Vdsmd
from hooking.testing.executable import interpreter_of
from support import DOMAIN, PINCPU, TEMPLATES, in_fork

PIN = TEMPLATES / "pincpu" / "pincpu.py"
HOOK = """#!/usr/bin/python3 -I
from __future__ import annotations
import hooking
{more}
hook = hooking.Hook()


@hook.qemu("migrate", "reconnect")
@hook.vdsm("before_vm_start")
def handle(domain: hooking.Domain, context: hooking.HookContext) -> None:
    {body}


@hook.daemon("reload")
def reloaded(context: hooking.HookContext) -> None:
    print("reloaded")


if __name__ == "__main__":
    hook.run()
"""
BODY = 'hooking.set_cpuset(domain, "0-1")'
BY_HAND = """import hooking
domain = hooking.read_domain()
hooking.set_cpuset(domain, "0-1")
hooking.write_domain(domain)
"""
NEEDS_LXML = "this hook needs lxml: apt install python3-lxml, or dnf install python3-lxml"


@pytest.fixture(scope="module")
def bare() -> Iterator[Path]:
    """A Python without packages, and with a short path: a first line holds 127 bytes on some systems."""
    with tempfile.TemporaryDirectory(prefix="h") as folder:
        yield environment(Path(folder))


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """A Python with lxml and nothing else."""
    with tempfile.TemporaryDirectory(prefix="h") as folder:
        python = environment(Path(folder))
        (packages,) = Path(folder).glob("lib/python3*/site-packages")
        (packages / "lxml").symlink_to(Path(lxml.__file__).parent)
        yield python


def environment(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python3"
    without = subprocess.run([python, "-I", "-c", "import hooking"], capture_output=True, text=True, check=False)
    assert "No module named 'hooking'" in without.stderr
    return python


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, ["bundle", *map(str, arguments)])


def bundle(script: Path, python: Path, *arguments: str | Path) -> Path:
    target = script.parent / "bundle"
    result = invoke(script, "--python", python, "--output", target, *arguments)
    assert result.exit_code == 0, result.output
    return target


def hook(folder: Path, python: Path, body: str = BODY, more: str = "") -> Path:
    return bundle(write(folder / "hook.py", HOOK.format(body=body, more=more)), python)


def start(
    path: Path | str, *arguments: str, cwd: Path = Path("/"), stdin: str = DOMAIN
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [path, *arguments], input=stdin, capture_output=True, text=True, env={}, cwd=cwd, check=False, timeout=60
    )


def inside(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def refused(result: Result, message: str, status: int = 2) -> None:
    assert result.exit_code == status, result.output
    assert message in result.output
    assert len(result.output.splitlines()) == 1


# On the hosts


def test_libvirt_and_vdsm_run_a_bundle_where_nothing_is_installed(tmp_path: Path, python: Path) -> None:
    script = hook(tmp_path, python)
    libvirtd, vdsmd = Libvirtd(tmp_path / "libvirt"), Vdsmd(tmp_path / "vdsm")
    libvirtd.install(script, "qemu.d/50-pin")
    libvirtd.install(script, "daemon")
    vdsmd.install(script, "before_vm_start")
    assert libvirtd.call("qemu/migrate").domain.vcpu.cpuset == "0-1"
    assert not libvirtd.call("qemu/prepare").changed
    assert vdsmd.call("before_vm_start").domain.vcpu.cpuset == "0-1"
    libvirtd.check()
    vdsmd.check()


@pytest.mark.parametrize("text", [BY_HAND, f"import os\nos.environ['pincpu'] = '0-1'\n{PINCPU}"], ids=["hand", "vdsm"])
def test_a_script_without_handlers_is_bundled_too(text: str, tmp_path: Path, python: Path) -> None:
    vdsmd = Vdsmd(tmp_path / "vdsm")
    vdsmd.install(bundle(write(tmp_path / "pin.py", text), python), "before_vm_start")
    assert vdsmd.call("before_vm_start").domain.vcpu.cpuset == "0-1"
    vdsmd.check()


def test_the_script_is_the_main_module_and_the_package_comes_from_the_bundle(tmp_path: Path, python: Path) -> None:
    text = """#!/usr/bin/python3 -I
import sys, hooking, defusedxml
print(__name__, __file__, sys.argv, hooking.__file__, defusedxml.__file__)
"""
    target = bundle(write(tmp_path / "hook.py", text), python)
    ended = start(target, "web01", "migrate")
    packages = f"{target}/hooking/__init__.pyc {target}/defusedxml/__init__.pyc"
    assert ended.stdout == f"__main__ {target}/__main__.py ['{target}', 'web01', 'migrate'] {packages}\n"


def test_the_traceback_of_a_bug_has_the_line_of_the_script(tmp_path: Path, python: Path) -> None:
    ended = start(hook(tmp_path, python, body="1 / 0").rename(tmp_path / "qemu"), "web01", "migrate", "begin", "-")
    assert ended.returncode == 1
    assert '  File "__main__.py", line 11, in handle\n    1 / 0\n' in ended.stderr


def test_a_bundle_may_be_called_by_a_relative_path_and_leave_its_folder(tmp_path: Path, python: Path) -> None:
    target = bundle(write(tmp_path / "hook.py", "import os, hooking\nos.chdir('/')\nprint(hooking.log)\n"), python)
    assert start("./bundle", cwd=tmp_path).stdout.startswith("<function log")
    by_python = subprocess.run([python, "-I", target], capture_output=True, text=True, check=False)
    assert by_python.stdout.startswith("<function log"), by_python.stderr


def test_a_bundle_ends_at_once_as_any_hook_does(tmp_path: Path, python: Path) -> None:
    more = "class Last:\n    def __del__(self):\n        print('torn down')\nlast = Last()"
    target = hook(tmp_path, python, more=more)
    qemu = shutil.copy(target, tmp_path / "qemu")
    ended = start(qemu, "web01", "migrate", "begin", "-")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "0-1" in ended.stdout
    assert "torn down" not in ended.stdout


def test_all_modules_inside_can_be_imported(tmp_path: Path, python: Path) -> None:
    target = bundle(write(tmp_path / "hook.py", ""), python)
    names: list[str] = [name for name in inside(target) if name.endswith(".py") and "/" in name]
    assert {name.split("/")[1] for name in names} >= {"hook.py", "actions", "edits", "expatbuilder.py"}
    assert not [name for name in names if name.startswith(("hooking/cli", "hooking/testing"))]
    modules = [name[: -len(".py")].replace("/", ".") for name in names if name.startswith("hooking/")]
    code = f"import sys; sys.path.insert(0, {str(target)!r}); [__import__(name) for name in {modules}]"
    subprocess.run([python, "-I", "-c", code], check=True)


def old_magic(_: str, sources: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}c": bytes(64) for name in sources}


def test_another_python_runs_the_sources(tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundling, "_compiled", old_magic)
    qemu = hook(tmp_path, python).rename(tmp_path / "qemu")
    assert "0-1" in start(qemu, "web01", "migrate", "begin", "-").stdout


# Without lxml


@pytest.mark.parametrize(("op", "status"), [("migrate", 1), ("reconnect", 0)])
def test_a_hook_that_needs_lxml_says_so_by_the_rule_of_the_point(
    op: str, status: int, tmp_path: Path, bare: Path
) -> None:
    ended = start(hook(tmp_path, bare).rename(tmp_path / "qemu"), "web01", op, "begin", "-")
    assert (ended.returncode, ended.stdout) == (status, "")
    assert ended.stderr == f"qemu: qemu/{op} web01: {NEEDS_LXML}\n"


def test_a_script_by_hand_that_needs_lxml_says_so(tmp_path: Path, bare: Path) -> None:
    qemu = bundle(write(tmp_path / "hook.py", BY_HAND), bare).rename(tmp_path / "qemu")
    ended = start(qemu, "web01", "migrate", "begin", "-")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"{NEEDS_LXML}\n")


def test_what_touches_no_document_needs_no_lxml(tmp_path: Path, bare: Path) -> None:
    script = hook(tmp_path, bare)
    ended = start(Path(shutil.copy(script, tmp_path / "daemon")), "-", "reload", "begin", "SIGHUP", stdin="")
    assert (ended.returncode, ended.stderr) == (0, "reloaded\n")
    assert start(Path(shutil.copy(script, tmp_path / "qemu")), "web01", "prepare", "begin", "-").returncode == 0
    vdsmd = Vdsmd(tmp_path / "vdsm")
    vdsmd.install(bundle(write(tmp_path / "old.py", PINCPU), bare), "before_vm_start")
    assert "cpuset" in vdsmd.call("before_vm_start", custom_properties={"pincpu": "0-1"}).after.decode()


def test_the_typed_views_say_that_they_need_lxml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lxml", None)
    monkeypatch.delitem(sys.modules, "hooking.document")
    ended = in_fork(lambda: __import__("hooking.document"), tmp_path)
    assert ended.status == 1


# What is inside


def test_modules_beside_the_script_go_along(tmp_path: Path, bare: Path) -> None:
    write(tmp_path / "ours.py", "import json, pack.inner, absent_one, libvirt.more\nWORD = pack.inner.WORD\n")
    write(tmp_path / "pack" / "__init__.py", "")
    write(tmp_path / "pack" / "inner.py", "from . import other\nfrom hooking import log\nWORD = other.WORD\n")
    write(tmp_path / "pack" / "other.py", "import ours\nWORD = 'inside'\n")
    write(tmp_path / "email" / "no_package.txt", "")
    write(tmp_path / "hooking.py", "1 / 0")
    write(tmp_path / "alone.py", "1 / 0")
    text = "import email\ntry:\n    import ours\nexcept ImportError as error:\n    print(error)\n"
    script = write(tmp_path / "hook.py", f"from hooking import Hook\n{text}")
    result = invoke(script, "--python", bare, "--output", tmp_path / "made")
    assert result.output.endswith(", defusedxml, ours, pack; the host has to have absent_one, libvirt\n")
    assert start(tmp_path / "made").stdout == "No module named 'absent_one'\n"
    assert "alone.py" not in inside(tmp_path / "made")


def test_a_module_of_python_s_own_is_not_replaced(tmp_path: Path, bare: Path) -> None:
    write(tmp_path / "secrets.py", "VALUE = 1\n")
    write(tmp_path / "json.py", "raise SystemExit(9)\n")
    write(tmp_path / "hook.py", HOOK.format(body="print(secrets.token_hex)", more="import json, secrets"))
    result = invoke(tmp_path / "hook.py", "--python", bare, "--output", tmp_path / "daemon")
    assert "; Python's own json, secrets instead of what lies beside it" in result.output
    assert not {"json.py", "secrets.py"} & {*inside(tmp_path / "daemon")}
    assert start(tmp_path / "daemon", "daemon", "reload", "begin", "-").returncode == 0


@pytest.mark.parametrize("name", ["_bundle", "__main__"])
def test_names_that_the_bundle_needs_are_refused(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"{name}.py", "")
    script = write(tmp_path / "hook.py", f"import {name}\n")
    refused(invoke(script, "--python", sys.executable), f"{path} has a name that the bundle needs itself; rename it")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hook.py")
    refused(invoke(tmp_path / "hook.py", "--output", tmp_path / "made"), "hook.py is no regular file")
    script = write(tmp_path / "script.py", "import os\n")
    refused(invoke(script, "--output", tmp_path / "hook.py"), "hook.py is no regular file")


def test_a_script_that_is_nested_too_deeply_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(_source: bytes) -> NoReturn:  # how deep is too deep is another thing in each Python
        raise RecursionError("maximum recursion depth exceeded")

    script = write(tmp_path / "hook.py", "")
    monkeypatch.setattr(ast, "parse", parse)
    refused(
        invoke(script, "--output", tmp_path / "made", "--python", sys.executable), "is not Python: maximum recursion"
    )


def test_licences_go_along(tmp_path: Path, bare: Path) -> None:
    with zipfile.ZipFile(bundle(write(tmp_path / "hook.py", ""), bare)) as archive:
        texts = {name.split("/")[1]: archive.read(name) for name in archive.namelist() if name.startswith("licences/")}
    assert b"Apache License" in texts["libvirt-hooking"]
    assert b"PYTHON SOFTWARE FOUNDATION LICENSE" in texts["defusedxml"].upper()


def test_a_licence_that_a_distribution_keeps_elsewhere_goes_along(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files(name: str) -> None:
        if name == "defusedxml":
            raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", files)
    monkeypatch.setattr(bundling, "_LICENCES", (f"{tmp_path}/{{}}/LICENSE",))
    script = write(tmp_path / "hook.py", "")
    refused(invoke(script, "--python", bare), "the licence of libvirt-hooking, which has to go along, is not here")
    write(tmp_path / "libvirt-hooking" / "LICENSE", "ours")
    write(tmp_path / "defusedxml" / "LICENSE", "theirs")
    assert b"theirs" in bundle(script, bare).read_bytes()


def test_the_same_script_makes_the_same_bytes(tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = 'print(domain.name in {"some", "set", "of", "constants", "without", "order"})'
    first = hook(tmp_path / "first", bare, body).read_bytes()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setattr(tempfile, "tempdir", str(write(tmp_path / "elsewhere" / "file", "").parent))
    before = os.umask(0o077)
    try:
        second = hook(tmp_path / "a longer name" / "second", bare, body)
    finally:
        os.umask(before)
    assert second.read_bytes() == first
    assert stat.S_IMODE(second.stat().st_mode) == 0o755


# Where it goes


def test_a_bundle_lies_in_this_folder_and_takes_the_place_of_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = write(tmp_path / "pin.py", "import hooking\n")
    assert invoke(script, "--compiler", sys.executable).output.startswith(f"{tmp_path}/pin written: ")
    first = (tmp_path / "pin").read_bytes()
    assert first.startswith(b"#!/usr/bin/python3 -I")
    write(script, "import hooking  # again\n")
    assert invoke(script, "--compiler", sys.executable).exit_code == 0
    assert (tmp_path / "pin").read_bytes() != first
    assert stat.S_IMODE((tmp_path / "pin").stat().st_mode) == 0o755
    refused(invoke(tmp_path / "pin", "--output", tmp_path / "more"), "is a bundle already; give the script")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pin", "pin.py"]


def test_other_files_stay(tmp_path: Path) -> None:
    script = write(tmp_path / "pin.py", "import hooking\n")
    refused(invoke(script, "--output", script), "pin.py is there already, and no bundle; name another file")
    assert script.read_text() == "import hooking\n"
    there_is_no_folder = tmp_path / "none" / "pin"
    ended = invoke(script, "--compiler", sys.executable, "--output", there_is_no_folder)
    refused(ended, f"cannot write {there_is_no_folder}: No such file or directory", status=1)


# What is refused


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("hook", "#!/bin/sh\n", "hook is not written in Python, so it needs no bundle; install it as it is"),
        ("hook.py", "def (", "hook.py is not Python: invalid syntax"),
        ("hook.py", "\0", "hook.py is not Python: "),
        ("hook.py", "import broken", "broken.py is not Python: invalid syntax"),
        ("hook.py", f"x = {'-' * 100_000}1", "hook.py is not Python: "),
    ],
)
def test_a_script_that_cannot_be_bundled_is_told_in_a_line(
    name: str, text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "broken.py", "1 1")
    refused(invoke(write(tmp_path / name, text), "--output", "made"), message)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("option", "path", "message"),
    [
        ("--python", "python3", "python3 cannot start a script; give the interpreter's path on the hosts"),
        ("--python", "/usr/bin/python3 -B", "cannot start a script"),
        ("--python", f"/usr/{'x' * 40}/python3", "cannot start a script"),
        ("--python", "/usr/bin/no-python", "does not start here (No such file or directory); name one of the hosts'"),
        ("--compiler", "/bin/true", "/bin/true is not Python 3.9 or newer; name another with --compiler"),
        ("--compiler", "/bin/false", "/bin/false cannot compile it: status 1"),
    ],
)
def test_an_interpreter_that_will_not_do_is_told_in_a_line(
    option: str, path: str, message: str, tmp_path: Path
) -> None:
    script = write(tmp_path / "pin.py", "import hooking\n")
    refused(invoke(script, option, path, "--output", tmp_path / "made"), message)
    assert not (tmp_path / "made").exists()


def test_what_the_hosts_python_cannot_compile_is_told_in_a_line(tmp_path: Path) -> None:
    code = "case $* in *compileall*) echo '*** Error'; echo 'SyntaxError: match'; exit 1;; esac; echo 3.9"
    old = write(tmp_path / "python3.9", f"#!/bin/sh\n{code}\n")
    old.chmod(0o755)
    script = write(tmp_path / "pin.py", "import hooking\n")
    refused(invoke(script, "--compiler", old, "--output", tmp_path / "made"), "cannot compile it: SyntaxError: match")


# The other commands


def test_the_source_of_a_bundle_has_the_lines_of_the_script(tmp_path: Path, bare: Path) -> None:
    data = bundle(write(tmp_path / "hook.py", "#!/usr/bin/python3 -I\nimport os\n"), bare).read_bytes()
    line = data.split(b"\n", 1)[0]
    assert source_of(data) == line + b"\nimport os\n"
    without = bundle(write(tmp_path / "hook.py", "import os\n"), bare).read_bytes()
    assert source_of(without) == line + b"\nimport os\n"
    assert source_of(b"#!/bin/sh\n") == b"#!/bin/sh\n"
    damaged = data[: len(data) // 2]
    assert is_bundle(damaged)
    assert source_of(damaged) == damaged
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("other", "")
    assert source_of(line + b"\n" + other.getvalue()) == line + b"\n" + other.getvalue()


def test_a_bundle_is_checked_like_its_script(tmp_path: Path) -> None:
    script = hook(tmp_path, Path("/usr/bin/python3"), body="pass", more="import libvirt")
    result = CliRunner().invoke(command, ["check", "--no-run", str(script)])
    assert f"{script}:4: " in result.output
    assert "libvirt" in result.output
    good = bundle(write(tmp_path / "pin.py", PIN.read_text()), Path("/usr/bin/python3"), "--compiler", sys.executable)
    result = CliRunner().invoke(command, ["check", "--no-run", str(good)])
    assert (result.exit_code, result.output) == (0, "")


def test_a_damaged_bundle_is_found(tmp_path: Path, bare: Path) -> None:
    script = hook(tmp_path, bare)
    with script.open("r+b") as file:
        file.truncate(100_000)
    result = CliRunner().invoke(command, ["check", "--no-run", "--point", "qemu/migrate", str(script)])
    assert result.exit_code == 1
    assert "H111 error" in result.output
    assert "the bundle is damaged" in result.output


def test_a_bundle_is_installed_where_its_handlers_are_called(tmp_path: Path) -> None:
    root = tmp_path / "image"
    root.mkdir(mode=0o755)
    target = bundle(write(tmp_path / "pin.py", PIN.read_text()), Path("/usr/bin/python3"), "--compiler", sys.executable)
    result = CliRunner().invoke(command, ["install", str(target), "--root", str(root), "--name", "pin"])
    assert result.exit_code == 0, result.output
    assert (root / "etc/libvirt/hooks/qemu.d/50-pin").read_bytes() == target.read_bytes()
    assert (root / "usr/libexec/vdsm/hooks/before_vm_start/50_pin").read_bytes() == target.read_bytes()


def test_the_host_s_python_needs_no_package_for_a_bundle(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "has_package", lambda _: False)
    target = hook(tmp_path, bare)
    script = scripts.read_script(target, (), None, "/usr/bin/python3", Tree(Path("/")))
    assert script.data.split(b"\n", 1)[1] == target.read_bytes().split(b"\n", 1)[1]
    qemu = tmp_path / "qemu"
    qemu.write_bytes(script.data)
    ended = subprocess.run(
        [bare, *interpreter_of(qemu)[1:], qemu, "web01", "prepare", "begin", "-"], capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_bundle_is_tried_by_run(tmp_path: Path) -> None:
    target = bundle(write(tmp_path / "pin.py", PIN.read_text()), Path("/usr/bin/python3"), "--compiler", sys.executable)
    result = CliRunner().invoke(command, ["run", str(target), "before_vm_start", "--property", "pincpu=0-1"])
    assert result.exit_code == 0, result.output
    assert '+  <vcpu cpuset="0-1"' in result.output
