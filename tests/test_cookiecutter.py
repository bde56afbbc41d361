"""What the cookiecutter bakes: projects for every hook point and from every ready-made hook, which work at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations_with_replacement, cycle
from pathlib import Path

import pytest
from defusedxml import ElementTree

from hooking import points
from hooking.cli.answers import LICENCES, OWN_LICENCE
from hooking.cli.baking import bake
from hooking.cli.ready_made import Template, shipped, templates

pytestmark = pytest.mark.projects

ROOT = Path(__file__).parents[1]
AUTHOR = "Example Author <author@example.org>"
EMPTIED = """
hook._registrations = [(*registered[:-1], lambda *arguments: None) for registered in hook._registrations]
"""
CACHES = shutil.ignore_patterns("__pycache__", ".*_cache")
LICENCE_WORDS = {
    "Apache-2.0": "Apache License Version 2.0, January 2004",
    "GPL-2.0-or-later": "GNU GENERAL PUBLIC LICENSE Version 2, June 1991",
    "MIT": "MIT License Copyright (c)",
}
LEFT_OVERS = ("cookiecutter", "{{", "{%", "TODO", "FIXME", "placeholder", str(ROOT))


@dataclass
class Baked:
    """A baked project, and the answers that it came from."""

    folder: Path
    drivers: tuple[str, str]
    named: list[str]
    licence: str
    template: Template | None = None

    @property
    def module(self) -> str:
        return self.template.module if self.template else self.folder.name.replace("-", "_")

    @property
    def files(self) -> list[Path]:
        """What it holds, but the files of a ready-made hook, which are as their authors wrote them."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        own = (path for path in found if not (self.template and (self.template.folder / path).exists()))
        return [self.folder / path for path in own if not {"__pycache__", ".pytest_cache"} & set(path.parts)]


def named_points() -> dict[str, list[str]]:
    """The names of all hook points where a host can call a script, by driver."""
    found: dict[str, list[str]] = {}
    for point in points.all_points():
        if not point.absent:
            found.setdefault(point.driver, []).append(point.name)
    return found


def from_points(base: Path) -> list[Baked]:
    """Bake a project for each pair of drivers, with their hook points in turn, until each had its own."""
    available = named_points()
    turn = {driver: cycle(names) for driver, names in available.items()}
    shares = {driver: -(-len(names) // (len(available) + 1)) for driver, names in available.items()}
    baked: list[Baked] = []
    for number, pair in enumerate(combinations_with_replacement(available, 2)):
        named = list(dict.fromkeys(next(turn[driver]) for driver in pair for _ in range(shares[driver])))
        which = sum(map(list(available).index, pair)) % len(LICENCES)
        answers = {"points": " ".join(named), "licence": LICENCES[which]}
        folder = bake({"name": f"hook-{number}", "author": AUTHOR, **answers}, base)
        baked.append(Baked(folder, pair, named, answers["licence"]))
    return baked


def from_templates(base: Path) -> list[Baked]:
    baked: list[Baked] = []
    for template in templates():
        folder = bake({"name": f"from-{template.name}", "author": AUTHOR, "start": template.name}, base)
        baked.append(Baked(folder, ("", ""), [], OWN_LICENCE, template))
    return baked


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("baked")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return folder


@pytest.fixture(scope="module")
def baked(base: Path) -> list[Baked]:
    return from_points(base) + from_templates(base)


def run(folder: Path, *command: str) -> str:
    """Run a tool of this Python, and return what it said; it fails the test if it fails."""
    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def outcomes(folder: Path) -> list[tuple[str, bool]]:
    """Run all tests below ``folder`` in one process, and return the module of each with whether it passed."""
    report = folder / "report.xml"
    command = ["-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junit-xml={report}"]
    subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *command], cwd=folder, capture_output=True, check=False, timeout=600
    )
    cases = ElementTree.parse(report).iter("testcase")
    return [
        (Path(case.get("file", "")).stem, not {"failure", "error"} & {child.tag for child in case}) for case in cases
    ]


def test_every_hook_point_and_pair_of_hosts_and_licence_is_baked(baked: list[Baked]) -> None:
    drivers = named_points()
    assert {name for project in baked for name in project.named} == {name for some in drivers.values() for name in some}
    assert {frozenset(project.drivers) for project in baked} >= {
        frozenset(pair) for pair in combinations_with_replacement(drivers, 2)
    }
    pairs = {(driver, project.licence) for project in baked for driver in project.drivers if driver}
    assert len(pairs) == len(drivers) * len(LICENCES)


