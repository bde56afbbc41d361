"""The host's own programs, as actions run them."""

from __future__ import annotations

import os

from hooking import commands
from hooking.exceptions import CommandError


def run(root: str, program: str, *arguments: str, stdin: str = "", timeout: float = commands.TIMEOUT) -> str:
    """Run a program of the host below ``root``, and return what it printed.

    Raises:
        CommandError: It is not installed, fails, or takes too long.
    """
    return commands.run_command([_find(root, program), *arguments], stdin=stdin, timeout=timeout).stdout


def status(root: str, program: str, *arguments: str, timeout: float = commands.TIMEOUT) -> int:
    """Run a program of the host below ``root`` whose exit status is an answer, and return that.

    Raises:
        CommandError: It is not installed, or takes too long.
    """
    return commands.run_command([_find(root, program), *arguments], timeout=timeout, check=False).returncode


def _find(root: str, program: str) -> str:
    import shutil

    folders = [os.path.join(root, folder) for folder in commands.FOLDERS]
    if root == "/":
        folders.append(os.environ.get("PATH", ""))
    path = shutil.which(program, path=os.pathsep.join(folders))
    if path is None:
        raise CommandError(
            f"{program} is not installed on this host (not in {', '.join(folders[: len(commands.FOLDERS)])})"
        )
    return path
