"""What the tables of ``hooking check`` and ``hooking doctor`` have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from rich.console import Console

from hooking.cli.host_files import quoted
from hooking.cli.screen import print_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Rule(NamedTuple):
    """One thing that can be wrong with a hook, or with its host.

    Attributes:
        severity: ``error``: the hook fails, or harms its host; ``warning``: sooner or later it will; ``note``: nothing
            is wrong, but it may explain something.
        title: What is looked for.
        why: What would go wrong.
        fix: What to do; ``{path}`` is where it was found.
    """

    severity: str
    title: str
    why: str
    fix: str


@dataclass(frozen=True)
class Found:
    """One thing that is wrong.

    Attributes:
        rules: All that can be found.
        code: Of the rule.
        line: Where, from 1; 0 if it is not about a line.
        what: What was found there.
    """

    rules: ClassVar[Mapping[str, Rule]]
    code: str
    line: int
    what: str

    @property
    def rule(self) -> Rule:
        """The rule of its code."""
        return self.rules[self.code]

    @property
    def severity(self) -> str:
        """``error``, ``warning`` or ``note``."""
        return self.rule.severity

    def fix(self, path: str) -> str:
        """Return what to do: if that is a command, one to copy."""
        return self.rule.fix.replace("{path}", quoted(path))

    def row(self, path: str) -> dict[str, str | int]:
        """Return it for programs."""
        place: dict[str, str | int] = {"path": path, "line": self.line, "code": self.code, "severity": self.severity}
        return {**place, "what": self.what, "why": self.rule.why, "fix": self.fix(path)}

    def show(self, path: str) -> None:
        """Print it as one line."""
        style = {"error": "red", "warning": "yellow"}.get(self.severity, "cyan")
        place = f"{path}:{self.line}" if self.line else path
        words = f": {self.rule.title}: {self.what}; {self.rule.why}: {self.fix(path)}"
        print_line(Console(highlight=False, soft_wrap=True), f"{place}: {self.code} {self.severity}", style, words)