def test_baked_tests_pass(base: Path, baked: list[Baked]) -> None:
    ran = outcomes(base)
    assert [name for name, passed in ran if not passed] == []
    assert {name for name, _ in ran} == {f"test_{project.module}" for project in baked}


def test_baked_tests_fail_once_the_handlers_do_nothing(baked: list[Baked], tmp_path: Path) -> None:
    for project in baked:
        copy = tmp_path / project.folder.name
        shutil.copytree(project.folder, copy, ignore=CACHES)
        script = copy / f"{project.module}.py"
        before, main, after = script.read_text().rpartition('\nif __name__ == "__main__":')
        script.write_text(before + EMPTIED + main + after)
    ran = outcomes(tmp_path)
    for project in baked:
        passed = [passed for name, passed in ran if name == f"test_{project.module}"]
        assert False in passed, project.module
        if project.template is None:
            assert True not in passed, project.module


@pytest.mark.skipif(find_spec("mypy") is None or find_spec("ruff") is None, reason="not installed for this Python")
def test_types_and_style_of_what_is_baked_are_right(base: Path, baked: list[Baked]) -> None:
    scripts = [str(path) for project in baked for path in sorted(project.folder.glob("*.py"))]
    assert len(scripts) == 2 * len(baked)
    run(base, "mypy", "--strict", f"--cache-dir={base / '.mypy_cache'}", *scripts)
    run(base, "ruff", "check", "--no-cache", str(base))
    run(base, "ruff", "format", "--no-cache", "--check", str(base))


def test_nothing_is_left_that_its_author_has_to_clean_up(baked: list[Baked]) -> None:
    for project in baked:
        for path in project.files:
            text = path.read_text()
            assert text.strip() or path.suffix == ".xml", path  # VDSM hands over an empty file at some hook points
            assert [word for word in LEFT_OVERS if word in text] == [], path
            if path.suffix not in (".xml", ".json") and path.name != "LICENSE":  # those are as others write them
                assert text.endswith("\n"), path
                assert not text.endswith("\n\n"), path
                assert "\n\n\n\n" not in text, path
                assert [line for line in text.splitlines() if line != line.rstrip()] == [], path
        assert not any(path.is_dir() and not any(path.iterdir()) for path in project.folder.rglob("*"))


def test_each_project_holds_what_its_answers_say(baked: list[Baked]) -> None:
    for project in baked:
        licence, words = (project.folder / "LICENSE").read_text(), LICENCE_WORDS[project.licence]
        assert words in " ".join(licence.split())
        copyright_ = (project.folder / "debian" / "copyright").read_text()
        assert ("the authors of libvirt-hooking" in copyright_) == (project.template is not None)
        metadata = (project.folder / "pyproject.toml").read_text()
        assert f'license = "{project.licence}"' in metadata
        assert 'template-version = "1"' in metadata
        assert ('\ntemplate = "' in metadata) == (project.template is not None)
        assert os.access(project.folder / f"{project.module}.py", os.X_OK)
        assert os.access(project.folder / "debian" / "rules", os.X_OK)
        vdsm = any("/" not in name for name in project.named) or (
            project.template is not None and any(point.host == "vdsm" for point in project.template.points)
        )
        package = f"{'vdsm' if vdsm else 'libvirt'}-hook-{project.folder.name}"
        assert (project.folder / f"{package}.spec").read_text().startswith(f"Name:           {package}\n")
        assert f"\nPackage: {package}\n" in (project.folder / "debian" / "control").read_text()


def test_each_recorded_call_is_answered_without_an_error(baked: list[Baked]) -> None:
    for project in baked:
        if project.template is None:
            found = sorted((project.folder / "recordings").iterdir())
            assert [path.name.split("-", 1)[1] for path in found] == [name.replace("/", "-") for name in project.named]
            for path in found:
                assert json.loads((path / "outcome.json").read_text())["status"] == 0, path


