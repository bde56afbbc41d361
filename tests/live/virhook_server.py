"""The server of `virhook_oracle.Oracle`: each request is done twice, by libvirt and by `ScriptFolder`."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Union

from virhook_oracle import (
    FILE_SYSTEM,
    HOOKS,
    OPERATIONS,
    PRIVATE,
    PROBE,
    PROBE_TEXT,
    SCRIPT_LOG,
    SUBOPERATIONS,
    Action,
    Call,
    File,
    Reply,
    Request,
    Seen,
    library,
)

from hooking.testing.virhook import SCAN_ORDER, ScriptFolder

DAEMON_LOG = PRIVATE / "daemon.log"
NOT_PASSED_ON = {
    "LANG": "C.UTF-8",
    "LC_CTYPE": "C.UTF-8",
    "XDG_RUNTIME_DIR": "/run",
    "INVOCATION_ID": "1",
    "SHELL": "sh",
}
"""What the daemon has in its environment, but no script gets."""

_LOGGED = re.compile(r"^\S+ \S+ \d+: (?:warning : virHookCheck|error : virDirOpenInternal):\d+ : (.*)$", re.MULTILINE)


class Libvirt:
    """libvirt's own code."""

    def __init__(self) -> None:
        self._library = library()
        self._logged = 0

    def scan(self) -> None:
        """Look for scripts anew."""
        self._library.virHookInitialize()

    def drivers(self) -> list[str]:
        """Return the drivers that have scripts."""
        return [driver for number, driver in enumerate(OPERATIONS) if self._library.virHookPresent(number)]

    def logged(self) -> list[str]:
        """Return what was logged since this was last asked."""
        with DAEMON_LOG.open("rb") as file:
            file.seek(self._logged)
            new = file.read()
        self._logged += len(new)
        return _LOGGED.findall(new.decode("utf-8", "replace"))

    def call(self, action: Call) -> tuple[int, bytes, str]:
        """Return result, output and, of a failure, the error."""
        driver = action["driver"]
        payload, output = action["payload"], ctypes.c_char_p(None)
        self._library.virResetLastError()
        status = self._library.virHookCall(
            list(OPERATIONS).index(driver),
            os.fsencode(action["object"]),
            OPERATIONS[driver].index(action["op"]),
            SUBOPERATIONS.index(action["subop"]),
            os.fsencode(action["extra"]),
            None if payload is None else payload.encode("latin-1"),
            ctypes.byref(output) if action["with_output"] else None,
        )
        error = self._library.virGetLastErrorMessage().decode("utf-8", "replace") if status < 0 else ""
        return status, output.value or b"", error


class Simulation:
    """`ScriptFolder`."""

    def __init__(self) -> None:
        self._folder = ScriptFolder(HOOKS)
        self._errors: list[str] = []

    def scan(self) -> None:
        """Look for scripts anew."""
        self._folder.scan()

    def drivers(self) -> list[str]:
        """Return the drivers that have scripts."""
        return [driver for driver in SCAN_ORDER if driver in self._folder._drivers]

    def logged(self) -> list[str]:
        """Return what was logged since this was last asked."""
        new = [*self._folder.warnings, *self._errors]
        self._folder.warnings.clear()
        self._errors.clear()
        return new

    def call(self, action: Call) -> tuple[int, bytes, str]:
        """Return result, output and, of a failure, the error."""
        arguments = [action["object"], action["op"], action["subop"], action["extra"]]
        payload = action["payload"]
        data = None if payload is None else payload.encode("latin-1")
        called = self._folder.call(action["driver"], arguments, data, with_output=action["with_output"])
        if called.error.startswith("cannot open directory"):
            self._errors.append(called.error)  # which libvirt logs, too
        return called.status, called.output, called.error


Side = Union[Libvirt, Simulation]


def serve(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Answer each request."""
    _require_private_file_system()
    _make_a_daemon_of_this()
    for line in lines:
        request: Request = json.loads(line)
        _set_environ(request["environ"])
        reply = Reply(libvirt=_answer(Libvirt, request), hooking=_answer(Simulation, request))
        yield json.dumps(reply).encode() + b"\n"


def _answer(kind: type[Side], request: Request) -> list[Seen]:
    _lay_out(request["files"])
    side = kind()
    side.logged()
    side.scan()
    return [_see(side), *(_act(side, action) for action in request["actions"])]


def _require_private_file_system() -> None:
    """Nothing here may touch the folder of the machine itself."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    if not any(mount[4] == str(PRIVATE) and mount[-2] == FILE_SYSTEM for mount in mounts):
        raise SystemExit(f"{PRIVATE} is that of the machine")


def _make_a_daemon_of_this() -> None:
    """Have what no script may inherit: signals ignored and blocked, and an open descriptor."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    os.umask(0o027)
    os.set_inheritable(os.open("/", os.O_RDONLY), True)
    PROBE.write_text(PROBE_TEXT)
    os.environ["LIBVIRT_LOG_OUTPUTS"] = f"3:file:{DAEMON_LOG}"
    DAEMON_LOG.touch()
    library().virInitialize()


def _set_environ(environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(NOT_PASSED_ON)
    os.environ.update(environ)


def _lay_out(files: Iterable[File]) -> None:
    shutil.rmtree(HOOKS, ignore_errors=True)
    HOOKS.mkdir()
    for file in files:
        _make(file)


def _make(file: File) -> None:
    path = HOOKS / file["path"]
    content = file["content"].encode("latin-1")
    if file["kind"] == "folder":
        path.mkdir()
    elif file["kind"] == "link":
        path.symlink_to(os.fsdecode(content))
    elif file["kind"] == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(content)
        path.chmod(file["mode"])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _act(side: Side, action: Action) -> Seen:
    if action["do"] == "call":
        return _call(side, action)
    if action["do"] == "add":
        _make(action["file"])
    elif action["do"] == "remove":
        _remove(HOOKS / action["path"])
    else:
        side.scan()
    return _see(side)


def _call(side: Side, action: Call) -> Seen:
    SCRIPT_LOG.write_bytes(b"")
    begin = time.monotonic()
    status, output, error = side.call(action)
    seconds = time.monotonic() - begin
    scripts = _comparable(SCRIPT_LOG.read_bytes().decode("latin-1"))
    return _see(side, status, output.decode("latin-1"), error, scripts, seconds)


def _see(side: Side, status: int = 0, output: str = "", error: str = "", scripts: str = "", seconds: float = 0) -> Seen:
    return Seen(
        drivers=side.drivers(),
        logged=side.logged(),
        status=status,
        output=output,
        error=error,
        scripts=scripts,
        seconds=seconds,
    )


def _comparable(log: str) -> str:
    """Return what the scripts logged, with pipes numbered as they come."""
    pipes: dict[str, str] = {}
    return re.sub(r"pipe:\[\d+\]", lambda pipe: pipes.setdefault(pipe[0], f"pipe {len(pipes)}"), log)


if __name__ == "__main__":
    for answer in serve(sys.stdin.buffer):
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
