"""What applications store with a guest."""

from __future__ import annotations

from hooking.document import parse, remove
from hooking.domain import OVIRT_NAMESPACE
from hooking.exceptions import InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.domain import Domain

_OF_OTHERS = (OVIRT_NAMESPACE, "http://ovirt.org/vm/tune/1.0")


def set_metadata(domain: Domain, xml: str) -> None:
    """Store an element in the guest's metadata, in the place of the one of the same namespace.

    ``<metadata><app:tag xmlns:app='https://app.example/1'>web</app:tag></metadata>``, as ``virsh metadata`` does.
    For custom properties there is `Metadata.custom_properties`.
    See https://libvirt.org/formatdomain.html#general-metadata.

    Args:
        domain: The guest.
        xml: The element as XML. libvirt keeps one of each namespace, and none without.

    Raises:
        DocumentError: It is not XML.
        InvalidValueError: The element has no namespace, or one of oVirt's, which belong to the Engine.
    """
    element = parse(xml.encode())
    namespace = _checked(element.nsmap.get(element.prefix))
    metadata = domain.metadata
    metadata.attach()
    present = list(metadata.element.iterchildren(f"{{{namespace}}}*"))
    if present:
        element.tail = present[0].tail
        metadata.element.replace(present[0], element)
    else:
        metadata.element.append(element)
    for other in present[1:]:
        remove(other)


def remove_metadata(domain: Domain, namespace: str) -> None:
    """Remove what is stored under a namespace in the guest's metadata.

    See https://libvirt.org/formatdomain.html#general-metadata.

    Raises:
        InvalidValueError: The namespace is empty, or one of oVirt's, which belong to the Engine.
    """
    for element in list(domain.metadata.element.iterchildren(f"{{{_checked(namespace)}}}*")):
        remove(element)


def _checked(namespace: str | None) -> str:
    if not namespace:
        raise InvalidValueError("an element of metadata needs a namespace of its own; libvirt drops any other")
    if namespace in _OF_OTHERS:
        raise InvalidValueError(f"the metadata of {namespace} belongs to oVirt's Engine; use a namespace of your own")
    return namespace
