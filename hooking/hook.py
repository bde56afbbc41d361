"""`Hook`: handlers registered for hook points, and the pipeline from the host's call to the answer."""

from __future__ import annotations

import os

from hooking import _process, host, points
from hooking.context import read_context
from hooking.exceptions import HookError, InvocationError, PointError, one_line, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, List, NoReturn, Optional, Tuple, TypeVar

    from hooking import _signatures
    from hooking._process import Process
    from hooking.call import Call
    from hooking.context import HookContext

    Handler = TypeVar("Handler", bound=Callable[..., None])

    Matching = List[Tuple[Optional[str], Callable[..., None]]]
    """The handlers of this call, each with the kind of device that it is about."""

    Answer = Tuple[int, str, str, Optional[bytes]]
    """Exit status, message for the log, details for standard error, and the document that goes back."""

_LONGEST_TIMEOUT = 24 * 60 * 60.0
_LAZY = 0x20 | 0x80 | 0x200  # the flags that `inspect` has for generators, coroutines and what is both


class Hook:
    """The handlers of one hook script, for any number of hook points of both hosts.

    A handler takes the document and the `HookContext`; at hook points without a document only the context. Handlers of
    the same call run in the order of their registration, on the same document. What they print goes to the host's
    standard error; standard output is the host's own.

    Args:
        timeout: Seconds for all handlers of a call together, which then run in a child process: at the end of the time
            it is killed with what it started, and however it ends (`os._exit`, a crash), the call ends by the rule of
            the hook point. `None`: no child and no limit, as the hosts have none: a hook that hangs hangs the host.
        strict: Let every error fail the call, also where the rule is to let it pass because failing does harm.
    """

    def __init__(self, *, timeout: float | None = None, strict: bool = False) -> None:
        self._timeout: float | None = None
        self._strict = strict
        self._registrations: list[tuple[str, tuple[str, ...], str | None, str | None, Callable[..., None]]] = []
        self._mistakes: list[str] = []
        if isinstance(timeout, (int, float)) and 0 < timeout <= _LONGEST_TIMEOUT:
            self._timeout = timeout
        elif timeout is not None:
            self._mistakes.append(
                f"timeout={timeout!r} is not a time; give seconds above 0 (a day at most), or None for no limit"
            )

    if TYPE_CHECKING:
        daemon: _signatures.Daemon
        qemu: _signatures.Qemu
        lxc: _signatures.Lxc
        libxl: _signatures.Libxl
        bhyve: _signatures.Bhyve
        network: _signatures.Network
        vdsm: _signatures.Vdsm

    else:

        def daemon(self, *ops):
            """Register for operations of a libvirt daemon. Each of a host's daemons calls (virtqemud, virtnetworkd)."""
            return self._register("daemon", ops)

        def qemu(self, *ops, object=None):
            """Register for operations of the qemu driver, for guests whose name matches the pattern ``object``."""
            return self._register("qemu", ops, object)

        def lxc(self, *ops, object=None):
            """Register for operations of the lxc driver, for guests whose name matches the pattern ``object``."""
            return self._register("lxc", ops, object)

        def libxl(self, *ops, object=None):
            """Register for operations of the libxl driver, for guests whose name matches the pattern ``object``."""
            return self._register("libxl", ops, object)

        def bhyve(self, *ops, object=None):
            """Register for operations of the bhyve driver, for guests whose name matches the pattern ``object``."""
            return self._register("bhyve", ops, object)

        def network(self, *ops, object=None):
            """Register for operations of the network driver, for networks whose name matches the pattern ``object``.

            Handlers of port operations get a `PortData`, others a `HookData`.
            """
            return self._register("network", ops, object)

        def vdsm(self, *ops, object=None, device=None):
            """Register for hook points of VDSM.

            Args:
                *ops: Names of hook points, as in ``before_vm_start``.
                object: Shell pattern for the IDs of the VMs that this is about; all by default.
                device: The kind of device that this is about (``interface``, ``disk``, ``hostdev``, …), at hook points
                    that hand over a device; all by default.
            """
            return self._register("vdsm", ops, object, device)

    def run(self) -> NoReturn:
        """Answer the host's call, and end the process with the exit status by the rule of the hook point.

        It ends at once: what is registered with `atexit` in this process is done, but no thread is waited for.
        The status is 0 if no handler is registered for the call (nothing was read), if the handlers succeeded, or if an
        error passes where failing would do harm; 1 or 2 for a `Refusal` or an error (see the page on exit statuses).
        """
        _process.end(self.answer(_process.current()))

    def answer(self, process: Process) -> int:
        """Answer the call that ``process`` was started for, and return the exit status."""
        previous = _process.replace_current(process)
        try:
            process.hold_output()
            return self._answer(process, read_context(process))
        except InvocationError as error:
            process.tell(f"{os.path.basename(process.argv[0])}: {error}\n")
            return error.exit_status
        finally:
            _process.replace_current(previous)

    def _register(
        self, driver: str, ops: tuple[str, ...], object_: str | None = None, device: str | None = None
    ) -> Callable[[Handler], Handler]:
        mistakes = list(_mistakes(driver, ops, object_, device))
        self._mistakes += mistakes

        def register(handler: Handler) -> Handler:
            if _is_lazy(handler):
                self._mistakes.append(f"{handler!r} is a generator or async, so it would never run; write a plain def")
            elif not mistakes:
                self._registrations.append((driver, ops, object_, device, handler))
            return handler

        return register

    def _answer(self, process: Process, context: HookContext) -> int:
        if not context.point.known:
            _note(process, context, "unknown to this version of hooking, so nothing was done")
            return 0
        matching = [
            (device, handler)
            for driver, ops, pattern, device, handler in self._registrations
            if driver == context.driver and context.op in ops and _is_about(context.object, pattern)
        ]
        return self._supervise(process, context, matching) if matching or self._mistakes else 0

    def _supervise(self, process: Process, context: HookContext, matching: Matching) -> int:
        from hooking.call import Call

        call = Call(process, context, by_hand=False)
        try:
            call.payload  # noqa: B018 - read before the host's descriptors are put away
            status, line, details, reply = process.run(lambda: self._work(call, matching), self._timeout)
            if reply is not None:
                call.send(reply)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the host gets an answer by the rule of the point
            status, line, details, _ = self._failed(context, error)
        details += process.output()
        if line and not status:
            _note(process, context, line)
        elif line:
            process.tell(_line(process, context, line) + "\n")
        process.tell(printable(details))
        return status

    def _work(self, call: Call, matching: Matching) -> Answer:
        try:
            self._complain()
            document = call.document
            arguments = [call.context] if call.context.point.document is None else [document, call.context]
            kind = getattr(document, "kind", None)
            for handler in dict.fromkeys(handler for device, handler in matching if device in (None, kind)):
                _call(handler, arguments)
            return 0, "", "", call.reply(document)
        except BaseException as error:  # noqa: BLE001 - it has to cross to the process that answers
            return self._failed(call.context, error)

    def _complain(self) -> None:
        if self._mistakes:
            raise PointError(self._mistakes[0])

    def _failed(self, context: HookContext, error: BaseException) -> Answer:
        details = ""
        if isinstance(error, HookError):
            message = str(error)
        elif isinstance(error, SystemExit):
            message = error.code if isinstance(error.code, str) else f"a handler called sys.exit({error.code})"
        else:
            import traceback

            message = traceback.format_exception_only(type(error), error)[-1]
            details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return host.exit_status(context.point, error, strict=self._strict), one_line(message), details, None


