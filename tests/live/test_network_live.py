"""The network actions on a real kernel: a libvirtd with a NAT network, guests, a LAN, each in a network name space."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemons import Daemon, folder, missing

import hooking
from hooking import HookContext, _process
from hooking.actions.bridges import add_to_bridge, set_vlans
from hooking.actions.ports import forward_port
from hooking.actions.routes import add_route
from hooking.exceptions import CommandError, HostError
from hooking.testing import FakeHost

pytestmark = pytest.mark.live

UUID = "3573e29e-5de9-468a-9fae-16050c6b3dcc"
OTHER = "c7a5fdbd-edaf-9455-926a-d65c16db1809"
NETWORK = """<network><name>lan</name><bridge name='virbr0'/><forward mode='nat'><nat ipv6='yes'/></forward>
<ip address='198.51.100.1' netmask='255.255.255.0'/><ip family='ipv6' address='2001:db8:1::1' prefix='64'/></network>"""
TOOLS = ("ip", "bridge", "nft", "iptables", "ip6tables")

SERVER = """
import socket, sys, threading
def serve(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        connection, peer = server.accept()
        connection.sendall(f"{port} {peer[0].replace('::ffff:', '')}".encode())
        connection.close()
def echo(port):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", port))
    while True:
        data, peer = server.recvfrom(99)
        server.sendto(data, peer)
for port in map(int, sys.argv[1:]):
    threading.Thread(target=serve, args=(port,)).start()
threading.Thread(target=echo, args=(53,)).start()
print("ready", flush=True)
"""
CLIENT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3) as connection:
        print(connection.recv(99).decode())
except OSError as error:
    print(type(error).__name__)
"""
UDP_CLIENT = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(3)
try:
    client.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
    print(client.recvfrom(99)[0].decode())
except OSError as error:
    print(type(error).__name__)
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=30)


