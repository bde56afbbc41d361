"""Logical volumes that a guest's disks are."""

from __future__ import annotations

import re

from hooking.actions import programs
from hooking.exceptions import HostError, InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.states import State

_NAME = r"(?!\.\.?(?:/|$))[A-Za-z0-9+_.][A-Za-z0-9+_.-]*"
_VOLUME = re.compile(f"{_NAME}/{_NAME}")


def activate_volume(state: State, volume: str) -> None:
    """Activate a logical volume of LVM; it is deactivated when no guest needs it any more, if it was not active before.

    A guest may write what it likes to a volume, and so make volumes of its own: with names of the host's, for example.
    Let LVM on the host look only at the host's own disks: see lvmdevices(8), and ``filter`` in lvm.conf(5).

    Args:
        state: Where the undo is remembered.
        volume: The names of its group and of itself, as in ``vg0/guest``. See lvm(8).

    Raises:
        InvalidValueError: That are no two names.
        HostError: There is no such volume.
        CommandError: LVM does not do it.
    """
    if not _VOLUME.fullmatch(volume):
        raise InvalidValueError(f"{volume!r} does not name a volume and its group, such as vg0/guest")
    change = f"volume {volume}"
    with state.lock(change):
        active = _is_active(state.root, volume)
        if active is None:
            raise HostError(f"there is no logical volume {volume} on this host; see lvs")
        state.remember(change, restore_volume, state.root, volume, active)
        programs.run(state.root, "lvchange", "--activate", "y", "--ignoreactivationskip", volume)


def restore_volume(root: str, volume: str, active: bool) -> None:
    """Deactivate a volume, unless it was ``active`` before, or is not any more.

    Raises:
        CommandError: LVM does not do it; something may still use the volume.
    """
    if not active and _is_active(root, volume):
        programs.run(root, "lvchange", "--activate", "n", volume)


def _is_active(root: str, volume: str) -> bool | None:
    """Tell whether a volume is active on this host; `None` if it is not there."""
    columns = ("--noheadings", "--options", "lv_full_name,lv_active_locally")
    found = programs.run(root, "lvs", *columns, "--select", f"lv_full_name={volume}").split()
    return len(found) > 1 if found else None
