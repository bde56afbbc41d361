"""`record`: one call of a host stored as a recording; beside the host's other scripts, or around one of them.

It runs as root, is given what guests wrote, and must never fail the host: each error is one line on standard error.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from shlex import quote

from hooking import _process
from hooking._process import LARGEST_PAYLOAD, Process
from hooking.context import read_context
from hooking.exceptions import DocumentError, one_line
from hooking.host import called_as
from hooking.testing import documents, private_folder
from hooking.testing.golden import Golden, as_json
from hooking.testing.outcome import Outcome
from hooking.testing.recording import INVOCATION, payload_name
from hooking.testing.redaction import Redaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import IO, NoReturn, TypeVar

    from hooking.context import HookContext

    T = TypeVar("T")

_FORWARDED = signal.SIGTERM, signal.SIGHUP, signal.SIGINT

_SCRIPT = """\
#!/bin/sh
# Made by: hooking record --install. Records each call of the host, and changes nothing that the host sees.
# The shell is there because this Python may be gone, or not be the host's to start.
{python} -I -c {code} {folder} "$0" "$@"
exit 0
"""

_CODE = """
import sys
try:
    from hooking.testing import recorder
except ImportError as error:
    print(f"{sys.argv[2]}: nothing is recorded: {error}", file=sys.stderr)
else:
    recorder.record_beside(sys.argv[1], sys.argv[2:])
"""


def record(folder: str | Path, process: Process, outcome: Outcome | None = None) -> Path:
    """Store the call that ``process`` was started for, and return its new folder ``NNN-driver-operation``.

    What is secret (see `Redaction`) is not stored, nor is a document that cannot be read, in which that cannot be told.
    Only the owner can read the recording, and nobody else can put it elsewhere.

    Args:
        folder: Where recordings lie: a folder of ours or root's that nobody else can write, or whose sticky bit is set.
        process: The process, whose payload is read.
        outcome: What a script made of the call, to be the golden outcome.

    Raises:
        InvocationError: No host made the call.
        DocumentError: The payload cannot be read.
        HookError: It cannot be stored.
    """
    context = read_context(process)
    redaction = Redaction()
    dict(_files(context, process, outcome, redaction))  # it learns all secrets, which then are in no file
    files = dict(_files(context, process, outcome, redaction))
    words = [context.driver, context.op, *([context.subop] if context.subop != "-" else [])]
    return private_folder.store(folder, "-".join(words), files)


def record_beside(folder: str | Path, argv: Sequence[str]) -> None:
    """Record the call of this process, as a hook script that does nothing else, and never fail.

    Args:
        folder: Where recordings lie.
        argv: The script's path as the host wrote it, and its arguments.
    """
    process = Process(argv, os.environ)
    _attempt(process, lambda: record(folder, process))


def run_recorded(folder: str | Path, command: Sequence[str]) -> NoReturn:
    """Run a script as the host would, hand everything through, record the call with its outcome, and end as it ended.

    Args:
        folder: Where recordings lie.
        command: The script's path, which must tell who called as the host's own would, and its arguments.
    """
    stdin = _standard_input()
    process = _HandedOn(command, os.environ, stdin or b"")
    context = _attempt(process, lambda: _read(process))
    status, stdout, stderr = _hand_through(command, stdin)
    if context is not None:
        _attempt(process, lambda: record(folder, process, _outcome(context, process, status, stdout, stderr)))
    end_as(status)


def install(path: str | Path, folder: str | Path) -> None:
    """Write a script that records each call of the host beside its other scripts, and make ``folder``.

    Args:
        path: Where: as ``/etc/libvirt/hooks/qemu.d/00-record``, or ``…/hooks/before_vm_start/00_record``.
        folder: Where recordings lie. Scripts of VDSM run as the user vdsm, but those for networks as root: at its hook
            points the folder gets mode 1777, so that both can write it.

    Raises:
        InvocationError: No host looks for scripts there.
        HookError: There is a file already, it cannot be written, or no call could be stored in ``folder``.
    """
    driver, _ = called_as(str(path), {})
    folder = os.path.abspath(folder)
    private_folder.prepare(folder, shared=driver == "vdsm")
    script = _SCRIPT.format(python=quote(sys.executable), code=quote(_CODE), folder=quote(folder))
    private_folder.publish(path, script.encode(), 0o755)


def end_as(status: int) -> NoReturn:
    """End this process with an exit status, or by the signal that a negative one stands for."""
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if signal.getsignal(-status) != signal.SIG_DFL:
            signal.signal(-status, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [-status])
        os.kill(os.getpid(), -status)
    sys.exit(status)


class _HandedOn(Process):
    """The process of a wrapped script, whose standard input was read already."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], stdin: bytes) -> None:
        super().__init__(argv, environ)
        self._stdin = stdin

    def _read(self, carrier: str | None) -> bytes:
        if carrier is not None:
            return super()._read(carrier)
        if len(self._stdin) > LARGEST_PAYLOAD:
            raise DocumentError(
                f"standard input holds more than {LARGEST_PAYLOAD >> 20} MiB; no host hands over so much"
            )
        return self._stdin


