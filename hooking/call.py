"""One call of a host: its context, the document it handed over, and the answer. By hand: `read_domain` and its kin."""

from __future__ import annotations

from hooking import _process
from hooking.context import read_context
from hooking.exceptions import DocumentError, PointError, ReadOnlyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, Union

    from hooking._process import Process
    from hooking.context import HookContext
    from hooking.devices import Device
    from hooking.domain import Domain
    from hooking.identity import XmlIdentity
    from hooking.network import HookData, Network
    from hooking.points import Point

    Document = Union[Domain, Device, HookData, Any, None]
    """What a handler gets: a typed view, the value of a JSON document, or nothing."""

    View = TypeVar("View")

_ROOTS = {"domain": "domain", "network": "hookData", "port": "hookData"}


class Call:
    """One call of a host, read as far as it is asked for.

    Args:
        process: The process that the host started.
        context: What `read_context` said of it.
        by_hand: Whether the script itself writes the document back. Else `Hook` does, and this call is the one that
            `read_domain` and its kin speak of in a handler.
    """

    def __init__(self, process: Process, context: HookContext, *, by_hand: bool = True) -> None:
        global _current  # noqa: PLW0603 - there is one call a process
        _current = self
        self.process = process
        self.context = context
        self.by_hand = by_hand
        context.handed_over = self
        self._document: tuple[Document] | None = None
        self._unchanged = b""
        self._identity: XmlIdentity = ("", (), ())

    @property
    def carrier(self) -> str | None:
        """The file that holds the document, or `None` for standard input and output.

        Raises:
            DocumentError: VDSM's variable that names the file is not set.
        """
        if self.context.host == "libvirt":
            return None
        variable = "_hook_json" if self.context.point.is_json else "_hook_domxml"
        path = self.process.environ.get(variable)
        if not path:
            raise DocumentError(f"VDSM names the document's file in the variable {variable}, which is not set")
        return path

    @property
    def payload(self) -> bytes:
        """The document as the host handed it over; nothing where the hook point has none."""
        return self.process.payload(self.carrier) if self.context.point.document else b""

    @property
    def document(self) -> Document:
        """The document, parsed once.

        Raises:
            DocumentError: It is missing, malformed, hostile, or another than the hook point hands over.
        """
        if self._document is None:
            document = read_document(self.context.point, self.payload)
            self._document = (document,)
            self._unchanged = self._serialise(document)
            if document is not None and not self.context.point.is_json:
                from hooking.document import identify

                self._identity = identify(document.element)
        return self._document[0]

    @property
    def described(self) -> Domain | Network | None:
        """The guest or network that the document describes; `None` where it describes neither.

        Raises:
            DocumentError: As for `document`.
        """
        document: Any = self.document
        if self.context.point.document == "domain":
            domain: Domain = document
            return domain
        return document.network if self.context.point.document in ("network", "port") else None

    def reply(self, document: Document) -> bytes | None:
        """Return what goes back to the host, or `None` if ``document`` is as the host handed it over.

        Raises:
            ReadOnlyError: It was changed where the host ignores that.
            IdentityError: It was changed where it has to stay.
            DocumentError: It cannot be written.
        """
        self.document  # noqa: B018 - what the host handed over is the reference, also for who never read it
        data = self._serialise(document)
        if data == self._unchanged:
            return None
        point = self.context.point
        if point.reply is None:
            raise ReadOnlyError(
                f"the document was changed, but {point.host_title} ignores changes at {point.name}; do not make any"
            )
        from hooking import identity

        if point.is_json:
            identity.check_json(self.payload, data, merged=point.reply == "merged")
        else:
            from hooking.document import identify, parse

            identity.check_xml(self._identity, identify(parse(data)))
        return data

    def send(self, data: bytes) -> None:
        """Give ``data``, which `reply` returned, to the host."""
        self.process.answer(self.carrier, data)
        self._unchanged = data

    def _serialise(self, document: Document) -> bytes:
        if document is None:
            return b""
        if self.context.point.is_json:
            return _serialise_json(document)
        from hooking.document import serialise

        return serialise(document.element, declaration=self.payload.startswith(b"<?xml"))


