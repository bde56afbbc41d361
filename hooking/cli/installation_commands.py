"""``hooking install``, ``uninstall`` and ``list``: hooks on a host, or in an image or package of one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from hooking.cli import daemons, installation, listing, options
from hooking.cli.manifests import FOLDER, Manifests
from hooking.cli.options import WrongUseError
from hooking.cli.scripts import read_script
from hooking.exceptions import HookError, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from hooking.cli.daemons import Daemon
    from hooking.cli.host_files import Tree
    from hooking.cli.manifests import Manifest
    from hooking.cli.scripts import Script


_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only show what would be done.")


@click.command()
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
    that it needs. Before the hosts see it, it is started as they do, for a guest that nobody has; it has to succeed.
    What is there already and not from here is left alone; installing a hook again replaces it.

    \b
    Examples:
        hooking install pin.py --reload
        hooking install check.sh --point qemu --point before_vm_start --priority 10
        hooking install pin.py --root debian/my-package

    Exit status: 0 if it is installed, 1 if that failed and all is as before, 2 if the command was used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    _require_root(tree, dry_run=dry_run)
    script = _read(path, names, name, python, tree)
    with _told():
        manifests = Manifests(tree)
        with contextlib.nullcontext(tree.missing(FOLDER)) if dry_run else manifests.lock() as made:
            planned = installation.plan(tree, script, priority, manifests.load(), made, force=force)
            same = {file for file, sums in planned.after.files.items() if tree.checksum(file) in sums}
            if not dry_run:
                installation.install(tree, script, planned)
        would = "would be " if dry_run else ""
        for file in planned.files:
            done = "unchanged" if file in same else f"{would}written"
            _say(f"{tree.at(file)} {done}, sha256 {planned.after.files[file][0]}")
        for file in planned.obsolete:
            _say(f"{tree.at(file)} {would}removed")
        drivers = {place.label for place in planned.files.values() if place.host == "libvirt"}
        found = [daemon for daemon in daemons.running(tree) if any(map(daemon.runs, drivers))]
        if found and not reloads:
            named = ", ".join(daemon.name for daemon in found)
            _say(f"the first script of a driver counts when the daemon is reloaded ({named}): hooking reload")
        _reload(tree, found if reloads else [], dry_run=dry_run)


@click.command()
@_DRY_RUN
@options.root
def reload(tree: Tree, *, dry_run: bool) -> None:
    """Let the libvirt daemons look again which scripts there are, as they do at their start.

    Only a driver's first script needs it. The daemons that see this host's folder of hooks get SIGHUP, as by systemctl
    reload; those in containers do not.

    Exit status: 0 if it was sent, 1 if there is no daemon or it is not yours, 2 if the command was used wrongly.
    """
    with _told():
        found = [daemon for daemon in daemons.running(tree) if daemon.sees]
        if not found:
            raise HookError("no libvirt daemon runs that sees this host's hooks; one that is started looks for them")
        _reload(tree, found, dry_run=dry_run)


@click.command()
@click.argument("name", metavar="HOOK")
@_DRY_RUN
@click.option("--force", is_flag=True, help="Remove files that were changed since they were installed.")
@options.root
def uninstall(name: str, tree: Tree, *, dry_run: bool, force: bool) -> None:
    """Remove the files and folders that installing HOOK made, and nothing else.

    If one was changed since, all is kept.

    Exit status: 0 if it is gone, 1 if it is not, 2 if the command was used wrongly.
    """
    _require_root(tree, dry_run=dry_run)
    with _told():
        manifest = _find(tree, name)
        if not dry_run:
            with Manifests(tree).lock():
                manifest = _find(tree, name)
                installation.uninstall(tree, manifest, force=force)
        for file in manifest.files:
            _say(f"{tree.at(file)} {'would be ' if dry_run else ''}removed")


@click.command("list")
@click.argument("pattern", default="")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@options.root
def list_(pattern: str, tree: Tree, *, as_json: bool) -> None:
    """Show which scripts the hosts run, in their order, with checksum and owner, and which hook each belongs to.

    PATTERN: show only libvirt drivers and hook points of VDSM whose name has this in it. Standard error has what the
    libvirt daemons log about scripts that they do not run.
    """
    with _told():
        rows = [asdict(row) for row in listing.listed(tree, _known(tree)) if pattern in row.point]
        for warning in listing.warnings(tree):
            click.echo(printable(warning, keep=""), err=True)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("point", "script", "owner", "sha256", "hook", box=None, header_style="bold")
    for row in rows:
        hook = f"{row['hook']} (changed)" if row["changed"] else row["hook"] or "-"
        cells = row["point"], row["path"], row["owner"], (row["sha256"] or "-")[:12], hook
        table.add_row(*(printable(cell, keep="") for cell in cells))
    Console(width=None if sys.stdout.isatty() else 200, markup=False).print(table)


def _read(path: Path, names: tuple[str, ...], name: str | None, python: str | None, tree: Tree) -> Script:
    try:
        return read_script(path, names, name, python, tree)
    except (HookError, OSError) as error:
        raise WrongUseError(str(error)) from error


def _require_root(tree: Tree, *, dry_run: bool) -> None:
    if tree.is_live and not dry_run and os.geteuid() != 0:
        raise WrongUseError("only root installs hooks on a host; become root, or give --root or --dry-run")


@contextlib.contextmanager
def _told() -> Generator[None, None, None]:
    """Tell in a line what went wrong."""
    try:
        yield
    except subprocess.CalledProcessError as error:
        raise click.ClickException(f"{error.cmd[0]} failed: {error.stderr.decode(errors='replace').strip()}") from error
    except (HookError, OSError) as error:
        raise click.ClickException(str(error)) from error


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


def _reload(tree: Tree, found: list[Daemon], *, dry_run: bool) -> None:
    """Let daemons look again for scripts."""
    for daemon in found:
        if not dry_run:
            daemons.reload(tree, daemon)
        _say(f"{daemon} {'would be ' if dry_run else ''}reloaded")


def _say(text: str) -> None:
    click.echo(printable(text, keep=""))
