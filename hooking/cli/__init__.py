"""The ``hooking`` command: what hook authors and administrators do at a terminal."""

from __future__ import annotations

import contextlib
import io
import os
import sys


def main() -> None:
    """Run the command, if its packages are installed."""
    try:
        from hooking.cli.command import hooking
    except ModuleNotFoundError as error:
        sys.exit(f"the hooking command needs {error.name}: pip install 'libvirt-hooking[cli]'")
    for name in "stdout", "stderr":
        if getattr(sys, name) is None:  # it was closed
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may know fewer characters than a document
            stream.reconfigure(errors="backslashreplace")
    try:
        hooking(prog_name="hooking")
    except OSError as error:
        if error.filename is not None:
            raise
        give_up_output(f"hooking: standard output cannot be written: {error.strerror}")
        sys.exit(1)


def give_up_output(message: str) -> None:
    """Write no more to standard output, which failed, and say so."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())
        print(message, file=sys.stderr)
