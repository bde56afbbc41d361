"""Recorded results of VDSM's own scripts, and a short hook of ours held against them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from lxml import etree

from hooking import Hook
from hooking.testing.in_process import run_hook
from support import GOLDEN

Right = Mapping[str, Union[str, float]]


@dataclass(frozen=True)
class Fault:
    """What is wrong with VDSM's script in a case.

    Attributes:
        reason: What it does.
        right: XPath expressions, relative to the root, and what each gives where it is right; `None` where failing is.
    """

    reason: str
    right: Right | None


def golden_cases(*hooks: str) -> list[Path]:
    """The recorded cases of some hooks."""
    return sorted(folder for hook in hooks for folder in (GOLDEN / hook).iterdir())


def name_of(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def canonical(document: bytes) -> object:
    """What counts of a document."""
    if document.startswith(b"{"):
        return json.loads(document)
    root = etree.fromstring(document, etree.XMLParser(remove_blank_text=True))
    return etree.tostring(root, method="c14n", exclusive=True)


def check_against_golden(hook: Hook, folder: Path, point: str, fault: Fault | None = None, scratch: str = "") -> None:
    """Run ``hook`` on a recorded input, and compare: with the recorded result, or with what is right where that is not.

    Args:
        hook: The hook.
        folder: The case.
        point: The hook point.
        fault: What is wrong with the recorded result.
        scratch: The folder that stands for ``{TMP}`` in the recording.
    """
    given, properties, expected = (
        (folder / name).read_bytes().replace(b"{TMP}", scratch.encode())
        for name in ("stdin_or_domxml", "env", "expected_out")
    )
    named = dict(line.split("=", 1) for line in properties.decode().splitlines())
    outcome = run_hook(hook, point, document=given, custom_properties=named, twice=not scratch)
    fails = fault.right is None if fault else (folder / "expected_rc").read_text().strip() != "0"
    assert outcome.failed is fails, outcome.stderr
    if fault is None or fault.right is None:
        assert canonical(outcome.after) == canonical(given if fault else expected)
    else:
        root = etree.fromstring(outcome.after)
        assert {path: root.xpath(path) for path in fault.right} == fault.right
