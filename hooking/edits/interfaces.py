"""The network cards of a guest."""

from __future__ import annotations

from zlib import crc32

from lxml import etree

from hooking.document import child, remove
from hooking.domain import Interface
from hooking.values import MAC, NAME, choice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hooking.domain import Domain

_TYPE = choice("network", "bridge")


def add_interface(
    domain: Domain,
    type: Literal["network", "bridge"],
    source: str,
    *,
    mac: str | None = None,
    model: str = "virtio",
) -> Interface:
    """Add a network card, or plug the one that already has the MAC address in there, and return it.

    ``<interface type='network'><mac address='…'/><source network='lan'/><model type='virtio'/></interface>``.
    See https://libvirt.org/formatdomain.html#network-interfaces.

    Args:
        domain: The guest.
        type: What the card is plugged into: a libvirt ``network`` or a ``bridge`` of the host.
        source: The name of that network or bridge.
        mac: The MAC address; by default one made of the guest's UUID and ``source``, so the same at every start.
        model: The model of the card.

    Raises:
        InvalidValueError: The type, a text or the MAC address is none.
    """
    _TYPE.read(type)
    for text in (source, model):
        NAME.read(text)
    address = MAC.read(mac) if mac else _stable_mac(domain, source)
    interface = find_interface(domain, address)
    if interface is None:
        interface = Interface(etree.SubElement(child(domain.element, "devices"), "interface"))
        interface.mac = address
    elif (interface.type, child(interface.element, "source").get(type)) != (type, source):
        for connection in [*interface.element.iterchildren("source", "virtualport")]:
            remove(connection)
    interface.type = type
    child(interface.element, "source").set(type, source)
    interface.model = model
    return interface


def remove_interface(domain: Domain, mac: str) -> None:
    """Remove the network card with a MAC address, in any case of letters; do nothing if there is none.

    Raises:
        InvalidValueError: The MAC address is none.
    """
    interface = find_interface(domain, mac)
    if interface is not None:
        remove(interface.element)


def find_interface(domain: Domain, mac: str) -> Interface | None:
    """Return the network card with a MAC address, in any case of letters, or `None`.

    Raises:
        InvalidValueError: The MAC address is none.
    """
    wanted = _octets(MAC.read(mac))
    return next((card for card in domain.interfaces if card.mac and _octets(card.mac) == wanted), None)


def remove_filter(interface: Interface, name: str | None = None) -> None:
    """Remove the network filter ``name`` of a card (``<filterref filter='name'>``), or every filter.

    See https://libvirt.org/formatnwfilter.html.
    """
    for reference in list(interface.element.iterchildren("filterref")):
        if name in (None, reference.get("filter")):
            remove(reference)


def _octets(mac: str) -> list[int]:
    return [int(octet, 16) for octet in mac.split(":")]


def _stable_mac(domain: Domain, source: str) -> str:
    """A MAC address with QEMU's prefix 52:54:00."""
    number = crc32(f"{domain.uuid or domain.name} {source}".encode())
    return "52:54:00:" + ":".join(f"{number >> shift & 0xFF:02x}" for shift in (16, 8, 0))
