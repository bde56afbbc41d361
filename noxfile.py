"""The distributions, and the tests against what they install, on every Python that hosts have.

`nox` builds them first. It runs the Pythons that are installed here, and fails if one is missing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.error_on_missing_interpreters = True
nox.options.default_venv_backend = "virtualenv"

PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]

ONCE = ("-m", "not projects")
"""Whole projects, and the pages of the documents, are tested on one Python only: it takes minutes."""

TESTS = ("pytest>=7.2", "hypothesis>=6.60")

DEPENDENCIES: list[str] = nox.project.load_toml("pyproject.toml")["project"]["dependencies"]
LOWEST = [dependency.replace(">=", "==", 1) for dependency in DEPENDENCIES]

CORE = ("call", "context", "devices", "document", "dropin", "edit*", "golden*", "hook", "json_documents", "properties")
CORE_TESTS = [str(path) for name in (*CORE, "release") for path in sorted(Path("tests").glob(f"test_{name}.py"))]
"""Those of the rooms that hooks import: what is above them asks nothing more of the packages."""


@nox.session
def dist(session: nox.Session) -> None:
    """Build the sdist, and from it the wheel; what they hold is tested, and that the sdist can be installed."""
    session.install("build>=1.0", *TESTS)
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", silent=True)
    session.install(built("*.tar.gz"))
    run_tests(session, "tests/release")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The wheel with the lowest versions of its packages that it allows, then with the newest.

    All tests run with the newest on the first Python and the last, and by `make test` on that of the developer.
    """
    session.install(built("*.whl"), *TESTS, *LOWEST)
    run_tests(session, *CORE_TESTS, "templates")
    session.install("--upgrade", *DEPENDENCIES)
    run_tests(session, *(ONCE if session.python in {PYTHONS[0], PYTHONS[-1]} else (*CORE_TESTS, "templates")))


@nox.session(python="/usr/bin/python3", venv_params=["--system-site-packages"])
def debian(session: nox.Session) -> None:
    """The system's own Python with its packaged lxml, defusedxml and typing-extensions."""
    session.install(built("*.whl"), *TESTS)
    session.run("python", "-c", "import lxml; assert lxml.__file__.startswith('/usr/lib/python3/'), lxml.__file__")
    run_tests(session, *ONCE)


def built(pattern: str) -> str:
    """What `dist` built, with the packages of the command."""
    found = list(Path("dist").glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"there is not one dist/{pattern}; build it by: nox --session dist")
    return f"{found[0]}[cli]"


def run_tests(session: nox.Session, *options: str) -> None:
    """Run tests of the tree against what is installed: `pytest` alone leaves the tree itself off Python's path."""
    session.run("pytest", "-q", *options, *session.posargs, env={"HOOKING_DIST": "1"})
