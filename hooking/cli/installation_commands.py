"""``hooking install``, ``uninstall`` and ``list``: hooks on a host, or in an image or package of one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from hooking.cli import daemons, give_up_output, installation, listing, options
from hooking.cli.diagnosis.host import look
from hooking.cli.diagnosis.processes import is_aware
from hooking.cli.manifests import FOLDER, Manifests
from hooking.cli.options import WrongUseError
from hooking.cli.screen import print_table
from hooking.cli.scripts import read_script
from hooking.exceptions import HookError, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from hooking.cli.daemons import Daemon
    from hooking.cli.diagnosis.host import Host
    from hooking.cli.host_files import Tree
    from hooking.cli.manifests import Manifest
    from hooking.cli.scripts import Script


_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only show what would be done.")


@click.command(short_help="Put a hook where the hosts call it.")
@click.argument("path", metavar="SCRIPT", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--point", "names", multiple=True, metavar="POINT", help="Where it is called; several are fine.")
@click.option("--priority", type=click.IntRange(0, 99), default=50, show_default=True, help="Lower ones run first.")
@click.option("--name", help="What the hook is called; by default like the script.")
@click.option("--python", metavar="PATH", help="Its interpreter, in /usr/bin; by default /usr/bin/python3.")
@click.option("--reload", "reloads", is_flag=True, help="Let the libvirt daemons look again which scripts there are.")
@_DRY_RUN
@click.option("--force", is_flag=True, help="Replace files that were changed since they were installed.")
@options.root
def install(  # noqa: PLR0913, PLR0917 - options
    path: Path,
    names: tuple[str, ...],
    priority: int,
    name: str | None,
    python: str | None,
    tree: Tree,
    *,
    reloads: bool,
    dry_run: bool,
    force: bool,
) -> None:
    """Put SCRIPT where the hosts call it: all of it, or nothing, also if this is killed.

    POINT is DRIVER/OPERATION or DRIVER for libvirt, which calls a script at every operation of a driver, or a hook
    point of VDSM (before_vm_start). Without it, the script's own handlers tell. A script in Python gets the first line
    that it needs. Before the hosts see it, it is started as they do, for a made-up guest; it has to succeed.
    What is there already and not from here is left alone; installing a hook again replaces it.

    \b
    Examples:
        hooking install pin.py --reload
        hooking install check.sh --point qemu --point before_vm_start --priority 10
        hooking install pin.py --root debian/my-package

    Exit status: 0 if it is installed, 1 if that failed and all is as before (if it was interrupted at its very end, it
    may be installed: see hooking list), 2 if the command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    _require_root(tree, dry_run=dry_run)
    script = _read(path, names, name, python, tree)
    with _told():
        manifests = Manifests(tree)
        with contextlib.nullcontext(tree.missing(FOLDER)) if dry_run else manifests.lock() as made:
            planned = installation.plan(tree, script, priority, manifests.load(), made, force=force)
            same = {file for file, sums in planned.after.files.items() if tree.checksum(file) in sums}
            host = look(tree)
            drivers = {place.label for place in planned.files.values() if place.host == "libvirt"}
            serving = [daemon for daemon in host.daemons if any(map(daemon.runs, drivers))]
            unaware = [daemon for daemon in serving if not _is_aware(host, daemon, drivers)]
            aware = [daemon for daemon in serving if _is_aware(host, daemon, {*drivers, *host.scripts})]
            if not dry_run:
                installation.install(tree, script, planned)
                for daemon in aware:  # else the new file would look like a first one
                    daemons.note_look(tree, daemon, time.time())
        would = "would be " if dry_run else ""
        said = [f"{script.name}: {remark}" for remark in script.remarks]
        for file in planned.files:
            done = "unchanged" if file in same else f"{would}written"
            said.append(f"{tree.at(file)} {done}, sha256 {planned.after.files[file][0]}")
        said += [f"{tree.at(file)} {would}removed" for file in planned.obsolete]
        if unaware and not reloads:
            named = ", ".join(daemon.name for daemon in unaware)
            said.append(f"the first script of a driver counts when the daemon is reloaded ({named}): hooking reload")
        try:
            said += _reload(tree, serving if reloads else [], dry_run=dry_run)
        finally:
            _say(said)


