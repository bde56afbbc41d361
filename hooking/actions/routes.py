"""Routes of the host to the networks behind a guest."""

from __future__ import annotations

from hooking.actions.links import ADDRESS, NETWORK, get_link, show
from hooking.actions.programs import run
from hooking.exceptions import HostError, InvalidValueError
from hooking.values import whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hooking.actions.links import Network
    from hooking.states import State

_METRIC = whole_number(0, 2**32 - 1)
_TABLE = whole_number(1, 2**32 - 1)
_MAIN = 254
_DEFAULT_METRICS = {4: 0, 6: 1024}


def add_route(  # noqa: PLR0913 - options
    state: State,
    destination: str,
    *,
    via: str | None = None,
    device: str | None = None,
    metric: int | None = None,
    table: int = _MAIN,
) -> None:
    """Route packets for a network to a guest, or to an interface.

    It is ``ip route add`` of ip-route(8): no other route is replaced. One like it that was there before stays.

    Args:
        state: Where the undo is remembered.
        destination: The network, IPv4 or IPv6, as in ``198.51.100.0/24``; ``0.0.0.0/0`` for all others.
        via: The address of the next router, for example the guest's.
        device: The interface that they leave by; by default that to ``via``.
        metric: Of routes to the same network the lowest counts; by default the kernel's, 0 (IPv4) or 1024 (IPv6).
        table: The number of the routing table; by default the main one.

    Raises:
        InvalidValueError: A value does not follow its rule, or there is neither ``via`` nor ``device``.
        HostError: There is no such interface, or another route is there already.
        CommandError: The kernel refuses, for example as ``via`` cannot be reached.
    """
    network = NETWORK.read(destination)
    target = _target(network, via, device)
    metric = _METRIC.read(str(metric)) if metric else _DEFAULT_METRICS[network.version]
    route = [f"-{network.version}", str(network), str(metric), str(_TABLE.read(str(table)))]
    if device is not None:
        get_link(state.root, device)
    change = f"route {' '.join(route)}"
    with state.lock(change):
        found = _find(state.root, route)
        if found and not _leads(found, target):
            raise HostError(f"{_told(network, found)}; remove that route, or give this one another metric")
        state.remember(change, remove_route, state.root, route, None if found else target)
        if not found:
            _ip(state.root, "add", route, target)


def remove_route(root: str, route: list[str], target: dict[str, str] | None) -> None:
    """Remove a route, if it is there and leads to ``target``; with `None` leave it.

    Args:
        root: The root of the host.
        route: ``-4`` or ``-6``, the network, the metric and the number of the table.
        target: Where it leads: the address after ``via``, the interface after ``dev``.

    Raises:
        CommandError: The kernel refuses.
    """
    if target is not None and _leads(_find(root, route), target):
        _ip(root, "del", route, target)


def _target(network: Network, via: str | None, device: str | None) -> dict[str, str]:
    target: dict[str, str] = {}
    if via is not None:
        router = ADDRESS.read(via)
        if router.version != network.version:
            raise InvalidValueError(f"{via} cannot be the next router to {network}: one is IPv4, the other IPv6")
        target["via"] = str(router)
    if device is not None:
        target["dev"] = device
    if not target:
        raise InvalidValueError(f"say where packets for {network} go: via, device or both")
    return target


def _find(root: str, route: list[str]) -> dict[str, Any]:
    """Return the route as ``ip`` shows it; empty if there is none."""
    family, network, metric, table = route
    for found in show(root, "ip", "-N", family, "route", "show", "table", "all", "exact", network):
        if (str(found.get("metric", 0)), str(found.get("table", _MAIN))) == (metric, table):
            return found
    return {}


def _leads(found: dict[str, Any], target: dict[str, str]) -> bool:
    same_device = target.get("dev", found.get("dev")) == found.get("dev")
    return bool(found) and found.get("gateway") == target.get("via") and same_device


def _told(network: Network, found: dict[str, Any]) -> str:
    words = [f"{name} {found[key]}" for name, key in (("via", "gateway"), ("by", "dev")) if key in found]
    return f"packets for {network} go elsewhere already ({' '.join(words) or found.get('type', 'several ways')})"


def _ip(root: str, verb: str, route: list[str], target: dict[str, str]) -> None:
    family, network, metric, table = route
    words = [word for pair in target.items() for word in pair]
    run(root, "ip", family, "route", verb, network, *words, "metric", metric, "table", table)