class Lab:
    """A host with libvirtd and two guests in its NAT network, a machine in its LAN, and a server in a guest."""

    def __init__(self, base: Path) -> None:
        self.daemon = Daemon(base / "host", "host")
        self.daemon.start()
        self.inside = ["nsenter", "-t", str(self.daemon._pid("virtlogd")), "-n"]
        self.names = {name: f"hooking-{name}-{os.getpid()}" for name in ("lan", "guest", "neighbour")}
        network = base / "network.xml"
        network.write_text(NETWORK)
        self.daemon.virsh("net-create", str(network))
        for name, space in self.names.items():
            ip("netns", "add", space)
            self.host("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", space)
            self.host("ip", "link", "set", name, "up")
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "link", "set", "eth0", "up")
        self.host("ip", "address", "add", "203.0.113.1/24", "dev", "lan")
        self.host("ip", "address", "add", "2001:db8:2::1/64", "dev", "lan", "nodad")
        self.address("lan", "203.0.113.2/24", "2001:db8:2::2/64")
        for number, name in (5, "guest"), (6, "neighbour"):
            self.host("ip", "link", "set", name, "master", "virbr0")
            self.address(name, f"198.51.100.{number}/24", f"2001:db8:1::{number}/64")
            ip("-n", self.names[name], "route", "add", "default", "via", "198.51.100.1")
            ip("-n", self.names[name], "-6", "route", "add", "default", "via", "2001:db8:1::1")
        command = ["ip", "netns", "exec", self.names["guest"], "python3", "-c", SERVER, "80", "8000", "8001", "9001"]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.server.stdout
        assert self.server.stdout.readline() == b"ready\n"
        for _ in range(100):  # the bridge's ports listen and learn first
            if self.connect("neighbour", "198.51.100.5", 80) == "80 198.51.100.6":
                return
            time.sleep(0.1)
        raise TimeoutError("the guests do not reach each other")

    def address(self, name: str, four: str, six: str) -> None:
        ip("-n", self.names[name], "address", "add", four, "dev", "eth0")
        ip("-n", self.names[name], "address", "add", six, "dev", "eth0", "nodad")

    def host(self, *command: str) -> str:
        ended = subprocess.run([*self.inside, *command], check=True, stdout=subprocess.PIPE, text=True, timeout=30)
        return ended.stdout

    def connect(self, who: str, address: str, port: int, client: str = CLIENT) -> str:
        """Return what somebody is told who connects: the guest's port and who it sees; or the error."""
        space = self.inside if who == "host" else ["ip", "netns", "exec", self.names[who]]
        command = [*space, "python3", "-c", client, address, str(port)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()

    def rules(self) -> list[str]:
        """Return all rules, less what counters counted."""
        return [self.host("nft", "-s", "list", "ruleset"), self.host("iptables", "-S"), self.host("ip6tables", "-S")]

    def stop(self) -> None:
        self.server.kill()
        self.server.communicate()
        for space in self.names.values():
            ip("netns", "del", space)
        self.daemon.stop()


@pytest.fixture(scope="module")
def lab(require_live: Callable[[str], None]) -> Iterator[Lab]:
    require_live(missing() or ", ".join(tool for tool in TOOLS if shutil.which(tool) is None))
    base = folder()
    lab = Lab(base)
    yield lab
    lab.stop()
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def root(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """Below it, the host's tools are those of the lab's host."""
    host = FakeHost(tmp_path / "root")
    for tool in TOOLS:
        host.add_program(tool, f'exec {" ".join(lab.inside)} {shutil.which(tool)} "$@"')
    for setting in "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding":
        host.write(f"/proc/sys/{setting}", lab.host("cat", f"/proc/sys/{setting}"))
    process = _process.Process(["/etc/libvirt/hooks/qemu"], {"HOOKING_ROOT": str(host.root)})
    monkeypatch.setattr(_process, "_current", process)
    yield host
    for uuid in OTHER, UUID:  # what a failed test left
        state_of(uuid).undo()


def state_of(uuid: str = UUID) -> hooking.State:
    return hooking.state(HookContext("qemu", "started", object="g", uuid=uuid))


REACHED = {"lan": "80 203.0.113.2", "host": "80 203.0.113.1", "neighbour": "80 198.51.100.1"}
REFUSED = dict.fromkeys(REACHED, "ConnectionRefusedError")


def seen(lab: Lab, address: str = "203.0.113.1", port: int = 8080) -> dict[str, str]:
    return {who: lab.connect(who, address, port) for who in REACHED}


def test_a_forwarded_port_leads_all_to_the_guest_until_the_undo(lab: Lab, root: FakeHost) -> None:
    before = lab.rules()
    assert seen(lab) == REFUSED
    forward_port(state_of(), 8080, "198.51.100.5", to_port=80)
    assert seen(lab) == REACHED
    assert lab.connect("neighbour", "198.51.100.1", 8080) == "80 198.51.100.1"
    assert lab.connect("host", "198.51.100.1", 8080) == "80 198.51.100.1"
    assert lab.connect("host", "127.0.0.1", 8080) == "ConnectionRefusedError"
    assert lab.connect("lan", "198.51.100.5", 80) != REACHED["lan"]
    assert state_of().undo()
    assert seen(lab) == REFUSED
    assert lab.rules() == before


def test_guests_reach_it_too_whether_or_not_bridges_pass_the_firewall(lab: Lab, root: FakeHost) -> None:
    forward_port(state_of(), 8080, "198.51.100.5", to_port=80)
    for value in "01":
        lab.host("sh", "-c", f"echo {value} > /proc/sys/net/bridge/bridge-nf-call-iptables")
        assert lab.connect("neighbour", "203.0.113.1", 8080) == "80 198.51.100.1"
        assert lab.connect("guest", "203.0.113.1", 8080) == ("80 198.51.100.1", "TimeoutError")[int(value)]


def test_the_same_by_ipv6(lab: Lab, root: FakeHost) -> None:
    before = lab.rules()
    assert seen(lab, "2001:db8:2::1") == REFUSED
    forward_port(state_of(), 8080, "2001:db8:1::5", to_port=80)
    reached = {"lan": "80 2001:db8:2::2", "host": "80 2001:db8:2::1", "neighbour": "80 2001:db8:1::1"}
    assert seen(lab, "2001:db8:2::1") == reached
    forward_port(state_of(), "9000-9001", "2001:db8:1::5", to_port=8000)
    assert lab.connect("lan", "2001:db8:2::1", 9001) == "8001 2001:db8:2::2"
    assert state_of().undo()
    assert seen(lab, "2001:db8:2::1") == REFUSED
    assert lab.rules() == before


def test_it_outlives_a_reload_of_libvirt(lab: Lab, root: FakeHost) -> None:
    before = lab.rules()
    forward_port(state_of(), 8080, "198.51.100.5", to_port=80)
    forwarded = lab.rules()
    lab.host("iptables", "-F", "LIBVIRT_FWI")
    lab.daemon.reload()
    for _ in range(100):
        if lab.rules() == forwarded:  # libvirt's own are there again
            break
        time.sleep(0.1)
    assert lab.rules() == forwarded
    assert seen(lab) == REACHED
    assert state_of().undo()
    assert lab.rules() == before
    assert seen(lab) == REFUSED


def test_the_same_call_puts_back_what_was_flushed(lab: Lab, root: FakeHost) -> None:
    before = lab.rules()
    forward_port(state_of(), 8080, "198.51.100.5", to_port=80)
    lab.host("iptables", "-D", "FORWARD", "1")
    lab.host("iptables", "-I", "FORWARD", "-d", "192.0.2.1", "-j", "ACCEPT")
    assert lab.connect("lan", "203.0.113.1", 8080) == "ConnectionRefusedError"
    for _ in range(2):
        forward_port(state_of(), 8080, "198.51.100.5", to_port=80)
    assert seen(lab) == REACHED
    assert state_of().undo()
    lab.host("iptables", "-D", "FORWARD", "-d", "192.0.2.1", "-j", "ACCEPT")
    assert lab.rules() == before


def test_libvirt_with_nftables_lets_forwarded_connections_pass(lab: Lab, root: FakeHost) -> None:
    root.add_program("iptables", "exit 1")
    root.add_program("ip6tables", "exit 1")
    lab.host("iptables", "-I", "LIBVIRT_FWI", "-o", "virbr0", "-j", "ACCEPT")
    rules = """add table ip libvirt_network
        add chain ip libvirt_network forward { type filter hook forward priority 0; policy accept; }
        add chain ip libvirt_network guest_input
        add rule ip libvirt_network guest_input oif virbr0 ip daddr 198.51.100.0/24 ct state related,established accept
        add rule ip libvirt_network guest_input oif virbr0 reject
        add rule ip libvirt_network forward counter jump guest_input"""
    for rule in rules.splitlines():
        lab.host("nft", rule)
    before = lab.rules()
    assert lab.connect("lan", "203.0.113.1", 8080) == "ConnectionRefusedError"
    for _ in range(2):
        forward_port(state_of(), 8080, "198.51.100.5", to_port=80)
    assert lab.connect("lan", "203.0.113.1", 8080) == REACHED["lan"]
    assert state_of().undo()
    assert lab.rules() == before
    lab.host("nft", "delete table ip libvirt_network")
    lab.host("iptables", "-D", "LIBVIRT_FWI", "1")


def test_old_iptables_lets_it_pass(lab: Lab, root: FakeHost) -> None:
    root.add_program("iptables", f'exec {" ".join(lab.inside)} {shutil.which("iptables-legacy")} "$@"')
    lab.host("iptables-legacy", "-P", "FORWARD", "DROP")
    lab.host("iptables", "-I", "LIBVIRT_FWI", "-o", "virbr0", "-j", "ACCEPT")
    before = lab.host("iptables-legacy", "-S")
    assert lab.connect("lan", "203.0.113.1", 8080) == "ConnectionRefusedError"
    forward_port(state_of(), 8080, "198.51.100.5", to_port=80)
    assert lab.connect("lan", "203.0.113.1", 8080) == REACHED["lan"]
    assert state_of().undo()
    assert lab.host("iptables-legacy", "-S") == before
    lab.host("iptables-legacy", "-P", "FORWARD", "ACCEPT")
    lab.host("iptables", "-D", "LIBVIRT_FWI", "1")


def test_ranges_protocols_and_addresses_are_kept_apart(lab: Lab, root: FakeHost) -> None:
    before = lab.rules()
    forward_port(state_of(), "8000-8001", "198.51.100.5", address="203.0.113.1")
    forward_port(state_of(), "9000-9002", "198.51.100.5", to_port=8000)
    forward_port(state_of(), 5353, "198.51.100.5", to_port=53, protocol="udp")
    assert lab.connect("lan", "203.0.113.1", 8000) == "8000 203.0.113.2"
    assert lab.connect("lan", "203.0.113.1", 8001) == "8001 203.0.113.2"
    assert lab.connect("neighbour", "198.51.100.1", 8000) == "ConnectionRefusedError"
    assert lab.connect("lan", "203.0.113.1", 9000) == "8000 203.0.113.2"
    assert lab.connect("lan", "203.0.113.1", 9001) == "8001 203.0.113.2"
    assert lab.connect("lan", "203.0.113.1", 5353, UDP_CLIENT) == "hello"
    assert lab.connect("neighbour", "203.0.113.1", 5353, UDP_CLIENT) == "hello"
    with pytest.raises(HostError, match=r"tcp port 8001 of this host leads elsewhere already: nft list table ip libvi"):
        forward_port(state_of(OTHER), 8001, "198.51.100.6")
    forward_port(state_of(OTHER), 8001, "198.51.100.6", protocol="udp")
    assert state_of(OTHER).undo()
    assert lab.connect("lan", "203.0.113.1", 8001) == "8001 203.0.113.2"
    assert state_of().undo()
    assert lab.rules() == before


def test_a_port_of_a_bridge_moves_and_returns(lab: Lab, root: FakeHost) -> None:
    lab.host("ip", "link", "add", "br0", "type", "bridge")
    add_to_bridge(state_of(), "neighbour", "br0")
    add_to_bridge(state_of(), "lan", "br0")
    add_to_bridge(state_of(), "lan", "br0")
    assert master(lab, "neighbour") == master(lab, "lan") == "br0"
    assert state_of().undo()
    assert master(lab, "neighbour") == "virbr0"
    assert master(lab, "lan") is None
    lab.host("ip", "link", "del", "br0")


def test_another_interface_of_the_same_name_is_left_alone(lab: Lab, root: FakeHost) -> None:
    lab.host("ip", "tuntap", "add", "vnet0", "mode", "tap")
    add_to_bridge(state_of(), "vnet0", "virbr0")
    lab.host("ip", "tuntap", "del", "vnet0", "mode", "tap")
    lab.host("ip", "tuntap", "add", "vnet0", "mode", "tap")
    add_to_bridge(state_of(OTHER), "vnet0", "virbr0")
    assert state_of().undo()
    assert master(lab, "vnet0") == "virbr0"
    assert state_of(OTHER).undo()
    assert master(lab, "vnet0") is None
    lab.host("ip", "tuntap", "del", "vnet0", "mode", "tap")


def test_a_bridge_that_heeds_no_vlans_is_refused(lab: Lab, root: FakeHost) -> None:
    with pytest.raises(HostError, match="run: ip link set dev virbr0 type bridge vlan_filtering 1"):
        set_vlans(state_of(), "guest", [10])
    with pytest.raises(HostError, match="lan is no port of a bridge"):
        set_vlans(state_of(), "lan", [10])
    with pytest.raises(HostError, match="lan is no Linux bridge but a veth"):
        add_to_bridge(state_of(), "guest", "lan")


@pytest.mark.parametrize(
    ("destination", "via", "other"),
    [
        ("192.0.2.0/24", "198.51.100.5", "198.51.100.6"),
        ("0.0.0.0/0", "198.51.100.5", "198.51.100.6"),
        ("2001:db8:3::/48", "2001:db8:1::5", "2001:db8:1::6"),
        ("::/0", "2001:db8:1::5", "2001:db8:1::6"),
    ],
)
def test_a_route_stays_until_the_last_guest_is_gone(
    lab: Lab, root: FakeHost, destination: str, via: str, other: str
) -> None:
    before = routes(lab)
    add_route(state_of(), destination, via=via)
    added = routes(lab)
    assert len(added) == len(before) + 1
    add_route(state_of(OTHER), destination, via=via)
    with pytest.raises(HostError, match=f"go elsewhere already .via {via} by virbr0."):
        add_route(state_of(OTHER), destination, via=other)
    add_route(state_of(OTHER), destination, via=other, metric=7, table=100)
    assert len(routes(lab)) == len(before) + 2
    assert state_of().undo()
    assert state_of(OTHER).undo()
    assert routes(lab) == before


def test_a_route_that_was_there_before_stays(lab: Lab, root: FakeHost) -> None:
    lab.host("ip", "route", "add", "192.0.2.0/24", "dev", "virbr0", "metric", "9")
    before = routes(lab)
    add_route(state_of(), "192.0.2.0/24", device="virbr0", metric=9)
    add_route(state_of(), "192.0.2.0/24", device="virbr0")
    assert len(routes(lab)) == len(before) + 1
    assert state_of().undo()
    assert routes(lab) == before
    lab.host("ip", "route", "del", "192.0.2.0/24")


def test_a_router_that_cannot_be_reached_is_the_kernels_to_refuse(lab: Lab, root: FakeHost) -> None:
    with pytest.raises(CommandError, match="ip failed"):
        add_route(state_of(), "192.0.2.0/24", via="192.0.2.1")
    assert state_of().undo()


def master(lab: Lab, name: str) -> str | None:
    words = lab.host("ip", "-o", "link", "show", "dev", name).split()
    return words[words.index("master") + 1] if "master" in words else None


def routes(lab: Lab) -> list[str]:
    return [
        line for four in ("-4", "-6") for line in lab.host("ip", four, "route", "show", "table", "all").splitlines()
    ]
