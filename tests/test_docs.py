"""The code blocks of the documents run, and their tests pass."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hooking
from hooking.testing import FakeHost
from support import HERE, TEMPLATES

ROOT = HERE.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


VM = "3573e29e-5de9-468a-9fae-16050c6b3dcc"


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "number"),
    [pytest.param(page, number, id=f"{page.name}-{number}") for page in PAGES for number in range(len(blocks(page)))],
)
def test_a_code_block_runs(page: Path, number: int, tmp_path: Path) -> None:
    text = blocks(page)[number]
    shutil.copy(TEMPLATES / "pincpu" / "pincpu.py", tmp_path / "pin.py")
    (tmp_path / "stay_and_pin.py").write_text(blocks(ROOT / "README.md")[0])
    shutil.copytree(HERE / "recordings" / "vdsm", tmp_path / "recordings")
    if "def test_" not in text:
        script = tmp_path / "before_vm_start" / "hook.py"
        script.parent.mkdir()
        script.write_text(text)
        shutil.copy(ROOT / "hooking" / "testing" / "samples" / "domain.xml", tmp_path / "payload")
        payload, root = str(tmp_path / "payload"), str(FakeHost(tmp_path / "host").root)
        environ = {"_hook_domxml": payload, "vmId": VM, "pincpu": "1", "HOOKING_ROOT": root}
        ended = subprocess.run([sys.executable, str(script)], env=environ, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert (b"cpuset=" in (tmp_path / "payload").read_bytes()) == ("cpuset" in text)
        return
    (tmp_path / "test_block.py").write_text(text)
    options = ["-q", "--update-recordings", "-o", "hooking_recordings=recordings"]
    ended = subprocess.run([sys.executable, "-m", "pytest", *options], cwd=tmp_path, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stdout.decode()


def test_every_test_that_the_documents_name_is_there() -> None:
    tests = {
        name
        for path in HERE.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = {name for page in PAGES for name in re.findall(r"`(test_\w+)`", page.read_text())}
    assert len(named) > 40
    assert named <= tests


@pytest.mark.parametrize("package", ["edits", "actions", "check"])
def test_a_table_is_that_of_the_docstrings(package: str) -> None:
    made = runpy.run_path(str(ROOT / "docs" / "generate.py"))["render"](package)
    assert (ROOT / "docs" / "reference" / f"{package}.md").read_text() == made, "do: make docs"
    for module, names in hooking._MODULES.items():
        for name in names.split() if module.startswith(f"{package}.") else []:
            assert f"`{name}(" in made or name.isupper()
