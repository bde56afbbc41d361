"""The host's text consoles and boot frame buffers, which hold a graphics card that a guest is to have."""

from __future__ import annotations

import os

from hooking.actions import kernel
from hooking.exceptions import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.states import State

_CONSOLES = "/sys/class/vtconsole"
_PLATFORM = "/sys/bus/platform"
_FRAMEBUFFERS = ("efi-framebuffer", "simple-framebuffer", "vesa-framebuffer")


def unbind_consoles(state: State) -> None:
    """Take the host's consoles off its graphics cards, and later put them back.

    First the text consoles on frame buffers, then the frame buffers that the firmware set up. The dummy console stays:
    it shows nothing, holds no card, and is what the kernel falls back on. Where there are none, nothing happens.
    Follows https://docs.kernel.org/driver-api/console.html.

    Args:
        state: Where the undo is remembered.

    Raises:
        HostError: The kernel does not unbind one.
    """
    for console in kernel.entries(state, _CONSOLES):
        folder = f"{_CONSOLES}/{console}"
        if "frame buffer" in kernel.read(kernel.locate(state, f"{folder}/name")):
            _unbind_console(state, f"{folder}/bind")
    for device in kernel.entries(state, f"{_PLATFORM}/devices"):
        if device.partition(".")[0] in _FRAMEBUFFERS:
            _unbind_framebuffer(state, device)


def rebind(bus: str, device: str, driver: str | None) -> None:
    """Let a frame buffer have the driver that it had, unless it is gone: a graphics driver replaces it.

    Args:
        bus: The folder of the bus.
        device: The frame buffer.
        driver: Its driver then.

    Raises:
        HostError: The driver does not take it.
    """
    if os.path.exists(f"{bus}/devices/{device}"):
        kernel.change_driver(bus, device, driver)


def _unbind_console(state: State, path: str) -> None:
    kernel.write_sysfs(state, path, "0\n")
    if kernel.read(kernel.locate(state, path)).strip() != "0":  # the kernel takes the write also when it fails
        raise HostError(f"the kernel did not unbind the console {path}; see dmesg")


def _unbind_framebuffer(state: State, device: str) -> None:
    bus = kernel.locate(state, _PLATFORM)
    change = f"{_PLATFORM}/devices/{device}"
    with state.lock(change):
        state.remember(change, rebind, bus, device, kernel.driver_of(bus, device))
        kernel.change_driver(bus, device, None)
