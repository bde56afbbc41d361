"""``hooking check``: what would go wrong with hook scripts, before it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

import click

from hooking import points
from hooking.cli.checks import files, python, shell, trial
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.script import load
from hooking.cli.options import WrongUseError
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hooking.cli.checks.script import Script

_NO_TRIAL = {"H102", "H103", "H104", "H105", "H108", "H111", "H112"}
"""What a trial would only say again."""


def _point(_context: click.Context, _option: click.Parameter, name: Optional[str]) -> Optional[points.Point]:
    try:
        return points.parse(name) if name else None
    except HookError as error:
        raise click.BadParameter(str(error)) from error


@click.command(short_help="Find what would go wrong with a hook.")
@click.argument(
    "scripts", nargs=-1, required=True, metavar="SCRIPT…", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--host", type=click.Choice(["libvirt", "vdsm"]), help="Who calls them, if their places do not tell.")
@click.option("--point", callback=_point, metavar="POINT", help="Where they are called, as in qemu/migrate.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--no-run", is_flag=True, help="Read the scripts only; start none.")
def check(
    scripts: tuple[Path, ...], host: str | None, point: points.Point | None, *, as_json: bool, no_run: bool
) -> None:
    """Tell what would go wrong with each SCRIPT on its host: what, where, why, and what to do.

    Each is read, and then started on a simulated host for a guest that it knows nothing of, at each of its hook points.
    By hooking.state and actions it changes the simulated host; anything else it does to this machine, unless --no-run
    leaves the trial out. Where it is called is told by its place (as for the hosts), by its handlers, or by what it
    reads; otherwise it is taken for a hook of libvirt for guests of QEMU.

    \b
    Examples:
        hooking check /etc/libvirt/hooks/qemu.d/*
        hooking check ./pin.py --point before_vm_start

    Exit status: 0 if nothing was found, 1 if something was, 2 if this command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    if point and host not in {None, point.host}:
        raise click.UsageError(f"{point.name} is no hook point of {host}; leave --host out")
    try:
        loaded = [(path, load(path, host, point)) for path in scripts]
    except OSError as error:
        raise click.BadParameter(f"{error.filename} cannot be read: {error.strerror}", param_hint="SCRIPT") from error
    except HookError as error:
        raise click.BadParameter(str(error), param_hint="SCRIPT") from error
    try:
        found = [(path, finding) for path, script in loaded for finding in findings(script, no_run=no_run)]
    except HookError as error:  # the simulated host lacks something
        raise WrongUseError(f"{error}; or give --no-run") from error
    if as_json:
        click.echo(json.dumps([finding.row(str(path)) for path, finding in found], indent=2))
    else:
        for path, finding in found:
            finding.show(str(path))
    raise SystemExit(int(bool(found)))


def findings(script: Script, *, no_run: bool) -> list[Finding]:
    """Return what is wrong with a script; with ``no_run``, what can be told without starting it."""
    found: list[Finding] = []
    try:
        for part in _readers(script):
            found += part(script)
    except RecursionError:  # by ast, or by ours
        found.append(Finding("H115", 1, f"{len(script.data)} bytes"))
    if not no_run and not _NO_TRIAL & {finding.code for finding in found}:
        found += trial.check(script)
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.line, finding.code))


def _readers(script: Script) -> list[Callable[[Script], Iterator[Finding]]]:
    """Return what knows how to read a script."""
    if script.is_python and not script.is_archive:
        return [files.check, python.check]
    return [files.check, shell.check] if script.is_shell else [files.check]
