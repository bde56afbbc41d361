"""``hooking record``: calls of a host, stored as recordings."""

from __future__ import annotations

from pathlib import Path

import click

from hooking.exceptions import HookError, InvocationError
from hooking.testing import recorder


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", metavar="[SCRIPT [ARGUMENT]...]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder of recordings; nobody else may write it.",
)
@click.option("--install", type=click.Path(path_type=Path), help="Write a script here that records beside the others.")
@click.option("--called-as", metavar="PATH", help='Run nothing; PATH ("$0") was called with the ARGUMENTs ("$@").')
def record(command: tuple[str, ...], output: Path, install: Path | None, called_as: str | None) -> None:
    r"""Record calls of a host, to run hooks on them later: passwords redacted, readable by their owner only.

    With --install, let the host call the recorder beside its other scripts. With SCRIPT, run that as if the host
    had (its path must tell who called), hand everything through, and record its outcome too. The host sees no
    difference: when a call cannot be recorded, that is one line on standard error.

    \b
    Examples:
        hooking record --output /var/tmp/calls --install /etc/libvirt/hooks/qemu.d/00-record
        exec hooking record --output /var/tmp/calls --called-as "$0" -- "$@"
        exec hooking record --output /var/tmp/calls -- /opt/hooks/qemu "$@"
    """
    if install and (command or called_as):
        raise click.UsageError("--install takes neither SCRIPT nor --called-as")
    if install:
        _install(install, output)
    elif command and called_as is None:
        recorder.run_recorded(output, command)
    else:
        recorder.record_beside(
            output, [called_as or "hooking record without SCRIPT, --install or --called-as", *command]
        )


def _install(path: Path, output: Path) -> None:
    try:
        recorder.install(path, output)
    except InvocationError as error:
        raise click.BadParameter(str(error), param_hint="--install") from error
    except HookError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{path} records to {output}; the libvirt daemons notice a driver's first script when they are reloaded")
