"""``hooking check``: what would go wrong with hook scripts, before it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

import click

from hooking import points
from hooking.cli.checks import files, python, shell, trial
from hooking.cli.checks.script import load
from hooking.cli.options import WrongUseError
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.checks.findings import Finding
    from hooking.cli.checks.script import Script

_NO_TRIAL = {"H102", "H103", "H104", "H105", "H108", "H111", "H112"}
"""What a trial would only say again."""


def _point(_context: click.Context, _option: click.Parameter, name: Optional[str]) -> Optional[points.Point]:
    try:
        return points.parse(name) if name else None
    except HookError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
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
    What it does but by hooking.state and actions happens to this machine; --no-run leaves the trial out. Where it is
    called is told by its place (as for the hosts), by its handlers, or by what it reads; otherwise by libvirt for
    guests of QEMU.

    \b
    Examples:
        hooking check /etc/libvirt/hooks/qemu.d/*
        hooking check ./pin.py --point before_vm_start

    Exit status: 0 if nothing was found, 1 if something was, 2 if this command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    if point and host not in {None, point.host}:
        raise click.UsageError(f"{point.name} is no hook point of {host}; leave --host out")
    try:
        found = [(path, finding) for path in scripts for finding in findings(load(path, host, point), no_run=no_run)]
    except OSError as error:
        raise click.BadParameter(f"{error.filename} cannot be read: {error.strerror}", param_hint="SCRIPT") from error
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
    found = list(files.check(script))
    if script.is_python and not script.is_archive:
        found += python.check(script)
    elif script.is_shell:
        found += shell.check(script)
    if not no_run and not _NO_TRIAL & {finding.code for finding in found}:
        found += trial.check(script)
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.line, finding.code))
