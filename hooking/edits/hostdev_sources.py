"""How a device of the host is named, and what then stands in the ``<source>`` of a ``<hostdev>``."""

from __future__ import annotations

from hooking.values import UUID, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from lxml import etree

    Source = dict[str, dict[str, str]]
    """The elements of a ``<source>``, each with its attributes."""


def is_from(device: etree._Element, source: Source) -> bool:
    """Return whether ``device`` has all that ``source`` says, however the numbers are written."""
    wanted = {(tag, name, _plain(value)) for tag, values in source.items() for name, value in values.items()}
    return wanted <= _facts(device)


def same_source(one: etree._Element, other: etree._Element) -> bool:
    """Return whether two ``<hostdev>`` are the same device of the host."""
    kinds = ([device.get(name) for name in ("mode", "type")] for device in (one, other))
    return next(kinds) == next(kinds) and _facts(one) == _facts(other)


def _facts(device: etree._Element) -> set[tuple[str, str, int | str]]:
    elements = list(device.iterfind("source/*"))
    found = [
        (str(each.tag), str(name), _plain(str(value)))
        for each in [*device.iterfind("source"), *elements]
        for name, value in [*each.items(), ("text", (each.text or "").strip())]
    ]
    facts = {fact for fact in found if fact[1] not in ("type", "startupPolicy") and fact[2] != ""}
    if not any("domain" in element.attrib for element in elements):
        facts.add(("address", "domain", 0))  # as libvirt reads a PCI address without
    return facts


def _plain(text: str) -> int | str:
    """``text`` as the number that libvirt reads (``0x10``, ``020``, ``16``), or without what UUIDs may differ in."""
    base = 16 if text[:2].lower() == "0x" else 8 if text[:1] == "0" else 10
    try:
        return int(text, base)
    except ValueError:
        return text.lower().replace("-", "")


def _within(text: str, highest: int, *, base: int = 10, lowest: int = 0) -> int:
    number = int(text, base)
    if not lowest <= number <= highest:
        raise ValueError(text)
    return number


def _pci(domain: str, bus: str, slot: str, function: str) -> Source:
    address = {
        "domain": f"0x{_within(domain, 0xFFFFFFFF, base=16):04x}",
        "bus": f"0x{_within(bus, 0xFF, base=16):02x}",
        "slot": f"0x{_within(slot, 0x1F, base=16):02x}",
        "function": f"0x{_within(function, 7, base=16):x}",
    }
    return {"address": address}


def _usb(bus: str, device: str = "") -> Source:
    if not device and bus.startswith("usb"):
        bus, device = bus[len("usb") :], "1"
    return {"address": {"bus": str(_within(bus, 999)), "device": str(_within(device, 999))}}


def _scsi(*numbers: str) -> Source:
    host, bus, target, unit = (str(_within(number, 2**32 - 1)) for number in numbers)
    return {"adapter": {"name": f"scsi_host{host}"}, "address": {"bus": bus, "target": target, "unit": unit}}


def _mdev(*parts: str) -> Source:
    return {"address": {"uuid": UUID.read("-".join(parts[:5]))}}  # newer versions of libvirt append the parent


_SOURCES: dict[str, Callable[..., Source]] = {"pci": _pci, "usb": _usb, "scsi": _scsi, "mdev": _mdev}


def _named(text: str) -> tuple[str, Source]:
    kind, *parts = text.split("_")
    return kind, _SOURCES[kind](*parts)


HOST_DEVICE: Final = Kind(
    "the name of a host device: pci_0000_0b_00_1, usb_2_8, scsi_2_0_6_0 or mdev_ and a UUID", _named
)
USB_ID: Final = Kind(
    "the ID of a USB vendor or product such as 0x1234",
    lambda text: f"0x{_within(text, 0xFFFF, base=16, lowest=1):04x}",
)
