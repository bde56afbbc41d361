"""A host that stays awake while its guests run."""

from __future__ import annotations

from hooking.actions import programs
from hooking.actions.units import is_running, restore_unit
from hooking.exceptions import one_line
from hooking.values import UUID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.states import State


def inhibit_sleep(state: State, reason: str = "a guest is running") -> None:
    """Keep the host from suspending, and from counting as idle, while the guest runs.

    A service of the guest's own, ``libvirt-hooking-sleep-<uuid>.service``, holds the lock; ``systemd-inhibit --list``
    shows it. See systemd-inhibit(1) and https://systemd.io/INHIBITOR_LOCKS.

    Args:
        state: Where the undo is remembered.
        reason: What that list says about it.

    Raises:
        CommandError: systemd-logind, which puts hosts to sleep, is not there, or the service cannot be started.
        InvalidValueError: The guest has no UUID.
        PointError: No guest was described, in this call or before.
    """
    unit = f"libvirt-hooking-sleep-{UUID.read(state.domain.uuid or '').lower()}.service"
    programs.run(state.root, "systemd-inhibit", "--list")
    change = f"unit {unit}"
    with state.lock(change):
        state.remember(change, restore_unit, state.root, unit, "stop")
        if not is_running(state.root, unit):
            programs.run(state.root, "systemd-run", "--quiet", "--collect", f"--unit={unit}", *_inhibitor(reason))


def _inhibitor(reason: str) -> list[str]:
    why = one_line(reason).replace("$", "$$")  # systemd puts in variables
    lock = ["--what=sleep:idle", "--mode=block", "--who=libvirt-hooking", f"--why={why}"]
    return ["systemd-inhibit", *lock, "sleep", "infinity"]
