"""Bridges of the host: which one an interface belongs to, and the VLANs that it carries there."""

from __future__ import annotations

from hooking.actions.links import find_link, get_link, show
from hooking.actions.programs import run
from hooking.exceptions import HostError
from hooking.values import whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hooking.states import State

_VLAN = whole_number(1, 4094)


def add_to_bridge(state: State, device: str, bridge: str) -> None:
    """Make an interface, such as the guest's ``vnet0``, a port of a Linux bridge, and of no other any more.

    It is ``ip link set dev DEVICE master BRIDGE`` of ip-link(8). The undo brings back its VLANs too, but no other
    settings of the port; an interface that is gone it leaves alone.

    Args:
        state: Where the undo is remembered.
        device: The interface; that of a guest stands in ``target_dev`` from ``started`` on.
        bridge: The bridge.

    Raises:
        InvalidValueError: One of them cannot be the name of an interface.
        HostError: One of them is not there, is no bridge, or the interface belongs to something else, as to a bond.
        CommandError: The kernel refuses.
    """
    _get_bridge(state.root, bridge)
    index = get_link(state.root, device)["ifindex"]
    change = f"bridge of {device}, interface {index}"
    with state.lock(change):
        master = get_link(state.root, device).get("master")
        if master is not None:
            _get_bridge(state.root, master)
        vlans = _vlans(state.root, device) if master else {}
        state.remember(change, restore_bridge, state.root, device, index, master, vlans)
        _set_master(state.root, device, bridge)


def restore_bridge(root: str, device: str, index: int, bridge: str | None, vlans: dict[str, str]) -> None:
    """Make an interface a port of ``bridge``, or of none, if it is still there.

    Args:
        root: The root of the host.
        device: The interface.
        index: Its number.
        bridge: The bridge.
        vlans: What the port carries there, as for `restore_vlans`.

    Raises:
        CommandError: The kernel refuses.
    """
    if find_link(root, device, index):
        _set_master(root, device, bridge)
        restore_vlans(root, device, index, vlans)


def set_vlans(state: State, device: str, vlans: Iterable[int] = (), *, untagged: int | None = None) -> None:
    """Let a port of a bridge carry these VLANs, and no others.

    It is ``bridge vlan add`` and ``bridge vlan del`` of bridge(8). The undo leaves a port alone that is gone.

    Args:
        state: Where the undo is remembered.
        device: The port, such as the guest's ``vnet0``.
        vlans: The numbers of the VLANs whose packets carry their tags, from 1 to 4094.
        untagged: The VLAN of packets without a tag, both ways.

    Raises:
        InvalidValueError: A number is none of a VLAN, or ``device`` cannot be the name of an interface.
        HostError: There is no such interface, it is no port of a bridge, or the bridge heeds no VLANs.
        CommandError: The kernel refuses.
    """
    wanted = {str(_VLAN.read(str(vlan))): "" for vlan in vlans}
    if untagged is not None:
        wanted[str(_VLAN.read(str(untagged)))] = "pvid untagged"
    port = get_link(state.root, device)
    _check_filtering(state.root, port)
    change = f"VLANs of {device}, interface {port['ifindex']}"
    with state.lock(change):
        state.remember(change, restore_vlans, state.root, device, port["ifindex"], _vlans(state.root, device))
        _put_vlans(state.root, device, wanted)


def restore_vlans(root: str, device: str, index: int, vlans: dict[str, str]) -> None:
    """Let a port of a bridge carry ``vlans``, and no others, if it is still there.

    Args:
        root: The root of the host.
        device: The port.
        index: The number of its interface.
        vlans: The numbers, each with ``pvid``, ``untagged``, both or neither.

    Raises:
        CommandError: The kernel refuses.
    """
    port = find_link(root, device, index)
    if port and "master" in port:
        _put_vlans(root, device, vlans)


def _get_bridge(root: str, name: str) -> dict[str, Any]:
    link = get_link(root, name)
    kind = link.get("linkinfo", {}).get("info_kind", "device")
    if kind != "bridge":
        raise HostError(f"{name} is no Linux bridge but a {kind}; see: ip link show type bridge")
    return link


def _check_filtering(root: str, port: dict[str, Any]) -> None:
    bridge = port.get("master")
    if bridge is None:
        raise HostError(f"{port['ifname']} is no port of a bridge; call add_to_bridge first")
    if not _get_bridge(root, bridge)["linkinfo"].get("info_data", {}).get("vlan_filtering"):
        raise HostError(f"bridge {bridge} heeds no VLANs; run: ip link set dev {bridge} type bridge vlan_filtering 1")


def _set_master(root: str, device: str, bridge: str | None) -> None:
    run(root, "ip", "link", "set", "dev", device, *(("nomaster",) if bridge is None else ("master", bridge)))


def _vlans(root: str, device: str) -> dict[str, str]:
    """Return the VLANs of a port, each with its flags as ``bridge vlan add`` takes them."""
    found: dict[str, str] = {}
    for entry in show(root, "bridge", "vlan", "show", "dev", device):
        for vlan in entry["vlans"]:
            flags = [flag.split()[-1].lower() for flag in vlan.get("flags", ())]  # PVID, Egress Untagged
            for number in range(vlan["vlan"], vlan.get("vlanEnd", vlan["vlan"]) + 1):
                found[str(number)] = " ".join(flags)
    return found


def _put_vlans(root: str, device: str, vlans: dict[str, str]) -> None:
    before = _vlans(root, device)
    lines = [f"vlan add dev {device} vid {vlan} {flags}" for vlan, flags in vlans.items() if before.get(vlan) != flags]
    lines += [f"vlan del dev {device} vid {vlan}" for vlan in before if vlan not in vlans]
    if lines:
        run(root, "bridge", "-batch", "-", stdin="\n".join([*lines, ""]))