@click.command(short_help="Let libvirt look for scripts again.")
@_DRY_RUN
@options.root
def reload(tree: Tree, *, dry_run: bool) -> None:
    """Let the libvirt daemons look again which scripts there are, as they do at their start.

    Only a driver's first script needs it. The daemons that see this host's folder of hooks get SIGHUP, as by systemctl
    reload; those in containers do not.

    \b
    Example:
        hooking reload

    Exit status: 0 if it was sent, 1 if there is no daemon or it is not yours, 2 if the command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    with _told():
        found = [daemon for daemon in daemons.running(tree) if daemon.sees is not False]
        if not found:
            raise HookError("no libvirt daemon runs that sees this host's hooks; one that is started looks for them")
        _say(_reload(tree, found, dry_run=dry_run))


@click.command(short_help="Remove an installed hook.")
@click.argument("name", metavar="HOOK")
@_DRY_RUN
@click.option("--force", is_flag=True, help="Remove files that were changed since they were installed.")
@options.root
def uninstall(name: str, tree: Tree, *, dry_run: bool, force: bool) -> None:
    """Remove the files and folders that installing HOOK made, and nothing else.

    If one was changed since, all is kept.

    \b
    Example:
        hooking uninstall pin

    Exit status: 0 if it is gone, 1 if it is not, 2 if the command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    _require_root(tree, dry_run=dry_run)
    with _told():
        manifest = _find(tree, name)
        if dry_run:
            installation.refuse_removal(tree, manifest, force=force)
        else:
            with Manifests(tree).lock():
                manifest = _find(tree, name)
                installation.uninstall(tree, manifest, force=force)
        _say([f"{tree.at(file)} {'would be ' if dry_run else ''}removed" for file in manifest.files])


@click.command("list", short_help="Show which scripts the hosts run.")
@click.argument("pattern", default="")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@options.root
def list_(pattern: str, tree: Tree, *, as_json: bool) -> None:
    """Show which scripts the hosts run, in their order, with checksum and owner, and which hook each belongs to.

    PATTERN: show only libvirt drivers and hook points of VDSM whose name has this in it. Standard error has which
    installed files do not run, and what the libvirt daemons log about scripts that they do not run.

    \b
    Examples:
        hooking list
        hooking list qemu --json

    Exit status: 0 if they are shown, 1 if they cannot be read, 2 if the command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    with _told():
        listing.require_sight(tree)
        known = _known(tree)
        rows = [asdict(row) for row in listing.listed(tree, known) if pattern in row.point]
        for path in listing.idle(tree, known):
            why = "not executable" if os.path.lexists(tree.at(path)) else "gone"
            click.echo(printable(f"{path} is {why}, so it does not run", keep=""), err=True)
        for warning in listing.warnings(tree):
            click.echo(printable(warning, keep=""), err=True)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("no hooks")
        return
    table = Table("point", "script", "owner", "sha256", "hook", box=None, header_style="bold")
    for row in rows:
        hook = f"{row['hook']} (changed)" if row["changed"] else row["hook"] or "-"
        cells = row["point"], row["path"], row["owner"], (row["sha256"] or "-")[:12], hook
        table.add_row(*(printable(cell, keep="") for cell in cells))
    print_table(table)


def _read(path: Path, names: tuple[str, ...], name: str | None, python: str | None, tree: Tree) -> Script:
    try:
        return read_script(path, names, name, python, tree)
    except (HookError, OSError) as error:
        raise WrongUseError(str(error)) from error


def _require_root(tree: Tree, *, dry_run: bool) -> None:
    if tree.is_live and not dry_run and os.geteuid() != 0:
        raise WrongUseError("only root changes the hooks of a host; become root, or give --root or --dry-run")


@contextlib.contextmanager
def _told() -> Generator[None, None, None]:
    """Tell in a line what went wrong."""
    try:
        yield
    except subprocess.CalledProcessError as error:
        raise click.ClickException(f"{error.cmd[0]} failed: {error.stderr.decode(errors='replace').strip()}") from error
    except HookError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(": ".join(filter(None, (error.filename, error.strerror)))) from error


def _known(tree: Tree) -> dict[str, Manifest]:
    try:
        return Manifests(tree).load()
    except OSError:
        click.echo(f"{tree.at(FOLDER)} is root's, so this does not tell which hook a script belongs to", err=True)
        return {}


def _find(tree: Tree, name: str) -> Manifest:
    known = Manifests(tree).load()
    if name not in known:
        raise HookError(f"no hook {name} was installed from here; there are: {', '.join(known) or 'none'}")
    return known[name]


def _is_aware(host: Host, daemon: Daemon, drivers: set[str]) -> bool:
    return all(is_aware(host, daemon, driver) for driver in drivers if daemon.runs(driver))


def _reload(tree: Tree, found: list[Daemon], *, dry_run: bool) -> list[str]:
    """Let daemons look again for scripts, and return what to say of it."""
    for daemon in found if not dry_run else []:
        daemons.reload(tree, daemon)
    return [f"{daemon} {'would be ' if dry_run else ''}reloaded" for daemon in found]


def _say(lines: list[str]) -> None:
    """Say what was done: it is done, too, if nobody can be told."""
    try:
        for line in lines:
            click.echo(printable(line, keep=""))
    except OSError as error:
        give_up_output(f"done, but standard output cannot be written: {error.strerror}")