def read_document(point: Point, data: bytes) -> Document:
    """Return the document ``data`` that the host hands over at ``point``; `None` where there is none or it is empty.

    Raises:
        DocumentError: It is missing, malformed, hostile, or another than the hook point hands over.
    """
    if not data.strip():
        if point.document is None or point.may_be_empty:
            return None
        raise DocumentError(
            f"{point.host_title} hands over a document ({point.document}) at {point.name}, but nothing came"
        )
    if point.is_json:
        return _parse_json(data, dict if point.document == "object" else list)
    from hooking.document import parse

    root = parse(data)
    if point.document in _ROOTS and root.tag != _ROOTS[point.document]:
        raise DocumentError(
            f"{point.host_title} hands over <{_ROOTS[point.document]}> at {point.name}, but <{root.tag!s}> came"
        )
    if point.document in ("network", "port"):
        from hooking import network

        return network.PortData(root) if point.document == "port" else network.HookData(root)
    if point.document == "domain":
        from hooking.domain import Domain

        return Domain(root)
    from hooking.devices import as_device

    return as_device(root)


def _parse_json(data: bytes, expected: type) -> Any:
    import json

    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"the document is not JSON that VDSM writes: {error}") from error
    if not isinstance(value, expected):
        raise DocumentError(f"VDSM hands over a JSON {expected.__name__} here, but a {type(value).__name__} came")
    return value


def _serialise_json(value: object) -> bytes:
    import json

    try:
        return json.dumps(value).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentError(f"the hook made a document that JSON cannot hold: {error}") from error


_current: Call | None = None


def _current_call() -> Call:
    process = _process.current()
    if _current is None or _current.process is not process:
        return Call(process, read_context(process))
    return _current


def current_context() -> HookContext:
    """Return the context of this script's call.

    Raises:
        InvocationError: No host started this script.
    """
    return _current_call().context


def read_domain() -> Domain:
    """Return the domain that the host handed over, from standard input or VDSM's file; each time the same object.

    Raises:
        DocumentError: It is missing, malformed or hostile.
        PointError: The hook point has no domain.
    """
    from hooking.domain import Domain

    return _read(Domain)


def read_device() -> Device | None:
    """Return the device that VDSM handed over, or `None` at the points where it may be empty.

    Raises:
        DocumentError: It is missing, malformed or hostile.
        PointError: The hook point has no device.
    """
    from hooking.devices import Device

    call = _current_call()
    return None if call.context.point.may_be_empty and call.document is None else _read(Device)


def read_hook_data() -> HookData:
    """Return what libvirt's network driver handed over; a `PortData` where a port is always present.

    Raises:
        DocumentError: It is missing, malformed or hostile.
        PointError: The hook point has no network.
    """
    from hooking.network import HookData

    return _read(HookData)


def write_domain(domain: Domain) -> None:
    """Give the domain back to the host, if it was changed. The next call under libvirt would be one too many.

    Raises:
        PointError: A handler of `Hook` called it; the document goes back when the handlers are done.
        ReadOnlyError: The host ignores changes at this hook point.
        IdentityError: The name, the UUID or the root element was changed; nothing was written.
        DocumentError: It cannot be written.
    """
    from hooking.domain import Domain

    _write(Domain, domain)


def write_device(device: Device) -> None:
    """Give the device back to VDSM, if it was changed. Errors are those of `write_domain`."""
    from hooking.devices import Device

    _write(Device, device)


def _read(view: type[View]) -> View:
    call = _current_call()
    document = call.document
    if not isinstance(document, view):
        point = call.context.point
        raise PointError(f"{point.name} hands over {point.document or 'no document'}, not a {view.__name__}")
    return document


def _write(view: type[View], document: View) -> None:
    call = _current_call()
    if not call.by_hand:
        raise PointError("a handler changes its document and returns; Hook writes it back")
    if not isinstance(document, view):
        raise DocumentError(f"a {view.__name__} goes back, not {document!r}")
    data = call.reply(document)
    if data is not None:
        call.send(data)
