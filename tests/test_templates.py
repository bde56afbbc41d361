"""The ready-made hooks: their form, what holds them, and that they do what the scripts of VDSM did."""

from __future__ import annotations

import ast
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from golden_support import Fault, check_against_golden, golden_cases, name_of
from hooking import Hook, points
from hooking.points import Point
from hooking.testing import Libvirtd, documents
from hooking.testing.life_cycles import LIFE_CYCLES, Options, Scene, play
from support import TEMPLATES
from test_golden_devices import FAULTS as FAULTS_OF_DEVICES
from test_golden_guest import FAULTS as FAULTS_OF_GUESTS

FOLDERS = sorted(path for path in TEMPLATES.iterdir() if list(path.glob("*.py")))

SAMPLE = points.find("qemu", "prepare")
PLAIN_GUEST = documents.sample(SAMPLE).replace(b"ovirt-vm:custom>", b"ovirt-vm:other>")


def script_of(folder: Path) -> Path:
    return folder / f"{folder.name.replace('-', '_')}.py"


def hook_of(folder: Path) -> Hook:
    hook: Hook = runpy.run_path(str(script_of(folder)))["hook"]
    return hook


def points_of(folder: Path) -> list[Point]:
    return [points.find(driver, op) for driver, ops, *_ in hook_of(folder)._registrations for op in ops]


def each_folder(folders: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("folder", folders, ids=[folder.name for folder in folders])


def run_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-m", "pytest", "-qx", "-W", "error", "-p", "no:cacheprovider", "--tb=line"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def without_handlers(folder: Path) -> str:
    """The script of a template whose handlers do nothing."""
    handlers = {handler.__name__ for *_, handler in hook_of(folder)._registrations}
    tree = ast.parse(script_of(folder).read_text())
    emptied = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in handlers]
    assert {node.name for node in emptied} == handlers
    for node in emptied:
        node.body = [ast.Pass()]
    return ast.unparse(tree)


@each_folder(FOLDERS)
def test_a_template_has_the_form_of_all(folder: Path) -> None:
    script = script_of(folder)
    text = script.read_text()
    summary, blank, *_ = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    assert text.startswith("#!/usr/bin/python3 -I\n")
    assert text.endswith('\n\nif __name__ == "__main__":\n    hook.run()\n')
    assert os.access(script, os.X_OK)
    assert summary.endswith(".")
    assert len(summary) < 80
    assert not blank
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {
        script.name,
        f"test_{script.name}",
        "recordings",
    }


@each_folder(FOLDERS)
def test_a_template_says_which_properties_an_administrator_has_to_define(folder: Path) -> None:
    text = script_of(folder).read_text()
    by_vdsm = any(point.host == "vdsm" for point in points_of(folder))
    asks = "custom_properties" in text or "read_property(" in text
    assert ("engine-config -s " in text) == (by_vdsm and asks)


@pytest.mark.projects
@each_folder(FOLDERS)
def test_the_tests_of_a_template_pass_wherever_it_lies_and_hold_its_handlers(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    ended = run_tests(copy)
    assert ended.returncode == pytest.ExitCode.OK, ended.stdout
    (copy / script_of(folder).name).write_text(without_handlers(folder))
    ended = run_tests(copy)
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout


LIVES = [
    pytest.param(folder, name, id=f"{folder.name}-{name}")
    for folder in FOLDERS
    for name in ("guest-migration", "guest-save", "network", "vm-migration", "vdsm-host")
    if any(point.host == LIFE_CYCLES[name].host for point in points_of(folder))
]


@pytest.mark.projects
@pytest.mark.parametrize(("folder", "name"), LIVES)
def test_what_asks_for_nothing_lives_undisturbed(folder: Path, name: str, tmp_path: Path) -> None:
    life_cycle = LIFE_CYCLES[name]
    document = PLAIN_GUEST if "--property" in life_cycle.takes else None
    host = Options(tmp_path, timeout=60, this_python=True, document=document).host(life_cycle.host)
    with host.host:
        play(life_cycle, Scene(document), (script_of(folder),), host)
    host.check()
    assert any(call.scripts for call in host.log)


def test_several_templates_are_installed_on_one_host(tmp_path: Path) -> None:
    host = Libvirtd(tmp_path, this_python=True)
    for name in ("pincpu", "retarget-disks"):
        host.install(script_of(TEMPLATES / name), f"qemu.d/50-{name}")
    domain = host.call("qemu/migrate", custom_properties={"pincpu": "1"}).domain
    assert (domain.vcpu.cpuset, domain.disks[0].path) == ("1", "/mnt/vm/web01.raw")
    host.check()


FAULTS: dict[str, Fault] = {**FAULTS_OF_GUESTS, **FAULTS_OF_DEVICES}
OF_VDSM = ("boot_hostdev", "ipv6", "macspoof", "numa", "pincpu", "qemucmdline", "qos", "smbios")
CASES = golden_cases(*OF_VDSM)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_template_does_what_the_script_of_vdsm_does_or_what_is_right(case: Path) -> None:
    told = case / "point"
    usual = "before_network_setup" if case.parent.name == "ipv6" else "before_vm_start"
    point = told.read_text().strip() if told.exists() else usual
    check_against_golden(
        hook_of(TEMPLATES / case.parent.name.replace("_", "-")), case, point, FAULTS.get(name_of(case))
    )