def _attempt(process: Process, work: Callable[[], T]) -> T | None:
    """Do ``work``; if it fails, say so and return `None`."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - whatever it is, the host goes on
        process.tell(f"{os.path.basename(process.argv[0])}: the call is not recorded: {one_line(error)}\n")
        return None


def _read(process: Process) -> HookContext:
    """Read context and payload, before a script can change that."""
    context = read_context(process)
    _payload(context, process)
    return context


def _payload(context: HookContext, process: Process) -> bytes:
    if context.host == "libvirt":
        return b"" if context.driver == "daemon" else process.payload(None)
    carrier = process.environ.get("_hook_json" if context.point.is_json else "_hook_domxml")
    return process.payload(carrier) if carrier else b""


def _outcome(context: HookContext, process: Process, status: int, stdout: bytes, stderr: bytes) -> Outcome:
    before = _payload(context, process)
    is_libvirt = context.host == "libvirt"
    answer = stdout if is_libvirt else _left_by_script(context, process)
    after, refused = documents.taken(context.point, before, answer, status)
    said = stderr.decode("utf-8", "replace")
    return Outcome(context.point, context.object, before, after, status, stdout, said, refused=refused)


def _left_by_script(context: HookContext, process: Process) -> bytes:
    """Return what VDSM finds in its file; nothing if the script removed that, or made something else of it."""
    try:
        return _payload(context, Process(process.argv, process.environ))
    except DocumentError:
        return b""


def _files(
    context: HookContext, process: Process, outcome: Outcome | None, redaction: Redaction
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a recording; the last makes it one."""
    note = {}
    script, *arguments = process.argv
    environ = redaction.environ(process.environ)
    payload = _payload(context, process)
    is_json = context.point.is_json
    try:
        if payload:
            yield payload_name(context.point), redaction.document(payload, is_json=is_json)
        if outcome is not None:
            yield from _golden(outcome, redaction).files(context.point)
    except DocumentError:
        note = {"note": f"the payload ({len(payload)} bytes) is not recorded: it is no document that a host writes"}
    argv = [os.path.abspath(script), *redaction.texts(arguments)]
    yield INVOCATION, as_json({"argv": argv, "environ": environ, **note})


def _golden(outcome: Outcome, redaction: Redaction) -> Golden:
    golden = Golden.of(outcome)
    document = golden.document and redaction.document(golden.document, is_json=outcome.point.is_json)
    return Golden(golden.status, redaction.text(golden.stderr or ""), redaction.text(golden.refused), document)


def _standard_input() -> bytes | None:
    """Return all of standard input, or `None` where the host hands over nothing: from a terminal or ``/dev/null``."""
    try:
        if stat.S_ISCHR(os.fstat(0).st_mode):
            return None
        with open(0, "rb", closefd=False) as stream:
            return stream.read()
    except OSError:  # it is closed, and the script shall find it so
        return None


def _hand_through(command: Sequence[str], stdin: bytes | None) -> tuple[int, bytes, bytes]:
    """Run the script and hand on what it writes; return how it ended and the beginning of what it wrote."""
    try:
        script = _start(command, stdin)
    except OSError as error:
        message = f"cannot start {command[0]}: {error.strerror}\n".encode("utf-8", "backslashreplace")
        _process.write(2, message)
        return 127 if isinstance(error, FileNotFoundError) else 126, b"", message
    with script, ThreadPoolExecutor() as pool:
        if script.stdin is not None:
            pool.submit(_feed, script.stdin, stdin or b"")
        written = [pool.submit(_forward, stream, number) for number, stream in ((1, script.stdout), (2, script.stderr))]
    stdout, stderr = (future.result() for future in written)
    return script.returncode, stdout, stderr


def _feed(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), stream:  # the script need not read it
        stream.write(data)


def _forward(stream: IO[bytes] | None, descriptor: int) -> bytes:
    """Hand on what comes from ``stream``, and return as much of it as a recording can hold."""
    kept = bytearray()
    while stream is not None and (chunk := os.read(stream.fileno(), 1 << 16)):
        kept += chunk[: LARGEST_PAYLOAD - len(kept)]
        with contextlib.suppress(OSError):  # the host no longer listens
            _process.write(descriptor, chunk)
    return bytes(kept)


def _start(command: Sequence[str], stdin: bytes | None) -> subprocess.Popen[bytes]:
    """Start the script; signals that would end this process go to it, from its first moment on."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    try:
        script = subprocess.Popen(
            command,
            stdin=None if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),  # noqa: PLW1509 - it only calls the system
        )
        for number in _FORWARDED:
            signal.signal(number, lambda number, _: script.send_signal(number))
        return script
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
