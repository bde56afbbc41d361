"""What a libvirt daemon makes of a definition as a guest starts, runs and ends, and what it tells of networks."""

from __future__ import annotations

from copy import deepcopy

from hooking import points
from hooking.devices import Interface
from hooking.document import child, find, parse, remove, serialise
from hooking.domain import Domain
from hooking.network import HookData, Network, NetworkPort
from hooking.testing.documents import sample

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.testing.inventory import Guest, Port

_WITH_ID = {"qemu": ("prepare", "start", "started", "reconnect"), "lxc": ("started", "stopped", "reconnect")}
_WITH_ID_ELSEWHERE = ("started", "reconnect")
_SPAWNED = ("emulator", "started")
_RUNNING = ("start", "started", "reconnect")
_ALIASES = {"interface": "net", "disk": "virtio-disk", "memballoon": "balloon"}
_WITHOUT_ALIAS = ("emulator", "graphics", "audio")
_FIRST_VNC_PORT = 5900


def at(guest: Guest, op: str) -> bytes:
    """Return the document of ``guest`` as the daemon hands it over at ``op``."""
    domain = Domain(parse(guest.document))
    has_id = op in _WITH_ID.get(guest.driver, _WITH_ID_ELSEWHERE) and (op != "stopped" or guest.reached in _SPAWNED)
    domain.id = guest.id if has_id else None
    if guest.reached != "prepare":
        _add_aliases(domain)
    if op in _RUNNING:
        _add_resources(domain, guest)
    return serialise(domain.element, declaration=False)


def network_cards(document: str | bytes) -> list[tuple[str, str]]:
    """Return MAC address and network of each card in a ``<domain>``, or of one ``<interface>``, that makes a port."""
    root = parse(document.encode() if isinstance(document, str) else document)
    cards = [Interface(root)] if root.tag == "interface" else Domain(root).interfaces
    return [(card.mac or "", card.source_network or "") for card in cards if card.type == "network"]


def with_device(document: bytes, device: str) -> bytes:
    """Return a ``<domain>`` with one more device."""
    root = parse(document)
    child(root, "devices").append(parse(device.encode()))
    return serialise(root, declaration=False)


def without_card(document: bytes, mac: str) -> bytes:
    """Return a ``<domain>`` without the network card ``mac``."""
    domain = Domain(parse(document))
    for card in domain.interfaces:
        if card.mac == mac:
            remove(card.element)
    return serialise(domain.element, declaration=False)


def network(document: bytes) -> bytes:
    """Return the ``<network>`` of a ``<hookData>``."""
    return serialise(deepcopy(HookData(parse(document)).network.element), declaration=False)


def sample_network(name: str) -> bytes:
    """Return a network of that name."""
    root = parse(network(sample(points.find("network", "start"))))
    Network(root).name = name
    return serialise(root, declaration=False)


def hook_data(document: bytes, *, port: Port | None = None, connections: int = 0, with_guest: bool = False) -> bytes:
    """Return the ``<hookData>`` of a network.

    Args:
        document: The ``<network>``.
        port: Its port that comes or goes.
        connections: How many ports it has.
        with_guest: Show the card and its guest in the place of the port, as libvirt did before 5.5.0.
    """
    data = parse(b"<hookData/>")
    described = Network(parse(document))
    described.connections = connections or None
    data.append(described.element)
    if port and with_guest:
        guest = Domain(parse(port.guest))
        data.extend(deepcopy(card.element) for card in guest.interfaces if card.mac == port.mac)
        data.append(guest.element)
    elif port:
        data.append(_port_view(port, described).element)
    return serialise(data, declaration=False)


def _port_view(port: Port, network: Network) -> NetworkPort:
    guest = Domain(parse(port.guest))
    view = NetworkPort(parse(b"<networkport/>"))
    view.uuid = port.uuid
    view.owner_name, view.owner_uuid = guest.name, guest.uuid
    view.mac = port.mac
    view.plug_type, view.plug_bridge = "network", network.bridge
    return view


def _add_aliases(domain: Domain) -> None:
    counts: dict[str, int] = {}
    for device in domain.devices:
        kind = device.kind
        if kind not in _WITHOUT_ALIAS:
            number = counts[kind] = counts.get(kind, -1) + 1
            device.alias = device.alias or f"{_ALIASES.get(kind, kind)}{number}"


def _add_resources(domain: Domain, guest: Guest) -> None:
    ports = {port.mac: port for port in guest.ports}
    for number, card in enumerate(domain.interfaces):
        card.target_dev = card.target_dev or f"vnet{number}"
        port = ports.get(card.mac or "")
        source = find(card.element, "source")
        if port and source is not None:
            source.set("portid", port.uuid)
    for display in domain.element.iterfind("devices/graphics[@autoport='yes']"):
        display.set("port", str(_FIRST_VNC_PORT))
