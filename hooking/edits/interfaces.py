"""The network cards of a guest."""

from __future__ import annotations

from zlib import crc32

from hooking.devices import Interface
from hooking.document import child, etree, only_child, remove
from hooking.exceptions import InvalidValueError
from hooking.values import MAC, NAME, TAG, choice, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Literal

    from hooking.domain import Domain

_TYPE = choice("network", "bridge")
_RATE = whole_number(1, 2**64 - 1)
_RATES = {"inbound": ("average", "peak", "burst", "floor"), "outbound": ("average", "peak", "burst")}
_FILTERED = ("network", "bridge", "ethernet")


def add_interface(
    domain: Domain,
    type: Literal["network", "bridge"],
    source: str,
    *,
    mac: str | None = None,
    model: str | None = None,
) -> Interface:
    """Add a network card, or plug the one that already has the MAC address in there, and return it.

    ``<interface type='network'><mac address='…'/><source network='lan'/><model type='virtio'/></interface>``.
    See https://libvirt.org/formatdomain.html#network-interfaces.

    Args:
        domain: The guest.
        type: What the card is plugged into: a libvirt ``network`` or a ``bridge`` of the host.
        source: The name of that network or bridge.
        mac: The MAC address; by default one made of the guest's UUID and ``source``, so the same at every start.
        model: The model of the card; by default what it is, or ``virtio``.

    Raises:
        InvalidValueError: The type, a text or the MAC address is none, or the card is a device of the host.
    """
    _TYPE.read(type)
    for text in (source, "virtio" if model is None else model):
        NAME.read(text)
    address = stable_mac(domain, source) if mac is None else MAC.read(mac)
    interface = find_interface(domain, address)
    if interface is None:
        interface = Interface(etree.SubElement(child(domain.element, "devices"), "interface"))
        interface.mac = address
    set_source(interface, type, source)
    interface.model = model or interface.model or "virtio"
    return interface


def remove_interface(domain: Domain, mac: str) -> None:
    """Remove every network card with a MAC address, in any case of letters; do nothing if there is none.

    Raises:
        InvalidValueError: The MAC address is none.
    """
    while interface := find_interface(domain, mac):
        remove(interface.element)


def find_interface(domain: Domain, mac: str) -> Interface | None:
    """Return the network card with a MAC address, in any case of letters, or `None`.

    Raises:
        InvalidValueError: The MAC address is none.
    """
    wanted = _octets(MAC.read(mac))
    return next((card for card in domain.interfaces if card.mac and _octets(card.mac) == wanted), None)


def set_source(
    interface: Interface, type: Literal["network", "bridge"], source: str, *, portgroup: str | None = None
) -> None:
    """Plug a card in elsewhere: ``<interface type='network'><source network='lan' portgroup='gold'/></interface>``.

    Nothing is left of where it was plugged in, virtual port included; a card that is there already stays as it is.
    See https://libvirt.org/formatdomain.html#network-interfaces.

    Args:
        interface: The card.
        type: What it is plugged into: a libvirt ``network`` or a ``bridge`` of the host.
        source: The name of that network or bridge.
        portgroup: The port group of a network; by default the one that the card has there.

    Raises:
        InvalidValueError: The type or a text is none, the card is a device of the host, or a bridge has no port groups.
    """
    _TYPE.read(type)
    for text in (source, portgroup or source):
        NAME.read(text)
    if interface.type == "hostdev":
        raise InvalidValueError(f"{interface.xpath}: the card is a device of the host; remove it and add another")
    if portgroup and type == "bridge":
        raise InvalidValueError(f"{interface.xpath}: a bridge has no port group {portgroup!r}; only a network has")
    if type == "bridge" and interface.element.find("bandwidth/inbound[@floor]") is not None:
        raise InvalidValueError(
            f"{interface.xpath}: a bridge has no floor of bandwidth; call set_bandwidth without first"
        )
    element = only_child(interface.element, "source")
    if (interface.type, element.get(type)) != (type, source):
        element.clear(keep_tail=True)
        for virtualport in [*interface.element.iterchildren("virtualport")]:
            remove(virtualport)
    interface.type = type
    element.set(type, source)
    interface.source_portgroup = portgroup or interface.source_portgroup


