"""``hooking replay``: a script on recorded calls, held against golden outcomes."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.text import Text

from hooking.cli import options
from hooking.cli.screen import print_diff
from hooking.exceptions import HookError
from hooking.testing.recording import Recording, find_recordings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.testing.outcome import Outcome

_MANY = 20


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--update", is_flag=True, help="Accept every outcome as the new golden one.")
@options.host_python
@options.timeout
def replay(folder: Path, script: Path, timeout: float, *, update: bool, host_python: bool) -> None:
    r"""Run SCRIPT on every recording in FOLDER, and show where the outcome is another than the golden one.

    Where SCRIPT's path tells when a host would call it (…/qemu.d/50-pin), only such recordings count. Recordings run
    it with their own environment, so take them only from somebody that you trust.

    \b
    Examples:
        hooking replay tests/recordings -- ./pin.py
        hooking replay tests/recordings --update -- ./pin.py

    Exit status: 0 if all outcomes are the golden ones, 1 if one is not or has none, 2 if this command was used wrongly.
    """
    console = Console(highlight=False, soft_wrap=True)
    try:
        recordings = [recording for recording in find_recordings(folder) if recording.suits(script)]
        if not recordings:
            raise click.UsageError(f"{folder} has no recording that suits {script}; make some with: hooking record")
        quiet = len(recordings) < _MANY or not sys.stdout.isatty()
        words: list[str] = []
        for recording in track(recordings, "Replaying", console=console, transient=True, disable=quiet):
            outcome = recording.run(script, this_python=not host_python, timeout=timeout)
            words.append(_judge(console, recording, outcome, update=update))
    except HookError as error:
        raise click.ClickException(str(error)) from error
    console.print(", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words)))
    raise SystemExit(0 if {*words} <= {"same", "accepted"} else 1)


def _judge(console: Console, recording: Recording, outcome: Outcome, *, update: bool) -> str:
    """Show what an outcome is, and return the word for it."""
    if outcome.hang:
        word, style, details = "hangs", "red", outcome.host_verdict
    elif update:
        recording.accept(outcome)
        word, style, details = "accepted", "green", ""
    elif recording.golden is None:
        word, style, details = "new", "yellow", f"{outcome.diff}\nexit status {outcome.status}; {outcome.host_verdict}"
    else:
        details = recording.compare(outcome)
        word, style = ("differs", "red") if details else ("same", "green")
    console.print(Text.assemble((f"{word:8}", style), f" {recording.path} ({outcome})"))
    print_diff(console, details, "  ")
    return word
