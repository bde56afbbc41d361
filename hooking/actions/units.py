"""Units of systemd that have to be stopped, or to run, while a guest does."""

from __future__ import annotations

import re

from hooking.actions import programs
from hooking.commands import TIMEOUT
from hooking.exceptions import HostError, InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.states import State

_TYPES = (".service", ".socket", ".timer", ".path", ".mount", ".automount", ".swap", ".target")
_RUNNING = ("active", "activating", "reloading")
_LONGEST = 255
_NAME = re.compile(r"[A-Za-z0-9:_\\@][A-Za-z0-9:_\\@.-]*")
_HOSTS = re.compile(
    "libvirt|(super)?vdsmd"
    "|virt(bhyve|ch|interface|lock|log|lxc|network|nodedev|nwfilter|proxy|qemu|secret|storage|vbox|xen)d[.-]"
)


def stop_units(state: State, *units: str, timeout: float = TIMEOUT) -> None:
    """Stop units of systemd, such as the display manager that holds a graphics card, while the guest runs.

    Those that ran are started again, the last first, when no guest needs them stopped any more. This waits until they
    have stopped, as what they hold is free only then. See systemctl(1).

    Args:
        state: Where the undo is remembered.
        units: Their names; without a type they are services.
        timeout: Seconds for each.

    Raises:
        InvalidValueError: One is no name of a unit.
        HostError: One is not on this host, or is libvirt's or VDSM's own, which waits for this hook.
        CommandError: One does not stop (in time).
    """
    _switch(state, units, "stop", timeout)


def start_units(state: State, *units: str, timeout: float = TIMEOUT) -> None:
    """Start units of systemd that the guest needs, and wait until they run.

    Those that did not run are stopped again, the last first, when no guest needs them any more. See systemctl(1).

    Args:
        state: Where the undo is remembered.
        units: Their names; without a type they are services.
        timeout: Seconds for each.

    Raises:
        InvalidValueError: One is no name of a unit.
        HostError: One is not on this host, or is libvirt's or VDSM's own, which waits for this hook.
        CommandError: One does not start (in time).
    """
    _switch(state, units, "start", timeout)


def restore_unit(root: str, unit: str, verb: str, timeout: float = TIMEOUT) -> None:
    """Start or stop a unit again, unless it runs, or does not, as it should.

    Args:
        root: The root of the host.
        unit: Its name.
        verb: ``start``, ``stop``, or empty if it was found as the guest needs it.
        timeout: Seconds for it.

    Raises:
        CommandError: systemd does not do it.
    """
    if verb and is_running(root, unit) != (verb == "start"):
        programs.run(root, "systemctl", verb, unit, timeout=timeout)


def is_running(root: str, unit: str) -> bool:
    """Tell whether a unit runs, or is about to.

    Raises:
        CommandError: systemd does not say.
    """
    return _show(root, unit)["ActiveState"] in _RUNNING


def _switch(state: State, units: tuple[str, ...], verb: str, timeout: float) -> None:
    for unit in [_checked(state.root, unit) for unit in units]:
        change = f"unit {unit}"
        with state.lock(change):
            active = _show(state.root, unit)["ActiveState"]
            needed = (active in _RUNNING) != (verb == "start")
            undo = _opposite(verb) if needed else ""
            state.remember(change, restore_unit, state.root, unit, undo, timeout)
            if needed or active == "deactivating":  # then it waits until that is over
                programs.run(state.root, "systemctl", verb, unit, timeout=timeout)


def _opposite(verb: str) -> str:
    return "start" if verb == "stop" else "stop"


def _checked(root: str, unit: str) -> str:
    """Return the unit's own name: ``display-manager.service`` is another name of one."""
    name = unit if unit.endswith(_TYPES) else f"{unit}.service"
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise InvalidValueError(f"{unit!r} is not the name of a unit such as display-manager.service")
    found = _show(root, name)
    if found["LoadState"] != "loaded":
        raise HostError(f"the unit {name} is {found['LoadState']} on this host; see systemctl status {name}")
    if _HOSTS.match(found["Id"]):
        raise HostError(f"{unit} must not be started or stopped by a hook: it waits for the hook (deadlock)")
    return found["Id"]


def _show(root: str, unit: str) -> dict[str, str]:
    printed = programs.run(root, "systemctl", "show", "--property=Id,LoadState,ActiveState", unit)
    pairs = (line.partition("=") for line in printed.splitlines())
    return {name: value for name, _, value in pairs}