def test_the_files_of_a_ready_made_hook_are_taken_as_they_are(baked: list[Baked]) -> None:
    for project in baked:
        if project.template:
            for path in project.template.folder.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    copy = project.folder / path.relative_to(project.template.folder)
                    assert copy.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, "| try | `hooking run ./my_hook.py qemu/prepare --property my_hook=1` |"),
        ({"points": "daemon/start"}, "| try | `hooking run ./my_hook.py daemon/start` |"),
        ({"points": "before_vm_start"}, "    engine-config -s UserDefinedVMProperties='my_hook=^.+$' --cver=4.7"),
        (
            {"points": "network/start"},
            "    virsh net-metadata NAME --config urn:libvirt-hooking:1 --key hooking --set ",
        ),
        ({"start": "pincpu"}, "| try | `hooking replay recordings -- ./pincpu.py` |"),
        ({"start": "pincpu"}, "    engine-config -s UserDefinedVMProperties='pincpu="),
    ],
)
def test_the_readme_says_what_to_do(given: dict[str, str], line: str, tmp_path: Path) -> None:
    text = (bake({"name": "my-hook", "author": AUTHOR, **given}, tmp_path) / "README.md").read_text()
    assert f"\n{line}" in text
    assert ("engine-config" in text) == (given.get("start") == "pincpu" or "before_vm_start" in given.values())


@pytest.mark.parametrize(
    ("named", "commands"),
    [
        ("network/started daemon/start", ["net-metadata"]),
        ("network/start lxc/start", ["metadata", "net-metadata"]),
        ("network/start before_vm_start", ["net-metadata"]),
        ("qemu/start before_network_setup", ["metadata"]),
        ("daemon/start", []),
    ],
)
def test_the_readme_has_a_lasting_command_for_each_kind_of_what_has_properties(
    named: str, commands: list[str], tmp_path: Path
) -> None:
    text = (bake({"name": "my-hook", "author": AUTHOR, "points": named}, tmp_path) / "README.md").read_text()
    lines = [line.split() for line in text.splitlines() if line.startswith("    virsh ")]
    assert [line[1] for line in lines] == commands
    assert all("--config" in line for line in lines)
    assert ("`--live --config`" in text) == bool(commands)
    assert ("engine-config" in text) == ("before_vm_start" in named)


def test_two_projects_from_one_template_install_different_files(tmp_path: Path) -> None:
    for name in ("pin-web", "pin-db"):
        folder = bake({"name": name, "author": AUTHOR, "start": "pincpu"}, tmp_path)
        spec = (folder / f"vdsm-hook-{name}.spec").read_text()
        links, rules = ((folder / "debian" / part).read_text() for part in ("links", "rules"))
        identifier = name.replace("-", "_")
        assert f"/usr/lib/libvirt/{identifier}.py\n" in rules
        assert f"etc/libvirt/hooks/qemu.d/50-{name}\n" in links
        assert f"usr/libexec/vdsm/hooks/before_vm_start/50_{identifier}\n" in links
        assert f"\n/etc/libvirt/hooks/qemu.d/50-{name}\n" in spec
        assert f"\n/usr/libexec/vdsm/hooks/before_vm_start/50_{identifier}\n" in spec
        assert "50_pincpu" not in links + spec


def test_the_licence_of_this_package_is_the_one_that_is_given() -> None:
    assert (shipped("cookiecutter-hook") / "licences" / OWN_LICENCE).read_bytes() == (ROOT / "LICENSE").read_bytes()


def bake_by_command(folder: Path, *answers: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cookiecutter", str(shipped("cookiecutter-hook")), "--no-input"]
    return subprocess.run(
        [*command, "--output-dir", str(folder), f"author={AUTHOR}", *answers],
        env={**os.environ, "HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_cookiecutter_alone_bakes_it_too(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    ended = bake_by_command(tmp_path, "name=my-pinning", "start=pincpu")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "my-pinning" / "pincpu.py").exists()


def test_cookiecutter_alone_refuses_what_is_no_answer_before_it_makes_anything(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    ended = bake_by_command(tmp_path, "name=a/b")
    assert ended.returncode == 1
    assert ended.stderr.startswith("name 'a/b': give 2 to 40 small letters")
    assert ended.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("answer", ["name", "start", "points", "purpose", "author", "licence"])
def test_cookiecutter_alone_runs_no_answer(answer: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    ended = bake_by_command(tmp_path, f"{answer}={{{{ cycler.__init__.__globals__.os.mkdir('{tmp_path}/run') }}}}")
    assert ended.returncode == 1
    assert "'{' cannot be in it; write it without" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
