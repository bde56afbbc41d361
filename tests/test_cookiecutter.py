"""The template for new hooks: what it bakes works at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parent.parent / "cookiecutter-hook"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    bake = [sys.executable, "-m", "cookiecutter", str(TEMPLATE), "--no-input", "--output-dir", str(tmp_path)]
    environ = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run([*bake, "name=pin-guests", "author=A. Person"], env=environ, check=True)
    return tmp_path / "pin-guests"


def run_tests(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=project, capture_output=True, text=True, check=False
    )


def test_a_baked_project_passes_its_own_tests(project: Path) -> None:
    ended = run_tests(project)
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout
    assert os.access(project / "pin_guests.py", os.X_OK)


def test_its_tests_fail_once_the_handler_does_nothing(project: Path) -> None:
    hook = project / "pin_guests.py"
    hook.write_text(hook.read_text().replace("hooking.set_cpuset(domain, cpuset)", "pass"))
    assert "1 failed, 1 passed" in run_tests(project).stdout


def test_nothing_of_the_template_is_left_in_it(project: Path) -> None:
    for path in project.rglob("*.*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert "cookiecutter" not in path.name + path.read_text()
