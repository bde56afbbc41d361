"""`run_hook`: a hook script in this process, on a document of one's own."""

from __future__ import annotations

import shutil
import sys
import tempfile
import traceback
import weakref
from contextlib import closing
from pathlib import Path
from types import ModuleType

from hooking import _process
from hooking.exceptions import HookError
from hooking.hook import Hook
from hooking.testing import documents
from hooking.testing.fake_host import FakeHost
from hooking.testing.outcome import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from hooking.testing.documents import DocumentSource, Request

    T = TypeVar("T")


def run_hook(  # noqa: PLR0913 - as many as the hosts give
    hook: Hook | str | Path,
    point: str,
    *,
    document: DocumentSource = None,
    object: str | None = None,
    extra: str | None = None,
    custom_properties: Mapping[str, str] | None = None,
    twice: bool = False,
    host: FakeHost | None = None,
) -> Outcome:
    """Run a hook in this process as a host would call it at ``point``, and return what that led to.

    What handlers print goes to the standard output of this process, where pytest's ``capsys`` finds it. A script that
    reads ``os.environ`` itself sees the environment of this process: start such a one under `Vdsmd`.

    Args:
        hook: A `Hook`, or the path of a script, which is run as the main program.
        point: ``qemu/migrate``, or a hook point of VDSM such as ``before_vm_start``.
        document: What the host hands over; a recorded sample by default.
        object: The name of the guest or network, or VDSM's ``vmId``; by default the document's.
        extra: libvirt's fourth argument; by default the first that it gives at this point.
        custom_properties: Custom properties; under libvirt they are put into the document's metadata.
        twice: Run the hook on its own result too.
        host: What `hooking.state` and actions find and change; by default a host with nothing on it, so a test never
            changes the one that it runs on.

    Raises:
        PointError: There is no such hook point.
        InvocationError: No host makes such a call.
        DocumentError: The document is none of this hook point.
        AssertionError: ``twice``, and the second run changed the result of the first.
    """
    properties = dict(custom_properties or {})
    wanted = documents.request(point, document, object, extra, properties)
    process = InjectedProcess(*_invocation(wanted, properties), wanted.document, host)
    with closing(process):
        status = hook.answer(process) if isinstance(hook, Hook) else _run_script(Path(hook), process)
    row, before = wanted.point, wanted.document
    after, refused = documents.taken(row, before, process.answered, status)
    stdout = process.answered or b"" if row.host == "libvirt" else b""
    outcome = Outcome(row, wanted.object, before, after, status, stdout, process.said, process.logged, refused)
    if twice and not outcome.failed:
        again = run_hook(
            hook, point, document=outcome.after, object=object, extra=extra, custom_properties=properties, host=host
        )
        assert not again.changed, f"the hook changes its own result:\n{again.diff}"  # noqa: S101 - that is its purpose
    return outcome


class InjectedProcess(_process.Process):
    """A process in the place of this one: what the host hands over is given, and what it gets is kept."""

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], payload: bytes, host: FakeHost | None = None
    ) -> None:
        super().__init__(argv, environ)
        self._host = host
        self._close: Callable[[], object] = int
        self.given = payload
        self.answered: bytes | None = None
        self.said = ""
        self.logged = ""

    @property
    def root(self) -> str:
        """The folder that stands for the root of the host."""
        if self._host is None:
            self._host = FakeHost(tempfile.mkdtemp(prefix="hooking-"))
            self._close = weakref.finalize(self, shutil.rmtree, self._host.root)
        return str(self._host.root)

    def close(self) -> None:
        """Forget a host that was made for this process."""
        self._close()

    def tell(self, text: str) -> None:
        """Keep what the host would read from standard error."""
        self.said += text

    def say(self, text: str) -> None:
        """Keep what the host would read from standard error."""
        self.said += text

    def syslog(self, text: str) -> None:
        """Keep what the system log would get."""
        self.logged += f"{text}\n"

    def _read(self, carrier: str | None) -> bytes:
        del carrier
        return self.given

    def _send(self, carrier: str | None, data: bytes) -> None:
        del carrier
        self.answered = data

    def hold_output(self) -> None:
        """Leave this process's descriptors alone."""

    def run(self, work: Callable[[], T], timeout: float | None) -> T:
        """Do ``work`` without a time limit, which would need a process of its own."""
        del timeout
        return work()


def _invocation(wanted: Request, properties: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    point = wanted.point
    if point.host == "libvirt":
        path = f"/etc/libvirt/hooks/{point.driver}"
        return [path, wanted.object or "-", point.op, point.subop, wanted.extra], {}
    variable = "_hook_json" if point.is_json else "_hook_domxml"
    vm = {} if wanted.object is None else {"vmId": wanted.object}
    return [f"/usr/libexec/vdsm/hooks/{point.op}/hook"], {**properties, **vm, variable: "payload"}


def _run_script(path: Path, process: InjectedProcess) -> int:
    code = compile(path.read_bytes(), str(path), "exec")
    previous = _process.replace_current(process)
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    sys.modules["__main__"].__file__ = str(path)
    try:
        exec(code, vars(sys.modules["__main__"]))  # noqa: S102 - the author's own script
    except HookError as error:
        process.tell(f"{error}\n")
        return error.exit_status
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        process.tell(f"{error.code}\n")
        return 1
    except Exception:  # noqa: BLE001 - as Python does with a script
        process.tell(traceback.format_exc())
        return 1
    finally:
        sys.modules["__main__"] = main
        _process.replace_current(previous)
    return 0
