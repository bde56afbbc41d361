"""``hooking new``: the project of a new hook, with tests that pass and packages to install."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import import_module, metadata
from pathlib import Path

import click

from hooking.cli.answers import LICENCES
from hooking.cli.options import WrongUseError
from hooking.cli.ready_made import templates
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_COOKIECUTTER = (2, 1)  # the first that loads extensions of a template


@click.command(short_help="Make the project of a new hook.")
@click.argument("name", required=False)
@click.option("--for", "purpose", metavar="TEXT", help="What the hook is for, in a line.")
@click.option("--point", "points", multiple=True, metavar="POINT", help="A hook point; several are fine.")
@click.option("--template", "start", metavar="TEMPLATE", help="Start from a ready-made hook, see --list.")
@click.option("--author", metavar="'NAME <MAIL>'", help="By default what DEBFULLNAME and DEBEMAIL or git say.")
@click.option("--licence", "--license", metavar="SPDX", help=f"{', '.join(LICENCES)}; the first by default.")
@click.option(
    "--output", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Where to make it."
)
@click.option("--list", "listed", is_flag=True, help="Show the ready-made hooks.")
def new(  # noqa: PLR0913, PLR0917 - options
    name: str | None,
    purpose: str | None,
    points: tuple[str, ...],
    start: str | None,
    author: str | None,
    licence: str | None,
    output: Path,
    *,
    listed: bool,
) -> None:
    """Make a project in the folder NAME: a hook, tests that pass, packages. Without NAME, ask on the terminal.

    POINT is DRIVER/OPERATION for libvirt (qemu/migrate), or a hook point of VDSM (before_vm_start).

    \b
    Examples:
        hooking new my-hook --point qemu/prepare --point before_vm_start
        hooking new my-pinning --template pincpu
        hooking new --list

    Exit status: 0 if the project is there, 2 if it is not.
    """  # noqa: D301 - click wants the backspace itself
    if listed:
        _show_templates()
        return
    given = {
        "name": name,
        "start": start,
        "purpose": purpose,
        "points": " ".join(points),
        "author": author,
        "licence": licence,
    }
    answers = {key: value for key, value in given.items() if value}
    if name is None and (answers or not _on_terminal()):
        raise click.UsageError("give the NAME of the new hook, as in: hooking new my-hook")
    folder = _bake(answers, output)
    click.echo(f"{folder} is there; test the hook with: cd {shlex.quote(str(folder))} && pytest")


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def _bake(answers: Mapping[str, str], output: Path) -> Path:
    _require_cookiecutter()
    from hooking.cli.baking import bake

    failure: type[Exception] = import_module("cookiecutter.exceptions").CookiecutterException
    try:
        return bake(answers, output, ask=not answers)
    except (HookError, OSError, failure) as error:
        raise WrongUseError(str(error)) from error


def _require_cookiecutter() -> None:
    """Distributions do not have it (yet), or have one that is too old; no other command needs it."""
    try:
        found = metadata.version("cookiecutter")
    except metadata.PackageNotFoundError:
        found = ""
    if tuple(map(int, re.findall(r"\d+", found)[:2])) < _COOKIECUTTER:
        needed = ".".join(map(str, _COOKIECUTTER))
        here = f"here is {found}" if found else "here is none"
        raise WrongUseError(f"it needs cookiecutter {needed} or newer, and {here}: pip install 'libvirt-hooking[cli]'")


def _show_templates() -> None:
    found = templates()
    width = max(len(template.name) for template in found)
    for template in found:
        click.echo(f"{template.name:{width}}  {template.summary}")
