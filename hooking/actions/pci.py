"""PCI devices of the host: from their drivers to VFIO, which hands them to guests, and back."""

from __future__ import annotations

import os
import re

from hooking.actions import kernel, programs
from hooking.exceptions import HostError, InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from hooking.domain import Domain
    from hooking.states import State

_BUS = "/sys/bus/pci"
_VFIO = "vfio-pci"
_BRIDGE = "0x0604"
_ADDRESS = re.compile(r"([0-9a-f]{4,8}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")


def bind_to_vfio(state: State, addresses: Sequence[str] | None = None) -> None:
    """Give PCI devices to the driver vfio-pci, and later back to the drivers that they had.

    For devices that libvirt does not manage, or whose driver must let go before libvirt is asked to start the guest.
    If the driver vfio-pci is missing its module is loaded, and stays. Follows
    https://docs.kernel.org/driver-api/vfio.html and, for ``driver_override``, the kernel's ABI of ``sysfs-bus-pci``.

    Args:
        state: Where the undo is remembered.
        addresses: The devices, as ``lspci -D`` writes them: ``0000:01:00.0``. By default those of the guest's
            ``<hostdev type='pci'>`` and ``<interface type='hostdev'>`` that are not ``managed='yes'``: managed ones
            libvirt binds and gives back itself.

    Raises:
        InvalidValueError: What is given is no address.
        HostError: There is no such device, it is a bridge, no IOMMU isolates it, a device of its IOMMU group is in
            use on the host, or a driver does not let go or take it (10 seconds).
    """
    devices = unmanaged_devices(state.domain) if addresses is None else list(map(_address, _list(addresses)))
    bus = kernel.locate(state, _BUS) if devices else ""
    for device in devices:
        _check(bus, device, devices)
    for device in devices:
        _bind(state, bus, device)


def unmanaged_devices(domain: Domain) -> list[str]:
    """Return the addresses of the host's PCI devices that a guest gets and that libvirt does not manage.

    Raises:
        InvalidValueError: The document has an address that is none.
    """
    hostdevs = domain.element.iterfind("devices/hostdev[@mode='subsystem'][@type='pci']")
    interfaces = domain.element.iterfind("devices/interface[@type='hostdev']")
    unmanaged = [device for device in (*hostdevs, *interfaces) if device.get("managed") != "yes"]
    return [_written(address) for device in unmanaged for address in device.iterfind("source/address")]


def give_back(root: str, bus: str, device: str, driver: str | None, override: str) -> None:
    """Let a PCI device have the driver and the ``driver_override`` that it had, if it is still there.

    Args:
        root: The root of the host.
        bus: The folder of the PCI bus.
        device: The address.
        driver: The driver that it had, which is loaded if it has gone.
        override: What ``driver_override`` held.

    Raises:
        HostError: A driver does not let go or take the device.
        CommandError: The driver cannot be loaded.
    """
    folder = f"{bus}/devices/{device}"
    if not os.path.exists(folder):
        return
    kernel.restore(f"{folder}/driver_override", override)
    if driver is not None:
        _load(root, bus, driver)
    kernel.change_driver(bus, device, driver)


def _bind(state: State, bus: str, device: str) -> None:
    override = f"{bus}/devices/{device}/driver_override"
    change = f"PCI device {device}"
    with state.lock(change):
        driver = kernel.driver_of(bus, device)
        state.remember(change, give_back, state.root, bus, device, driver, kernel.read(override))
        if driver != _VFIO:
            _load(state.root, bus, _VFIO)
            kernel.put(override, f"{_VFIO}\n")
            kernel.change_driver(bus, device, _VFIO)


def _load(root: str, bus: str, driver: str) -> None:
    folder = f"{bus}/drivers/{driver}"
    if not os.path.isdir(folder):
        programs.run(root, "modprobe", driver)
        if not os.path.isdir(folder):
            raise HostError(f"the kernel has no driver {driver}, also after modprobe {driver}")


def _check(bus: str, device: str, devices: Collection[str]) -> None:
    folder = f"{bus}/devices/{device}"
    if not os.path.exists(folder):
        raise HostError(f"there is no PCI device {device} on this host; see lspci -D")
    if _is_bridge(folder):
        raise HostError(f"{device} is a bridge; only what is behind it can be given to a guest")
    members = f"{folder}/iommu_group/devices"
    if not os.path.isdir(members):
        raise HostError(
            f"no IOMMU isolates {device}; turn on VT-d or AMD-Vi in the firmware, and boot with intel_iommu=on (Intel)"
        )
    used = [name for name in sorted(os.listdir(members)) if name not in devices and _in_use(bus, name)]
    if used:
        raise HostError(
            f"{device} shares its IOMMU group with {', '.join(used)}: bind all of them to vfio-pci, or none"
        )


def _in_use(bus: str, device: str) -> bool:
    """Return whether the host uses a device in a way in which VFIO gives its group to no guest."""
    driver = kernel.driver_of(bus, device)
    free = driver in (None, "pci-stub") or "vfio" in driver
    return not (free or _is_bridge(f"{bus}/devices/{device}"))


def _is_bridge(folder: str) -> bool:
    return kernel.read(f"{folder}/class").startswith(_BRIDGE)


def _list(addresses: Sequence[str]) -> Sequence[str]:
    if isinstance(addresses, str):
        raise InvalidValueError(f"{addresses!r} is one text; the addresses are a list")
    return addresses


def _address(text: str) -> str:
    address = text.lower()
    if not _ADDRESS.fullmatch(address):
        raise InvalidValueError(f"{text!r} is not the address of a PCI device, such as 0000:01:00.0")
    return address if address.count(":") > 1 else f"0000:{address}"


def _written(address: Any) -> str:
    parts = [address.get(name, "0") for name in ("domain", "bus", "slot", "function")]
    try:
        domain, bus, slot, function = (int(part, 0) for part in parts)
    except ValueError:
        raise InvalidValueError(f"{':'.join(parts)!r} is not the address of a PCI device") from None
    return _address(f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}")
