"""The ready-made hooks that this package brings along, for new ones to start from."""

from __future__ import annotations

import ast
import re
import runpy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hooking import points
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.hook import Hook
    from hooking.points import Point

NO_TEMPLATE = "none"

_COMMANDS = ("engine-config -s ", "virsh metadata ", "virsh net-metadata ")


class AnswerError(HookError):
    """An answer about a new hook is not one; the message says what would be."""


def shipped(name: str) -> Path:
    """Return a folder that this package brings along: it lies beside this file, or at the top of a source checkout."""
    beside = Path(__file__).with_name(name)
    return beside if beside.is_dir() else Path(__file__).parents[2] / name


@dataclass(frozen=True)
class Template:
    """A ready-made hook: a folder with the script, its test and its recordings."""

    folder: Path

    @property
    def name(self) -> str:
        """Its name, as in ``boot-hostdev``."""
        return self.folder.name

    @property
    def module(self) -> str:
        """The name of its module."""
        return self.name.replace("-", "_")

    @property
    def script(self) -> Path:
        """The hook script."""
        return self.folder / f"{self.module}.py"

    @property
    def docstring(self) -> str:
        """What the script says of itself."""
        return ast.get_docstring(ast.parse(self.script.read_bytes())) or ""

    @property
    def summary(self) -> str:
        """The first line of that."""
        return self.docstring.partition("\n")[0]

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The hook points that it has handlers for."""
        return points_of(load_hook(self.script))

    @property
    def commands(self) -> list[str]:
        """The commands by which its docstring has custom properties defined and set."""
        lines = map(str.strip, re.sub(r"\\\n *", "", self.docstring).splitlines())
        return [line for line in lines if line.startswith(_COMMANDS)]


def load_hook(script: Path) -> Hook:
    """Return the `Hook` of a script of our own."""
    hook: Hook = runpy.run_path(str(script))["hook"]
    return hook


def points_of(hook: Hook) -> tuple[Point, ...]:
    """Return the hook points that ``hook`` has handlers for, in the order of the table."""
    named = {(driver, op) for driver, ops, *_ in hook._registrations for op in ops}  # noqa: SLF001 - no one else asks
    return tuple(point for point in points.all_points() if (point.driver, point.op) in named)


def templates() -> list[Template]:
    """Return the ready-made hooks, by name."""
    found = map(Template, sorted(shipped("templates").iterdir()))
    return [template for template in found if template.script.is_file()]


def find_template(name: str) -> Template | None:
    """Return a ready-made hook; `None` for ``none``.

    Raises:
        AnswerError: There is no such hook.
    """
    for template in templates():
        if template.name == name:
            return template
    if name != NO_TEMPLATE:
        raise AnswerError(f"there is no ready-made hook {name!r}; see: hooking new --list")
    return None
