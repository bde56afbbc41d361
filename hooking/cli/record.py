"""``hooking record``: calls of a host, stored as recordings."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hooking.exceptions import HookError, InvocationError, printable
from hooking.testing import recorder


@click.command(context_settings={"allow_interspersed_args": False}, short_help="Record the calls of a host.")
@click.argument("command", metavar="[SCRIPT [ARGUMENT]...]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder of recordings: yours or root's, that nobody else may write, or with mode 1777.",
)
@click.option("--install", type=click.Path(path_type=Path), help="Write a script here that records beside the others.")
@click.option("--called-as", metavar="PATH", help='Run nothing; PATH ("$0") was called with the ARGUMENTs ("$@").')
def record(command: tuple[str, ...], output: Path, install: Path | None, called_as: str | None) -> None:
    """Record calls of a host, to run hooks on them later: passwords redacted, readable by their owner only.

    With --install, let the host call the recorder beside its other scripts, and make the folder of recordings; at a
    hook point of VDSM with mode 1777, as VDSM runs scripts as the user vdsm, but those for networks as root. With
    SCRIPT, run that as if the host had (its path must tell who called), hand everything through, and record its
    outcome too. The host sees no difference: when a call cannot be recorded, that is one line on standard error.

    \b
    Examples:
        hooking record --output /var/tmp/calls --install /etc/libvirt/hooks/qemu.d/00-record
        exec hooking record --output /var/tmp/calls --called-as "$0" -- "$@"
        exec hooking record --output /var/tmp/calls -- /opt/hooks/qemu "$@"

    Exit status: that of SCRIPT; 0 for a call without SCRIPT, even if it could not be recorded; with --install 0 if the
    recorder is there, 1 if that failed; 2 if the command was used wrongly.
    """  # noqa: D301 - click wants the character
    if install and (command or called_as):
        raise click.UsageError("--install takes neither SCRIPT nor --called-as")
    if install:
        _install(install, output)
    elif command and called_as is None:
        recorder.run_recorded(output, command)
    elif called_as is None and not _can_be_a_hook():
        raise click.UsageError("nothing to record: give SCRIPT, --install or --called-as")
    else:
        recorder.record_beside(
            output, [called_as or "hooking record without SCRIPT, --install or --called-as", *command]
        )


def _can_be_a_hook() -> bool:
    """Tell whether a host may have started this: it would take wrong use for a hook that fails."""
    if any(map(os.isatty, range(3))):
        return False
    return os.environ.get("LC_ALL") == "C" or not {"_hook_domxml", "_hook_json"}.isdisjoint(os.environ)


def _install(path: Path, output: Path) -> None:
    try:
        recorder.install(path, output)
    except InvocationError as error:
        raise click.BadParameter(str(error), param_hint="--install") from error
    except HookError as error:
        raise click.ClickException(str(error)) from error
    said = f"{path} records to {output}; the libvirt daemons notice a driver's first script when they are reloaded"
    click.echo(printable(said, keep=""))
