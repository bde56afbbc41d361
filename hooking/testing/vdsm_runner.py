"""How VDSM finds and runs hook scripts: `HookRunner` does what ``vdsm.common.hooks`` does."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hooking.exceptions import InvocationError
from hooking.testing.executable import Ended, interpreter_of, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Any

    from hooking.points import Point

_ENDS_CHAIN = 2
_REPORTS_LAST_FAILURE = "before_vm_start"
_STARTED_BY_INIT_SCRIPT = "before_vdsm_start"


@dataclass
class Called:
    """What one call of all scripts of a hook point came to.

    Attributes:
        returned: What VDSM has afterwards: the text of an XML document, or the value of a JSON document.
        answer: The bytes that the scripts left in the file; `None` if none was started, or the file cannot be used.
        status: 0, or the exit status of the last script that failed.
        error: VDSM's message about a failure: standard error of the last script that it started. At
            ``before_vm_start``, of the last that failed.
        failure: What VDSM raises by accident, even where it swallows the failures of scripts.
        log: Its lines in the log.
        scripts: The scripts that were started, in order, and how they ended.
    """

    returned: Any
    answer: bytes | None = None
    status: int = 0
    error: str = ""
    failure: Exception | None = None
    log: list[str] = field(default_factory=list[str])
    scripts: list[tuple[str, Ended]] = field(default_factory=list[tuple[str, Ended]])


class HookRunner:
    """The folder ``/usr/libexec/vdsm/hooks`` of a daemon.

    Args:
        folder: The folder, which holds one for each hook point.
        environ: The daemon's environment.
        modules: The folder of VDSM's own module ``hooking``, which scripts find by ``PYTHONPATH``.
        timeout: Seconds until a script counts as hanging the daemon.
        this_python: Start Python scripts by this interpreter, so that they find the packages that are installed here.
        taskset: Start scripts through ``taskset``, as VDSM does unless ``cpu_affinity`` is empty in its configuration.
        follow: Where a link leads, if the folder is one of an image.

    Raises:
        InvocationError: ``taskset`` is not installed.
    """

    def __init__(  # noqa: PLR0913 - options
        self,
        folder: Path,
        environ: Mapping[str, str],
        modules: Path,
        *,
        timeout: float = 10,
        this_python: bool = False,
        taskset: bool = True,
        follow: Callable[[str], str] = str,
    ) -> None:
        self.folder = folder
        self._environ = environ
        self._modules = modules
        self._timeout = timeout
        self._this_python = this_python
        self._follow = follow
        self._start = _taskset() if taskset else []

    def scripts(self, point: str) -> list[str]:
        """Return the scripts of a hook point, in order: executable files by path, hidden ones left out."""
        found = glob.glob(os.path.join(glob.escape(str(self.folder)), point, "*"))
        real = {path: self._follow(path) for path in found}
        return sorted(path for path in found if os.path.isfile(real[path]) and os.access(real[path], os.X_OK))

    def call(
        self,
        point: Point,
        data: Any,
        *,
        vm_id: str | None = None,
        params: Mapping[str, Any] | None = None,
        custom_properties: Mapping[str, Any] | None = None,
    ) -> Called:
        """Run the scripts of ``point`` one after the other on one file.

        Args:
            point: The hook point.
            data: The text of an XML document, the value of a JSON document, or `None`.
            vm_id: The ID of the VM, where there is one.
            params: The custom properties of a device, or what VDSM itself adds to the environment.
            custom_properties: Those of the VM, which hide ``params`` and the daemon's environment.
        """
        called = Called(data)
        scripts = self.scripts(point.op)
        if not scripts:
            return called
        try:
            with _payload(point, data) as path:
                variable = "_hook_json" if point.is_json else "_hook_domxml"
                vm = {} if vm_id is None else {"vmId": vm_id}
                environ = self._layered(point, {**(params or {}), **(custom_properties or {}), **vm})
                self._run_all(scripts, {**environ, variable: path}, called, point)
                _take(point, path, called)
        except (OSError, TypeError, ValueError, RecursionError) as error:
            called.failure = error
        return called

    def _layered(self, point: Point, added: Mapping[str, Any]) -> dict[str, Any]:
        environ = {**self._environ}
        if point.op == _STARTED_BY_INIT_SCRIPT:
            environ.pop("PYTHONPATH", None)
        environ.update(added)
        environ["PYTHONPATH"] = f"{environ.get('PYTHONPATH', '')}:{self._modules}"
        return environ

    def _run_all(self, scripts: list[str], environ: Mapping[str, str], called: Called, point: Point) -> None:
        reported = b""
        for script in scripts:
            ended = self._run(script, environ)
            called.scripts.append((script, ended))
            called.log.append(f"INFO {script}: rc={ended.status} err={ended.stderr!r}")
            if ended.status > _ENDS_CHAIN:
                called.log.append(f"WARNING hook returned unexpected return code {ended.status}")
            if ended.status or point.op != _REPORTS_LAST_FAILURE:
                reported = ended.stderr
            called.status = ended.status or called.status
            if ended.status == _ENDS_CHAIN:
                break
        if called.status:
            called.error = f"Hook Error: ({reported!r},)"

    def _run(self, script: str, environ: Mapping[str, str]) -> Ended:
        interpreter = interpreter_of(Path(script)) if self._this_python else []
        return spawn([*self._start, *interpreter, script], environ, None, timeout=self._timeout)


def _taskset() -> list[str]:
    program = shutil.which("taskset")
    if program is None:
        raise InvocationError("VDSM starts hooks through taskset, which is not installed; pass taskset=False")
    return [program, "--cpu-list", ",".join(map(str, sorted(os.sched_getaffinity(0))))]


@contextlib.contextmanager
def _payload(point: Point, data: Any) -> Generator[str, None, None]:
    """Make the file that the scripts read and write, for the time that they run."""
    descriptor, path = tempfile.mkstemp()
    try:
        with open(descriptor, "wb") as file:
            file.write(json.dumps(data).encode() if point.is_json else (data or "").encode())
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):  # a script may have removed it
            os.unlink(path)


def _take(point: Point, path: str, called: Called) -> None:
    answer = Path(path).read_bytes()
    text = answer.decode()
    called.returned = json.loads(text) if point.is_json else text
    called.answer = answer
