"""Ports of the host that lead to a guest: for guests in a network that the host's LAN does not reach.

Each forwarded port is an nftables table of its own, which comes and goes as a whole, whatever other firewalls do. It is
of family ``ip`` or ``ip6``, as NAT in family ``inet`` takes Linux 5.2. See nft(8).

A packet has to pass the other firewalls nevertheless: what one table accepts another may refuse, and libvirt refuses
new connections to guests in NAT networks. So a rule that accepts the forwarded connections, and nothing else, stands
at the head of the chain where libvirt's rules are reached: ``FORWARD`` of iptables, or from libvirt 10.4 on ``forward``
in the nftables table ``libvirt_network``. firewalld accepts forwarded connections by itself.
"""

from __future__ import annotations

from hooking.actions import kernel
from hooking.actions.links import ADDRESS, NETWORK, show
from hooking.actions.programs import run
from hooking.exceptions import CommandError, HostError, InvalidValueError
from hooking.values import Kind, choice, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hooking.actions.links import Address
    from hooking.states import State

_PREFIX = "libvirt-hooking"
_PROTOCOL = choice("tcp", "udp")
_PORT = whole_number(1, 65535)
_FORWARDING = {"ip": "net/ipv4/ip_forward", "ip6": "net/ipv6/conf/all/forwarding"}
_LOOPBACK = {"ip": "127.0.0.0/8", "ip6": "::1"}

# Before the chains of iptables and firewalld: the first that translates an address wins.
_TABLE = """\
table {family} {name} {{
    chain prerouting {{
        type nat hook prerouting priority -110; policy accept;
        {sent} dnat to {target}
    }}
    chain output {{
        type nat hook output priority -110; policy accept;
        {family} daddr != {loopback} {sent} dnat to {target}
    }}
    chain postrouting {{
        type nat hook postrouting priority 90; policy accept;
        {family} saddr {neighbours} ct status dnat {arriving} masquerade
    }}
}}
"""


def forward_port(  # noqa: PLR0913 - options
    state: State,
    port: int | str,
    to: str,
    *,
    to_port: int | None = None,
    protocol: Literal["tcp", "udp"] = "tcp",
    address: str | None = None,
) -> None:
    """Lead connections to a port of the host to a guest: those of other machines, of the host and of other guests.

    The host itself reaches it by its own addresses, but for those of the loopback interface. To the guest, connections
    from its own network seem to come from the host; its own come back to it unless br_netfilter is at work. Where a
    firewall was flushed while the guest runs, the same call, for example at ``reconnect``, puts back what is missing.

    Args:
        state: Where the undo is remembered. Connections that are open then stay open.
        port: The host's port, or a range as in ``8000-8010``.
        to: The guest's address, IPv4 or IPv6.
        to_port: The guest's port, of a range the first; by default the same as the host's.
        protocol: ``tcp`` or ``udp``.
        address: The only address of the host for which this holds; by default it holds for all.

    Raises:
        InvalidValueError: A value does not follow its rule, or one address is IPv4 and the other IPv6.
        HostError: The port leads elsewhere already, or the host forwards no packets, or has no route to the guest.
        CommandError: A program fails, or nft is not installed.
    """
    forward = _Forward(_PORTS.read(str(port)), ADDRESS.read(to), to_port, _PROTOCOL.read(protocol), address)
    root, family, name = state.root, forward.family, forward.name
    _check_forwarding(state, family)
    table = forward.table(_neighbours(root, forward.guest))
    with state.lock(_PREFIX):
        _check_free(root, family, name)
        state.remember(f"table {family} {name}", close_port, root, family, name)
        run(root, "nft", "-f", "-", stdin=_without(family, name) + table)
        _leave_firewalls(root, family, name)
        _pass_firewalls(root, forward)


def close_port(root: str, family: str, name: str) -> None:
    """Remove a forwarded port.

    Args:
        root: The root of the host.
        family: ``ip`` or ``ip6``.
        name: The name of its table, which its rules elsewhere have as their comment.

    Raises:
        CommandError: A program fails.
    """
    _leave_firewalls(root, family, name)
    run(root, "nft", "-f", "-", stdin=_without(family, name))


