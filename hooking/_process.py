"""This process as the host started it: the first step of a hook and the last. It knows only bytes."""

from __future__ import annotations

import os
import stat
import sys

from hooking.exceptions import DocumentError, HostError, InvocationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn, TypeVar

    T = TypeVar("T")

FAKE_HOST_MARK = ".fake-host"
"""The file by which a folder is known that stands for the root of a host in tests."""

BUNDLE = "_bundle"
"""The module of a bundle that runs its script."""

LARGEST_PAYLOAD = 16 * 1024 * 1024
"""Bytes. A guest with 10,000 network cards needs 4 MiB."""


class Process:
    """Arguments, environment and descriptors of this process, and the ways back to the host.

    The payload lies in the *carrier*: the file that VDSM names, or standard input and output (`None`).

    Args:
        argv: The script's path as the host wrote it, and its arguments.
        environ: The environment.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self.argv = argv
        self.environ = environ
        self._payloads: dict[str | None, bytes] = {}
        self._stdout = 1
        self._stderr = 2
        self._spool: int | None = None
        self._answered = False

    @property
    def root(self) -> str:
        """The folder that stands for the root of the host: ``/``, unless a test names a `FakeHost` in ``HOOKING_ROOT``.

        Raises:
            HostError: The variable names another folder, or one that somebody else can write: under VDSM, who sets a
                custom property of that name would choose the programs that root runs.
        """
        root = self.environ.get("HOOKING_ROOT")
        if not root:
            return "/"
        try:
            for path in root, os.path.join(root, FAKE_HOST_MARK):
                found = os.stat(path)
                if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    raise HostError(f"{path} is not this user's alone, so it is no root for tests (HOOKING_ROOT)")
        except OSError as error:
            raise HostError(f"HOOKING_ROOT names {root}, which is no FakeHost: {error.strerror}") from error
        return os.path.abspath(root)

    def payload(self, carrier: str | None) -> bytes:
        """Return the bytes that the host handed over, also when the carrier has been written since.

        Raises:
            DocumentError: They cannot be read, or are more than `LARGEST_PAYLOAD`.
        """
        if carrier not in self._payloads:
            self._payloads[carrier] = self._read(carrier)
        return self._payloads[carrier]

    def answer(self, carrier: str | None, data: bytes) -> None:
        """Give ``data`` back to the host, whole or not at all.

        Raises:
            DocumentError: The carrier cannot be written, or standard output already has an answer.
        """
        if carrier is None and self._answered:
            raise DocumentError("the host reads one document from standard output, and one was already written")
        self._answered = True
        try:
            self._send(carrier, data)
        except OSError as error:
            raise DocumentError(
                f"cannot write the document to {carrier or 'standard output'}: {error.strerror}"
            ) from error

    def tell(self, text: str) -> None:
        """Write ``text`` to the host's standard error. A host that no longer listens is no reason to fail."""
        try:
            write(self._stderr, text.encode("utf-8", "backslashreplace"))
        except OSError:
            return

    def say(self, text: str) -> None:
        """Print ``text`` to standard error, as a handler does."""
        sys.stderr.write(text)

    def syslog(self, text: str) -> None:
        """Write ``text`` to the system log, where libvirt's administrators look."""
        import syslog

        syslog.openlog(os.path.basename(self.argv[0]), syslog.LOG_PID, syslog.LOG_DAEMON)
        syslog.syslog(text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0"))

    def hold_output(self) -> None:
        """Keep the host's standard output for `answer`: whatever else is printed goes to standard error.

        Raises:
            InvocationError: Standard output or error is closed.
        """
        try:
            for descriptor in 0, 1, 2:
                os.fstat(descriptor)
        except OSError as error:
            raise InvocationError(
                "a standard descriptor is closed; start this script with input, output and error"
            ) from error
        self._stdout, self._stderr = os.dup(1), os.dup(2)
        os.dup2(2, 1)
        os.register_at_fork(after_in_child=self._drop_host)

    def run(self, work: Callable[[], T], timeout: float | None) -> T:
        """Do ``work`` where neither it nor a process that it leaves behind can reach the host's descriptors.

        Standard input is empty; what is printed is kept for `output`.

        Args:
            work: What to do. With ``timeout`` its result must be made of plain values (it crosses a pipe).
            timeout: Seconds, or `None` to do it in this process without a limit.

        Raises:
            HookTimeoutError: It took longer; it was killed, with the processes it started (but those that made
                themselves a session of their own).
            TerminatedError: This process, or the one that did the work, was told to end.
        """
        from hooking import _supervision

        def flushed() -> T:
            result = work()
            flush()
            return result

        self._spool = _supervision.open_spool()
        flush()
        return _supervision.do(flushed, timeout)

    def output(self) -> str:
        """Return the end of what was printed during `run`; what is printed from now on goes to standard error."""
        if self._spool is None:
            return ""
        from hooking import _supervision

        flush()
        spool, self._spool = self._spool, None
        return _supervision.close_spool(spool, self._stderr)

    def _send(self, carrier: str | None, data: bytes) -> None:
        if carrier is None:
            write(self._stdout, data)
        else:
            replace_file(carrier, data)

    def _drop_host(self) -> None:
        """In a forked child: let go of the host, which waits until nobody holds its pipes."""
        for descriptor in {self._stdout, self._stderr} - {1, 2}:
            os.close(descriptor)
        self._stdout, self._stderr = 1, 2

    def _read(self, carrier: str | None) -> bytes:
        source = carrier or "standard input"
        try:
            descriptor = 0 if carrier is None else os.open(carrier, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if carrier is not None and not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise DocumentError(f"{source} is not a regular file")
                if os.isatty(descriptor):
                    raise InvocationError(
                        "standard input is a terminal; the document of the host is expected there (try < FILE)"
                    )
                return _read_all(descriptor, source)
            finally:
                if carrier is not None:
                    os.close(descriptor)
        except OSError as error:
            raise DocumentError(f"cannot read the document from {source}: {error.strerror}") from error


_current: Process | None = None


def current() -> Process:
    """Return the process that hooks act for: this one, unless a test put another in its place."""
    global _current  # noqa: PLW0603 - a process is global by nature
    if _current is None:
        _current = Process(sys.argv, os.environ)
    return _current


def replace_current(process: Process | None) -> Process | None:
    """Put ``process`` in the place of the current one, and return that."""
    global _current
    previous, _current = _current, process
    return previous


def end(status: int) -> NoReturn:
    """End this process; where the script itself asks for it, without tearing Python down first.

    That takes as long as starting a hook does, the host waits for it, and a thread could hold it up for ever.
    """
    caller = sys._getframe(2).f_back  # noqa: SLF001 - a test or another program runs the script
    if caller is not None and caller.f_globals.get("__name__") != BUNDLE:
        raise SystemExit(status)
    import atexit

    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - the only way, and an old one
        flush()
    finally:
        os._exit(status)


def flush() -> None:
    """Hand on what Python still keeps of what was printed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # noqa: PERF203 - handlers may have closed or replaced it
            continue


def write(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, however often the system takes only a part."""
    with open(descriptor, "wb", closefd=False) as stream:
        stream.write(data)


def replace_file(path: str, data: bytes) -> None:
    """Replace the content of the file ``path`` by ``data``: by rename, with its mode and owner.

    A process of its own does it, so a kill of this one, however timed, leaves the old file or the new one, whole, and
    nothing else in the folder. The host waits for that process too, as it holds standard error.

    Raises:
        OSError: The file is gone, or the new content cannot be stored. The old one is untouched.
    """
    import errno

    child = os.fork()
    if child == 0:
        failure = errno.EIO
        try:
            os.setsid()
            _replace(path, data)
            failure = 0
        except OSError as error:
            failure = error.errno or errno.EIO
        finally:
            os._exit(failure)
    _, status = os.waitpid(child, 0)
    if status:
        failure = os.WEXITSTATUS(status) or errno.EINTR
        raise OSError(failure, os.strerror(failure))


def _replace(path: str, data: bytes) -> None:
    old = os.stat(path, follow_symlinks=False)
    folder, name = os.path.split(path)
    draft = os.path.join(folder, f".{name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write(descriptor, data)
        os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
        os.rename(draft, path)
    except OSError:
        os.unlink(draft)
        raise


def _read_all(descriptor: int, source: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := os.read(descriptor, 1 << 20):
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_PAYLOAD:
            raise DocumentError(f"{source} holds more than {LARGEST_PAYLOAD >> 20} MiB; no host hands over so much")
    return b"".join(chunks)