def _mistakes(driver: str, ops: tuple[object, ...], object_: object, device: object) -> Iterator[str]:
    """Yield what is wrong with a registration, for scripts that no type checker saw."""
    for name, text in ("object", object_), ("device", device):
        if not isinstance(text, (str, type(None))):
            yield f"{name}={text!r} is not a text; register the handler once more for each further one"
    if not ops:
        yield f"@hook.{driver} needs the names of its hook points in parentheses"
    for op in ops:
        if not isinstance(op, str):
            yield f"@hook.{driver} needs the names of its hook points in parentheses, not {op!r}"
        elif not points.is_known(driver, op):
            yield points.misspelt(driver, op)
        elif device is not None and points.find(driver, op).document != "device":
            yield f"device={device!r} has no sense at {op}, which hands over no device"


def _is_lazy(handler: Callable[..., None]) -> bool:
    """Tell whether a call of ``handler`` runs nothing of it."""
    code = getattr(handler, "__code__", None)
    return code is not None and bool(code.co_flags & _LAZY)


def _call(handler: Callable[..., None], arguments: list[Any]) -> None:
    try:
        handler(*arguments)
    except SystemExit as error:
        if isinstance(error, HookError) or error.code not in (None, 0):
            raise


def _is_about(object_: str | None, pattern: str | None) -> bool:
    if pattern is None or object_ is None:
        return pattern is None
    from hooking.patterns import matches_glob

    return matches_glob(object_, pattern)


def _note(process: Process, context: HookContext, message: str) -> None:
    """Log a line of a call that succeeds, where libvirt would drop what standard error says."""
    line = _line(process, context, message)
    process.tell(f"{line}\n")
    if context.host == "libvirt":
        process.syslog(line)


def _line(process: Process, context: HookContext, message: str) -> str:
    return one_line(f"{os.path.basename(process.argv[0])}: {context}: {message}")
