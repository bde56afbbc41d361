"""Hooks that are killed at any line, and forward ports by the real nft and iptables: nothing of it is ever left."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant
from test_network_live import TOOLS, ip

import hooking
from lives import KILLS, Lives, change_host

SPACE = f"hooking-undo-{os.getpid()}"
INSIDE = ["nsenter", f"--net=/run/netns/{SPACE}"]
ADDRESSES = {"alma": "198.51.100.5", "bert": "2001:db8:1::6"}
SETUP = f"""set -e
ip netns add {SPACE}
ip -n {SPACE} link add br0 type bridge
ip -n {SPACE} address add 198.51.100.1/24 dev br0
ip -n {SPACE} address add 2001:db8:1::1/64 dev br0 nodad
ip -n {SPACE} link set br0 up
enter="{" ".join(INSIDE)}"
$enter iptables -P FORWARD DROP
$enter ip6tables -P FORWARD DROP
$enter nft 'table ip libvirt_network {{ chain forward {{ type filter hook forward priority 0; }}; }}'
"""

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("_space")]


@pytest.fixture(scope="module")
def _space(require_live: Callable[[str], None]) -> Iterator[None]:
    """A network with a firewall, for all tests."""
    missing = [tool for tool in (*TOOLS, "nsenter") if shutil.which(tool) is None]
    require_live("root" if os.geteuid() else ", ".join(missing))
    subprocess.run(["sh", "-c", SETUP], check=True, timeout=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lives, "killed", 0)  # others count too
        yield
    ip("netns", "del", SPACE)


def forward_ports(state: hooking.State, domain: hooking.Domain) -> None:
    """Forward a port of the guest's own, and one that both guests hold."""
    hooking.forward_port(state, 8080, ADDRESSES[domain.name], to_port=80)
    hooking.forward_port(state, "5300-5301", "198.51.100.7", protocol="udp")


def run(*command: str) -> str:
    return subprocess.run([*INSIDE, *command], check=True, stdout=subprocess.PIPE, text=True, timeout=30).stdout


class NetworkLives(Lives):
    """Lives on a host whose network tools are the real ones."""

    changes = (forward_ports, change_host)

    def __init__(self) -> None:
        super().__init__()
        for tool in TOOLS:
            self.host.add_program(tool, f'exec {" ".join(INSIDE)} {shutil.which(tool)} "$@"')
        for setting in "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding":
            self.host.write(f"/proc/sys/{setting}", "1\n")
        self.before = self.everything()

    @invariant()
    def ports_are_forwarded_while_a_guest_needs_them(self) -> None:
        tables = run("nft", "list", "tables")
        for guest, address in ADDRESSES.items():
            if guest not in self.half_released:
                assert (f"/{address.replace(':', '_')}/80" in tables) == (guest in self.running)
        if not self.half_released:
            assert ("/udp/5300-5301/" in tables) == bool(self.running)

    def everything(self) -> object:
        rules = [run("nft", "-s", "list", "ruleset"), run("iptables", "-S"), run("ip6tables", "-S")]
        return super().everything(), rules


TestNetworkLives = NetworkLives.TestCase
TestNetworkLives.settings = settings(
    max_examples=KILLS // 4,
    stateful_step_count=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def test_hooks_were_killed_often_enough() -> None:
    assert Lives.killed >= KILLS, f"only {Lives.killed} kills"
    print(f"{Lives.killed} kills")
