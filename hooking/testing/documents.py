"""The documents that hosts hand over: samples of each kind, and what a request of a test makes of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hooking import points
from hooking.call import read_document
from hooking.document import parse, serialise
from hooking.domain import Domain
from hooking.exceptions import DocumentError, InvocationError
from hooking.network import HookData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Union

    from hooking.points import Point

    DocumentSource = Union[bytes, str, Path, dict[str, Any], list[Any], None]
    """XML or JSON as bytes or text, a file of it, or the value of a JSON document. `None`: a sample."""

SAMPLES = Path(__file__).with_name("samples")
"""Documents that hosts handed over, one for each kind; calls on a live libvirtd 9.0.0 where libvirt is the host."""

SAMPLE_VM_ID = "3573e29e-5de9-468a-9fae-16050c6b3dcc"


def sample(point: Point) -> bytes:
    """Return a document such as the host hands over at ``point``; nothing where there is none."""
    kind = "json" if point.is_json else "xml"
    driver = point.driver if point.document == "domain" else ""
    return _sample(point.op, driver, f"{point.document}.{kind}") if point.document else b""


def load(point: Point, source: DocumentSource) -> bytes:
    """Return the bytes of the document of a request. A bare ``<network>`` is put into a ``<hookData>``.

    Raises:
        InvocationError: The hook point hands over no document, or one of another kind.
        DocumentError: It cannot be read.
    """
    if source is None:
        return sample(point)
    if isinstance(source, (dict, list)):
        source = json.dumps(source)
    if isinstance(source, str) and source.strip() and source.lstrip()[0] not in "<{[":
        raise DocumentError(f"{source[:80]!r} is neither XML nor JSON; give a pathlib.Path for a file")
    data = source.read_bytes() if isinstance(source, Path) else source.encode() if isinstance(source, str) else source
    if point.document == "network" and data.lstrip().startswith(b"<network"):
        data = b"<hookData>%s</hookData>" % data
    if point.document is None and data.strip():
        raise InvocationError(f"{point.host_title} hands over no document at {point.name}")
    read_document(point, data)
    return data


def object_name(point: Point, document: bytes) -> str | None:
    """Return the name that libvirt gives as the object, or VDSM's ``vmId``; `None` where there is none."""
    if point.driver == "vdsm":
        if point.environ == "-":
            return None
        return Domain(parse(document)).uuid if point.document == "domain" and document.strip() else SAMPLE_VM_ID
    return _name(document) if document.strip() else None


def with_properties(point: Point, document: bytes, properties: Mapping[str, str]) -> bytes:
    """Return ``document`` with custom properties in its metadata, as libvirt hands them over.

    Raises:
        InvocationError: Nothing at this hook point has custom properties.
        InvalidValueError: A name or a value is none.
    """
    if not properties:
        return document
    if point.host == "vdsm":
        if point.environ == "-":
            raise InvocationError(f"VDSM gives no custom properties at {point.name}")
        return document
    if point.document is None:
        raise InvocationError(f"{point.name} has no document, which would hold custom properties")
    view = _view(document)
    described = view.network if isinstance(view, HookData) else view
    described.metadata.custom_properties = dict(properties)
    return serialise(view.element, declaration=False)


def _view(document: bytes) -> Domain | HookData:
    root = parse(document)
    return HookData(root) if root.tag == "hookData" else Domain(root)


@dataclass(frozen=True)
class Request:
    """One call that a test asks for, completed and found possible.

    Attributes:
        point: The hook point.
        document: What the host hands over.
        object: The name of the guest or network, or VDSM's ``vmId``.
        extra: libvirt's fourth argument.
    """

    point: Point
    document: bytes
    object: str | None
    extra: str


def request(
    name: str, document: DocumentSource, object_: str | None, extra: str | None, properties: Mapping[str, str]
) -> Request:
    """Complete what a test asks for: `None` stands for what the host most likely gives.

    Raises:
        PointError: There is no such hook point.
        InvocationError: No host makes such a call.
        DocumentError: The document is none of this hook point.
    """
    point = points.parse(name)
    data = with_properties(point, load(point, document), properties)
    if object_ is not None and object_name(point, data) is None:
        raise InvocationError(f"{point.name} is about no object, so object={object_!r} cannot be")
    first = "-" if point.extra == "REASON" else point.extra
    if extra is not None and (point.host == "vdsm" or point.extra not in ("REASON", extra)):
        raise InvocationError(f"extra={extra!r} cannot be at {point.name}, where it is {first!r}")
    return Request(point, data, object_ or object_name(point, data), first if extra is None else extra)


def taken(point: Point, before: bytes, answer: bytes | None, status: int) -> tuple[bytes, str]:
    """Return the document that the host goes on with, and why it cannot use the answer of a script, if so.

    Args:
        point: The hook point.
        before: What the host handed over.
        answer: What came back: from standard output, or what is in the file; `None` for nothing.
        status: How the script ended; VDSM reads its file whatever that was.
    """
    if point.reply is None or answer is None or answer == before:
        return before, ""
    if point.reply == "stdout":
        answer = answer.partition(b"\0")[0]  # libvirt takes it as a text of C
        if status or not answer.strip():
            return before, ""
    try:
        if point.reply == "stdout" and point.driver != "libxl":
            _check_stability(before, answer)
            return answer, ""
        document: Any = read_document(point, answer)
        if point.reply == "merged":
            return json.dumps({**json.loads(before), **document}).encode(), ""
    except DocumentError as error:
        return before, str(error)
    return answer, ""


def _check_stability(old: bytes, new: bytes) -> None:
    """Compare what libvirt compares first between an incoming guest and what a hook made of it."""
    for (what, before), (_, after) in zip(_stable_parts(old), _stable_parts(new)):
        if before != after:
            raise DocumentError(f"Target domain {what} {after} does not match source {before}")


@lru_cache(maxsize=128)
def _sample(op: str, driver: str, general: str) -> bytes:
    """Read the sample of the hook point or of the driver where there is one, else that of the kind of document."""
    kind = general.rpartition(".")[2]
    found = (path for path in (SAMPLES / f"{op}.{kind}", SAMPLES / f"{driver}.{kind}") if path.exists())
    return next(found, SAMPLES / general).read_bytes()


@lru_cache(maxsize=16)
def _stable_parts(document: bytes) -> list[tuple[str, object]]:
    domain = Domain(parse(document))
    return [
        ("root element", domain.element.tag),
        ("uuid", domain.uuid),
        ("name", domain.name),
        ("virt type", domain.type),
        ("max memory", domain.memory.bytes),
        ("vCPU count", domain.vcpu.count),
    ]


@lru_cache(maxsize=16)
def _name(document: bytes) -> str | None:
    view = _view(document)
    return view.network.name if isinstance(view, HookData) else view.name
