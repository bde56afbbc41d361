"""``hooking run``: hook scripts on a simulated host, for one call or a whole life cycle."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.text import Text

from hooking import points
from hooking.cli import options
from hooking.cli.screen import print_diff, print_words
from hooking.exceptions import HookError
from hooking.testing.life_cycles import LIFE_CYCLES, Options, Scene, install, play
from hooking.testing.vdsmd import Vdsmd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.testing.outcome import Outcome

_EPILOG = "\b\nLife cycles:\n" + "\n".join(f"  {name:16} {cycle.description}" for name, cycle in LIFE_CYCLES.items())


@click.command(epilog=_EPILOG)
@click.argument(
    "scripts", nargs=-1, required=True, metavar="SCRIPT…", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.argument("what", metavar="POINT|LIFECYCLE")
@click.option("--document", type=click.File("rb"), help="What the host hands over; a recorded sample by default.")
@click.option("--object", help="Name of the guest or network, or VDSM's vmId; the document's by default.")
@click.option("--extra", help="libvirt's fourth argument, as in: --extra shutdown.")
@click.option(
    "--property", "properties", multiple=True, metavar="NAME=VALUE", help="A custom property; several are fine."
)
@click.option("--driver", default="qemu", type=click.Choice(["qemu", "lxc", "libxl", "bhyve"]), help="Of the guest.")
@options.host_python
@options.timeout
def run(  # noqa: PLR0913, PLR0917 - options
    scripts: tuple[Path, ...],
    what: str,
    document: BinaryIO | None,
    object: str | None,
    extra: str | None,
    properties: tuple[str, ...],
    driver: str,
    timeout: float,
    *,
    host_python: bool,
) -> None:
    r"""Call each SCRIPT as the host does, and show what it changed, how it ended and what the host makes of it.

    POINT is DRIVER/OPERATION for libvirt (qemu/migrate), or a hook point of VDSM (before_vm_start). In a LIFECYCLE the
    host calls many points one after another; a script named like its driver, or in a folder named like its hook point,
    is called only there.

    \b
    Examples:
        hooking run ./pin.py qemu/migrate --property pincpu=0-1
        hooking run ./pin.py before_vm_start --document domain.xml --property pincpu=0-1
        hooking run ./pin.py guest-migration

    Exit status: 0 if all went well, 1 if a script failed or hung, 2 if this command was used wrongly.
    """
    if what in LIFE_CYCLES and (object is not None or extra is not None):
        raise click.UsageError("--object and --extra are for a single hook point; a life cycle gives them itself")
    given = document.read() if document else None
    scene = Scene(given, driver, _properties(properties))
    try:
        with tempfile.TemporaryDirectory(prefix="hooking-") as folder:
            setup = Options(Path(folder), timeout, this_python=not host_python)
            if what in LIFE_CYCLES:
                log = play(LIFE_CYCLES[what], scene, scripts, setup)
            else:
                log = [_call(_point(what), scene, scripts, setup, object, extra)]
    except HookError as error:
        raise click.ClickException(str(error)) from error
    _show(log)
    raise SystemExit(int(any(call.failed or call.hang for call in log)))


def _properties(texts: tuple[str, ...]) -> dict[str, str]:
    wrong = [text for text in texts if "=" not in text[1:]]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--property")
    return dict(text.split("=", 1) for text in texts)


def _point(name: str) -> points.Point:
    try:
        return points.parse(name)
    except HookError as error:
        raise click.BadParameter(str(error), param_hint="POINT") from error


def _call(  # noqa: PLR0913, PLR0917 - options
    point: points.Point,
    scene: Scene,
    scripts: tuple[Path, ...],
    setup: Options,
    object_: str | None,
    extra: str | None,
) -> Outcome:
    """Make a single call."""
    host = setup.host(point.host)
    for script in scripts:
        install(script, host, point)
    properties = scene.custom_properties
    if isinstance(host, Vdsmd):
        return host.call(point.name, scene.document, object=object_, custom_properties=properties)
    return host.call(point.name, document=scene.document, object=object_, extra=extra, custom_properties=properties)


def _show(log: list[Outcome]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    begin = 0.0
    for call in log:
        print_diff(console, call.diff)
        print_words(console, call.stderr)
        at = f"{begin * 1000:6.0f} ms  " if len(log) > 1 else ""
        took = f"exit status {call.status} after {call.seconds * 1000:.0f} ms" if call.scripts else "no script"
        style = "red" if call.failed or call.hang else "green" if call.changed else ""
        console.print(Text.assemble((f"{at}{call}: {took}", style), f"; {call.host_verdict}"))
        begin += call.seconds
    if len(log) == 1 and not log[0].changed:
        console.print("(no change)", style="dim")
