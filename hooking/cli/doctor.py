"""``hooking doctor``: why a hook does not run on this host."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version

import click
from rich.console import Console

import hooking as package
from hooking.cli import options
from hooking.cli.diagnosis import contents, folders, installed, log, processes, security, vdsm
from hooking.cli.diagnosis.host import look
from hooking.cli.screen import print_line, print_words
from hooking.cli.scripts import PYTHON, has_package

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.diagnosis.host import Host
    from hooking.cli.diagnosis.log import Failure
    from hooking.cli.host_files import Tree
    from hooking.cli.rules import Found

_CHECKS = (processes.check, folders.check, contents.check, installed.check, security.check, vdsm.check)


@click.command(short_help="Tell why a hook does not run on this host.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--failures",
    "most",
    type=click.IntRange(0, 1000),
    default=10,
    show_default=True,
    help="How many of the last to show.",
)
@options.root
def doctor(tree: Tree, most: int, *, as_json: bool) -> None:
    """Tell why hooks do not run on this host, or fail: what is wrong, where, why, and what to do.

    It looks at the libvirt daemons, at the folders of both hosts and at every script in them, at SELinux and AppArmor,
    and shows the last failures that libvirt logged. It changes nothing, and starts no script. Commands that it names
    are to copy. Root sees all.

    \b
    Examples:
        hooking doctor
        hooking doctor --json --failures 100

    Exit status: 0 if nothing is wrong (notes and failures do not count), 1 if something is, 2 if this command was
    used wrongly.
    """  # noqa: D301 - click wants the backspace itself
    host = look(tree)
    found = list(dict.fromkeys(pair for check in _CHECKS for pair in check(host)))
    failures = log.failures(tree, most)
    if as_json:
        rows = {"findings": [finding.row(path) for path, finding in found], "failures": [*map(asdict, failures)]}
        click.echo(json.dumps({"facts": _facts(host), **rows}, indent=2))
    else:
        _show(tree, _facts(host), found, failures)
    raise SystemExit(int(_is_wrong(found)))


def _facts(host: Host) -> dict[str, str]:
    facts = {"hooking": f"{package.__version__}, Python {platform.python_version()}, lxml {version('lxml')}"}
    if host.tree.is_live:
        facts[PYTHON] = f"{'has' if has_package(PYTHON) else 'does not have'} libvirt-hooking"
    facts["libvirt"] = processes.version(host) or "version unknown"
    facts["daemons"] = ", ".join(str(daemon) for daemon in host.daemons if daemon.sees is not False) or "none"
    facts["scripts"] = ", ".join(f"{driver}: {len(scripts)}" for driver, scripts in host.scripts.items()) or "none"
    return {**facts, "scripts of VDSM": str(len(host.vdsm) or "none")}


def _show(tree: Tree, facts: dict[str, str], found: list[tuple[str, Found]], failures: list[Failure]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for name, fact in facts.items():
        print_line(console, f"{name}: ", "bold", fact)
    for path, finding in found:
        finding.show(path)
    if not _is_wrong(found):
        if not all(_is_changed_since(tree, failure) for failure in failures):
            print_line(console, "No fault was found in the set-up; but see the failures.")
        elif any(finding.code == "D107" for _, finding in found):
            print_line(console, "Nothing is wrong, as far as you can see.", "green")
        else:
            print_line(console, "Nothing is wrong.", "green")
    if failures:
        print_line(console, "Last failures, the newest first, in UTC:", "bold")
    groups: dict[tuple[str, ...], list[Failure]] = {}
    for failure in failures:
        groups.setdefault((failure.script, failure.guest, str(failure.status), failure.message), []).append(failure)
    for group in groups.values():
        _show_failures(console, tree, group)


def _is_wrong(found: list[tuple[str, Found]]) -> bool:
    return any(finding.severity != "note" for _, finding in found)


def _is_changed_since(tree: Tree, failure: Failure) -> bool:
    """Tell whether a script was changed since it failed, or is gone."""
    try:
        changed = os.stat(tree.at(failure.script)).st_mtime
    except OSError:
        return True
    return failure.time < log.in_utc(changed)


def _show_failures(console: Console, tree: Tree, failures: list[Failure]) -> None:
    """Show failures of a script that are the same but for the operation."""
    failure = failures[0]
    end = f"exit status {failure.status}" if failure.status > 0 else f"signal {-failure.status}"
    extra = "" if failure.extra == "-" else f" ({failure.extra})"
    hint = f"; {failure.hint}" if failure.hint else ""
    ops = ", ".join(dict.fromkeys(each.op for each in failures))
    times = f"; {len(failures)} times ({ops})" if len(failures) > 1 else ""
    since = " (the script was changed since)" if _is_changed_since(tree, failure) else ""
    what = f" {failure.driver}/{failure.op}{extra} of {failure.guest}: {failure.script}: {end}{hint}{times}{since}"
    print_line(console, failure.time, "", what)
    print_words(console, "".join(f"  {line}\n" for line in failure.message.splitlines()))
