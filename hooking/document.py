"""XML documents: the hardened lxml reader, typed attributes, and the way back to bytes."""

from __future__ import annotations

from hooking._typing import Generic, T
from hooking.exceptions import DocumentError, HookError, InvalidValueError

try:
    from lxml import etree as etree  # noqa: PLC0414 - for the rooms above, which then say so too
except ImportError as error:  # a bundle brings all but this along
    raise HookError("this hook needs lxml: apt install python3-lxml, or dnf install python3-lxml") from error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, TypeVar, overload

    from typing_extensions import Self

    from hooking.identity import XmlIdentity

    S = TypeVar("S")

    class ValueKind(Protocol[S]):
        """How a value is read from text and written as text; both raise `InvalidValueError`."""

        def read(self, text: str) -> S:
            """Return the value for ``text``."""
            ...

        def write(self, value: S) -> str:
            """Return the text for ``value``."""
            ...


_XINCLUDE = "{http://www.w3.org/2001/XInclude}*"


def parse(data: bytes) -> etree._Element:
    """Parse ``data`` and return the root element.

    Raises:
        DocumentError: It is not well-formed, has a DOCTYPE, XInclude, or is absurdly deep.
    """
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, collect_ids=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise DocumentError(f"the document is not XML that a host writes: {error.msg}") from error
    if root.getroottree().docinfo.doctype:
        raise DocumentError("the document has a DOCTYPE; no host writes such a one")
    if next(root.iter(_XINCLUDE), None) is not None:
        raise DocumentError("the document asks to include another (XInclude); no host writes such a one")
    return root


def serialise(root: etree._Element, *, declaration: bool) -> bytes:
    """Return the document of ``root`` as UTF-8, with what stands before and after the root element."""
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=declaration)


def indented(data: bytes) -> str:
    """Return the document ``data`` with one element a line and its attributes in alphabetical order, to be compared.

    Raises:
        DocumentError: It cannot be parsed.
    """
    root = parse(data)
    for element in root.iter(etree.Element):
        attributes = sorted(element.items())
        element.attrib.clear()
        element.attrib.update(attributes)
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


def identify(root: etree._Element) -> XmlIdentity:
    """Return what an edit of the document must leave as it was."""
    if root.tag != "domain":
        return str(root.tag), (), ()
    names, uuids = (
        tuple(etree.tostring(found, method="text", encoding="unicode", with_tail=False) for found in root.findall(tag))
        for tag in ("name", "uuid")
    )
    return "domain", names, uuids


class Element:
    """A typed view of one XML element. Its properties read and write the element itself; nothing is stored beside it.

    Attributes:
        element: The lxml element, for all that has no property.
    """

    __slots__ = ("_parent", "element")

    def __init__(self, element: etree._Element, parent: etree._Element | None = None) -> None:
        self.element = element
        self._parent = parent

    @classmethod
    def within(cls, parent: etree._Element, tag: str) -> Self:
        """Return a view of the child ``tag`` of ``parent``. An absent child is added when a property is first set."""
        found = find(parent, tag)
        return cls(etree.Element(tag), parent) if found is None else cls(found)

    def attach(self) -> None:
        """Add the element to its parent if it was absent."""
        if self._parent is not None:
            self._parent.append(self.element)
            self._parent = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Element) and other.element is self.element

    def __hash__(self) -> int:
        return hash(self.element)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.xpath}>"

    @property
    def xpath(self) -> str:
        """Where the element stands, or would stand."""
        return _path(self.element) if self._parent is None else _path(self._parent) + _path(self.element)


