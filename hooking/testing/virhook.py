"""How a libvirt daemon finds and runs hook scripts: `ScriptFolder` does what ``virHookCall`` does."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from hooking.testing.executable import Ended, interpreter_of, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PASSED_ON = ("LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR")
"""What a script gets of the daemon's environment, besides ``LC_ALL=C``."""

SCAN_ORDER = ("daemon", "qemu", "lxc", "network", "libxl", "bhyve")
"""The drivers in the order in which the daemon looks for their scripts."""

_RESCANS = ("reload", "shutdown")
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126
_NEEDS_QUOTES = frozenset("\r\t\n !\"#$&'()*;<>?[\\]^`{|}~")
_SPACE = b" \t\n\f\r"


@dataclass
class Called:
    """What one call of all scripts of a driver came to.

    Attributes:
        status: 0: every script succeeded. -1: one failed. 1: there was none.
        output: What the scripts made of the input together, where that was asked for.
        error: The daemon's message about the last failure.
        scripts: The scripts that were started, in order, and how they ended.
    """

    status: int = 1
    output: bytes = b""
    error: str = ""
    scripts: list[tuple[str, Ended]] = field(default_factory=list["tuple[str, Ended]"])


class ScriptFolder:
    """The folder ``/etc/libvirt/hooks`` of a daemon.

    Args:
        path: The folder.
        environ: The daemon's environment.
        timeout: Seconds until a script counts as hanging the daemon.
        this_python: Start Python scripts by this interpreter, so that they find the packages that are installed here.
        follow: Where a link leads, if the folder is one of an image.

    Attributes:
        root: What stands for the root of the host to the scripts, if not ``/``.
        warnings: What the daemon logged about scripts that it did not find fit to run, and folders that it cannot open.
    """

    def __init__(
        self,
        path: Path,
        environ: Mapping[str, str] = os.environ,
        *,
        timeout: float = 10,
        this_python: bool = False,
        follow: Callable[[str], str] = str,
    ) -> None:
        self.path = path
        self.root: Path | None = None
        self.warnings: list[str] = []
        self._environ = {"LC_ALL": "C", **{name: environ[name] for name in PASSED_ON if name in environ}}
        self._timeout = timeout
        self._this_python = this_python
        self._follow = follow
        self._drivers: set[str] = set()
        self.scan()

    def scan(self) -> None:
        """Look which drivers have scripts, as the daemon does at its start and at SIGHUP.

        A ``<driver>.d`` that cannot be opened (an executable file, for one) ends it: the drivers after that one have no
        scripts then.
        """
        self._drivers = set()
        try:
            for driver in SCAN_ORDER:
                if self._has_scripts(driver):
                    self._drivers.add(driver)
        except OSError as error:
            self.warnings.append(_cannot_open(error))

    def call(
        self, driver: str, arguments: Sequence[str], payload: bytes | None, *, with_output: bool = False
    ) -> Called:
        """Run all scripts of ``driver``, whatever fails; nothing if the last scan found none.

        Args:
            driver: ``qemu``, ``network``, …; ``daemon`` scans first at ``reload`` and ``shutdown``.
            arguments: Object, operation, sub-operation, extra.
            payload: What each script can read; `None` for ``/dev/null``.
            with_output: Chain the scripts: each reads what the one before wrote.
        """
        if driver == "daemon" and arguments[1] in _RESCANS:
            self.scan()
        called = Called()
        if driver in self._drivers:
            self._call(driver, arguments, payload, called, with_output=with_output)
        if not with_output:
            called.output = b""
        return called

    def _call(
        self, driver: str, arguments: Sequence[str], payload: bytes | None, called: Called, *, with_output: bool
    ) -> None:
        main = self.path / driver
        if self._is_executable(main):
            called.output = self._run(main, arguments, payload, called)
        try:
            scripts = self._scripts(driver)
        except OSError as error:
            called.status, called.error = -1, _cannot_open(error)
            return
        for script in scripts:
            chained = with_output and called.status == 0 and called.output.strip(_SPACE)
            output = self._run(script, arguments, called.output if chained else payload, called)
            if called.scripts[-1][1].status == 0 and output.strip(_SPACE):
                called.output = output

    def scripts(self, driver: str) -> list[Path]:
        """Return the scripts of ``driver`` that the daemon starts, in its order, once it has found one."""
        main = self.path / driver
        try:
            others = self._scripts(driver)
        except OSError:
            others = []
        return [*filter(self._is_executable, [main]), *others]

    def _scripts(self, driver: str) -> list[Path]:
        """Return those in ``<driver>.d``, which are listed after the main one has run."""
        return sorted(filter(self._is_executable, self._entries(driver)), key=os.fsencode)

    def _has_scripts(self, driver: str) -> bool:
        main, folder = self.path / driver, self.path / f"{driver}.d"
        if os.path.exists(self._follow(str(main))) and self._is_fit(main):
            return True
        # libvirt tries to open a file with an x bit, too
        accessible = os.path.isdir(self._follow(str(folder))) or self._is_executable(folder)
        return accessible and any(map(self._is_fit, self._entries(driver)))

    def _is_fit(self, script: Path) -> bool:
        if self._is_executable(script):
            return True
        self.warnings.append(_readable(f"Non-executable hook script {script}"))
        return False

    def _is_executable(self, path: Path) -> bool:
        """Judge by the mode as libvirt does, not by whether this process may execute it."""
        try:
            mode = os.stat(self._follow(str(path))).st_mode
        except OSError:
            return False
        return stat.S_ISREG(mode) and bool(mode & 0o111)

    def _entries(self, driver: str) -> list[Path]:
        """Return what ``<driver>.d`` holds, in the order of the file system."""
        folder = self.path / f"{driver}.d"
        try:
            return [folder / name for name in os.listdir(self._follow(str(folder)))]
        except FileNotFoundError:
            return []

    def _run(self, script: Path, arguments: Sequence[str], payload: bytes | None, called: Called) -> bytes:
        """Run one script, add to ``called`` how it ended, and return what it wrote, as a text of C."""
        command = [str(script), *arguments]
        try:
            start = interpreter_of(script) if self._this_python else []
            root = {} if self.root is None else {"HOOKING_ROOT": str(self.root)}
            ended = spawn([*start, *command], {**self._environ, **root}, payload, timeout=self._timeout)
        except OSError as error:
            ended = _not_started(script, error)
        called.scripts.append((str(script), ended))
        if ended.status:
            called.status, called.error = -1, self._message(command, ended)
        elif called.status == 1:
            called.status = 0
        return ended.stdout.partition(b"\0")[0]

    def _message(self, command: Sequence[str], ended: Ended) -> str:
        environ = [f"{name}={_quoted(value)}" for name, value in self._environ.items()]
        line = " ".join([*environ, *map(_quoted, command)])
        end = f"exit status {ended.status}" if ended.status > 0 else f"fatal signal {-ended.status}"
        stderr = os.fsdecode(ended.stderr.partition(b"\0")[0])
        said = f": {stderr}" if stderr else ""
        return _readable(f"Hook script execution failed: internal error: Child process ({line}) unexpected {end}{said}")


def _not_started(script: Path, error: OSError) -> Ended:
    status = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
    message = f"libvirt:  error : cannot execute binary {script}: {error.strerror}\n"
    return Ended(status, b"", os.fsencode(message), 0)


def _cannot_open(error: OSError) -> str:
    return _readable(f"cannot open directory '{error.filename}': {error.strerror}")


def _quoted(text: str) -> str:
    if text and not _NEEDS_QUOTES.intersection(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def _readable(text: str) -> str:
    """Return ``text`` with each byte that is not of UTF-8 replaced."""
    return os.fsencode(text).decode("utf-8", "replace")
