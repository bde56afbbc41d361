"""``hooking run``: one call of a hook script, as the host would make it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.text import Text

from hooking import points
from hooking.exceptions import HookError, printable
from hooking.testing.difference import unified_diff
from hooking.testing.executable import Ended, start

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("point")
@click.option("--document", type=click.File("rb"), help="What the host hands over; a recorded sample by default.")
@click.option("--object", help="Name of the guest or network, or VDSM's vmId; the document's by default.")
@click.option("--extra", help="libvirt's fourth argument, as in: --extra shutdown.")
@click.option(
    "--property", "properties", multiple=True, metavar="NAME=VALUE", help="A custom property; several are fine."
)
@click.option("--host-python", is_flag=True, help="Start a Python script by its own first line, not by this Python.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait; the hosts wait for ever.")
def run(  # noqa: PLR0913, PLR0917 - options
    script: Path,
    point: str,
    document: BinaryIO | None,
    object: str | None,
    extra: str | None,
    properties: tuple[str, ...],
    timeout: float,
    *,
    host_python: bool,
) -> None:
    r"""Start SCRIPT as the host does at POINT, and show what it changed, how it ended and what the host makes of it.

    POINT is DRIVER/OPERATION for libvirt (qemu/migrate), or a hook point of VDSM (before_vm_start).

    \b
    Examples:
        hooking run ./pin.py qemu/migrate --property pincpu=0-1
        hooking run ./pin.py before_vm_start --document domain.xml --property pincpu=0-1

    Exit status: 0 if the script ended well, 1 if it failed, 2 if this command was used wrongly.
    """
    driver, _, op = point.rpartition("/")
    row = points.find(driver or "vdsm", op)
    if not row.known:
        raise click.BadParameter(f"there is no hook point {point}; see: hooking points", param_hint="POINT")
    wrong = [text for text in properties if "=" not in text[1:]]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--property")
    try:
        ended = start(
            script,
            row,
            document=document.read() if document else None,
            object=object,
            extra=extra,
            custom_properties=dict(text.split("=", 1) for text in properties),
            own_interpreter=not host_python,
            timeout=timeout,
        )
    except HookError as error:
        raise click.ClickException(str(error)) from error
    _show(ended)
    raise SystemExit(1 if ended.status else 0)


def _show(ended: Ended) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for line in unified_diff(ended.before, ended.after):
        console.print(Text(line, style=_STYLES.get(line[0], "")))
    if ended.before == ended.after:
        console.print("(no change)", style="dim")
    if ended.stderr:
        console.print(Text(printable(ended.stderr.rstrip("\n")), style="yellow"))
    style = "red" if ended.status else "green"
    console.print(
        Text.assemble(
            (f"{ended.point.name}: exit status {ended.status}", style),
            f" after {ended.seconds * 1000:.0f} ms; {ended.verdict}",
        )
    )
