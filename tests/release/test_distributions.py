"""What a release consists of holds what it should, and it is what these tests import."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import hooking
from sources import ROOT, sources

pytestmark = pytest.mark.skipif(os.environ.get("HOOKING_DIST") != "1", reason="tests what is built; run it by: nox")

BESIDE = {"cookiecutter-hook": "hooking/cli/cookiecutter-hook", "templates": "hooking/cli/templates"}
"""Where the wheel has what lies elsewhere in the tree."""


def built(pattern: str) -> Path:
    (path,) = (ROOT / "dist").glob(pattern)
    return path


def in_the_wheel() -> dict[str, Path]:
    """What the wheel should hold, less its metadata, and the file in the tree that it is."""
    held = {name: ROOT / name for name in sources("hooking")}
    for folder, place in BESIDE.items():
        held.update({f"{place}{name[len(folder) :]}": ROOT / name for name in sources(folder)})
    return held


def test_the_wheel_holds_the_package_with_templates_and_cookiecutter_and_nothing_else() -> None:
    with zipfile.ZipFile(built("*.whl")) as wheel:
        named = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert named == in_the_wheel().keys()
    assert "hooking/py.typed" in named
    assert "hooking/cli/templates/pincpu/pincpu.py" in named
    assert "hooking/cli/cookiecutter-hook/cookiecutter.json" in named


def test_the_sdist_holds_the_tree() -> None:
    with tarfile.open(built("*.tar.gz")) as sdist:
        named = {member.name.split("/", 1)[1] for member in sdist.getmembers()}
    assert named == sources() | {"PKG-INFO"}


def test_what_is_installed_is_this_tree_and_not_in_it() -> None:
    installed = Path(hooking.__file__).parents[1]
    assert installed.name == "site-packages"
    changed = [name for name, path in in_the_wheel().items() if (installed / name).read_bytes() != path.read_bytes()]
    assert not changed, "dist/ is older than the tree; do: nox --session dist"


def test_the_command_runs_where_there_is_no_tree(tmp_path: Path) -> None:
    def shown(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("hooking")), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert shown("--version") == f"hooking, version {hooking.__version__}\n"
    assert "pincpu" in shown("new", "--list")
