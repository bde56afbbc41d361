"""``hooking bundle``: a hook as one file, for hosts where nothing is installed."""

from __future__ import annotations

import os
from pathlib import Path

import click

import hooking
from hooking import _process
from hooking.cli.bundling import bundle as make, is_bundle
from hooking.cli.options import WrongUseError
from hooking.cli.scripts import PYTHON
from hooking.exceptions import HookError, printable
from hooking.testing import private_folder
from hooking.testing.private_folder import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.bundling import Bundle


@click.command(short_help="Make one file of a hook and this package.")
@click.argument("script", metavar="SCRIPT", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What to write; by default SCRIPT without .py, in this folder. A bundle that is there is replaced.",
)
@click.option("--python", metavar="PATH", default=PYTHON, show_default=True, help="The interpreter on the hosts.")
@click.option("--compiler", metavar="PATH", help="A Python of the hosts' version on this machine; by default --python.")
def bundle(script: Path, output: Path | None, python: str, compiler: str | None) -> None:
    """Make one executable file of SCRIPT, with this package inside: its host needs no more than Python.

    Modules and packages in the folder of SCRIPT that it imports are inside too; data files are not. Only lxml is not:
    a hook that reads its document by the typed API takes it from the distribution, whose package is python3-lxml.

    \b
    Examples:
        hooking bundle pin.py
        hooking bundle pin.py --output build/pin --compiler python3.9
        hooking install pin --reload

    Exit status: 0 if the file is there, 1 if it cannot be written, 2 if the command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    target = Path(os.path.realpath(output or script.stem))
    try:
        _refuse_other(target)
        made = make(script, python, compiler or python)
    except (HookError, OSError) as error:
        raise WrongUseError(str(error)) from error
    try:
        _write(target, made.data)
    except (HookError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(printable(_told(target, made), keep=""))


def _refuse_other(target: Path) -> None:
    if target.exists() and not is_bundle(read_regular(target)):
        raise HookError(f"{target} is there already, and no bundle; name another file with --output")


def _write(target: Path, data: bytes) -> None:
    if target.exists():
        _process.replace_file(str(target), data)
    else:
        private_folder.publish(target, data, 0o755)


def _told(target: Path, made: Bundle) -> str:
    inside = ", ".join([f"hooking {hooking.__version__}", "defusedxml", *made.own])
    needs = f"; the host has to have {', '.join(made.absent)}" if made.absent else ""
    left_out = f"; Python's own {', '.join(made.left_out)} instead of what lies beside it" if made.left_out else ""
    size = len(made.data) >> 10
    return f"{target} written: {size} KiB for Python {made.version}, with {inside}{needs}{left_out}"
