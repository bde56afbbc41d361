"""The devices of a guest of any kind: finding, adding, replacing and removing them."""

from __future__ import annotations

from hooking.devices import Device, as_device
from hooking.document import Attribute, Flag, child, own_text, parse, remove
from hooking.edits.hostdev_sources import same_source
from hooking.exceptions import InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from lxml import etree

    from hooking.domain import Domain

_IDENTITIES = {
    "channel": ("target/@name",),
    "controller": ("@type", "@index"),
    "disk": ("target/@dev",),
    "emulator": (),
    "filesystem": ("target/@dir",),
    "graphics": ("@type",),
    "interface": ("mac/@address",),
    "iommu": (),
    "memballoon": (),
    "smartcard": (),
    "tpm": (),
    "vsock": (),
    "watchdog": (),
}
"""What tells one device of a kind from another; a guest has one of those where nothing does."""

_PLUG = ("target/@bus", "@bus")


def find_devices(domain: Domain, kind: str, **properties: object) -> list[Device]:
    """Return the devices of a kind whose properties have given values: ``find_devices(domain, "disk", device="lun")``.

    See https://libvirt.org/formatdomain.html#devices.

    Args:
        domain: The guest.
        kind: The element's name, such as ``disk`` or ``hostdev``.
        **properties: Values of properties of the view, such as `Disk`; `None` stands for absent.

    Raises:
        InvalidValueError: The kind of device has no such property.
    """
    found = [device for device in domain.devices if device.kind == kind]
    return [device for device in found if all(_value(device, name) == value for name, value in properties.items())]


def remove_devices(domain: Domain, kind: str, **properties: object) -> None:
    """Remove the devices that `find_devices` finds.

    Raises:
        InvalidValueError: The kind of device has no such property, or a value is `None`, as of a custom property that
            is not set: that would remove all that lack it.
    """
    for name, value in properties.items():
        if value is None:
            raise InvalidValueError(f"{name}=None would remove each {kind} without {name}; give a value")
    for device in find_devices(domain, kind, **properties):
        remove(device.element)


def add_device(domain: Domain, xml: str) -> Device:
    """Add a device, or put it in the place of the one that it is, and return it: ``<rng model='virtio'>…</rng>``.

    A device is another if the host knows it by the same thing: an alias of the user's (``ua-…``), a disk's target, a
    network card's MAC address, a host device's source, a channel's or file system's name, a controller's type and
    index, the type of graphics, and of kinds of which a guest has one, such as ``watchdog``, the kind. One of any other
    kind is the same if it has all that ``xml`` says. What is the same and has all that ``xml`` says stays as it is.
    See https://libvirt.org/formatdomain.html#devices.

    Args:
        domain: The guest.
        xml: One element.

    Raises:
        DocumentError: It is not one element.
        InvalidValueError: Its boot order is that of another device.
    """
    given = parse(xml.encode())
    devices = child(domain.element, "devices")
    found = next((device for device in devices.iterchildren("*") if _is_same(device, given)), None)
    _check_boot_order(domain, given, found)
    if found is None:
        devices.append(given)
        return as_device(given)
    if _has_all(found, given):
        return as_device(found)
    same_plug = found.tag == given.tag and all(_text(found, path) == _text(given, path) for path in _PLUG)
    return replace_device(as_device(found), xml, keep=("address", "alias") if same_plug else ("alias",))


def replace_device(device: Device, xml: str, *, keep: Collection[str] = ("address", "alias")) -> Device:
    """Put another device, also of another kind, in the place of ``device``, and return it.

    See https://libvirt.org/formatdomain.html#devices.

    Args:
        device: The device; its view must not be used any more.
        xml: One element.
        keep: Children that stay where ``xml`` has none of their name.

    Raises:
        DocumentError: It is not one element.
    """
    given = parse(xml.encode())
    element = device.element
    kept = [part for part in element.iterchildren(*keep) if given.find(str(part.tag)) is None] if keep else []
    element.clear(keep_tail=True)
    element.tag = given.tag
    element.text = given.text
    element.attrib.update(given.attrib)
    element.extend([*given, *kept])
    return as_device(element)


def _value(device: Device, name: str) -> object:
    if not isinstance(getattr(type(device), name, None), (Attribute, Flag, property)):
        raise InvalidValueError(f"a {device.kind} has no property {name}; look into its .element")
    return getattr(device, name)


def _is_same(found: etree._Element, given: etree._Element) -> bool:
    alias = _text(given, "alias/@name")
    if alias is not None and alias == _text(found, "alias/@name"):
        return True
    if found.tag != given.tag:
        return False
    if given.tag == "hostdev":
        return same_source(found, given)
    paths = _IDENTITIES.get(str(given.tag))
    identity = [_text(given, path) for path in paths or ()]
    if paths is None or None in identity:
        return _has_all(found, given)
    return identity == [_text(found, path) for path in paths]


def _has_all(found: etree._Element, given: etree._Element) -> bool:
    return (
        found.tag == given.tag
        and dict(given.attrib).items() <= dict(found.attrib).items()
        and (own_text(given) or "").strip() in ("", (own_text(found) or "").strip())
        and all(any(_has_all(ours, part) for ours in found.iterchildren("*")) for part in given.iterchildren("*"))
    )


def _text(device: etree._Element, path: str) -> str | None:
    """The attribute at ``path``; a MAC address in lower case."""
    tags, _, name = path.rpartition("@")
    element = device.find(tags.rstrip("/") or ".")
    text = None if element is None else element.get(name)
    return text.lower() if text and tags == "mac/" else text


def _check_boot_order(domain: Domain, given: etree._Element, found: etree._Element | None) -> None:
    order = _text(given, "boot/@order")
    if order and domain.os.boot_devices:
        raise InvalidValueError(f"the boot order {order} of a device cannot stand beside <os><boot dev='…'/>; use one")
    others = [device for device in domain.devices if device.element is not found]
    taken = [device.xpath for device in others if order and _text(device.element, "boot/@order") == order]
    if taken:
        raise InvalidValueError(f"the boot order {order} of the new {given.tag!s} is already that of {taken[0]}")