class Attribute(Generic[T]):
    """A property of an `Element` that stands for an attribute or a text below it.

    ``None`` stands for absent: reading what is absent gives it, and assigning it removes the attribute and the elements
    that this leaves empty. Of several equal elements the first counts, as it does for libvirt.

    Args:
        path: ``@type``, ``mac/@address``, or for a text ``title``; an empty text path is the element's own text.
        kind: What values are allowed.

    Raises:
        InvalidValueError: On reading and on assigning; the message has the XPath, the value and the rule.
    """

    __slots__ = ("_attribute", "_kind", "_tags", "path")

    def __init__(self, path: str, kind: ValueKind[T]) -> None:
        self.path = path
        self._kind = kind
        elements, _, attribute = path.partition("@")
        self._attribute = attribute
        self._tags = [tag for tag in elements.split("/") if tag]

    if TYPE_CHECKING:

        @overload
        def __get__(self, view: None, owner: Any) -> Self: ...
        @overload
        def __get__(self, view: Element, owner: Any) -> T | None: ...

    def __get__(self, view: Element | None, owner: Any) -> Self | T | None:
        if view is None:
            return self
        element = self._find(view.element)
        text = None if element is None else element.get(self._attribute) if self._attribute else own_text(element)
        if text is None:
            return None
        try:
            return self._kind.read(text)
        except InvalidValueError as error:
            raise self._located(view, error) from error

    def __set__(self, view: Element, value: T | None) -> None:
        if value is None:
            self._remove(view.element)
            return
        try:
            text = self._kind.write(value)
        except InvalidValueError as error:
            raise self._located(view, error) from error
        view.attach()
        element = view.element
        for tag in self._tags:
            found = next(element.iterchildren(tag), None)  # child(), where it counts: hooks set things in loops
            element = etree.SubElement(element, tag) if found is None else found
        if self._attribute:
            element.set(self._attribute, text)
        else:
            set_own_text(element, text)

    def _find(self, element: etree._Element | None) -> etree._Element | None:
        for tag in self._tags:
            if element is None:
                return None
            element = find(element, tag)
        return element

    def _remove(self, root: etree._Element) -> None:
        """Remove the value, and again where that brings to light a second element, which libvirt would read then."""
        while (found := self._find(root)) is not None:
            if self._attribute:
                found.attrib.pop(self._attribute, None)
            else:
                set_own_text(found, None)
            element = found
            while element is not root and not len(element) and not element.attrib and not (element.text or "").strip():
                element, empty = _parent(element), element
                remove(empty)
            if element is found:
                return

    def _located(self, view: Element, error: InvalidValueError) -> InvalidValueError:
        return InvalidValueError(f"{'/'.join(filter(None, [view.xpath, self.path]))}: {error}")


class Flag:
    """A property of an `Element` that is true while an empty element such as ``<readonly/>`` stands below it."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    if TYPE_CHECKING:

        @overload
        def __get__(self, view: None, owner: Any) -> Self: ...
        @overload
        def __get__(self, view: Element, owner: Any) -> bool: ...

    def __get__(self, view: Element | None, owner: Any) -> Self | bool:
        return self if view is None else find(view.element, self.path) is not None

    def __set__(self, view: Element, value: bool) -> None:
        if value:
            child(view.element, self.path)
        for element in [] if value else list(view.element.iterchildren(self.path)):
            remove(element)


def own_text(element: etree._Element) -> str | None:
    """Return the text of ``element`` itself, in one piece whatever comments or elements interrupt it."""
    if not len(element):
        return element.text
    return "".join([element.text or "", *(child.tail or "" for child in element)]) or None


def set_own_text(element: etree._Element, text: str | None) -> None:
    """Let ``text`` be all that `own_text` finds."""
    element.text = text
    for child in element:
        child.tail = None


def find(parent: etree._Element, tag: str) -> etree._Element | None:
    """Return the first child ``tag`` of ``parent``, or `None`, in half the time of lxml's own ``find``."""
    return next(parent.iterchildren(tag), None)


def child(parent: etree._Element, tag: str) -> etree._Element:
    """Return the first child ``tag`` of ``parent``, which is added if there is none."""
    found = find(parent, tag)
    return etree.SubElement(parent, tag) if found is None else found


def merged_child(parent: etree._Element, tag: str) -> etree._Element:
    """Return the first child ``tag`` of ``parent``, which takes in all others; it is added if there is none."""
    kept = child(parent, tag)
    for other in list(kept.itersiblings(tag)):
        kept.extend(list(other))
        remove(other)
    return kept


def only_child(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    """Return the first child ``tag`` of ``parent`` with these attributes, without others; added if there is none."""
    wanted = attributes.items()
    found = [element for element in parent.iterchildren(tag) if wanted <= dict(element.attrib).items()]
    kept, *others = found or [etree.SubElement(parent, tag, attributes)]
    for other in others:
        remove(other)
    return kept


def remove(element: etree._Element) -> None:
    """Remove ``element`` from its document, and leave the text behind it."""
    parent = _parent(element)
    tail = element.tail
    if tail and not tail.isspace():
        before = element.getprevious()
        if before is None:
            parent.text = (parent.text or "") + tail
        else:
            before.tail = (before.tail or "") + tail
    parent.remove(element)


def _parent(element: etree._Element) -> etree._Element:
    parent = element.getparent()
    if parent is None:
        raise DocumentError(f"{_path(element)} is the root of the document and cannot be removed")
    return parent


def _path(element: etree._Element) -> str:
    return element.getroottree().getpath(element)
