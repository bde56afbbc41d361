"""The network actions: what is refused, and what the host's programs are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hooking
from hooking import HookContext, _process
from hooking.actions.bridges import add_to_bridge, restore_bridge, set_vlans
from hooking.actions.ports import close_port, forward_port
from hooking.actions.routes import add_route, remove_route
from hooking.exceptions import CommandError, HostError, InvalidValueError
from hooking.testing import FakeHost

UUID = "3573e29e-5de9-468a-9fae-16050c6b3dcc"
OTHER = "c7a5fdbd-edaf-9455-926a-d65c16db1809"
NEAR: dict[str, Any] = {"dst": "198.51.100.0/24", "dev": "virbr0", "protocol": "kernel", "scope": "link", "flags": []}
FAR: dict[str, Any] = {"dst": "default", "gateway": "203.0.113.9", "dev": "lan", "flags": []}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    host = FakeHost(tmp_path / "root")
    process = _process.Process(["/etc/libvirt/hooks/qemu"], {"HOOKING_ROOT": str(host.root)})
    monkeypatch.setattr(_process, "_current", process)
    host.write("/proc/sys/net/ipv4/ip_forward", "1\n")
    host.write("/proc/sys/net/ipv6/conf/all/forwarding", "1\n")
    tell(host, "nft", {})
    return host


@pytest.fixture
def state(host: FakeHost) -> hooking.State:
    return state_of(UUID)


def state_of(uuid: str) -> hooking.State:
    return hooking.state(HookContext("qemu", "started", object="g", uuid=uuid))


def tell(host: FakeHost, program: str, answers: dict[str, Any], otherwise: str = "exit 0") -> None:
    """Let a program print answers to some arguments, as JSON unless it is text, and keep what it is given."""
    cases = [f"'{words}') cat '{host.root}/{program}.{number}';;" for number, words in enumerate(answers)]
    for number, answer in enumerate(answers.values()):
        host.write(f"/{program}.{number}", answer if isinstance(answer, str) else json.dumps(answer))
    script = ['case "$*" in', *cases, f"'-f -'|'-batch -') cat >> '{host.root}/{program}.given';;", f"*) {otherwise};;"]
    host.add_program(program, "\n".join([*script, "esac"]))


def given(host: FakeHost, program: str) -> str:
    """Return what a program was given since the last time."""
    path = host.path(f"/{program}.given")
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return text


def routed(host: FakeHost, *routes: dict[str, Any], to: str = "-4 route show match 198.51.100.5") -> None:
    tell(host, "ip", {f"-json {to}": list(routes)})


# What is refused before anything is asked or changed

REFUSED: list[tuple[str, Callable[..., object], tuple[Any, ...], dict[str, Any], str]] = [
    ("port 0", forward_port, (0, "198.51.100.5"), {}, "'0' is not a port, from 1 to 65535"),
    ("a truth value as port", forward_port, (True, "198.51.100.5"), {}, "'True' is not a port"),
    ("a range backwards", forward_port, ("9-8", "198.51.100.5"), {}, "'9-8' is not a port"),
    ("a range without an end", forward_port, ("9-", "198.51.100.5"), {}, "'9-' is not a port"),
    ("rules in a port", forward_port, ("80 accept; flush ruleset", "198.51.100.5"), {}, "is not a port"),
    ("a name as address", forward_port, (80, "guest"), {}, "'guest' is not the IPv4 or IPv6 address of one machine"),
    ("a network as address", forward_port, (80, "198.51.100.0/24"), {}, "is not the IPv4 or IPv6 address"),
    ("the loopback address", forward_port, (80, "127.0.0.1"), {}, "is not the IPv4 or IPv6 address"),
    ("a group of machines", forward_port, (80, "ff02::1"), {}, "is not the IPv4 or IPv6 address"),
    ("no machine", forward_port, (80, "0.0.0.0"), {}, "is not the IPv4 or IPv6 address"),
    ("rules in an address", forward_port, (80, "2001:db8::1%a; flush ruleset"), {}, "is not the IPv4 or IPv6 address"),
    ("no text as address", forward_port, (80, 5), {}, "5 is not the IPv4 or IPv6 address"),
    ("a protocol without ports", forward_port, (80, "198.51.100.5"), {"protocol": "icmp"}, "is not one of tcp, udp"),
    ("too high a port", forward_port, ("1-9", "198.51.100.5"), {"to_port": 65530}, "'65538' is not a whole number"),
    ("no port of the guest", forward_port, (1, "198.51.100.5"), {"to_port": 0}, "'0' is not a whole number"),
    ("two kinds of addresses", forward_port, (1, "198.51.100.5"), {"address": "2001:db8::1"}, "one is IPv4"),
    ("too long a name", add_to_bridge, ("vnet0", "b" * 16), {}, "is not the name of a network interface: 1 to 15"),
    ("no name", add_to_bridge, ("vnet0", ""), {}, "'' is not the name of a network interface"),
    ("an option as name", add_to_bridge, ("vnet0", "-all"), {}, "is not the name of a network interface"),
    ("a folder as name", add_to_bridge, ("vnet0", ".."), {}, "is not the name of a network interface"),
    ("words in a name", add_to_bridge, ("vnet0", "a master b"), {}, "is not the name of a network interface"),
    ("VLAN 0", set_vlans, ("vnet0", [0]), {}, "'0' is not a whole number from 1 to 4094"),
    ("VLAN 4095", set_vlans, ("vnet0",), {"untagged": 4095}, "'4095' is not a whole number from 1 to 4094"),
    ("a host as network", add_route, ("192.0.2.1/24",), {"device": "a"}, "is not an IPv4 or IPv6 network"),
    ("words in a network", add_route, ("fe80::%a b/64",), {"device": "a"}, "is not an IPv4 or IPv6 network"),
    ("a route to nowhere", add_route, ("192.0.2.0/24",), {}, "say where packets for 192.0.2.0/24 go"),
    ("a router of another kind", add_route, ("192.0.2.0/24",), {"via": "2001:db8::1"}, "one is IPv4, the other IPv6"),
    ("a negative metric", add_route, ("192.0.2.0/24",), {"device": "a", "metric": -1}, "'-1' is not a whole number"),
    ("table 0", add_route, ("192.0.2.0/24",), {"device": "a", "table": 0}, "'0' is not a whole number from 1"),
    ("words in a device", add_route, ("192.0.2.0/24",), {"device": "a b"}, "is not the name of a network interface"),
]


@pytest.mark.parametrize(
    ("action", "arguments", "options", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_wrong_value_is_refused_and_nothing_run(
    host: FakeHost,
    state: hooking.State,
    action: Callable[..., object],
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    message: str,
) -> None:
    before = host.snapshot()
    with pytest.raises(InvalidValueError, match=message):
        action(state, *arguments, **options)
    assert host.commands == []
    assert host.snapshot() == before


# Ports


def test_a_port_is_a_table_of_its_own(host: FakeHost, state: hooking.State) -> None:
    routed(host, FAR, {**NEAR, "dst": "198.51.0.0/16"}, NEAR)
    forward_port(state, 8080, "198.51.100.5", to_port=80)
    name = "libvirt-hooking/tcp/8080/any/198.51.100.5/80"
    empty = f"add table ip {name}\ndelete table ip {name}\n"
    assert (
        given(host, "nft")
        == f"""{empty}table ip {name} {{
    chain prerouting {{
        type nat hook prerouting priority -110; policy accept;
        fib daddr type local tcp dport 8080 dnat to 198.51.100.5:80
    }}
    chain output {{
        type nat hook output priority -110; policy accept;
        ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 8080 dnat to 198.51.100.5:80
    }}
    chain postrouting {{
        type nat hook postrouting priority 90; policy accept;
        ip saddr 198.51.100.0/24 ct status dnat ip daddr 198.51.100.5 tcp dport 80 masquerade
    }}
}}
"""
    )
    assert state.undo()
    assert given(host, "nft") == empty


@pytest.mark.parametrize(
    ("port", "to", "options", "rule"),
    [
        ("80-82", "198.51.100.5", {"protocol": "udp"}, "fib daddr type local udp dport 80-82 dnat to 198.51.100.5\n"),
        ("80-80", "198.51.100.5", {"to_port": 80}, "fib daddr type local tcp dport 80 dnat to 198.51.100.5\n"),
        (
            "80-81",
            "198.51.100.5",
            {"address": "203.0.113.1", "to_port": 90},
            " ip daddr 203.0.113.1 tcp dport 80-81 dnat to 198.51.100.5 : tcp dport map { 80 : 90, 81 : 91 }\n",
        ),
        (
            1,
            "2001:DB8::5",
            {"to_port": 2},
            "ip6 daddr != ::1 fib daddr type local tcp dport 1 dnat to [2001:db8::5]:2\n",
        ),
        (1, "2001:db8::5", {}, " ip6 saddr 2001:db8::5 ct status dnat ip6 daddr 2001:db8::5 tcp dport 1 masquerade\n"),
    ],
)
def test_what_is_sent_where(
    host: FakeHost, state: hooking.State, port: int | str, to: str, options: dict[str, Any], rule: str
) -> None:
    version = 6 if ":" in to else 4
    routed(host, FAR, to=f"-{version} route show match {to.lower()}")
    forward_port(state, port, to, **options)
    assert rule in given(host, "nft")


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        ("net/ipv4/ip_forward", "198.51.100.5", "or: sysctl -w net.ipv4.ip_forward=1"),
        ("net/ipv6/conf/all/forwarding", "2001:db8::5", "or: sysctl -w net.ipv6.conf.all.forwarding=1"),
    ],
)
def test_a_host_that_forwards_nothing_is_told(
    host: FakeHost, state: hooking.State, path: str, to: str, message: str
) -> None:
    host.write(f"/proc/sys/{path}", "0\n")
    with pytest.raises(HostError, match=message):
        forward_port(state, 8080, to)
    assert host.commands == []


def test_a_guest_without_a_route_is_refused(host: FakeHost, state: hooking.State) -> None:
    routed(host)
    with pytest.raises(HostError, match=r"no route to 198.51.100.5; start the guest's network first"):
        forward_port(state, 8080, "198.51.100.5")
    assert given(host, "nft") == ""
    assert not state


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        ("libvirt-hooking/tcp/8080/any/198.51.100.5/81", True),
        ("libvirt-hooking/tcp/8000-8080/203.0.113.1/198.51.100.6/8000-8080", True),
        ("libvirt-hooking/tcp/8080-8090/203.0.113.1/198.51.100.6/8080-8090", True),
        ("libvirt-hooking/tcp/8080/203.0.113.1/198.51.100.5/80", False),
        ("libvirt-hooking/tcp/8081/any/198.51.100.6/80", False),
        ("libvirt-hooking/tcp/8000-8079/any/198.51.100.6/8000-8079", False),
        ("libvirt-hooking/udp/8080/any/198.51.100.6/80", False),
        ("libvirt-hooking/tcp/8080/203.0.113.2/198.51.100.6/80", False),
        ("libvirt_network", False),
    ],
)
def test_two_guests_do_not_get_one_port(host: FakeHost, state: hooking.State, other: str, refused: bool) -> None:
    routed(host, NEAR)
    tell(host, "nft", {"list tables ip": f"table ip filter\ntable ip {other}\n"})
    if refused:
        with pytest.raises(HostError, match=f"leads elsewhere already: nft list table ip {other}"):
            forward_port(state, 8080, "198.51.100.5", to_port=80, address="203.0.113.1")
        assert given(host, "nft") == ""
        assert not state_of(UUID)._read()["changes"]
    else:
        forward_port(state, 8080, "198.51.100.5", to_port=80, address="203.0.113.1")
        assert "203.0.113.1" in given(host, "nft")


ACCEPT = (
    "FORWARD -m conntrack --ctstate DNAT --ctproto {} --ctreplsrc 198.51.100.5{} --ctreplsrcport {}"
    " -m comment --comment {}libvirt-hooking/tcp/{}/any/198.51.100.5/{}{} -j ACCEPT"
)


@pytest.mark.parametrize("rules", ["-P FORWARD DROP", "-P FORWARD ACCEPT\n-A FORWARD -j LIBVIRT_FWI"])
def test_iptables_lets_it_pass_where_it_refuses_others(host: FakeHost, state: hooking.State, rules: str) -> None:
    routed(host, NEAR)
    tell(host, "iptables", {"-w -S FORWARD": rules})
    forward_port(state, "80-81", "198.51.100.5")
    added = ["iptables", "-w", "-I", *ACCEPT.format("tcp", "", "80:81", "", "80-81", "80-81", "").split()]
    assert [command for command in host.commands if command[2:] != ["-S", "FORWARD"]].count(added) == 1
    old = ACCEPT.format(6, "/32", "80:81", '"', "80-81", "80-81", '"')
    other = ACCEPT.format(6, "/32", "80", '"', "80", "80", '"')
    tell(host, "iptables", {"-w -S FORWARD": f"{rules}\n-A {other}\n-A {old}\n"})
    assert state.undo()
    removed = [command for command in host.commands if "-D" in command]
    assert removed == [["iptables", "-w", "-D", *old.replace('"', "").split()]]


def test_iptables_is_left_alone_where_it_refuses_nothing(host: FakeHost, state: hooking.State) -> None:
    routed(host, NEAR)
    tell(host, "iptables", {"-w -S FORWARD": "-P FORWARD ACCEPT\n"})
    forward_port(state, 80, "198.51.100.5")
    assert not [command for command in host.commands if "-I" in command]


def test_libvirts_table_lets_it_pass(host: FakeHost, state: hooking.State) -> None:
    routed(host, NEAR)
    listing = "-a list chain ip libvirt_network forward"
    tell(host, "nft", {listing: "table ip libvirt_network { # handle 3\n"})
    forward_port(state, 80, "198.51.100.5")
    name = "libvirt-hooking/tcp/80/any/198.51.100.5/80"
    rule = f'ip daddr 198.51.100.5 tcp dport 80 ct status dnat accept comment "{name}"'
    assert given(host, "nft").endswith(f"}}\ninsert rule ip libvirt_network forward {rule}\n")
    tell(host, "nft", {listing: f"  {rule} # handle 17\n  counter jump guest_input # handle 9\n"})
    assert state.undo()
    assert given(host, "nft").startswith("delete rule ip libvirt_network forward handle 17\nadd table")


def test_a_port_that_is_closed_twice_is_closed(host: FakeHost) -> None:
    for _ in range(2):
        close_port(str(host.root), "ip6", "libvirt-hooking/tcp/80/any/2001_db8__5/80")
    assert given(host, "nft").count("delete table ip6 libvirt-hooking/tcp/80/any/2001_db8__5/80\n") == 2


def test_a_host_without_nft_is_told(host: FakeHost, state: hooking.State) -> None:
    routed(host, NEAR)
    host.path("/usr/bin/nft").unlink()
    with pytest.raises(CommandError, match="nft is not installed"):
        forward_port(state, 80, "198.51.100.5")


# Bridges


def link(name: str, index: int, master: str | None = None, kind: str = "", filtering: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {"ifname": name, "ifindex": index}
    if master:
        found["master"] = master
    if kind:
        found["linkinfo"] = {"info_kind": kind, "info_data": {"vlan_filtering": filtering}}
    return found


def linked(host: FakeHost, *links: dict[str, Any]) -> None:
    there = {f"link show dev {found['ifname']}": "" for found in links}
    told = {f"-json -details link show dev {found['ifname']}": [{}, found] for found in links}
    tell(host, "ip", {**there, **told}, otherwise='[ "$2" = set ]')


def changes(host: FakeHost) -> list[str]:
    return [" ".join(command[4:]) for command in host.commands if command[:3] == ["ip", "link", "set"]]


def test_an_interface_returns_to_its_bridge(host: FakeHost, state: hooking.State) -> None:
    bridges = link("br0", 2, kind="bridge"), link("br1", 3, kind="bridge")
    linked(host, *bridges, link("vnet0", 7, "br0", "tun"), link("vnet1", 8))
    carrying(host, {"vlan": 7})
    add_to_bridge(state, "vnet0", "br1")
    add_to_bridge(state, "vnet1", "br1")
    linked(host, *bridges, link("vnet0", 7, "br1", "tun"), link("vnet1", 8))
    carrying(host, {"vlan": 1})
    add_to_bridge(state, "vnet0", "br1")
    assert state.undo()
    assert given(host, "bridge") == "vlan add dev vnet0 vid 7 \nvlan del dev vnet0 vid 1\n"
    assert changes(host) == [
        "vnet0 master br1",
        "vnet1 master br1",
        "vnet0 master br1",
        "vnet1 nomaster",
        "vnet0 master br0",
    ]


@pytest.mark.parametrize("later", [[], [link("vnet0", 9, "br0")]], ids=["gone", "another"])
def test_an_interface_that_is_gone_is_done(host: FakeHost, state: hooking.State, later: list[dict[str, Any]]) -> None:
    linked(host, link("br0", 2, kind="bridge", filtering=1), link("vnet0", 7, "br0"))
    tell(host, "bridge", {})
    add_to_bridge(state, "vnet0", "br0")
    set_vlans(state, "vnet0", [10])
    given(host, "bridge")
    linked(host, *later)
    assert state.undo()
    assert changes(host) == ["vnet0 master br0"]
    assert given(host, "bridge") == ""


@pytest.mark.parametrize(
    ("device", "bridge", "message"),
    [
        ("vnet9", "br0", "no network interface vnet9; see: ip link"),
        ("vnet0", "br9", "no network interface br9; see: ip link"),
        ("vnet0", "eth0", "eth0 is no Linux bridge but a device; see: ip link show type bridge"),
        ("vnet1", "br0", "bond0 is no Linux bridge but a bond"),
    ],
)
def test_only_bridges_have_ports(host: FakeHost, state: hooking.State, device: str, bridge: str, message: str) -> None:
    ports = link("vnet0", 7), link("vnet1", 8, "bond0")
    linked(host, *ports, link("br0", 2, kind="bridge"), link("bond0", 3, kind="bond"), link("eth0", 4))
    with pytest.raises(HostError, match=message):
        add_to_bridge(state, device, bridge)
    assert changes(host) == []


def test_undoing_twice_is_harmless(host: FakeHost) -> None:
    linked(host, link("vnet0", 7))
    for _ in range(2):
        restore_bridge(str(host.root), "vnet0", 7, None, {})
    assert changes(host) == ["vnet0 nomaster"] * 2


# VLANs

CARRIED: list[dict[str, Any]] = [
    {"vlan": 1, "flags": ["PVID", "Egress Untagged"]},
    {"vlan": 20, "vlanEnd": 22},
    {"vlan": 30, "flags": ["Egress Untagged"]},
]


def carrying(host: FakeHost, *vlans: dict[str, Any]) -> None:
    shown = [{"ifname": "vnet0", "vlans": vlans}] if vlans else ""
    tell(host, "bridge", {"-json vlan show dev vnet0": shown})


def test_the_vlans_of_a_port_return_with_their_flags(host: FakeHost, state: hooking.State) -> None:
    linked(host, link("br0", 2, kind="bridge", filtering=1), link("vnet0", 7, "br0"))
    carrying(host, *CARRIED)
    set_vlans(state, "vnet0", [10, 21, 30], untagged=20)
    assert given(host, "bridge").splitlines() == [
        "vlan add dev vnet0 vid 10 ",
        "vlan add dev vnet0 vid 30 ",
        "vlan add dev vnet0 vid 20 pvid untagged",
        "vlan del dev vnet0 vid 1",
        "vlan del dev vnet0 vid 22",
    ]
    now: list[dict[str, Any]] = [
        {"vlan": 10},
        {"vlan": 20, "flags": ["PVID", "Egress Untagged"]},
        {"vlan": 21},
        {"vlan": 30},
    ]
    carrying(host, *now)
    set_vlans(state, "vnet0", [10, 21, 30], untagged=20)
    assert given(host, "bridge") == ""
    assert state.undo()
    assert given(host, "bridge").splitlines() == [
        "vlan add dev vnet0 vid 1 pvid untagged",
        "vlan add dev vnet0 vid 20 ",
        "vlan add dev vnet0 vid 22 ",
        "vlan add dev vnet0 vid 30 untagged",
        "vlan del dev vnet0 vid 10",
    ]


def test_a_port_without_vlans_has_none_again(host: FakeHost, state: hooking.State) -> None:
    linked(host, link("br0", 2, kind="bridge", filtering=1), link("vnet0", 7, "br0"))
    carrying(host)
    set_vlans(state, "vnet0", [10])
    carrying(host, {"vlan": 10})
    given(host, "bridge")
    assert state.undo()
    assert given(host, "bridge") == "vlan del dev vnet0 vid 10\n"


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (link("vnet0", 7, "br0"), "run: ip link set dev br0 type bridge vlan_filtering 1"),
        (link("vnet0", 7), "vnet0 is no port of a bridge; call add_to_bridge first"),
    ],
)
def test_vlans_need_a_bridge_that_heeds_them(
    host: FakeHost, state: hooking.State, port: dict[str, Any], message: str
) -> None:
    linked(host, link("br0", 2, kind="bridge"), port)
    with pytest.raises(HostError, match=message):
        set_vlans(state, "vnet0", [10])


# Routes


def known(host: FakeHost, network: str, *routes: dict[str, Any]) -> None:
    version = 6 if ":" in network else 4
    show = f"-json -N -{version} route show table all exact {network}"
    tell(
        host, "ip", {show: list(routes), "link show dev br0": "", "-json -details link show dev br0": [link("br0", 2)]}
    )


def routes(host: FakeHost) -> list[str]:
    return [" ".join(command[1:]) for command in host.commands if command[3:4] in (["add"], ["del"])]


@pytest.mark.parametrize(
    ("network", "options", "shown", "words"),
    [
        ("192.0.2.0/24", {"device": "br0"}, {"dev": "br0"}, "dev br0 metric 0 table 254"),
        ("192.0.2.0/24", {"device": "br0", "metric": 0}, {"dev": "br0"}, "dev br0 metric 0 table 254"),
        (
            "192.0.2.0/24",
            {"via": "198.51.100.5", "metric": 7, "table": 100},
            {"gateway": "198.51.100.5", "dev": "br0", "metric": 7, "table": "100"},
            "via 198.51.100.5 metric 7 table 100",
        ),
        (
            "2001:db8:1::/48",
            {"via": "2001:db8::5", "device": "br0"},
            {"gateway": "2001:db8::5", "dev": "br0", "metric": 1024},
            "via 2001:db8::5 dev br0 metric 1024 table 254",
        ),
    ],
)
def test_a_route_is_added_and_removed(
    host: FakeHost, state: hooking.State, network: str, options: dict[str, Any], shown: dict[str, Any], words: str
) -> None:
    others = {"dev": "eth0", "metric": 3}, {"dev": "eth0", "metric": 7, "table": "9"}
    known(host, network, *others)
    add_route(state, network, **options)
    known(host, network, *others, shown)
    add_route(state_of(OTHER), network, **options)
    add_route(state, network, **options)
    assert state.undo()
    assert state_of(OTHER).undo()
    four = "-6" if ":" in network else "-4"
    assert routes(host) == [f"{four} route {verb} {network} {words}" for verb in ("add", "del")]


def test_a_route_that_was_there_stays(host: FakeHost, state: hooking.State) -> None:
    known(host, "192.0.2.0/24", {"dev": "br0"})
    add_route(state, "192.0.2.0/24", device="br0")
    assert state.undo()
    assert routes(host) == []


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({"gateway": "198.51.100.6", "dev": "br0"}, "via 198.51.100.6 by br0"),
        ({"gateway": "198.51.100.5", "dev": "eth0"}, "via 198.51.100.5 by eth0"),
        ({"type": "blackhole"}, "blackhole"),
        ({"nexthops": []}, "several ways"),
    ],
)
def test_no_other_route_is_replaced(host: FakeHost, state: hooking.State, shown: dict[str, Any], told: str) -> None:
    known(host, "192.0.2.0/24", shown)
    with pytest.raises(HostError, match=f"192.0.2.0/24 go elsewhere already .{told}.; remove that route"):
        add_route(state, "192.0.2.0/24", via="198.51.100.5", device="br0")
    remove_route(str(host.root), ["-4", "192.0.2.0/24", "0", "254"], {"via": "198.51.100.5", "dev": "br0"})
    assert routes(host) == []


def test_a_route_by_an_interface_that_is_not_there_is_refused(host: FakeHost, state: hooking.State) -> None:
    tell(host, "ip", {}, otherwise="exit 1")
    with pytest.raises(HostError, match="no network interface vnet9"):
        add_route(state, "192.0.2.0/24", device="vnet9")
