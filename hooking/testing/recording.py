"""`Recording`: one call of a host as it lies in a folder, to run hooks on it and to compare what they make of it."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path

from hooking import host
from hooking._process import Process
from hooking.context import read_context
from hooking.exceptions import DocumentError, InvocationError, printable
from hooking.hook import Hook
from hooking.testing import documents
from hooking.testing.executable import interpreter_of, spawn
from hooking.testing.golden import Golden, read_bytes, read_object, result_name
from hooking.testing.in_process import InjectedProcess
from hooking.testing.outcome import Outcome
from hooking.testing.usual_host import usual_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hooking.points import Point
    from hooking.testing.fake_host import FakeHost

INVOCATION = "invocation.json"
_OF_THE_RECORDED_HOST = ("PYTHON", "LD_", "TMPDIR", "NOTIFY_SOCKET", "LISTEN_", "WATCHDOG_", "JOURNAL_STREAM")
"""Variables that name libraries, folders and sockets of the recorded host."""

_ACCEPT = "hooking replay --update, or pytest --update-recordings"


def payload_name(point: Point) -> str:
    """Return the name of the file with what the host handed over at ``point``."""
    if point.host == "libvirt":
        return "stdin.xml"
    return "data.json" if point.is_json else "domxml.xml"


class Recording:
    """A recorded call of a host: a folder with ``invocation.json``, the payload, and perhaps a golden outcome.

    A script runs with the recorded environment, so replay only recordings of somebody that you trust.

    Args:
        path: The folder.
        update: Let `check` accept each outcome as the new golden one.

    Attributes:
        path: The folder.
        argv: The recorded script's path, and the arguments that the host gave.
        environ: The environment.
        point: The hook point; an unknown one if this package does not know it.
        object: The guest, network or VM that the call was about.
        payload: The document that the host handed over.

    Raises:
        InvocationError: ``invocation.json`` is missing, or describes no call of a host.
        DocumentError: The payload is missing, or cannot be read.
    """

    def __init__(self, path: str | Path, *, update: bool = False) -> None:
        self.path = Path(path)
        self.update = update
        invocation = self._read_invocation()
        self.argv: list[str] = invocation["argv"]
        self.environ: dict[str, str] = invocation["environ"]
        try:
            context = read_context(Process(self.argv, self.environ))
        except InvocationError as error:
            raise InvocationError(f"{self.path / INVOCATION}: {error}") from error
        self.point, self.object = context.point, context.object
        payload = self.path / payload_name(self.point)
        self.payload = read_bytes(payload) if payload.exists() else b""
        if not (self.payload or self.point.document is None or self.point.may_be_empty or "note" in invocation):
            raise DocumentError(f"{payload} is missing; {self.point.host_title} hands over {self.point.document} here")

    def __repr__(self) -> str:
        return f"<Recording {self.path}>"

    @property
    def golden(self) -> Golden | None:
        """The accepted outcome, if there is one.

        Raises:
            DocumentError: It is malformed.
        """
        return Golden.read(self.path, self.point)

    def suits(self, script: str | Path) -> bool:
        """Tell whether the host would call ``script`` here, as far as its path tells: any call may be tried, if not."""
        try:
            driver, op = host.called_as(os.path.abspath(script), {})
        except InvocationError:
            return True
        return driver == self.point.driver and op in ("", self.point.op)

    def run(
        self, hook: Hook | str | Path, *, this_python: bool = True, timeout: float = 60, host: FakeHost | None = None
    ) -> Outcome:
        """Make the recorded call once more, and return what that led to.

        Args:
            hook: A `Hook`, which runs in this process, or the path of a script, which is started as the host does.
            this_python: Start a Python script by this interpreter, so that it finds the packages that are installed
                here; else by its own first line.
            timeout: Seconds until a script counts as hanging the host.
            host: What `hooking.state` and actions find and change; by default one with nothing on it, for a script one
                with a bit of everything.

        Raises:
            InvocationError: The script cannot be started.
        """
        if not isinstance(hook, Hook):
            return self._start(Path(hook).absolute(), host, this_python=this_python, timeout=timeout)
        process = InjectedProcess(self.argv, self.environ, self.payload, host)
        with closing(process):
            status = hook.answer(process)
        return self._outcome(process.answered, status, process.said, log=process.logged)

    def compare(self, outcome: Outcome) -> str:
        """Return how ``outcome`` differs from the golden one, as lines of a diff; nothing if it does not.

        Documents are compared in their canonical form.

        Raises:
            DocumentError: There is no golden outcome, or it is malformed.
        """
        golden = self.golden
        if golden is None:
            raise DocumentError(f"{self.path} has no golden outcome yet; accept one with: {_ACCEPT}")
        return "\n".join(golden.difference(outcome))

    def accept(self, outcome: Outcome) -> None:
        """Keep ``outcome`` as the golden one.

        Raises:
            InvocationError: It is one of a script that hangs the host, or cannot be kept.
        """
        if outcome.hang:
            raise InvocationError(f"{self.path}: an outcome that hangs the host cannot be a golden one: {outcome.hang}")
        golden = Golden.of(outcome)
        try:
            if golden.document is None:
                (self.path / result_name(self.point)).unlink(missing_ok=True)
            for name, data in golden.files(self.point):
                (self.path / name).write_bytes(data)
        except OSError as error:
            raise InvocationError(f"cannot write {error.filename}: {error.strerror}") from error

    def check(self, outcome: Outcome) -> None:
        """Accept ``outcome`` if this recording is to be updated; else compare it with the golden one.

        Raises:
            AssertionError: They differ, or there is no golden one.
        """
        if self.update:
            self.accept(outcome)
            return
        try:
            difference = self.compare(outcome)
        except DocumentError as error:
            raise AssertionError(str(error)) from error
        if difference:
            message = f"{self.path}: the outcome is another than the golden one:\n{difference}\n"
            raise AssertionError(printable(f"{message}if it is right, accept it with: {_ACCEPT}"))

    def _read_invocation(self) -> dict[str, Any]:
        path = self.path / INVOCATION
        try:
            invocation = read_object(path)
        except DocumentError as error:
            raise InvocationError(str(error)) from error
        if not isinstance(invocation.get("argv"), list) or not isinstance(invocation.get("environ"), dict):
            raise InvocationError(f'{path} needs a list "argv" and an object "environ"')
        argv, environ = invocation["argv"], invocation["environ"]
        if not all(map(_can_be_given, [*argv, *environ, *environ.values()])):
            raise InvocationError(f"{path}: argv and environ hold texts that a program can get, so without NUL")
        if any(not name or "=" in name for name in environ):
            raise InvocationError(f'{path}: a name in environ is not empty, and has no "="')
        if not invocation["argv"] or not os.path.isabs(invocation["argv"][0]):
            raise InvocationError(f"{path}: argv begins with the absolute path of the script")
        return invocation

    def _outcome(self, answer: bytes | None, status: int, stderr: str, **more: Any) -> Outcome:
        after, refused = documents.taken(self.point, self.payload, answer, status)
        stdout = answer or b"" if self.point.host == "libvirt" else b""
        return Outcome(self.point, self.object, self.payload, after, status, stdout, stderr, refused=refused, **more)

    def _start(self, script: Path, host: FakeHost | None, *, this_python: bool, timeout: float) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="hooking-") as folder:
            host = host or usual_host(os.path.join(folder, ".host"), self.payload)
            try:
                carrier, environ = self._environment(folder)
                environ["HOOKING_ROOT"] = str(host.root)
                link = _within(folder, self.argv[0])
                link.symlink_to(script)
                command = [*(interpreter_of(link) if this_python else []), str(link), *self.argv[1:]]
                ended = spawn(command, environ, self._standard_input, timeout=timeout)
            except OSError as error:
                raise InvocationError(f"cannot start {script}: {error.strerror}") from error
            answer = ended.stdout if carrier is None else _content(carrier)
            stderr = ended.stderr.decode("utf-8", "replace").replace(folder, "")
            return self._outcome(answer, ended.status, stderr, scripts=((self.argv[0], ended),), seconds=ended.seconds)

    @property
    def _standard_input(self) -> bytes | None:
        return None if self.point.host == "vdsm" or self.point.driver == "daemon" else self.payload

    def _environment(self, folder: str) -> tuple[Path | None, dict[str, str]]:
        """Store the payload where VDSM's variable says, but below ``folder``; return its path, and the environment."""
        environ = {name: text for name, text in self.environ.items() if not name.startswith(_OF_THE_RECORDED_HOST)}
        if self.point.host == "libvirt":
            return None, environ
        variable = "_hook_json" if self.point.is_json else "_hook_domxml"
        carrier = _within(folder, self.environ.get(variable) or "/payload")
        carrier.write_bytes(self.payload)
        return carrier, {**environ, variable: str(carrier)}


def recording_folders(folder: str | Path) -> list[Path]:
    """Return the folders of all recordings in ``folder``, at any depth, sorted.

    Raises:
        InvocationError: There is no such folder.
    """
    if not Path(folder).is_dir():
        raise InvocationError(f"there is no folder {folder}; make recordings with: hooking record")
    return sorted(path.parent for path in Path(folder).rglob(INVOCATION))


def find_recordings(folder: str | Path) -> list[Recording]:
    """Return all recordings in ``folder``, at any depth, sorted by their paths.

    Raises:
        InvocationError: There is no such folder, or one of them describes no call of a host.
        DocumentError: One of them is malformed.
    """
    return [Recording(path) for path in recording_folders(folder)]


def _can_be_given(text: object) -> bool:
    """Tell whether ``text`` can be an argument of a program, or be in its environment."""
    try:
        return isinstance(text, str) and b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _within(folder: str, path: str) -> Path:
    """Return where ``path`` lies if ``folder`` is the root of all, with the folders that it needs."""
    moved = Path(folder + os.path.abspath(path))
    moved.parent.mkdir(parents=True, exist_ok=True)
    return moved


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
