"""Write docs/edits.md, the table of all edits, from their docstrings: python docs/generate.py."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import hooking
from hooking import edits

PAGE = Path(__file__).with_name("edits.md")

HEAD = """# The edits

Each is a plain function over a document: `hooking.set_cpuset(domain, "1-4")`. Values are checked before
anything is touched, and twice is once. This page is made from the docstrings by `make docs`; `help()` has more.
"""


def render() -> str:
    """Return the page."""
    parts = [HEAD]
    for info in pkgutil.iter_modules(edits.__path__):
        module = importlib.import_module(f"hooking.edits.{info.name}")
        public = hooking._MODULES.get(f"edits.{info.name}", "").split()  # noqa: SLF001
        verbs = [verb for name, verb in vars(module).items() if name in public and inspect.isfunction(verb)]
        if verbs:
            parts.append(f"\n## {first_line(module).rstrip('.')}\n\n| edit | what it does |\n| --- | --- |\n")
            parts += [f"| `{verb.__name__}({arguments(verb)})` | {first_line(verb)} |\n" for verb in verbs]
    return "".join(parts)


def first_line(thing: object) -> str:
    """Return the first line of a docstring, as Markdown."""
    return (inspect.getdoc(thing) or "").splitlines()[0].replace("``", "`").replace("|", "\\|")


def arguments(verb: object) -> str:
    """Return the names of the arguments."""
    assert callable(verb)  # noqa: S101 - for type checkers
    signature = inspect.signature(verb)
    return ", ".join(
        f"{name}="
        if parameter.kind is parameter.KEYWORD_ONLY
        else f"*{name}"
        if parameter.kind is parameter.VAR_POSITIONAL
        else f"**{name}"
        if parameter.kind is parameter.VAR_KEYWORD
        else name
        for name, parameter in signature.parameters.items()
    )


if __name__ == "__main__":
    PAGE.write_text(render())
