"""The tests on every Python that hosts have. `nox` runs those that are installed here, and fails if one is missing."""

from __future__ import annotations

import nox

nox.options.error_on_missing_interpreters = True
nox.options.default_venv_backend = "virtualenv"

ONCE = ("-m", "not projects")
"""Whole projects are baked and tested on one Python only: it takes minutes."""

TESTS = ("pytest>=7.2", "hypothesis>=6.60")


@nox.session(python=["3.9", "3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The newest packages; on Python 3.9 those of Enterprise Linux 9."""
    session.install("-e", ".[cli]", *TESTS)
    if session.python == "3.9":
        session.install("lxml==4.6.5")
    session.run("pytest", "-q", *ONCE, *session.posargs)


@nox.session(python="/usr/bin/python3", venv_params=["--system-site-packages"])
def debian(session: nox.Session) -> None:
    """The system's own Python with its packaged lxml, defusedxml and typing-extensions."""
    session.install("-e", ".[cli]", *TESTS)
    session.run("python", "-c", "import lxml; assert lxml.__file__.startswith('/usr/lib/python3/'), lxml.__file__")
    session.run("pytest", "-q", *ONCE, *session.posargs)
