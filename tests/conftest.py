"""Fixtures."""

from __future__ import annotations

import pytest

from hooking import _process


@pytest.fixture(autouse=True)
def _no_current_process() -> None:
    """No test inherits the process that another one put in the place of this one."""
    _process.replace_current(None)
