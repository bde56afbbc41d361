"""The host's CPUs that a guest is pinned to: their frequency, and the interrupts that disturb them."""

from __future__ import annotations

import contextlib
import errno
import os

from hooking.actions import kernel
from hooking.exceptions import HostError, InvalidValueError
from hooking.values import CPU_NUMBERS, parse_cpuset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.domain import Domain
    from hooking.states import State

_CPUS = "/sys/devices/system/cpu"
_INTERRUPTS = "/proc/irq"
_PINS = ("vcpupin", "emulatorpin", "iothreadpin")
_DEFAULT = "default_smp_affinity"
_UNMOVABLE = (errno.EIO, errno.EPERM, errno.ENOENT)


def pinned_cpus(domain: Domain) -> set[int]:
    """Return the numbers of the host's CPUs that the guest's threads are pinned to; none if it is not pinned.

    From ``<vcpu cpuset='…'>``, unless its placement is automatic, and the pins in ``<cputune>``.
    See https://libvirt.org/formatdomain.html#cpu-tuning.

    Raises:
        InvalidValueError: A CPU set in the document is none.
    """
    pins = [pin.get("cpuset", "") for tag in _PINS for pin in domain.element.iterfind(f"cputune/{tag}")]
    if domain.vcpu.placement != "auto" and domain.vcpu.cpuset:
        pins.append(domain.vcpu.cpuset)
    return {cpu for pin in pins for cpu in parse_cpuset(pin)}


def set_governor(state: State, governor: str = "performance", cpuset: str | None = None) -> None:
    """Choose how the frequency of CPUs is governed, until the guests on them are gone.

    Follows https://docs.kernel.org/admin-guide/pm/cpufreq.html.

    Args:
        state: Where the undo is remembered.
        governor: A name that ``scaling_available_governors`` lists.
        cpuset: The host's CPUs, as in ``1-4,^3,6``; by default those that the guest is pinned to.

    Raises:
        InvalidValueError: The CPU set is none, or by default the guest is not pinned.
        HostError: The frequency of a CPU is not governed by the host, or not by that governor.
    """
    policies = [_policy(state, cpu, governor) for cpu in sorted(_cpus(state, cpuset))]
    for policy in policies:
        kernel.write_sysfs(state, f"{policy}/scaling_governor", f"{governor}\n")


def move_interrupts(state: State, cpuset: str | None = None) -> None:
    """Keep the host's interrupts off CPUs, each guest off its own.

    What the kernel places itself (timers, the queues of NVMe disks) stays. An interrupt that comes later follows
    ``default_smp_affinity``, which is changed too. Stop irqbalance, or ban it from these CPUs: it moves them back.
    Follows https://docs.kernel.org/core-api/irq/irq-affinity.html.

    Args:
        state: Where the undo is remembered.
        cpuset: The host's CPUs to keep free, as in ``1-4,^3,6``; by default those that the guest is pinned to.

    Raises:
        InvalidValueError: The CPU set is none, or by default the guest is not pinned.
        HostError: No other CPU is online, or the kernel refuses to move an interrupt that can be moved.
    """
    away = sorted(_cpus(state, cpuset))
    online = kernel.locate(state, f"{_CPUS}/online")
    folder = kernel.locate(state, _INTERRUPTS)
    with state.lock(_INTERRUPTS):
        state.share(_INTERRUPTS, place_interrupts, folder, online, _affinities(folder), share=away)


def place_interrupts(folder: str, online: str, before: dict[str, str], *, shares: list[list[int]]) -> None:
    """Let interrupts go where they went before the first guest, but not to the CPUs of the guests.

    Args:
        folder: ``/proc/irq``.
        online: The file that tells which CPUs are online.
        before: What each file held; what came meanwhile is moved away, and stays there.
        shares: The CPUs of each guest.

    Raises:
        HostError: No CPU is left, or the kernel refuses or takes too long.
    """
    away = {cpu for share in shares for cpu in share}
    cpus = set(parse_cpuset(kernel.read(online)))
    if cpus <= away:
        raise HostError(f"no CPU is left for the interrupts: {CPU_NUMBERS.write(sorted(cpus))} is all there is online")
    for name, text in _affinities(folder).items():
        wanted = _without(name, before.get(name, text), away, cpus)
        if _parsed(name, wanted) != _parsed(name, text):
            kernel.put(f"{folder}/{name}", wanted, tolerated=_UNMOVABLE)


def _cpus(state: State, cpuset: str | None) -> set[int]:
    cpus = pinned_cpus(state.domain) if cpuset is None else set(parse_cpuset(cpuset))
    if not cpus:
        raise InvalidValueError("the guest is pinned to no CPUs; pin it, or say which CPUs are meant (cpuset)")
    return cpus


def _policy(state: State, cpu: int, governor: str) -> str:
    """Return the folder where the frequency of ``cpu`` is governed, which may be that of other CPUs too."""
    policy = f"{_CPUS}/cpu{cpu}/cpufreq"
    if not os.path.exists(state.path(f"{policy}/scaling_governor")):
        raise HostError(f"CPU {cpu} has no cpufreq: it is offline, or its frequency is left to firmware or hypervisor")
    known = kernel.read(kernel.locate(state, f"{policy}/scaling_available_governors")).split()
    if governor not in known:
        raise HostError(f"CPU {cpu} has no governor {governor!r}; it has {', '.join(known)}")
    return policy


def _affinities(folder: str) -> dict[str, str]:
    """Return what the files hold that say where interrupts go."""
    found: dict[str, str] = {}
    for name in (_DEFAULT, *(f"{number}/smp_affinity_list" for number in os.listdir(folder))):
        with contextlib.suppress(HostError):  # an interrupt may go at any time
            found[name] = kernel.read(f"{folder}/{name}")
    return found


def _without(name: str, text: str, away: set[int], online: set[int]) -> str:
    """Return ``text`` without the CPUs ``away``; if none is left that is online, with all others."""
    now = _parsed(name, text)
    if not now & away:
        return text
    left = now & online - away or online - away
    return f"{_to_mask(left) if name == _DEFAULT else CPU_NUMBERS.write(sorted(left))}\n"


def _parsed(name: str, text: str) -> set[int]:
    if name != _DEFAULT:
        return set(parse_cpuset(text)) if text.strip() else set()
    bits = int(text.replace(",", ""), 16)
    return {cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1}


def _to_mask(cpus: set[int]) -> str:
    """Return ``cpus`` as the kernel reads a mask: 32 of them to a group, the highest first."""
    bits = sum(1 << cpu for cpu in cpus)
    groups = range(max(cpus) // 32, -1, -1)
    return ",".join(f"{bits >> 32 * group & 0xFFFFFFFF:08x}" for group in groups)
