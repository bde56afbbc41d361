"""The ``hooking`` command: what hook authors and administrators do at a terminal."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command, if its packages are installed."""
    try:
        from hooking.cli.command import hooking
    except ModuleNotFoundError as error:
        sys.exit(f"the hooking command needs {error.name}: pip install 'libvirt-hooking[cli]'")
    hooking(prog_name="hooking")
