"""``hooking run``: hook scripts on a simulated host, for one call or a whole life cycle."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console

from hooking import points
from hooking.cli import options
from hooking.cli.bundling import source_of
from hooking.cli.checks.script import is_at_place
from hooking.cli.options import WrongUseError
from hooking.cli.ready_made import load_hook, points_of
from hooking.cli.screen import print_diff, print_line, print_words
from hooking.cli.scripts import has_hook
from hooking.exceptions import HookError
from hooking.testing.life_cycles import LIFE_CYCLES, Options, Scene, install
from hooking.testing.private_folder import read_regular
from hooking.testing.vdsmd import Vdsmd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hooking.testing.libvirtd import Libvirtd
    from hooking.testing.outcome import Outcome

_EPILOG = "\b\nLife cycles:\n" + "\n".join(f"  {name:16} {cycle.description}" for name, cycle in LIFE_CYCLES.items())


@click.command(epilog=_EPILOG, short_help="Try a hook on a simulated host.")
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
@click.option(
    "--driver", type=click.Choice(["qemu", "lxc", "libxl", "bhyve"]), help="Of a guest that lives; qemu by default."
)
@options.host_python
@options.timeout
def run(  # noqa: PLR0913, PLR0917 - options
    scripts: tuple[Path, ...],
    what: str,
    document: BinaryIO | None,
    object: str | None,
    extra: str | None,
    properties: tuple[str, ...],
    driver: str | None,
    timeout: float,
    *,
    host_python: bool,
) -> None:
    """Call each SCRIPT as the host does, and show what it changed, how it ended and what the host makes of it.

    POINT is DRIVER/OPERATION for libvirt (qemu/migrate), or a hook point of VDSM (before_vm_start). In a LIFECYCLE the
    host calls many points, one after another. It calls SCRIPT at those that its path tells: qemu, qemu.d/50-pin,
    before_vm_start/50_pin, with any folder before; else at those of the folders that its handlers need; else at all. By
    hooking.state and actions scripts change a simulated host, which has a bit of everything; anything else they do to
    this machine.

    \b
    Examples:
        hooking run ./pin.py qemu/migrate --property pincpu=0-1
        hooking run ./pin.py before_vm_start --document domain.xml --property pincpu=0-1
        hooking run ./pin.py guest-migration

    Exit status: 0 if all went well, 1 if a script failed or hung, 2 if this command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    if len({script.name for script in scripts}) < len(scripts):
        raise click.UsageError("two scripts have the same name, and so the same place on a host; rename one")
    data = _read(document) if document else None
    scene = Scene(data, driver or "qemu", _properties(properties))
    given = {"--object": object, "--extra": extra, "--property": properties, "--document": document, "--driver": driver}
    _refuse(what, [option for option, value in given.items() if value])
    point = None if what in LIFE_CYCLES else _point(what)
    with tempfile.TemporaryDirectory(prefix="hooking-") as folder:
        try:
            setup = Options(Path(folder), timeout, this_python=not host_python, document=data)
            host = setup.host(point.host if point else LIFE_CYCLES[what].host)
        except HookError as error:
            raise WrongUseError(str(error)) from error
        with host.host:
            before = host.host.snapshot()
            try:
                if point:
                    _call(point, scene, scripts, host, object, extra)
                else:
                    for script in scripts:
                        for place in _places(script, host):
                            install(script, host, place)
                    LIFE_CYCLES[what].play(host, scene)
            except HookError as error:
                raise WrongUseError(str(error)) from error
            finally:
                _show(host.log)
                _show_host(host.host.commands, host.host.changes(before))
    raise SystemExit(int(any(call.failed or call.hang for call in host.log)))


def _read(document: BinaryIO) -> bytes:
    try:
        return document.read()
    except OSError as error:
        message = f"{document.name} cannot be read: {error.strerror}"
        raise click.BadParameter(message, param_hint="--document") from error


def _refuse(what: str, given: list[str]) -> None:
    """Refuse options that would have no effect."""
    useful = LIFE_CYCLES[what].takes if what in LIFE_CYCLES else ("--object", "--extra", "--property", "--document")
    useless = [option for option in given if option not in useful]
    if useless:
        instead = "name it in --document" if useless[0] == "--object" and "--document" in useful else "leave it out"
        raise click.UsageError(f"{useless[0]} has no effect on {what}; {instead}")


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


def _places(script: Path, host: Libvirtd | Vdsmd) -> Iterable[points.Point | None]:
    """Return a hook point in each folder where a `Hook` has handlers; `None` if it is for its path to tell."""
    if is_at_place(script) or not has_hook(source_of(read_regular(script))):
        return [None]
    try:
        found = points_of(load_hook(script))
    except (Exception, SystemExit):  # noqa: BLE001 - its call will show that
        return [None]
    kind = "vdsm" if isinstance(host, Vdsmd) else "libvirt"
    return {point.op if kind == "vdsm" else point.driver: point for point in found if point.host == kind}.values()


def _call(  # noqa: PLR0913, PLR0917 - options
    point: points.Point,
    scene: Scene,
    scripts: tuple[Path, ...],
    host: Libvirtd | Vdsmd,
    object_: str | None,
    extra: str | None,
) -> None:
    """Make a single call."""
    if point.absent:
        raise HookError(f"{point.name}: {point.absent}")
    for script in scripts:
        install(script, host, point)
    properties = scene.custom_properties
    if isinstance(host, Vdsmd):
        host.call(point.name, scene.document, object=object_, custom_properties=properties)
    else:
        host.call(point.name, document=scene.document, object=object_, extra=extra, custom_properties=properties)


def _show(log: list[Outcome]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    begin = 0.0
    for call in log:
        print_diff(console, call.diff)
        print_words(console, call.stderr)
        at = f"{begin * 1000:6.0f} ms  " if len(log) > 1 else ""
        took = f"exit status {call.status} after {call.seconds * 1000:.0f} ms" if call.scripts else "no script"
        style = "red" if call.failed or call.hang else "green" if call.changed else ""
        print_line(console, f"{at}{call}: {took}", style, f"; {call.host_verdict}")
        begin += call.seconds
    if len(log) == 1 and not log[0].changed:
        console.print("(no change)", style="dim")


def _show_host(commands: list[list[str]], changes: list[str]) -> None:
    """Show what scripts did on the simulated host, and what has changed there in the end."""
    console = Console(highlight=False, soft_wrap=True)
    for command in commands:
        print_line(console, f"on the host: {' '.join(command)}", "dim")
    for change in changes or (["nothing has changed in the end"] if commands else []):
        print_line(console, f"on the host: {change}", "cyan")
