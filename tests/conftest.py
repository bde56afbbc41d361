"""Fixtures."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from blocks import COUNTS
from hooking import _process

EXAMPLES = int(os.environ.get("HOOKING_EXAMPLES", "0"))
"""How many random examples hypothesis tries; 0: the same 100 each time, so that a failure is the change's, not luck."""

# Machines are busy: a slow one says nothing about the code.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not EXAMPLES,
    max_examples=EXAMPLES or 100,
)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _no_current_process() -> None:
    """No test inherits the process that another one put in the place of this one."""
    _process.replace_current(None)


@pytest.fixture(scope="session")
def require_live() -> Callable[[str], None]:
    """Skip a test that asks a real libvirt, unless HOOKING_LIVE=1 asks for it; then nothing may be missing."""

    def require(missing: str) -> None:
        if os.environ.get("HOOKING_LIVE") != "1":
            pytest.skip("asks a real libvirt; run it as root by: make live")
        if missing:
            pytest.fail(f"HOOKING_LIVE=1, but this machine lacks: {missing}", pytrace=False)

    return require


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many code blocks of the documents ran."""
    if COUNTS:
        words = f"{COUNTS['executed']} executed, {COUNTS['live']} left to make live, {COUNTS['unreached']} skipped"
        terminalreporter.write_line(f"code blocks of the documents: {words}")
