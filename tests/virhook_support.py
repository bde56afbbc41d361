"""A hooks folder, for the tests of what runs its scripts."""

from __future__ import annotations

import os
from pathlib import Path

from hooking.testing.virhook import Called, ScriptFolder

ARGUMENTS = ("web01", "migrate", "begin", "-")
DOMAIN = b"<domain type='kvm'><name>web01</name></domain>"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Hooks:
    """A hooks folder, and the daemon that looks there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._daemon: ScriptFolder | None = None
        path.mkdir()

    def add(self, name: str, body: str = "", mode: int = 0o755) -> Path:
        """Add a shell script."""
        return self.add_file(name, f"#!/bin/sh\n{body}\n", mode)

    def add_file(self, name: str, content: str, mode: int = 0o755) -> Path:
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.fsencode(content))
        path.chmod(mode)
        return path

    @property
    def daemon(self) -> ScriptFolder:
        """The daemon; it looked for scripts when a test first used it."""
        self._daemon = self._daemon or ScriptFolder(self.path, {"PATH": PATH})
        return self._daemon

    def call(self, payload: bytes | None = DOMAIN, *arguments: str, with_output: bool = True) -> Called:
        return self.daemon.call("qemu", arguments or ARGUMENTS, payload, with_output=with_output)

    def ran(self) -> list[str]:
        """The names of the scripts that a call runs."""
        return [Path(path).name for path, _ in self.call().scripts]
