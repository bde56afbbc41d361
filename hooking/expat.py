"""The hardened reader for `xml.dom.minidom` documents, without the cost of lxml."""

from __future__ import annotations

from xml.parsers import expat

from defusedxml.common import DefusedXmlException
from defusedxml.expatbuilder import DefusedExpatBuilderNS

from hooking.exceptions import DocumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from xml.dom import minidom

    from hooking.identity import XmlIdentity

DEEPEST = 256
"""Elements inside each other; libxml2 has the same limit."""

_XINCLUDE = "http://www.w3.org/2001/XInclude "


class _Builder(DefusedExpatBuilderNS):
    _depth = 0

    def __init__(self) -> None:
        super().__init__(forbid_dtd=True)

    def start_element_handler(self, name: str, attributes: Any) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise DocumentError(
                f"the document has more than {DEEPEST} elements inside each other; no host writes such a one"
            )
        if name.startswith(_XINCLUDE):
            raise DocumentError("the document asks to include another (XInclude); no host writes such a one")
        super().start_element_handler(name, attributes)

    def end_element_handler(self, name: str) -> None:
        self._depth -= 1
        super().end_element_handler(name)


def parse(data: bytes) -> minidom.Document:
    """Parse ``data``.

    Raises:
        DocumentError: It has a DOCTYPE, entities, external parts, XInclude, or is absurdly deep.
        xml.parsers.expat.ExpatError: It is not well-formed, or empty.
    """
    try:
        document: minidom.Document = _Builder().parseString(data)
    except DefusedXmlException as error:
        raise DocumentError(
            f"the document has a DOCTYPE or entities; no host writes such a one ({type(error).__name__})"
        ) from error
    except (LookupError, ValueError) as error:
        raise DocumentError(f"the document is in an encoding that no host writes: {error}") from error
    return document


def serialise(document: minidom.Document) -> bytes:
    """Return the bytes of ``document``, with an XML declaration."""
    parts = _Parts()
    document.writexml(parts, encoding="utf-8")
    text = "".join(_kept(part) if before.endswith('="') else part for before, part in zip(["", *parts], parts))
    return text.replace("\r", "&#13;").encode("utf-8", "xmlcharrefreplace")


class _Parts(list[str]):
    """What minidom wrote, piece by piece: the value of an attribute comes after one that ends in ``="``."""

    write = list[str].append


def _kept(value: str) -> str:
    """Keep line breaks and tabs in attributes; minidom before Python 3.13 writes them so that readers see blanks."""
    return value.replace("\t", "&#9;").replace("\n", "&#10;")


def identify(data: bytes) -> XmlIdentity:
    """Return what an edit must leave as it was in the document ``data``, without building it.

    Raises:
        DocumentError: It is not well-formed, or has a DOCTYPE.
    """
    depth = 0
    root: list[str] = []
    texts: dict[str, list[str]] = {"name": [], "uuid": []}

    def refuse_doctype(*_: object) -> None:
        raise DocumentError("the hook made a document with a DOCTYPE; no host reads such a one")

    def start(tag: str, _: object) -> None:
        nonlocal depth
        depth += 1
        if depth == 1:
            root.append(tag)
        elif depth == 2 and tag in texts:  # noqa: PLR2004 - a child of the root
            found = texts[tag]
            found.append("")
            parser.CharacterDataHandler = lambda text: found.append(found.pop() + text)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1
        if depth == 1:
            parser.CharacterDataHandler = None

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DocumentError(f"the hook made a document that is not XML: {error}") from error
    is_domain = root == ["domain"]
    return root[0], tuple(texts["name"]) if is_domain else (), tuple(texts["uuid"]) if is_domain else ()
