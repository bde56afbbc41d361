"""A VM of a simulated VDSM host: its document, and what VDSM takes from that and puts there."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from uuid import uuid4
from xml.etree import ElementTree as ET

from defusedxml.ElementTree import fromstring

from hooking.devices import Device, Disk, as_device
from hooking.document import child, parse, remove, serialise
from hooking.domain import OVIRT_NAMESPACE, Domain
from hooking.exceptions import InvocationError
from hooking.testing.documents import SAMPLE_VM_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_FORMATS = {"qcow2": "cow", "cow": "qcow2"}

ET.register_namespace("ovirt-vm", OVIRT_NAMESPACE)
ET.register_namespace("ovirt-tune", "http://ovirt.org/vm/tune/1.0")


@dataclass
class Vm:
    """A VM of a simulated VDSM host.

    Attributes:
        document: The ``<domain>`` as VDSM last took it.
        custom_properties: Its custom properties.
        device_properties: The custom properties of its devices, each by MAC address, target (``sda``) or alias.
        up: Whether it runs.
        known_devices: The devices whose XML VDSM has at hand: those that were hotplugged or came by migration. Of the
            others it hands over an empty document once the VM is started.
        id: What the scripts find in ``vmId``: its UUID, whatever hooks make of the document.

    Raises:
        InvocationError: A device with custom properties is not in the document.
    """

    document: bytes
    custom_properties: Mapping[str, str] = field(default_factory=dict[str, str])
    device_properties: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, dict[str, str]])
    up: bool = False
    known_devices: frozenset[str] = frozenset()
    id: str = ""

    def __post_init__(self) -> None:
        self.id = self.id or self.domain.uuid or SAMPLE_VM_ID
        for name in self.device_properties:
            self._find(self.domain, name)

    @property
    def domain(self) -> Domain:
        """A view of the document, whose changes go nowhere."""
        return Domain(parse(self.document))

    @property
    def custom_devices(self) -> list[str]:
        """The devices with custom properties, in the order of the document, by the names in ``device_properties``."""
        return [name for device in self.domain.devices for name in names(device) if name in self.device_properties]

    @property
    def drives(self) -> list[str]:
        """The targets of its disks that VDSM prepares: no CD-ROM and no floppy."""
        disks = (disk for disk in self.domain.disks if disk.device in (None, "disk", "lun"))
        return [disk.target_dev for disk in disks if disk.target_dev]

    def device(self, name: str) -> bytes:
        """Return the XML of the device ``name``.

        Raises:
            InvocationError: There is none.
        """
        return serialise(deepcopy(self._find(self.domain, name).element), declaration=False)

    def properties(self, name: str) -> Mapping[str, str]:
        """Return the custom properties of the device ``name``, whichever of its names they are stored by."""
        own = names(self._find(self.domain, name))
        return self.device_properties.get(next((key for key in own if key in self.device_properties), ""), {})

    def is_disk(self, name: str) -> bool:
        """Tell whether the device ``name`` is a disk."""
        return isinstance(self._find(self.domain, name), Disk)

    def add_device(self, device: bytes, properties: Mapping[str, str] | None = None) -> None:
        """Put a device behind the others; one that nothing can be known by gets an alias, as libvirt gives it one."""
        domain = self.domain
        element = parse(device)
        child(domain.element, "devices").append(element)
        view = as_device(element)
        if not names(view):
            view.alias = f"ua-{uuid4()}"
        self._keep(domain)
        self.known_devices |= frozenset(names(view))
        if properties:
            self.device_properties = {**self.device_properties, names(view)[0]: properties}

    def remove_device(self, name: str) -> None:
        """Remove the device ``name``, and its custom properties."""
        domain = self.domain
        found = self._find(domain, name)
        own = names(found)
        remove(found.element)
        self._keep(domain)
        self.device_properties = {key: value for key, value in self.device_properties.items() if key not in own}

    def replace_device(self, name: str, device: bytes) -> None:
        """Put ``device`` in the place of ``name``, at the end as VDSM does, with its custom properties."""
        properties = self.properties(name)
        known = self.known_devices
        self.remove_device(name)
        self.add_device(device, properties)
        self.known_devices = known

    def drive(self, name: str) -> dict[str, Any]:
        """Return the disk ``name`` as VDSM's own description, which ``after_disk_prepare`` gets."""
        disk = self._disk(self.domain, name)
        image = disk.driver_type or "raw"
        return {
            "diskType": disk.type or "file",
            "path": disk.source_dev if disk.type == "block" else disk.source_file,
            "format": _FORMATS.get(image, image),
            "device": disk.device or "disk",
            "iface": disk.target_bus,
            "name": name,
        }

    def update_drive(self, name: str, drive: Mapping[str, Any]) -> None:
        """Take type, path and format of a disk from VDSM's description of it."""
        domain = self.domain
        disk = self._disk(domain, name)
        disk.type = drive["diskType"]
        disk.driver_type = _FORMATS.get(drive["format"], drive["format"])
        is_block = drive["diskType"] == "block"
        disk.source_dev, disk.source_file = (drive["path"], None) if is_block else (None, drive["path"])
        self._keep(domain)

    def set_vcpus(self, count: int) -> None:
        """Let ``count`` virtual CPUs be online."""
        domain = self.domain
        domain.vcpu.current = count
        self._keep(domain)

    def _keep(self, domain: Domain) -> None:
        self.document = serialise(domain.element, declaration=False)

    @staticmethod
    def _find(domain: Domain, name: str) -> Device:
        for device in domain.devices:
            if name in names(device):
                return device
        raise InvocationError(f"the VM has no device {name!r}; name one by its MAC address, target or alias")

    @staticmethod
    def _disk(domain: Domain, name: str) -> Disk:
        return next(disk for disk in domain.disks if disk.target_dev == name)


def names(device: Device) -> list[str]:
    """Return what ``device`` can be known by: its MAC address, target and alias, as far as it has them."""
    own = getattr(device, "mac", None), getattr(device, "target_dev", None), device.alias
    return [name for name in own if name]


def as_vdsm_writes(document: bytes) -> bytes:
    """Return an XML document as VDSM hands it over.

    ElementTree wrote it: comments are gone, and prefixes other than oVirt's own became ``ns0``, ``ns1``, …, also
    ``qemu``.
    """
    parse(document)  # says in one line what is wrong with it
    written: bytes = ET.tostring(fromstring(document), encoding="utf-8", xml_declaration=True)
    return written
