"""The disks, CD-ROM drives and floppy drives of a guest."""

from __future__ import annotations

from itertools import count

from hooking.devices import Disk
from hooking.document import child, etree, only_child, remove
from hooking.domain import Domain
from hooking.edits.disk_sources import DISK_SOURCE
from hooking.exceptions import InvalidValueError
from hooking.values import Kind, choice, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypedDict

    from typing_extensions import Unpack

    class DriverOptions(TypedDict, total=False):
        """What `set_disk_driver` takes."""

        cache: Literal["default", "none", "writeback", "writethrough", "directsync", "unsafe"] | None
        io: Literal["threads", "native", "io_uring"] | None
        discard: Literal["ignore", "unmap"] | None
        detect_zeroes: Literal["off", "on", "unmap"] | None
        error_policy: Literal["stop", "report", "ignore", "enospace"] | None
        iothread: int | None


_PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "fdc": "fd", "xen": "xvd"}
_MOST = {"hd": 4, "fd": 2}
_FORMAT = choice("raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "vhd", "dmg", "bochs", "cloop", "ploop")
_OPTIONS: dict[str, Kind[str] | Kind[int]] = {
    "cache": choice("default", "none", "writeback", "writethrough", "directsync", "unsafe"),
    "io": choice("threads", "native", "io_uring"),
    "discard": choice("ignore", "unmap"),
    "detect_zeroes": choice("off", "on", "unmap"),
    "error_policy": choice("stop", "report", "ignore", "enospace"),
    "iothread": whole_number(1, 2**32 - 1),
}


def next_target(domain: Domain, prefix: str) -> str:
    """Return the first free name of a disk: ``vda``, … ``vdz``, ``vdaa``, ….

    Args:
        domain: The guest.
        prefix: ``vd`` for virtio, ``sd`` for SCSI, SATA and USB, ``hd`` for IDE, ``fd`` for floppies, ``xvd`` for Xen.

    Raises:
        InvalidValueError: The prefix is none, or all 4 IDE disks or 2 floppies are there.
    """
    choice(*_PREFIXES.values()).read(prefix)
    taken = {disk.target_dev for disk in domain.disks}
    numbers = range(_MOST[prefix]) if prefix in _MOST else count()
    free = next((name for name in (prefix + _letters(number) for number in numbers) if name not in taken), None)
    if free is None:
        raise InvalidValueError(f"guest {domain.name} has {_MOST[prefix]} disks {prefix}…, and there can be no more")
    return free


def add_disk(
    domain: Domain, source: str, format: str | None = None, *, bus: str | None = None, target: str | None = None
) -> Disk:
    """Add a disk, or change the one that has this source, and return it.

    ``<disk type='file' device='disk'><source file='/a.qcow2'/><target dev='vda' bus='virtio'/><driver
    type='qcow2'/></disk>``. For more see `set_disk_driver` and the properties of `Disk`.
    See https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.

    Args:
        domain: The guest.
        source: The path of a file or (below ``/dev``) of a block device, or a URL (of ``http``, ``https``, ``ftp``,
            ``ftps``).
        format: What is in it: ``raw``, ``qcow2``, …; by default what it has, or ``raw``.
        bus: What it is plugged into: ``virtio``, ``scsi``, ``sata``, ``usb``, ``ide`` or ``xen``; by default what it
            is, or ``virtio``.
        target: Its name for the guest; by default that which it has on this bus, or the next that is free.

    Raises:
        InvalidValueError: An argument is none, or another disk has the target.
    """
    if format is not None:
        _FORMAT.read(format)
    disk = _add(domain, "disk", source, bus, target)
    disk.driver_type = format or disk.driver_type or "raw"
    return disk


def add_cdrom(domain: Domain, source: str, *, bus: str | None = None, target: str | None = None) -> Disk:
    """Add a CD-ROM drive with a medium, or change the one that has it, and return it.

    ``<disk type='network' device='cdrom'><source protocol='https' name='a.iso'><host name='example.org' port='443'/>
    </source><target dev='hdc' bus='ide'/><driver type='raw'/><readonly/></disk>``.
    See https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.

    Args:
        domain: The guest.
        source: The medium: a path or a URL, as for `add_disk`.
        bus: What it is plugged into; by default what another CD-ROM drive is, or what the guest's machine has.
        target: Its name for the guest; by default that which it has on this bus, or the next that is free.

    Raises:
        InvalidValueError: An argument is none, the medium of a drive on ``virtio`` could not be changed, or another
            disk has the target.
    """
    if bus == "virtio":
        raise InvalidValueError("a CD-ROM drive cannot be plugged into virtio; take scsi, sata, usb or ide")
    disk = _add(domain, "cdrom", source, bus or _optical_bus(domain), target)
    disk.driver_type = "raw"
    disk.readonly = True
    return disk


def add_floppy(domain: Domain, source: str, *, target: str | None = None) -> Disk:
    """Add a floppy drive with a medium, or change the one that has it, and return it.

    ``<disk type='file' device='floppy'><source file='/a.img'/><target dev='fda' bus='fdc'/><driver
    type='raw'/></disk>``. See https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.

    Args:
        domain: The guest.
        source: The path of the medium.
        target: ``fda`` or ``fdb``; by default that which it has, or the next that is free.

    Raises:
        InvalidValueError: An argument is none, another disk has the target, or both drives are there.
    """
    disk = _add(domain, "floppy", source, "fdc", target)
    disk.driver_type = "raw"
    return disk


def set_disk_driver(disk: Disk, **options: Unpack[DriverOptions]) -> None:
    """Set how the host serves a disk: ``<driver type='raw' cache='none' io='native' discard='unmap'/>``.

    See https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms, the element ``driver``.

    Args:
        disk: The disk.
        **options: ``cache``, ``io``, ``discard``, ``detect_zeroes``, ``error_policy`` or ``iothread``; `None` removes.

    Raises:
        InvalidValueError: An option is none; ``io='native'`` comes with another cache than ``none`` or ``directsync``;
            the I/O thread is none of the guest's, or the disk is not on ``virtio``, which alone has such.
    """
    texts = {
        choice(*_OPTIONS).read(name): None if value is None else str(_OPTIONS[name].read(str(value)))
        for name, value in options.items()
    }
    _check_driver(disk, {"io": disk.driver_io, "cache": disk.driver_cache, **texts})
    driver = only_child(disk.element, "driver")
    for name, text in texts.items():
        driver.attrib.pop(name, None)
        if text is not None:
            driver.set(name, text)


def _check_driver(disk: Disk, options: dict[str, str | None]) -> None:
    if options["io"] == "native" and options["cache"] not in ("none", "directsync"):
        raise InvalidValueError(
            f"{disk.xpath}: io='native' needs cache='none' or 'directsync', not {options['cache']!r}"
        )
    thread = options.get("iothread")
    if thread and disk.target_bus != "virtio":
        raise InvalidValueError(f"{disk.xpath}: iothread {thread} is for disks on virtio, not {disk.target_bus}")
    root = disk.element.getroottree().getroot()
    if thread and root.tag == "domain" and int(thread) not in Domain(root).iothread_ids:
        raise InvalidValueError(f"{disk.xpath}: the guest has no iothread {thread}; set iothreads first")


def _add(domain: Domain, device: str, source: str, bus: str | None, target: str | None) -> Disk:
    location = DISK_SOURCE.read(source)
    disk = next((disk for disk in domain.disks if (disk.device or "disk") == device and location.is_of(disk)), None)
    bus = bus or (disk and disk.target_bus) or "virtio"
    choice(*[known for known in _PREFIXES if (known == "fdc") == (device == "floppy")]).read(bus)
    name = _target(domain, disk, bus, target)
    if disk is None:
        disk = Disk(etree.SubElement(child(domain.element, "devices"), "disk"))
    elif (disk.target_dev, disk.target_bus) != (name, bus):
        for address in [*disk.element.iterchildren("address")]:
            remove(address)
        if bus != "virtio":
            disk.driver_iothread = None
    disk.device = device
    location.give_to(disk)
    disk.target_dev, disk.target_bus = name, bus
    return disk


def _target(domain: Domain, disk: Disk | None, bus: str, target: str | None) -> str:
    if target is None:
        stays = disk is not None and disk.target_bus == bus and disk.target_dev
        return stays or next_target(domain, _PREFIXES[bus])
    _TARGET.read(target)
    other = next((other for other in domain.disks if other.target_dev == target and other != disk), None)
    if other is not None:
        raise InvalidValueError(
            f"{target} is already the target of {other.xpath}; call next_target for one that is free"
        )
    return target


def _optical_bus(domain: Domain) -> str:
    drives = [disk.target_bus for disk in domain.disks if disk.device == "cdrom" and disk.target_bus]
    if drives:
        return drives[0]
    if domain.os.arch not in (None, "x86_64", "i686"):
        return "scsi"
    return "sata" if "q35" in (domain.os.machine or "") else "ide"


def _letters(number: int) -> str:
    before, last = divmod(number, 26)
    return (_letters(before - 1) if before else "") + chr(ord("a") + last)


def _disk_name(text: str) -> str:
    letters = [text[len(prefix) :] for prefix in {*_PREFIXES.values()} if text.startswith(prefix)]
    if not (text.isascii() and letters and letters[0].isalpha() and text.islower()):
        raise ValueError(text)
    return text


_TARGET = Kind("the name of a disk such as vda or sdb", _disk_name)