def set_bandwidth(
    interface: Interface,
    *,
    inbound: Mapping[str, int | str] | None = None,
    outbound: Mapping[str, int | str] | None = None,
) -> None:
    """Limit how much a card receives and sends: ``<bandwidth><inbound average='1000' peak='5000'/></bandwidth>``.

    See https://libvirt.org/formatdomain.html#quality-of-service.

    Args:
        interface: The card.
        inbound: What it receives: ``average`` and ``peak`` in KiB per second, ``burst`` in KiB, ``floor`` (of a network
            only) in KiB per second. Nothing in it removes the limit; without it the limit stays.
        outbound: What it sends, likewise, without ``floor``.

    Raises:
        InvalidValueError: A name or number is none, or both ``average`` and ``floor`` are missing. libvirt takes whole
            numbers only, and would silently take an average of 0 for no limit.
    """
    given = {"inbound": inbound, "outbound": outbound}
    limits = {way: _checked(interface, way, rates) for way, rates in given.items() if rates is not None}
    bandwidth = only_child(interface.element, "bandwidth")
    for way, rates in limits.items():
        limit = only_child(bandwidth, way)
        limit.clear(keep_tail=True)
        limit.attrib.update(rates)
        if not rates:
            remove(limit)
    if not len(bandwidth):
        remove(bandwidth)


def _checked(interface: Interface, way: str, rates: Mapping[str, int | str]) -> dict[str, str]:
    texts = {choice(*_RATES[way]).read(name): str(_RATE.read(str(rate))) for name, rate in rates.items()}
    if texts and "average" not in texts and [*texts] != ["floor"]:
        raise InvalidValueError(f"{interface.xpath}: {', '.join(texts)} of a bandwidth need an average, {way} has none")
    if "floor" in texts and interface.type != "network":
        raise InvalidValueError(
            f"{interface.xpath}: a bandwidth's floor ({texts['floor']}) needs a card in a network, not {interface.type}"
        )
    return texts


def set_filter(interface: Interface, name: str, parameters: Iterable[tuple[str, str]] = ()) -> None:
    """Filter what goes through a card, in the place of any other filter: libvirt heeds one alone.

    ``<filterref filter='clean-traffic'><parameter name='IP' value='192.0.2.7'/></filterref>``.
    See https://libvirt.org/formatdomain.html#network-interfaces and https://libvirt.org/formatnwfilter.html.

    Args:
        interface: The card; its type is ``network``, ``bridge`` or ``ethernet``.
        name: The name of the filter.
        parameters: Names and values of variables of the filter; a name may come more than once.

    Raises:
        InvalidValueError: The name is none, or libvirt would silently drop the filter (a card of another type) or the
            parameter (other characters than English letters, digits and ``_``, in values also ``.`` and ``:``).
    """
    TAG.read(name)
    pairs = [(_variable(variable), _variable(value, ".:")) for variable, value in parameters]
    if interface.type not in _FILTERED:
        raise InvalidValueError(
            f"{interface.xpath}: libvirt filters cards of type {', '.join(_FILTERED)}, and ignores filter {name!r} of"
            f" type {interface.type}"
        )
    reference = only_child(interface.element, "filterref")
    reference.clear(keep_tail=True)
    reference.set("filter", name)
    for variable, value in pairs:
        etree.SubElement(reference, "parameter", name=variable, value=value)


def _variable(text: str, others: str = "") -> str:
    letters = text.translate(dict.fromkeys(map(ord, "_" + others), "0"))
    if not (letters.isascii() and letters.isalnum()):
        raise InvalidValueError(f"{text!r} is not made of English letters, digits and any of _{others}")
    return text


def remove_filter(interface: Interface, name: str | None = None) -> None:
    """Remove the network filter ``name`` of a card (``<filterref filter='name'>``), or every filter.

    See https://libvirt.org/formatnwfilter.html.
    """
    for reference in list(interface.element.iterchildren("filterref")):
        if name in (None, reference.get("filter")):
            remove(reference)


def _octets(mac: str) -> list[int]:
    return [int(octet, 16) for octet in mac.split(":")]


def stable_mac(domain: Domain, source: str) -> str:
    """Return a MAC address with QEMU's prefix 52:54:00, the same for the same guest and ``source``."""
    number = crc32(f"{domain.uuid or domain.name} {source}".encode())
    return "52:54:00:" + ":".join(f"{number >> shift & 0xFF:02x}" for shift in (16, 8, 0))
