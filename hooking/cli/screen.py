"""How documents and scripts' words are shown on a terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from hooking.exceptions import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def print_diff(console: Console, diff: str, indent: str = "") -> None:
    """Print a unified diff in colours."""
    for line in printable(diff).strip("\n").splitlines():
        console.print(Text(indent + line, style=_STYLES.get(line[:1], "")))


def print_line(console: Console, text: str, style: str = "", more: str = "") -> None:
    """Print a line: ``text`` in ``style``, and ``more`` plainly."""
    console.print(Text.assemble((printable(text, keep=""), style), printable(more, keep="")))


def print_words(console: Console, words: str) -> None:
    """Print what a script said; it cannot command the terminal."""
    if words:
        console.print(Text(printable(words.rstrip("\n")), style="yellow"))


def print_table(table: Table) -> None:
    """Print a table; where no terminal limits it, its cells stay whole."""
    Console(width=None if sys.stdout.isatty() else 200, markup=False).print(table)
