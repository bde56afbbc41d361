"""Files of sysfs and procfs: what the kernel lets root read and set."""

from __future__ import annotations

import errno
import os
import select
import time

from hooking.exceptions import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Final, NoReturn

    from hooking.states import State

TIMEOUT: Final = 10.0
"""Seconds that the kernel gets for one write; the host waits all the while."""


def write_sysfs(state: State, path: str, text: str, *, timeout: float = TIMEOUT) -> None:
    """Write ``text`` to a file of sysfs or procfs, and remember what it held.

    Guests share it, by whichever link they name it: the first that writes a file says what is restored when the last
    is gone.

    Args:
        state: Where the undo is remembered.
        path: The file, absolute, below ``/sys`` or ``/proc``.
        text: What is written.
        timeout: Seconds until the write counts as hung. A hung write cannot be interrupted; it is left behind.

    Raises:
        HostError: There is no such file, the kernel refuses the text, or takes too long.
    """
    file = locate(state, path)
    change = name_of(state, file)
    with state.lock(change):
        state.remember(change, restore, file, read(file))
        put(file, text, timeout)


def locate(state: State, path: str) -> str:
    """Return the file or folder of sysfs or procfs that ``path`` names on the host of ``state``, links resolved.

    Raises:
        HostError: There is none.
    """
    file = os.path.realpath(state.path(path))
    if not file.startswith(tuple(os.path.realpath(state.path(top)) + "/" for top in ("/sys", "/proc"))):
        raise HostError(f"{path} is not below /sys or /proc")
    if not os.path.exists(file):
        raise HostError(f"{path} does not exist on this host")
    return file


def name_of(state: State, file: str) -> str:
    """Return the path on the host of a file that `locate` found: one file has one name, and so is one change."""
    return f"/{os.path.relpath(file, os.path.realpath(state.root))}"


def entries(state: State, path: str) -> list[str]:
    """Return the names in a folder of sysfs or procfs; none where there is no such folder."""
    folder = state.path(path)
    return sorted(os.listdir(locate(state, path))) if os.path.isdir(folder) else []


def read(file: str) -> str:
    """Return what has to be written to ``file`` to get what it holds now; of several choices that in brackets.

    Raises:
        HostError: It cannot be read.
    """
    try:
        with open(file, encoding="utf-8") as stream:
            text = stream.read()
    except OSError as error:
        raise HostError(f"cannot read {file}: {error.strerror}") from error
    if text == "(null)\n":
        return "\n"
    _, bracket, chosen = text.partition("[")
    return chosen.partition("]")[0] if bracket else text


def restore(file: str, text: str) -> None:
    """Let ``file`` hold ``text`` again, unless it does, or is gone: a device may have been unplugged.

    Raises:
        HostError: The kernel refuses the text, silently or not, or takes too long.
    """
    if os.path.exists(file) and read(file) != text:
        put(file, text)
        if read(file) != text:
            raise HostError(f"{file} does not go back to {text.strip()!r}, which it held before")


def put(file: str, text: str, timeout: float = TIMEOUT, *, tolerated: Collection[int] = ()) -> None:
    """Write ``text`` to ``file`` in a process of its own, which alone hangs if the kernel does.

    Args:
        file: The file, as `locate` found it.
        text: What is written.
        timeout: Seconds until the write counts as hung.
        tolerated: The ``errno`` with which the kernel may refuse the text.

    Raises:
        HostError: The kernel refuses the text, or takes too long.
    """
    data = text.encode() or b"\n"  # writing nothing changes nothing
    parent = os.getpid()
    ended, end = os.pipe()
    child = os.fork()
    if child == 0:
        _write_and_exit(file, data, end, parent)
    os.close(end)
    failure = _wait(child, ended, timeout)
    if failure is None:
        raise HostError(f"the kernel has not taken {text.strip()!r} for {file} in {timeout:g} s; see dmesg")
    if failure and failure not in tolerated:
        raise HostError(f"the kernel refused {text.strip()!r} for {file}: {os.strerror(failure)}")


def driver_of(bus: str, device: str) -> str | None:
    """Return the name of the driver of a device, if it has one.

    Args:
        bus: The folder of the bus, as `locate` finds ``/sys/bus/pci``.
        device: The name of the device on that bus.
    """
    try:
        return os.path.basename(os.readlink(f"{bus}/devices/{device}/driver"))
    except OSError:
        return None


def change_driver(bus: str, device: str, driver: str | None) -> None:
    """Take a device from its driver and give it to ``driver``, or to none.

    Unlike a probe of all drivers, ``bind`` names the driver, and tells why that does not want the device. Follows
    https://docs.kernel.org/driver-api/driver-model/binding.html.

    Args:
        bus: The folder of the bus, as `locate` finds ``/sys/bus/pci``.
        device: The name of the device on that bus.
        driver: Its new driver.

    Raises:
        HostError: The old driver does not let go, or the new one does not take the device.
    """
    old = driver_of(bus, device)
    if old == driver:
        return
    if old is not None:
        put(f"{bus}/drivers/{old}/unbind", f"{device}\n")
        _await_driver(bus, device, None)
    if driver is not None:
        put(f"{bus}/drivers/{driver}/bind", f"{device}\n")
        _await_driver(bus, device, driver)


def _await_driver(bus: str, device: str, driver: str | None) -> None:
    patience = time.monotonic() + TIMEOUT
    while (found := driver_of(bus, device)) != driver:
        if time.monotonic() > patience:
            raise HostError(
                f"{device} has the driver {found}, not {driver}, {TIMEOUT:g} s after it was told; see dmesg"
            )
        time.sleep(0.001)


def _write_and_exit(file: str, data: bytes, end: int, parent: int) -> NoReturn:
    failure = errno.EIO
    try:
        for descriptor in set(map(int, os.listdir("/dev/fd"))) - {end}:  # hung, it must hold neither locks nor the host
            try:
                os.close(descriptor)
            except OSError:  # noqa: PERF203 - the one that listed them
                continue
        descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC)
        if os.getppid() == parent:  # else the hook was killed, and another may have changed the file since
            os.write(descriptor, data)
        failure = 0
    except OSError as error:
        failure = min(error.errno or failure, 255)  # the kernel has some beyond what an exit status holds
    finally:
        os._exit(failure)


def _wait(child: int, ended: int, timeout: float) -> int | None:
    """Return the exit status of ``child``, which closes the other end of ``ended``; `None` if it does not in time."""
    with open(ended, "rb"):
        poll = select.poll()
        poll.register(ended)
        if poll.poll(timeout * 1000):
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.kill(child, 9)
    return None
