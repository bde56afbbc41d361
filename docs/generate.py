"""Write the pages of the reference that are made from the code: python docs/generate.py."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import check_page
import doctor_page
import drawing
import reference_pages
from life_cycles import LIFE_CYCLES
from reference_pages import first_line

import hooking
from hooking.cli.checks.findings import RULES
from hooking.cli.diagnosis.findings import RULES as OF_HOSTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hooking.cli.rules import Rule

HERE = Path(__file__).parent

COMMAND = re.compile(
    r"((?:^|(?<=: ))(?:chmod|chown|hooking|mkdir|mv|restorecon|rm|sed|setsebool|systemctl) .*|#!/\S+(?: -I)?)$"
)
"""What of a fix is to copy."""

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


def table(rules: Mapping[str, Rule]) -> str:
    """Return what can be found."""
    head = "| code | severity | what | why | what to do |\n| --- | --- | --- | --- | --- |\n"
    rows = "".join(_row(code, rule) for code, rule in rules.items())
    return head + rows.replace("{path}", "PATH").replace("{processes}", "PROCESSES")


def _row(code: str, rule: Rule) -> str:
    fields = (field.replace("|", "\\|") for field in (code, *rule[:-1], COMMAND.sub(r"`\1`", rule.fix)))
    return f"| {' | '.join(fields)} |\n"


def render(package: str) -> str:
    """Return the page about a package, or that about ``check`` or ``doctor``."""
    if package == "check":
        return check_page.render(table(RULES))
    if package == "doctor":
        return doctor_page.PAGE.format(sample=doctor_page.sample(), table=table(OF_HOSTS))
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
    for name in (*PAGES, "check", "doctor"):
        (HERE / "reference" / f"{name}.md").write_text(render(name))
    for name, make in reference_pages.PAGES.items():
        (HERE / "reference" / f"{name}.md").write_text(make())
    for name in LIFE_CYCLES:
        (HERE / "life-cycles" / f"{name}.svg").write_text(drawing.draw(name))
