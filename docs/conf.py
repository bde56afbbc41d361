"""The settings of the documentation site; `make docs` builds it."""

from __future__ import annotations

import builtins
import sys
from typing import Any

from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import hooking
from hooking.document import Attribute, Flag
from hooking.json_documents import Key
from hooking.values import Kind

project = "hooking"
copyright = "the authors of hooking, Apache-2.0"  # noqa: A001 - Sphinx's name
version = release = hooking.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["__pycache__"]

smartquotes = False  # commands are to copy

html_theme = "furo"
html_title = "hooking"
html_copy_source = False

myst_heading_anchors = 3
default_role = "py:obj"
nitpicky = True
# What others document; type variables; aliases for type checkers; what tests of this package alone need.
nitpick_ignore_regex = [
    ("py:.*", rf"({'|'.join((*vars(builtins), *sys.stdlib_module_names, 'lxml', 'etree'))})(\..*)?"),
    ("py:.*", "Path|Document|AbstractContextManager|Mapping.*|_?[A-Z]"),
    ("py:.*", "HostName|NumaMode|DriverOptions|Process"),
]

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
python_use_unqualified_type_names = True


def keep_properties_of_documents(
    _app: Sphinx, _what: str, _name: str, member: object, _skip: bool, _options: Any
) -> bool | None:
    """Show the properties of typed views, which have no docstring."""
    return False if isinstance(member, (Attribute, Flag, Key)) else None


def describe(_app: Sphinx, what: str, _name: str, member: object, _options: Any, lines: list[str]) -> None:
    """Say of a property of a typed view where its value stands, and of a kind of values its rule."""
    if isinstance(member, (Attribute, Flag)):
        lines[:] = [f"``{member.path}``" if member.path else "The element's own text."]
    elif isinstance(member, Key):
        lines[:] = [f"``{member.name}``"]
    elif isinstance(member, Kind):
        lines[:] = [f"It takes {member.rule}."]
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment: napoleon takes what a colon in the first line ends for a type


def find_by_last_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Any) -> Any:
    """Resolve ``hooking.domain.Domain`` and ``Domain`` to ``hooking.Domain``, by which it is imported."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    last = node["reftarget"].rpartition(".")[2]
    found = [name for name, entry in domain.objects.items() if name.rpartition(".")[2] == last and not entry.aliased]
    if len(found) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, text)


def setup(app: Sphinx) -> None:
    """Let autodoc know the typed views, and references the face."""
    app.connect("autodoc-skip-member", keep_properties_of_documents)
    app.connect("autodoc-process-docstring", describe, priority=400)
    app.connect("missing-reference", find_by_last_name)
