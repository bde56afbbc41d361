"""`FakeKernel`: a process that binds the devices of a fake host to drivers, and unbinds them."""

from __future__ import annotations

import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import NoReturn


class FakeKernel:
    """What happens below the root of a fake host when a driver's ``bind`` or ``unbind`` is written.

    It is a process, not a thread: code under test forks. What is written is handled soon, not at once.

    Args:
        root: The root of the fake host.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._controls: list[Path] = []
        self._process = 0
        self._alive = -1

    def add_driver(self, folder: str) -> None:
        """Load the driver whose folder, below the root, this is."""
        controls = [self._root / folder / name for name in ("bind", "unbind")]
        if controls[0] in self._controls:
            return
        self.close()
        controls[0].parent.mkdir(parents=True)
        for control in controls:
            os.mkfifo(control, 0o600)
        self._controls += controls
        self._start()

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process:
            os.close(self._alive)
            os.waitpid(self._process, 0)
            self._process = 0

    def _start(self) -> None:
        inputs = {os.open(control, os.O_RDWR): control for control in self._controls}
        watched, self._alive = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            _react(inputs, watched)
        for descriptor in watched, *inputs:
            os.close(descriptor)


def _react(inputs: Mapping[int, Path], watched: int) -> NoReturn:
    """Handle what is written to ``inputs``, until nobody holds the other end of ``watched``."""
    status = 1
    try:
        for descriptor in set(map(int, os.listdir("/dev/fd"))) - {watched, *inputs}:
            _close(descriptor)
        while True:
            ready, _, _ = select.select([*inputs, watched], [], [])
            if ready == [watched]:
                break
            for descriptor in set(ready) - {watched}:
                for device in os.read(descriptor, 4096).decode().split():
                    _handle(inputs[descriptor], device)
        status = 0
    finally:
        os._exit(status)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return


def _handle(control: Path, name: str) -> None:
    driver = control.parent
    device = (driver.parent.parent / "devices" / name).resolve()
    link = device / "driver"
    bound = os.readlink(link) if link.is_symlink() else None
    if control.name == "unbind" and bound and os.path.basename(bound) == driver.name:
        (driver / name).unlink()
        link.unlink()
    elif control.name == "bind" and bound is None and _accepts(driver.name, device):
        (driver / name).symlink_to(os.path.relpath(device, driver.resolve()))
        link.symlink_to(os.path.relpath(driver.resolve(), device))


def _accepts(driver: str, device: Path) -> bool:
    override = device / "driver_override"
    return device.exists() and (not override.exists() or override.read_text().strip() in ("", "(null)", driver))
