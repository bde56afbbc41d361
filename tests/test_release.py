"""What a release says of itself agrees: versions, and what it asks of other packages."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import hooking
from sources import ROOT, sources

EXTENSIONS = "typing_extensions"


def test_every_place_has_the_same_version() -> None:
    released = re.search(r"^## (\d\S*) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    packaged = re.match(r"libvirt-hooking \((.+)\) ", (ROOT / "debian" / "changelog").read_text())
    assert released
    assert packaged
    assert released[1] == packaged[1] == hooking.__version__
    assert f'"libvirt-hooking {hooking.__version__}"' in (ROOT / "debian" / "hooking.1").read_text()


def asked_of(module: str, path: Path) -> set[str]:
    """The names that a file imports from a module."""
    nodes = ast.walk(ast.parse(path.read_bytes()))
    found = (node.names for node in nodes if isinstance(node, ast.ImportFrom) and node.module == module)
    return {alias.name for names in found for alias in names}


def test_typing_extensions_has_what_only_checkers_import() -> None:
    names = {name for path in sources("hooking") if path.endswith(".py") for name in asked_of(EXTENSIONS, ROOT / path)}
    assert "Unpack" in names
    assert [name for name in names if not hasattr(importlib.import_module(EXTENSIONS), name)] == []
