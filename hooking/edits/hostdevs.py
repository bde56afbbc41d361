"""The devices of the host that are given to a guest."""

from __future__ import annotations

from hooking.devices import HostDevice, Interface
from hooking.document import child, etree, only_child
from hooking.edits.hostdev_sources import HOST_DEVICE, USB_ID, is_from
from hooking.edits.interfaces import find_interface, stable_mac
from hooking.exceptions import InvalidValueError
from hooking.values import MAC, choice, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hooking.domain import Domain
    from hooking.edits.hostdev_sources import Source

_MODEL = choice("vfio-pci", "vfio-ccw", "vfio-ap")
_VLAN = whole_number(0, 4095)
_STARTUP = choice("mandatory", "requisite", "optional")


def find_hostdev(domain: Domain, name: str) -> HostDevice | Interface | None:
    """Return the device of the guest that is the host's device ``name``, a network card included, or `None`.

    See https://libvirt.org/formatdomain.html#host-device-assignment.

    Args:
        domain: The guest.
        name: ``pci_0000_0b_00_1``, ``scsi_2_0_6_0`` (host, bus, target, unit), ``mdev_`` with a UUID, or ``usb_2_8``
            with the bus and device that ``lsusb`` prints, and ``usb_usb2`` for the root hub of a bus.

    Raises:
        InvalidValueError: The name is none.
    """
    return _find(domain, *HOST_DEVICE.read(name))


def add_hostdev(domain: Domain, name: str, *, managed: bool = True, model: str = "vfio-pci") -> HostDevice:
    """Give a device of the host to the guest, and return it.

    ``<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x0b' slot='0x00'
    function='0x1'/></source></hostdev>``. See https://libvirt.org/formatdomain.html#host-device-assignment.

    Args:
        domain: The guest.
        name: The device, as for `find_hostdev`.
        managed: Whether libvirt takes a PCI device from the host's driver, and gives it back at the end.
        model: The model of a mediated device: ``vfio-pci``, ``vfio-ccw`` or ``vfio-ap``.

    Raises:
        InvalidValueError: The name or the model is none, or the guest has the device as a network card.
    """
    kind, source = HOST_DEVICE.read(name)
    _MODEL.read(model)
    device = _give(domain, kind, source)
    if kind == "pci":
        device.managed = "yes" if managed else "no"
    if kind == "mdev":
        device.model = model
    return device


def add_usb_hostdev(
    domain: Domain,
    vendor: str,
    product: str,
    *,
    startup_policy: Literal["mandatory", "requisite", "optional"] | None = None,
) -> HostDevice:
    """Give a USB device of the host to the guest, wherever it is plugged in, and return it.

    ``<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'><vendor id='0x1234'/><product
    id='0xbeef'/></source></hostdev>``. See https://libvirt.org/formatdomain.html#host-device-assignment.

    Args:
        domain: The guest.
        vendor: The vendor's ID, such as ``0x1234``.
        product: The product's ID.
        startup_policy: What to do where it is missing: ``mandatory`` fails (as without a policy), ``requisite`` fails
            only at start, ``optional`` drops the device. By default the policy stays.

    Raises:
        InvalidValueError: An ID or the policy is none.
    """
    source = {"vendor": {"id": USB_ID.read(vendor)}, "product": {"id": USB_ID.read(product)}}
    if startup_policy is not None:
        _STARTUP.read(startup_policy)
    device = _give(domain, "usb", source)
    device.startup_policy = startup_policy or device.startup_policy
    return device


def add_hostdev_interface(domain: Domain, name: str, *, mac: str | None = None, vlan: int | None = None) -> Interface:
    """Give a virtual function of a network card of the host to the guest, with MAC address and VLAN; return it.

    ``<interface type='hostdev' managed='yes'><mac address='…'/><source><address type='pci' domain='0x0000' bus='0x0b'
    slot='0x00' function='0x1'/></source><vlan><tag id='42'/></vlan></interface>``.
    See https://libvirt.org/formatdomain.html#pci-passthrough.

    Args:
        domain: The guest.
        name: The virtual function, as in ``pci_0000_0b_00_1``.
        mac: The MAC address; by default that of the card if it is there, else one that is the same at every start.
        vlan: The VLAN, from 0 to 4095; by default that of the card.

    Raises:
        InvalidValueError: The name, MAC address or VLAN is none, another card has the MAC address, or the guest has
            the device as a plain host device.
    """
    kind, source = HOST_DEVICE.read(name)
    if kind != "pci":
        raise InvalidValueError(f"{name!r} is no PCI device, and only such a one can be a network card")
    tag = None if vlan is None else _VLAN.write(vlan)
    found = _find(domain, kind, source)
    if isinstance(found, HostDevice):
        raise InvalidValueError(f"{found.xpath}: the guest has {name} as a plain host device; remove that first")
    address = MAC.read(mac or (found and found.mac) or stable_mac(domain, name))
    if find_interface(domain, address) not in (None, found):
        raise InvalidValueError(f"{address} is the MAC address of another network card of guest {domain.name}")
    typed = {"address": {"type": kind, **source["address"]}}
    interface = found or Interface(_new(domain, "interface", typed, type="hostdev", managed="yes"))
    interface.mac = address
    if tag is not None:
        only_child(only_child(interface.element, "vlan"), "tag").set("id", tag)
    return interface


def _give(domain: Domain, kind: str, source: Source) -> HostDevice:
    found = _find(domain, kind, source)
    if isinstance(found, Interface):
        raise InvalidValueError(f"{found.xpath}: the guest has the host device as a network card; remove that first")
    return found or HostDevice(_new(domain, "hostdev", source, mode="subsystem", type=kind))


def _new(domain: Domain, tag: str, source: Source, **attributes: str) -> etree._Element:
    device = etree.SubElement(child(domain.element, "devices"), tag, attributes)
    element = etree.SubElement(device, "source")
    for name, values in source.items():
        etree.SubElement(element, name, values)
    return device


def _find(domain: Domain, kind: str, source: Source) -> HostDevice | Interface | None:
    cards = [card for card in domain.interfaces if kind == "pci" and card.type == "hostdev"]
    devices = [device for device in domain.host_devices if device.type == kind]
    found: list[HostDevice | Interface] = [*devices, *cards]
    return next((device for device in found if is_from(device.element, source)), None)
