"""Options that several commands have."""

from __future__ import annotations

import click


class WrongUseError(click.ClickException):
    """The command was used wrongly: the message says how."""

    exit_code = 2


_DAY = 24 * 60 * 60


def _seconds(_context: click.Context, _option: click.Parameter, value: float) -> float:
    if not 0 < value <= _DAY:
        raise click.BadParameter(f"{value:g} s is no time to wait; give more than 0 and at most a day")
    return value


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
