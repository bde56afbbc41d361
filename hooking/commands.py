"""Running programs from a hook: never through a shell, never without an end."""

from __future__ import annotations

import os
import subprocess

from hooking import _process, host
from hooking._supervision import nameless_file
from hooking.exceptions import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO, Final

TIMEOUT: Final = 30.0
"""Seconds that a program gets unless the caller says otherwise. The host waits all the while."""

FOLDERS: Final = ("usr/sbin", "usr/bin", "sbin", "bin")
"""Where hosts have their programs, below their root."""


def run_command(
    command: Sequence[str], *, stdin: str = "", timeout: float = TIMEOUT, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program and return its result, with ``stdout`` and ``stderr`` as text.

    It is over when the program itself has ended, whatever that leaves in the background. On a simulated host one of its
    own programs comes before this machine's.

    Args:
        command: The program and its arguments, each its own item.
        stdin: Text for its standard input.
        timeout: Seconds until it is killed.
        check: Treat an exit status other than 0 as an error.

    Raises:
        CommandError: No program is named, or it is missing, takes too long, or fails; or it is ``virsh`` or ``virt-*``
            under libvirt, where the daemon waits for this hook and so could never answer.
    """
    if not command or isinstance(command, str):
        raise CommandError(f"{command!r} is not a list of a program and its arguments")
    program, process = os.path.basename(command[0]), _process.current()
    if (program == "virsh" or program.startswith("virt-")) and host.is_libvirt(process):
        message = (
            f"{program} must not be called from a hook: libvirt waits for the hook and cannot answer it (deadlock)"
        )
        raise CommandError(message)
    try:
        with open(nameless_file(), "w+b") as stdout, open(nameless_file(), "w+b") as stderr:
            ended = subprocess.run(
                [_found(command[0], process.root), *command[1:]],
                input=stdin.encode(),
                timeout=timeout,
                check=False,
                stdout=stdout,
                stderr=stderr,
            )
            result = subprocess.CompletedProcess([*command], ended.returncode, _text(stdout), _text(stderr))
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{program} took longer than {timeout:g} s and was killed") from error
    except OSError as error:
        raise CommandError(f"{program} cannot be run: {error.strerror}") from error
    if check and result.returncode:
        last_words = (result.stderr.strip() or result.stdout.strip() or "(it said nothing)").splitlines()[-1]
        raise CommandError(f"{program} failed with status {result.returncode}: {last_words}")
    return result


def _found(program: str, root: str) -> str:
    """Return the path of a program that a simulated host has, and any other as it was given."""
    folders = () if root == "/" or "/" in program else FOLDERS
    paths = (os.path.join(root, folder, program) for folder in folders)
    return next((path for path in paths if os.access(path, os.X_OK)), program)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "backslashreplace")
