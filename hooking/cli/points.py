"""``hooking points``: the table of hook points."""

from __future__ import annotations

import json

import click
from rich.table import Table

from hooking.cli.options import WrongUseError
from hooking.cli.screen import print_table
from hooking.points import Point, all_points, misspelt

_COLUMNS = ("name", "document", "reply", "failure", "then", "action", "on_error", "since", "until", "remark")


@click.command(short_help="Show the hook points.")
@click.argument("pattern", default="")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def points(pattern: str, *, as_json: bool) -> None:
    """Show when the hosts call a script, with what, and what its answer does.

    PATTERN: show only hook points whose name has this in it.

    \b
    Example:
        hooking points migrate

    Exit status: 0, or 2 if the command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    rows = [_row(point) for point in all_points() if pattern in point.name]
    if not rows:
        raise WrongUseError(misspelt(*(pattern.rpartition("/")[::2] if "/" in pattern else ("vdsm", pattern))))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table(*_COLUMNS, box=None, header_style="bold")
    for row in rows:
        table.add_row(*(value or "-" for value in row.values()))
    print_table(table)


def _row(point: Point) -> dict[str, str | None]:
    row: dict[str, str | None] = {column: getattr(point, column) for column in _COLUMNS}
    row["document"] = f"{point.document}?" if point.may_be_empty else point.document
    return row
