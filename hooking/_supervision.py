"""Doing a hook's work apart from the host: what it prints is kept, signals end it, and it may get a time limit."""

from __future__ import annotations

import os
import time

from hooking.exceptions import HookTimeoutError, TerminatedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any, NoReturn, TypeVar

    T = TypeVar("T")

LARGEST_OUTPUT = 64 * 1024
"""Bytes of what handlers print that reach the host: the last ones."""

_TICK = 0.1  # seconds


def do(work: Callable[[], T], timeout: float | None) -> T:
    """Do ``work``: in this process, or with a ``timeout`` in a child that is killed at its end."""
    return _interruptible(work if timeout is None else lambda: _in_child(work, timeout))


def _interruptible(work: Callable[[], T]) -> T:
    """Do ``work``, and let SIGTERM, SIGHUP and SIGINT raise `TerminatedError` in it. Later they have no effect."""
    signal = _signals()
    names = {signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP", signal.SIGINT: "SIGINT"}
    process = os.getpid()
    working = True

    def terminate(number: int, _: object) -> None:
        if working:
            raise TerminatedError(f"ended by {names[number]}")

    for number in names:
        signal.signal(number, terminate)
    try:
        return work()
    finally:
        working = False
        if os.getpid() != process:  # a child that a handler forked, and that came back from the handler
            os._exit(0)


def _in_child(work: Callable[[], T], timeout: float) -> T:
    """Do ``work`` in a child with a session of its own, which is killed whole at the end of ``timeout``."""
    import marshal

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _be_child(work, writer)
    try:
        os.close(writer)
        answer = _read(reader, timeout)
    except (HookTimeoutError, TerminatedError):
        _kill_session(child)
        raise
    if not answer:
        _, status = os.waitpid(child, 0)
        raise TerminatedError(f"the handlers' process ended without an answer (wait status {status})")
    result: T = marshal.loads(answer)  # noqa: S302 - from our own child
    return result


def _be_child(work: Callable[[], Any], writer: int) -> NoReturn:
    import gc
    import marshal

    stream = open(writer, "wb")  # noqa: SIM115 - a child of this one closes it
    try:
        gc.freeze()  # a collection would write to, and so copy, all the memory that is still shared with the parent
        signal = _signals()
        for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        os.register_at_fork(after_in_child=stream.close)
        message = marshal.dumps(work())
        stream.write(message)
        stream.close()
    finally:
        os._exit(0)


def _read(reader: int, timeout: float) -> bytes:
    """Return all that comes from ``reader`` in time."""
    signal = _signals()
    end = time.monotonic() + timeout

    def expire(*_: object) -> None:
        if time.monotonic() >= end:
            raise HookTimeoutError(f"the handlers took longer than {timeout:g} s and were killed")

    signal.signal(signal.SIGALRM, expire)
    # again and again: Python sees a signal that comes just before the read blocks only at the next one
    signal.setitimer(signal.ITIMER_REAL, min(timeout, _TICK), _TICK)
    try:
        with open(reader, "rb") as stream:
            return stream.read()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _signals() -> ModuleType:
    """Return the half of `signal` that is in C: the other imports enum, which takes half as long as Python's start."""
    return __import__("_signal")


def _kill_session(leader: int) -> None:
    """Kill ``leader`` and its process group. A child that hangs in the kernel is left to die when it can."""
    try:
        os.killpg(leader, _signals().SIGKILL)
    except ProcessLookupError:  # it is not yet a leader
        os.kill(leader, _signals().SIGKILL)
    patience = time.monotonic() + 0.2
    while not os.waitpid(leader, os.WNOHANG)[0] and time.monotonic() < patience:
        time.sleep(0.005)


def nameless_file() -> int:
    """Return the descriptor of an empty file without a name.

    It is in memory where the system offers that, since a hook has to work when disks are full.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("hooking", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    import tempfile  # FreeBSD

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def open_spool() -> int:
    """Empty standard input, and let a nameless file take what is printed; return its descriptor."""
    spool = nameless_file()
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(spool, 1)
    os.dup2(spool, 2)
    return spool


def close_spool(spool: int, stderr: int) -> str:
    """Return the end of what was printed, and let ``stderr`` take what is printed from now on.

    Processes that handlers left behind may hold the spool for years; they must not fill the memory with what nobody
    reads any more.
    """
    import fcntl

    os.dup2(stderr, 1)
    os.dup2(stderr, 2)
    start = max(0, os.fstat(spool).st_size - LARGEST_OUTPUT)
    text = os.pread(spool, LARGEST_OUTPUT, start).decode("utf-8", "backslashreplace")
    if hasattr(fcntl, "F_ADD_SEALS"):
        fcntl.fcntl(spool, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    os.close(spool)
    return f"[{start} bytes left out]\n{text}" if start else text
