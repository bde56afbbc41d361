"""The order in which a guest's devices are tried for booting."""

from __future__ import annotations

from hooking.document import only_child
from hooking.exceptions import InvalidValueError
from hooking.values import whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.devices import Device
    from hooking.domain import Domain

_ORDER = whole_number(1, 2**32 - 1)
_BOOTABLE = ("disk", "interface", "hostdev", "redirdev")


def boot_first(domain: Domain, device: Device) -> None:
    """Boot from ``device`` first: ``<boot order='1'/>`` in it, and one more in all other devices that have an order.

    See https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms, the element ``boot``.

    Args:
        domain: The guest.
        device: One of its disks, network cards, host devices or redirected devices.

    Raises:
        InvalidValueError: A guest cannot boot from such a device, or the guest names its boot devices in ``<os>``.
    """
    _check(domain, device)
    others = [other for other in domain.devices if other != device and other.boot_order is not None]
    if device.boot_order != 1 or any(other.boot_order == 1 for other in others):
        for other in others:
            other.boot_order = (other.boot_order or 0) + 1
    only_child(device.element, "boot").set("order", "1")


def set_boot_order(domain: Domain, device: Device, order: int) -> None:
    """Set the place of ``device`` in the boot order: ``<boot order='2'/>``. The numbers may have gaps.

    See https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms, the element ``boot``.

    Args:
        domain: The guest.
        device: One of its disks, network cards, host devices or redirected devices.
        order: The place, from 1.

    Raises:
        InvalidValueError: The place is none or taken, a guest cannot boot from such a device, or the guest names its
            boot devices in ``<os>``.
    """
    text = _ORDER.write(order)
    _check(domain, device)
    taken = [other for other in domain.devices if other != device and other.boot_order == order]
    if taken:
        raise InvalidValueError(f"{device.xpath}: the boot order {order} is already that of {taken[0].xpath}")
    only_child(device.element, "boot").set("order", text)


def _check(domain: Domain, device: Device) -> None:
    if device not in domain.devices:
        raise InvalidValueError(f"{device.xpath} is not a device of guest {domain.name}")
    if device.kind not in _BOOTABLE or device.element.get("type") == "mdev":
        raise InvalidValueError(f"{device.xpath}: no guest boots from it; from a {', '.join(_BOOTABLE)} it does")
    if domain.os.boot_devices:
        raise InvalidValueError(f"{domain.os.xpath}/boot: boot devices exclude the boot order of devices; remove them")
