"""Write the tables of all edits, actions and findings from the code: python docs/generate.py."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import hooking
from hooking.cli.checks.findings import RULES

HERE = Path(__file__).parent

EDITS = """# The edits

Each is a plain function over a document: `hooking.set_cpuset(domain, "1-4")`. Values are checked before
anything is touched, and twice is once. This page is made from the docstrings by `make docs`; `help()` has more.
"""


ACTIONS = """# The actions

Each is a plain function over a `State`: `hooking.stop_units(state, "display-manager")`. It checks everything, notes how
it is undone, and then changes the host; [state and undo](../how-to/host.md) tells the rest. This page is made from the
docstrings by `make docs`; `help()` has more.
"""

PAGES = {"edits": ("edit", EDITS), "actions": ("action", ACTIONS)}
"""What a function of a package is called, and how its page begins."""


CHECK = """# hooking check

    hooking check ./pin.py --point before_vm_start
    hooking check /etc/libvirt/hooks/qemu.d/*

It tells what would go wrong with hook scripts, before it does; it exits with 0 if it found nothing, and with 1 if it
did. Python and shell scripts are read: what stands in comments, texts and here-documents is no finding, and for which
operations a line runs is followed through `if`, `case` and functions.

Then each script is started on a simulated host, at each of its hook points, for a guest that it knows nothing of.
Programs that change hosts (`systemctl`, `modprobe`, `ip`, …) do nothing there when they are found by `PATH`; whatever
else a script does happens to this machine, so check a script that you do not trust with `--no-run`.

Where a script is called is told by `--point`, by its place as on a host (`qemu`, `qemu.d/…`, `before_vm_start/…`), by
its handlers, or by what it reads; else it is taken for a libvirt hook of QEMU guests. `--json` is for programs.

This table is made from the code by `make docs`.

| code | severity | what | why | what to do |
| --- | --- | --- | --- | --- |
"""


def render_check() -> str:
    """Return the page about all that ``hooking check`` finds."""
    rows = ((code, *(field.replace("|", "\\|") for field in rule)) for code, rule in RULES.items())
    return CHECK + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def render(package: str) -> str:
    """Return the page about a package, or that about ``check``."""
    if package == "check":
        return render_check()
    kind, head = PAGES[package]
    parts = [head]
    for info in pkgutil.iter_modules(importlib.import_module(f"hooking.{package}").__path__):
        module = importlib.import_module(f"hooking.{package}.{info.name}")
        public = hooking._MODULES.get(f"{package}.{info.name}", "").split()  # noqa: SLF001
        verbs = [verb for name, verb in vars(module).items() if name in public and inspect.isfunction(verb)]
        if verbs:
            parts.append(f"\n## {first_line(module).rstrip('.')}\n\n| {kind} | what it does |\n| --- | --- |\n")
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
    for name in (*PAGES, "check"):
        (HERE / "reference" / f"{name}.md").write_text(render(name))