class _Forward:
    """What leads where, in the words of nft and iptables."""

    def __init__(self, ports: range, guest: Address, to_port: int | None, protocol: str, address: str | None) -> None:
        self.ports = ports
        self.guest = guest
        self.protocol = protocol
        self.family = "ip" if guest.version == 4 else "ip6"  # noqa: PLR2004
        self.host = None if address is None else ADDRESS.read(address)
        if self.host and self.host.version != guest.version:
            raise InvalidValueError(f"{self.host} cannot lead to {guest}: one is IPv4, the other IPv6")
        first = ports[0] if to_port is None else _PORT.read(str(to_port))
        _PORT.read(str(first + len(ports) - 1))
        self.guest_ports = range(first, first + len(ports))

    @property
    def name(self) -> str:
        """The table's name: two forwards that differ in anything have two."""
        words = _PREFIX, self.protocol, _dashed(self.ports), self.host or "any", self.guest, _dashed(self.guest_ports)
        return "/".join(map(str, words)).replace(":", "_")

    @property
    def arriving(self) -> str:
        """Matches the packets once they are translated."""
        return f"{self.family} daddr {self.guest} {self.protocol} dport {_dashed(self.guest_ports)}"

    @property
    def accept(self) -> list[str]:
        """The rule for iptables that accepts them, and the answers."""
        ports = _dashed(self.guest_ports).replace("-", ":")
        match = ["--ctproto", self.protocol, "--ctreplsrc", str(self.guest), "--ctreplsrcport", ports]
        comment = ["-m", "comment", "--comment", self.name]
        return ["-m", "conntrack", "--ctstate", "DNAT", *match, *comment, "-j", "ACCEPT"]

    def table(self, neighbours: str) -> str:
        """Return the table; ``neighbours`` would answer the guest's neighbours directly, not by the host."""
        sent = "fib daddr type local" if self.host is None else f"{self.family} daddr {self.host}"
        return _TABLE.format(
            family=self.family,
            name=self.name,
            sent=f"{sent} {self.protocol} dport {_dashed(self.ports)}",
            target=self._target(),
            loopback=_LOOPBACK[self.family],
            neighbours=neighbours,
            arriving=self.arriving,
        )

    def _target(self) -> str:
        if self.ports == self.guest_ports:
            return str(self.guest)
        guest = f"[{self.guest}]" if self.family == "ip6" else self.guest
        if len(self.ports) == 1:
            return f"{guest}:{self.guest_ports[0]}"
        pairs = ", ".join(f"{port} : {to_port}" for port, to_port in zip(self.ports, self.guest_ports))
        return f"{guest} : {self.protocol} dport map {{ {pairs} }}"


def _check_forwarding(state: State, family: str) -> None:
    setting = _FORWARDING[family]
    if kernel.read(kernel.locate(state, f"/proc/sys/{setting}")).strip() == "0":
        name = setting.replace("/", ".")
        raise HostError(f"this host forwards no packets; libvirt's NAT networks let it, or: sysctl -w {name}=1")


def _neighbours(root: str, guest: Address) -> str:
    """Return the network that the host shares with the guest; the guest alone if there is none."""
    routes = show(root, "ip", f"-{guest.version}", "route", "show", "match", str(guest))
    if not routes:
        raise HostError(f"this host has no route to {guest}; start the guest's network first")
    shared = [NETWORK.read(route["dst"]) for route in routes if "gateway" not in route and route["dst"] != "default"]
    return str(max(shared, key=lambda network: network.prefixlen, default=guest))


def _check_free(root: str, family: str, name: str) -> None:
    for line in run(root, "nft", "list", "tables", family).splitlines():
        other = line.split()[-1]
        if other.startswith(f"{_PREFIX}/") and other != name and _meet(name.split("/"), other.split("/")):
            _, protocol, ports, *_ = name.split("/")
            raise HostError(
                f"{protocol} port {ports} of this host leads elsewhere already: nft list table {family} {other}"
            )


def _meet(one: list[str], other: list[str]) -> bool:
    ports, other_ports = _PORTS.read(one[2]), _PORTS.read(other[2])
    return (
        one[1] == other[1]
        and (one[3] == other[3] or "any" in {one[3], other[3]})
        and ports[0] <= other_ports[-1]
        and other_ports[0] <= ports[-1]
    )


def _without(family: str, name: str) -> str:
    return f"add table {family} {name}\ndelete table {family} {name}\n"


def _pass_firewalls(root: str, forward: _Forward) -> None:
    family = forward.family
    if _iptables_rules(root, family) not in ([], ["-P FORWARD ACCEPT"]):
        run(root, _iptables(family), "-w", "-I", "FORWARD", *forward.accept)
    if _libvirt_rules(root, family):
        rule = f'{forward.arriving} ct status dnat accept comment "{forward.name}"'
        run(root, "nft", "-f", "-", stdin=f"insert rule {family} libvirt_network forward {rule}\n")


def _leave_firewalls(root: str, family: str, name: str) -> None:
    for rule in _iptables_rules(root, family):
        words = rule.replace('"', "").split()
        if name in words:
            run(root, _iptables(family), "-w", "-D", *words[1:])
    for rule in _libvirt_rules(root, family):
        if f'comment "{name}"' in rule:
            handle = rule.split()[-1]
            run(root, "nft", "-f", "-", stdin=f"delete rule {family} libvirt_network forward handle {handle}\n")


def _iptables(family: str) -> str:
    return {"ip": "iptables", "ip6": "ip6tables"}[family]


def _iptables_rules(root: str, family: str) -> list[str]:
    return _rules(root, _iptables(family), "-w", "-S", "FORWARD")


def _libvirt_rules(root: str, family: str) -> list[str]:
    return _rules(root, "nft", "-a", "list", "chain", family, "libvirt_network", "forward")


def _rules(root: str, *command: str) -> list[str]:
    try:
        return run(root, *command).splitlines()
    except CommandError:  # a firewall that this host does not have
        return []


def _ports(text: str) -> range:
    first, dash, last = text.partition("-")
    numbers = range(_PORT.read(first), _PORT.read(last if dash else first) + 1)
    if not numbers:
        raise ValueError(text)
    return numbers


def _dashed(ports: range) -> str:
    return str(ports[0]) if len(ports) == 1 else f"{ports[0]}-{ports[-1]}"


_PORTS = Kind("a port, from 1 to 65535, or a range of them such as 8000-8010", _ports)
