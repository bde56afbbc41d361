"""Typed views of a ``<domain>``, in libvirt's own words.

Every property follows https://libvirt.org/formatdomain.html; its path stands in its declaration. What has no property
yet is reached through ``.element``.
"""

from __future__ import annotations

from itertools import count, islice

from hooking.devices import (
    Channel,
    Console,
    Controller,
    Device,
    Disk,
    Graphics,
    HostDevice,
    Interface,
    Serial,
    as_device,
)
from hooking.document import Attribute, Element, etree, own_text
from hooking.exceptions import DocumentError
from hooking.machine import Cpu, CpuTune, Features, Memory, MemoryBacking, NumaTune, Os, Sysinfo, Vcpu
from hooking.values import TAG, TEXT, UNSIGNED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final, TypeVar

    D = TypeVar("D", bound=Device)

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
        """The custom properties: oVirt's, and ours (``OUR_NAMESPACE``) before them."""
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


class Domain(Element):
    """A ``<domain>``: a guest. Its name and UUID are fixed; a write-back that changed them is refused."""

    __slots__ = ()

    type = Attribute("@type", TEXT)
    id = Attribute("@id", UNSIGNED)
    title = Attribute("title", TEXT)
    description = Attribute("description", TEXT)
    iothreads = Attribute("iothreads", UNSIGNED)

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
    def cputune(self) -> CpuTune:
        """Where the guest's threads run, and how much time they get."""
        return CpuTune.within(self.element, "cputune")

    @property
    def iothread_ids(self) -> list[int]:
        """The numbers of the I/O threads: those in ``<iothreadids>``, and the lowest free ones up to ``iothreads``."""
        threads = self.element.iterfind("iothreadids/iothread")
        named = [UNSIGNED.read(thread.get("id", "")) for thread in threads]
        free = (number for number in count(1) if number not in named)
        return [*named, *islice(free, max(0, (self.iothreads or 0) - len(named)))]

    @property
    def numatune(self) -> NumaTune:
        """The host's NUMA nodes that the guest's memory is taken from."""
        return NumaTune.within(self.element, "numatune")

    @property
    def memory_backing(self) -> MemoryBacking:
        """What the guest's memory is made of."""
        return MemoryBacking.within(self.element, "memoryBacking")

    @property
    def cpu(self) -> Cpu:
        """The CPU that the guest sees."""
        return Cpu.within(self.element, "cpu")

    @property
    def features(self) -> Features:
        """What the hypervisor offers the guest."""
        return Features.within(self.element, "features")

    @property
    def os(self) -> Os:
        """The machine, and what boots it."""
        return Os.within(self.element, "os")

    @property
    def sysinfo(self) -> Sysinfo:
        """What the guest's SMBIOS tables say; of several such elements QEMU gets the first."""
        found = self.element.find("sysinfo[@type='smbios']")
        if found is None:
            return Sysinfo(etree.Element("sysinfo", type="smbios"), self.element)
        return Sysinfo(found)

    @property
    def metadata(self) -> Metadata:
        """What applications stored with the guest."""
        return Metadata.within(self.element, "metadata")

    @property
    def devices(self) -> list[Device]:
        """All devices, in order; those of the kinds below as their own types."""
        return [as_device(element) for element in self.element.iterfind("devices/*")]

    @property
    def interfaces(self) -> list[Interface]:
        """The network cards, in order."""
        return self._all(Interface, "interface")

    @property
    def disks(self) -> list[Disk]:
        """The disks, CD-ROMs and floppies, in order."""
        return self._all(Disk, "disk")

    @property
    def host_devices(self) -> list[HostDevice]:
        """The devices of the host that are given to the guest, in order."""
        return self._all(HostDevice, "hostdev")

    @property
    def graphics(self) -> list[Graphics]:
        """The ways in which the screen is shown, in order."""
        return self._all(Graphics, "graphics")

    @property
    def serials(self) -> list[Serial]:
        """The serial ports, in order."""
        return self._all(Serial, "serial")

    @property
    def consoles(self) -> list[Console]:
        """The consoles, in order."""
        return self._all(Console, "console")

    @property
    def channels(self) -> list[Channel]:
        """The channels, in order."""
        return self._all(Channel, "channel")

    @property
    def controllers(self) -> list[Controller]:
        """The controllers, in order."""
        return self._all(Controller, "controller")

    def _all(self, view: Callable[[etree._Element], D], tag: str) -> list[D]:
        return [view(element) for element in self.element.iterfind(f"devices/{tag}")]
