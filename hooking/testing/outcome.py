"""What one call at a hook point led to."""

from __future__ import annotations

from dataclasses import dataclass

from hooking.call import read_document
from hooking.devices import Device
from hooking.domain import Domain
from hooking.exceptions import InvocationError, printable
from hooking.network import HookData
from hooking.testing.difference import unified_diff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeVar

    from hooking.call import Document
    from hooking.points import Point
    from hooking.testing.executable import Ended

    View = TypeVar("View")

_NOT_DONE = {
    "start": "the guest is not started",
    "restore": "the guest is not restored",
    "migration": "the guest is not migrated",
    "attach": "the guest is not attached",
    "network start": "the network is not started",
    "port creation": "the network card is not plugged in",
}
_KILLED = {"start": "the running guest is killed", "reconnect": "the running guest is killed"}


@dataclass(frozen=True)
class Outcome:
    """What one call at a hook point led to.

    Attributes:
        point: The hook point.
        object: The guest, network or VM that the call was about.
        before: The document that the host handed over.
        after: The one that the host goes on with: the script's own if it takes that, else ``before``.
        status: The exit status: 0, 1 or 2; negative for a signal. Of several scripts the last failure's.
        stdout: What the host read from standard output.
        stderr: What the host read from standard error.
        log: What went to the system log.
        refused: Why the host cannot use the document of the script, although that succeeded.
        error: The host's own message about a failure.
        scripts: The scripts that a simulated host started, in order, each with how it ended.
        seconds: How long the host waited.
        arguments: The four arguments that libvirt gives.
    """

    point: Point
    object: str | None
    before: bytes
    after: bytes
    status: int = 0
    stdout: bytes = b""
    stderr: str = ""
    log: str = ""
    refused: str = ""
    error: str = ""
    scripts: tuple[tuple[str, Ended], ...] = ()
    seconds: float = 0
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.point.name if self.object is None else f"{self.point.name} {self.object}"

    @property
    def failed(self) -> bool:
        """Whether the host counts the call as failed."""
        return self.status != 0 or bool(self.refused)

    @property
    def changed(self) -> bool:
        """Whether the host goes on with another document than its own."""
        return self.after != self.before

    @property
    def hang(self) -> str:
        """What the host would wait for without end, if there is such a thing."""
        return next((f"{path}: {ended.hang}" for path, ended in self.scripts if ended.hang), "")

    @property
    def diff(self) -> str:
        """The lines that differ between the two documents, as a unified diff without what only looks different."""
        return "\n".join(unified_diff(self.before, self.after))

    @property
    def document(self) -> Document:
        """The document that the host goes on with, as a handler would get it."""
        return read_document(self.point, self.after)

    @property
    def domain(self) -> Domain:
        """`document` at a hook point with a domain.

        Raises:
            InvocationError: It has none.
        """
        return self._document_as(Domain)

    @property
    def device(self) -> Device:
        """`document` at a hook point with a device."""
        return self._document_as(Device)

    @property
    def hook_data(self) -> HookData:
        """`document` at a hook point with a network."""
        return self._document_as(HookData)

    @property
    def json(self) -> Any:
        """`document` at a hook point with JSON."""
        if not self.point.is_json:
            raise self._has_no("JSON")
        return self.document

    @property
    def host_verdict(self) -> str:
        """What the host does now, in words."""
        point, host = self.point, self.point.host_title
        if self.hang:
            return f"{host} would hang here: {self.hang}"
        if not self.failed:
            return f"{host} goes on with the hook's {point.document}" if self.changed else f"{host} goes on"
        if point.failure == "ignored" and not self.refused:
            done = f"{host} logs the failure, and the {point.action} goes on"
        elif point.failure == "kills":
            done = _KILLED.get(point.action, f"the {point.action} is undone")
        else:
            done = _NOT_DONE.get(point.action, f"the {point.action} does not happen")
        return f"{done}: {self._why}"

    @property
    def _why(self) -> str:
        said = self.stderr.strip().splitlines()
        return self.refused or (printable(said[0], keep="") if said else f"exit status {self.status}, without a word")

    def _document_as(self, view: type[View]) -> View:
        document = self.document
        if not isinstance(document, view):
            raise self._has_no(view.__name__)
        return document

    def _has_no(self, wanted: str) -> InvocationError:
        return InvocationError(f"{self.point.name} has {self.point.document or 'no document'}, not {wanted}")


def check_log(log: Sequence[Outcome], more: Sequence[str] = ()) -> None:
    """Raise an `AssertionError` with a line for each call of ``log`` that failed or would hang, and with ``more``."""
    problems = [f"{call}: {call.host_verdict}" for call in log if call.failed or call.hang]
    if problems or more:
        raise AssertionError("\n".join([*problems, *more]))
