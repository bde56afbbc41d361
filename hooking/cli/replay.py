"""``hooking replay``: a script on recorded calls, held against golden outcomes."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from hooking.cli import options
from hooking.cli.screen import print_diff, print_line
from hooking.exceptions import HookError, printable
from hooking.testing.recording import Recording, recording_folders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.testing.outcome import Outcome

_MANY = 20
_STYLES = {"same": "green", "accepted": "green", "new": "yellow"}


@click.command(short_help="Run a hook on recorded calls.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--update", is_flag=True, help="Accept every outcome as the new golden one.")
@options.host_python
@options.timeout
def replay(folder: Path, script: Path, timeout: float, *, update: bool, host_python: bool) -> None:
    """Run SCRIPT on every recording in FOLDER, and show where the outcome is another than the golden one.

    Where SCRIPT's path tells when a host would call it (…/qemu.d/50-pin), only such recordings count. Recordings run
    it with their own environment, so take them only from somebody that you trust.

    \b
    Examples:
        hooking replay tests/recordings -- ./pin.py
        hooking replay tests/recordings --update -- ./pin.py

    Exit status: 0 if all outcomes are the golden ones, 1 if one is not or has none, or a recording is broken, 2 if
    this command was used wrongly.
    """  # noqa: D301 - click wants the character
    console = Console(highlight=False, soft_wrap=True)
    paths = recording_folders(folder)
    shown = len(paths) >= _MANY and sys.stdout.isatty()
    words: list[str] = []
    for path in track(paths, "Replaying", console=console, transient=True) if shown else paths:
        word, title, details = _replay(path, script, timeout, update=update, this_python=not host_python)
        if word:
            print_line(console, f"{word:8}", _STYLES.get(word, "red"), f" {path}{title}")
            print_diff(console, details, "  ")
            words.append(word)
    if not words:
        message = f"{folder} has no recording that suits {script}; make some with: hooking record"
        raise click.UsageError(printable(message, keep=""))
    console.print(", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words)))
    raise SystemExit(0 if {*words} <= {"same", "accepted"} else 1)


def _replay(path: Path, script: Path, timeout: float, *, update: bool, this_python: bool) -> tuple[str, str, str]:
    """Return a word for what became of a recording (none if it does not suit), the call, and details."""
    try:
        recording = Recording(path)
        if not recording.suits(script):
            return "", "", ""
        outcome = recording.run(script, this_python=this_python, timeout=timeout)
        word, details = _judge(recording, outcome, update=update)
    except HookError as error:  # of this recording; the others go on
        return "broken", "", str(error)
    return word, f" ({outcome})", details


def _judge(recording: Recording, outcome: Outcome, *, update: bool) -> tuple[str, str]:
    """Return the word for an outcome, and details."""
    if outcome.hang:
        return "hangs", outcome.host_verdict
    if update:
        recording.accept(outcome)
        return "accepted", ""
    if recording.golden is None:
        return "new", f"{outcome.diff}\nexit status {outcome.status}; {outcome.host_verdict}"
    details = recording.compare(outcome)
    return ("differs" if details else "same"), details
