"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

from hooking.cli.host_files import Tree


class WrongUseError(click.ClickException):
    """The command was used wrongly: the message says how."""

    exit_code = 2


_DAY = 24 * 60 * 60


def _seconds(_context: click.Context, _option: click.Parameter, value: float) -> float:
    if not 0 < value <= _DAY:
        raise click.BadParameter(f"{value:g} s is no time to wait; give more than 0 and at most a day")
    return value


def _tree(_context: click.Context, _option: click.Parameter, value: Path) -> Tree:
    return Tree(value)


host_python = click.option(
    "--host-python", is_flag=True, help="Start Python scripts by their own first line, not by this Python."
)
timeout = click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    callback=_seconds,
    help="Seconds to wait; the hosts wait for ever.",
)
root = click.option(
    "--root",
    "tree",
    default="/",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    callback=_tree,
    help="The files of an image or a package, instead of this host's.",
)
