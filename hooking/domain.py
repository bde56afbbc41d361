"""Typed views of a ``<domain>`` and its devices, in libvirt's own words.

Every property follows https://libvirt.org/formatdomain.html; its path stands in its declaration. What has no property
yet is reached through ``.element``.
"""

from __future__ import annotations

from lxml import etree

from hooking.document import Attribute, Element, Flag, own_text
from hooking.exceptions import DocumentError
from hooking.values import CPUSET, MAC, MEMORY_UNIT, TAG, TEXT, UNSIGNED, choice, unit_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

OUR_NAMESPACE: Final = "urn:libvirt-hooking:1"
"""Namespace of the custom properties in ``<metadata>``: ``virsh metadata GUEST --uri urn:libvirt-hooking:1 …``."""

OVIRT_NAMESPACE: Final = "http://ovirt.org/vm/1.0"
"""Namespace of oVirt's own metadata, which holds the custom properties that the Engine set."""


class Metadata(Element):
    """The ``<metadata>`` of a domain or network: at most one element of each namespace counts."""

    __slots__ = ()

    def find(self, namespace: str) -> etree._Element | None:
        """Return the element of ``namespace``, or `None`."""
        return self.element.find(f"{{{namespace}}}*")

    @property
    def custom_properties(self) -> dict[str, str]:
        """The custom properties: oVirt's, and ours (`OUR_NAMESPACE`) before them."""
        ovirt, ours = self.find(OVIRT_NAMESPACE), self.find(OUR_NAMESPACE)
        custom = None if ovirt is None else ovirt.find(f"{{{OVIRT_NAMESPACE}}}custom")
        return {**_properties(custom), **_properties(ours)}

    @custom_properties.setter
    def custom_properties(self, properties: Mapping[str, str]) -> None:
        """Replace our own element; oVirt's belongs to the Engine.

        Raises:
            InvalidValueError: A name is no XML name without colon, or a value is no text.
        """
        texts = {TAG.read(name): TEXT.read(value) for name, value in properties.items()}
        ours = self.find(OUR_NAMESPACE)
        if ours is None:
            self.attach()
            ours = etree.SubElement(self.element, f"{{{OUR_NAMESPACE}}}properties", nsmap={"hooking": OUR_NAMESPACE})
        for child in list(ours):
            ours.remove(child)
        for name, text in texts.items():
            etree.SubElement(ours, f"{{{OUR_NAMESPACE}}}{name}").text = text


def _properties(element: etree._Element | None) -> dict[str, str]:
    if element is None:
        return {}
    return {str(child.tag).rpartition("}")[2]: (own_text(child) or "").strip() for child in element.iterchildren("*")}


class Memory(Element):
    """An amount of memory: ``<memory unit='KiB'>``."""

    __slots__ = ()

    amount = Attribute("", UNSIGNED)
    unit = Attribute("@unit", MEMORY_UNIT)

    @property
    def bytes(self) -> int | None:
        """The amount in bytes, whatever the unit. It is written in KiB, rounded up, as libvirt itself does."""
        return None if self.amount is None else self.amount * unit_bytes(self.unit or "KiB")

    @bytes.setter
    def bytes(self, value: int) -> None:
        self.amount = -(-value // 1024)
        self.unit = "KiB"


class Vcpu(Element):
    """The element ``<vcpu>``: how many virtual CPUs the guest has, and where they run."""

    __slots__ = ()

    count = Attribute("", UNSIGNED)
    current = Attribute("@current", UNSIGNED)
    placement = Attribute("@placement", choice("static", "auto"))
    cpuset = Attribute("@cpuset", CPUSET)


class Device(Element):
    """A child of ``<devices>`` of any kind."""

    __slots__ = ()

    alias = Attribute("alias/@name", TEXT)
    boot_order = Attribute("boot/@order", UNSIGNED)

    @property
    def kind(self) -> str:
        """The element's name, as in ``interface``, ``disk`` or ``hostdev``."""
        return str(self.element.tag)


class Interface(Device):
    """An ``<interface>``: a network card of the guest."""

    __slots__ = ()

    type = Attribute("@type", TEXT)
    mac = Attribute("mac/@address", MAC)
    source_network = Attribute("source/@network", TEXT)
    source_bridge = Attribute("source/@bridge", TEXT)
    source_dev = Attribute("source/@dev", TEXT)
    target_dev = Attribute("target/@dev", TEXT)
    model = Attribute("model/@type", TEXT)
    filter = Attribute("filterref/@filter", TEXT)
    link_state = Attribute("link/@state", choice("up", "down"))
    mtu = Attribute("mtu/@size", UNSIGNED)


class Disk(Device):
    """A ``<disk>``: a disk, CD-ROM, floppy or LUN of the guest."""

    __slots__ = ()

    type = Attribute("@type", TEXT)
    device = Attribute("@device", choice("disk", "cdrom", "floppy", "lun"))
    source_file = Attribute("source/@file", TEXT)
    source_dev = Attribute("source/@dev", TEXT)
    target_dev = Attribute("target/@dev", TEXT)
    target_bus = Attribute("target/@bus", TEXT)
    driver_name = Attribute("driver/@name", TEXT)
    driver_type = Attribute("driver/@type", TEXT)
    driver_cache = Attribute("driver/@cache", TEXT)
    serial = Attribute("serial", TEXT)
    readonly = Flag("readonly")
    shareable = Flag("shareable")


class Domain(Element):
    """A ``<domain>``: a guest. Its name and UUID are fixed; a write-back that changed them is refused."""

    __slots__ = ()

    type = Attribute("@type", TEXT)
    id = Attribute("@id", UNSIGNED)
    title = Attribute("title", TEXT)
    description = Attribute("description", TEXT)

    @property
    def name(self) -> str:
        """The guest's name.

        Raises:
            DocumentError: There is none.
        """
        name = self.element.findtext("name")
        if not name:
            raise DocumentError("/domain has no <name>; every host writes one")
        return name

    @property
    def uuid(self) -> str | None:
        """The guest's UUID."""
        return self.element.findtext("uuid")

    @property
    def memory(self) -> Memory:
        """The guest's memory at start."""
        return Memory.within(self.element, "memory")

    @property
    def current_memory(self) -> Memory:
        """The guest's actual memory, which the balloon sets."""
        return Memory.within(self.element, "currentMemory")

    @property
    def vcpu(self) -> Vcpu:
        """The virtual CPUs."""
        return Vcpu.within(self.element, "vcpu")

    @property
    def metadata(self) -> Metadata:
        """What applications stored with the guest."""
        return Metadata.within(self.element, "metadata")

    @property
    def devices(self) -> list[Device]:
        """All devices, in order; interfaces and disks as their own types."""
        return [as_device(element) for element in self.element.iterfind("devices/*")]

    @property
    def interfaces(self) -> list[Interface]:
        """The network cards, in order."""
        return [Interface(element) for element in self.element.iterfind("devices/interface")]

    @property
    def disks(self) -> list[Disk]:
        """The disks, CD-ROMs and floppies, in order."""
        return [Disk(element) for element in self.element.iterfind("devices/disk")]


def as_device(element: etree._Element) -> Device:
    """Return the view that fits ``element``, a child of ``<devices>``."""
    return _VIEWS.get(str(element.tag), Device)(element)


_VIEWS: dict[str, type[Device]] = {"interface": Interface, "disk": Disk}
