"""libvirt's own ``virHookCall`` beside `ScriptFolder`: what a test asks, and the server that it asks.

The server, ``virhook_server.py``, runs in a mount namespace of its own, where an empty file system lies over
``/etc/libvirt``. It reads one request a line, and answers with one line.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, Optional, TypedDict, Union, cast

PRIVATE = Path("/etc/libvirt")
HOOKS = PRIVATE / "hooks"
SCRIPT_LOG = PRIVATE / "script.log"
PROBE = PRIVATE / "probe"
FILE_SYSTEM = "virhook-oracle"
SERVER = Path(__file__).with_name("virhook_server.py")

OPERATIONS = {
    "daemon": ("start", "shutdown", "reload"),
    "qemu": ("start", "stopped", "prepare", "release", "migrate", "started", "reconnect", "attach", "restore"),
    "lxc": ("start", "stopped", "prepare", "release", "started", "reconnect"),
    "network": ("start", "started", "stopped", "port-created", "port-deleted", "updated"),
    "libxl": ("start", "stopped", "prepare", "release", "migrate", "started", "reconnect"),
    "bhyve": ("start", "stopped", "prepare", "release", "started"),
}
"""The drivers and their operations, in the order of libvirt's numbers."""

SUBOPERATIONS = ("-", "begin", "end")

PROBE_TEXT = f"""
(
    printf '%s\\0' CALL "$0" "$@"
    cat /proc/$$/environ
    grep -hE '^(flags|PPid|Umask|Uid|Gid|Groups|SigIgn|NSpgid|NSsid|Cap...|NoNewPrivs):' \\
        /proc/$$/fdinfo/0 /proc/$$/fdinfo/1 /proc/$$/fdinfo/2 /proc/$$/status
    readlink /proc/$$/cwd /proc/$$/fd/*
) >>{SCRIPT_LOG}
"""
"""What a script sources to log how it was started: all but what it reads."""


class File(TypedDict):
    """Something in the hooks folder.

    Attributes:
        path: Where, below the folder.
        kind: ``file``, ``folder``, ``link``, ``fifo``.
        content: Of a file, or the target of a link; bytes as characters of Latin-1.
        mode: Of a file.
    """

    path: str
    kind: str
    content: str
    mode: int


class Scan(TypedDict):
    """Look for scripts anew."""

    do: Literal["scan"]


class Add(TypedDict):
    """Put something into the folder."""

    do: Literal["add"]
    file: File


class Remove(TypedDict):
    """Take something out of the folder."""

    do: Literal["remove"]
    path: str


class Call(TypedDict):
    """Call the scripts of a driver; the payload as characters of Latin-1."""

    do: Literal["call"]
    driver: str
    object: str
    op: str
    subop: str
    extra: str
    payload: Optional[str]
    with_output: bool


Action = Union[Scan, Add, Remove, Call]


class Request(TypedDict):
    """A hooks folder, the daemon's environment, and what happens then."""

    files: list[File]
    environ: dict[str, str]
    actions: list[Action]


class Seen(TypedDict):
    """What one action led to; all but the first two are of a call."""

    drivers: list[str]
    logged: list[str]
    status: int
    output: str
    error: str
    scripts: str
    seconds: float


class Reply(TypedDict):
    """What each action led to, by libvirt and by this package; before them the first scan."""

    libvirt: list[Seen]
    hooking: list[Seen]


class Oracle:
    """The server, seen from a test."""

    def __init__(self) -> None:
        mounted = f'mount -t tmpfs {FILE_SYSTEM} {PRIVATE} && exec "$@"'
        self._server = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", mounted, "sh", sys.executable, str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libvirt repeats its errors there
            cwd="/",
        )

    def ask(self, request: Request) -> Reply:
        """Return what both make of ``request``."""
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, f"the oracle ended with status {self._server.wait()} at {request}"
        return cast(Reply, json.loads(answer))

    def close(self) -> None:
        """End the server."""
        self._server.communicate()


def library() -> Any:
    """Return libvirt's library.

    Raises:
        OSError: There is none.
        AttributeError: It does not show its private functions by their names.
    """
    loaded = ctypes.CDLL("libvirt.so.0")
    loaded.virGetLastErrorMessage.restype = ctypes.c_char_p
    for name in ("virHookInitialize", "virHookPresent", "virHookCall"):
        getattr(loaded, name)
    return loaded


def missing() -> str:
    """Return what this machine lacks for the comparison; nothing if that can be made."""
    try:
        library()
    except (OSError, AttributeError) as error:
        return f"libvirt.so.0 with virHookCall: {error}"
    if os.geteuid():
        return "root, who may mount"
    if not PRIVATE.is_dir():
        return f"the folder {PRIVATE}"
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", FILE_SYSTEM, str(PRIVATE)], capture_output=True, check=False
    )
    return f"a mount namespace: {tried.stderr.decode()}" if tried.returncode else ""
