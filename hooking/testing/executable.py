"""Starting a program as the daemons of both hosts do, and waiting for it as they do."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        status: The exit status; negative for a signal.
        stdout: What it wrote to standard output.
        stderr: What it wrote to standard error.
        seconds: How long the host waited.
        hang: Why the host would have waited for ever, if so; the program was then killed.
    """

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float
    hang: str = ""


def spawn(command: Sequence[str], environ: Mapping[str, str], payload: bytes | None, *, timeout: float) -> Ended:
    """Start a program and wait, as both daemons do, until it has ended and nobody holds its output.

    It gets pipes for its output, ``payload`` by a pipe or else ``/dev/null`` as input, no other descriptor, ``/`` as
    working directory, and every signal in its default way.

    Args:
        command: The program's path and its arguments.
        environ: Its whole environment.
        payload: What it can read.
        timeout: Seconds until `Ended.hang` tells what the daemon, which knows no limit, would wait for.

    Raises:
        OSError: It cannot be executed.
    """
    begin = time.perf_counter()
    with (
        open(os.devnull, "r+b") as nothing,
        subprocess.Popen(
            command,
            stdin=nothing if payload is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            cwd="/",
            preexec_fn=_reset_signals,  # noqa: PLW1509 - it only calls the system
        ) as process,
    ):
        hang = ""
        try:
            stdout, stderr = process.communicate(payload, timeout)
        except subprocess.TimeoutExpired:
            hang = _kill_what_holds(process)
            stdout, stderr = _rest(process)
    return Ended(process.returncode, stdout, stderr, time.perf_counter() - begin, hang)


def interpreter_of(script: Path) -> list[str]:
    """Return this interpreter with the options of the script's first line, if that starts a Python; else nothing.

    The system makes one argument of all that follows the interpreter's path; ``env -S`` takes it apart again.

    Raises:
        OSError: The script cannot be read.
    """
    with script.open("rb") as file:
        line = file.readline(1024).decode("utf-8", "replace")
    if not line.startswith("#!") or "\r" in line:
        return []
    words = line[2:].split(maxsplit=1)
    if words and Path(words[0]).name == "env":
        words = _words_of_env(words[1:])
    if not words or not re.fullmatch(r"python[\d.]*", Path(words[0]).name):
        return []
    return [sys.executable, *(word.rstrip() for word in words[1:])]


def _words_of_env(arguments: Sequence[str]) -> list[str]:
    argument = "".join(arguments).strip()
    return argument[2:].split() if argument.startswith("-S") else [argument]


def _reset_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _rest(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Return the output so far, if somebody still holds it whom this process may not kill."""
    try:
        return process.communicate(timeout=1)
    except subprocess.TimeoutExpired as error:
        return error.output or b"", error.stderr or b""


def _kill_what_holds(process: subprocess.Popen[bytes]) -> str:
    """Kill the program, and whoever holds its pipes; return what the host was waiting for."""
    if process.poll() is None:
        reason = "the script still runs"
    else:
        reason = "a process that the script left behind holds its output"
    for pid, name, held in _holders(process):
        if process.returncode is not None:
            reason = f"{name} (process {pid}), which the script left behind, holds its standard {' and '.join(held)}"
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    return reason


def _holders(process: subprocess.Popen[bytes]) -> Iterable[tuple[int, str, list[str]]]:
    """Yield each other process that has a pipe of ``process`` open: its ID, its name, and what it holds."""
    streams = {"input": process.stdin, "output": process.stdout, "error": process.stderr}
    pipes = {
        os.readlink(f"/proc/self/fd/{stream.fileno()}"): name
        for name, stream in streams.items()
        if stream is not None and not stream.closed
    }
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            targets = {os.readlink(link) for link in folder.glob("fd/*")}
            name = (folder / "comm").read_text().strip()
        except OSError:  # it has ended, or belongs to somebody else
            continue
        held = [pipes[pipe] for pipe in pipes if pipe in targets]
        if held and folder.name != str(os.getpid()):
            yield int(folder.name), name, held
