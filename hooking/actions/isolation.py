"""CPUs of the host that guests have for themselves."""

from __future__ import annotations

import os

from hooking.actions import kernel, programs
from hooking.actions.cpus import pinned_cpus
from hooking.exceptions import HostError, InvalidValueError
from hooking.values import CPU_NUMBERS, parse_cpuset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.states import State

_UNITS = ("system.slice", "user.slice", "init.scope")
_CONTROLLERS = "sys/fs/cgroup/cgroup.controllers"
_ONLINE = "sys/devices/system/cpu/online"


def isolate_cpus(state: State, cpuset: str | None = None) -> None:
    """Keep the host's own processes, but not other guests, off the guest's CPUs.

    ``AllowedCPUs=`` of ``system.slice``, ``user.slice`` and ``init.scope`` becomes what they might use, less the CPUs
    of all guests that ask for this. With a guest its CPUs come back, and with the last one the old setting, which
    systemd keeps in a drop-in below ``/run``. What the kernel itself runs there stays. See systemd.resource-control(5).

    Args:
        state: Where the undo is remembered.
        cpuset: The CPUs, as in ``1-4,^3,6``; by default those that the guest is pinned to.

    Raises:
        InvalidValueError: The CPU set is none, or by default the guest is not pinned.
        HostError: The host has no such CPUs, no others, or no cgroup v2 with its controller ``cpuset``.
        CommandError: systemd does not do it.
    """
    cpus = _wanted(state, cpuset)
    change = "isolated CPUs"
    with state.lock(change):
        settings = {unit: _setting(state.root, unit) for unit in _UNITS}
        state.share(change, divide_cpus, state.root, settings, share=sorted(cpus))


def divide_cpus(root: str, settings: dict[str, str], *, shares: list[list[int]]) -> None:
    """Let the host use all CPUs but those of guests.

    Args:
        root: The root of the host.
        settings: What each unit may use when guests have none; empty for all CPUs.
        shares: The CPUs of each guest.

    Raises:
        HostError: No CPU is left.
        CommandError: systemd does not do it.
    """
    isolated = {cpu for share in shares for cpu in share}
    remaining = {unit: _remaining(root, unit, cpus, isolated) for unit, cpus in settings.items()}
    for unit, cpus in remaining.items():
        programs.run(root, "systemctl", "set-property", "--runtime", unit, f"AllowedCPUs={cpus}")


def _wanted(state: State, cpuset: str | None) -> set[int]:
    cpus = pinned_cpus(state.domain) if cpuset is None else set(parse_cpuset(cpuset))
    if not cpus:
        raise InvalidValueError("the guest is pinned to no CPUs; pin it, or say which CPUs are meant (cpuset)")
    controllers = os.path.join(state.root, _CONTROLLERS)
    if not os.path.exists(controllers) or "cpuset" not in kernel.read(controllers).split():
        raise HostError("CPUs are isolated by cgroup v2; boot this host with systemd.unified_cgroup_hierarchy=1")
    offline = cpus.difference(_online(state.root))
    if offline:
        raise HostError(f"the CPUs {CPU_NUMBERS.write(sorted(offline))} are not online on this host; see lscpu")
    return cpus


def _online(root: str) -> list[int]:
    return parse_cpuset(kernel.read(os.path.join(root, _ONLINE)))


def _setting(root: str, unit: str) -> str:
    _, known, cpus = programs.run(root, "systemctl", "show", "--property=AllowedCPUs", unit).partition("AllowedCPUs=")
    if not known:
        raise HostError("systemd on this host cannot isolate CPUs (AllowedCPUs=); it is older than version 244")
    return cpus.strip()


def _remaining(root: str, unit: str, setting: str, isolated: set[int]) -> str:
    if not isolated:
        return setting
    usable = parse_cpuset(setting.replace(" ", ",")) if setting else _online(root)
    remaining = [cpu for cpu in usable if cpu not in isolated]
    if not remaining:  # an empty setting would mean all
        raise HostError(f"no CPU would be left for {unit}, which may use {CPU_NUMBERS.write(usable)}; isolate fewer")
    return CPU_NUMBERS.write(remaining)
