from __future__ import annotations

from pathlib import Path

import network_routes
import pytest

import hooking
from hooking.testing import FakeHost, Libvirtd, Outcome, Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())
PROPERTIES = {"routes": "203.0.113.0/24=192.168.177.2"}
ROUTE = '[{"dst": "203.0.113.0/24", "gateway": "192.168.177.2", "dev": "virbr9"}]'
ADDED = "-4 route add 203.0.113.0/24 via 192.168.177.2 dev virbr9 metric 0 table 254"
REMOVED = ADDED.replace("add", "del")
PORT = """<hookData><network connections='1'><name>lan</name><bridge name='virbr9'/></network><networkport>
<owner><name>web01</name></owner><mac address='52:54:00:4a:23:01'/></networkport></hookData>"""

IP = """
case "$*" in
*" link show "*) echo '[{{"ifname": "virbr9", "ifindex": 9}}]' ;;
*" route show "*) [ ! -e '{routes}' ] || cat '{routes}' ;;
*" route add "*) echo '{route}' > '{routes}' ;;
*" route del "*) rm '{routes}' ;;
esac
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host with a bridge, on which hooks run as root; one route at most is in a file."""
    monkeypatch.setattr(hooking.HookContext, "privileged", True)
    host = FakeHost(tmp_path / "host")
    host.add_program("ip", IP.format(routes=host.path("/routes"), route=ROUTE))
    return host


def call(host: FakeHost, op: str, **properties: str) -> Outcome:
    return run_hook(network_routes.hook, f"network/{op}", custom_properties=properties or PROPERTIES, host=host)


def changes(host: FakeHost) -> list[str]:
    lines = [" ".join(command[1:]) for command in host.commands]
    return [line for line in lines if " show " not in line]


def test_the_routes_are_there_while_the_network_is_up(host: FakeHost) -> None:
    before = host.snapshot()
    for _ in range(2):
        assert not call(host, "started").stderr
    assert changes(host) == [ADDED]
    assert not call(host, "stopped").stderr
    assert changes(host) == [ADDED, REMOVED]
    assert host.snapshot() == before


def test_a_route_that_leads_elsewhere_is_left_and_the_network_comes_up(host: FakeHost) -> None:
    host.write("/routes", ROUTE.replace("177.2", "177.3"))
    before = host.snapshot()
    outcome = call(host, "started")
    assert not outcome.failed
    assert "packets for 203.0.113.0/24 go elsewhere already (via 192.168.177.3 by virbr9)" in outcome.log
    call(host, "stopped")
    assert changes(host) == []
    assert host.snapshot() == before


def test_wrong_routes_are_logged_and_the_network_comes_up(host: FakeHost) -> None:
    outcome = call(host, "started", routes="203.0.113.0/24")
    assert not outcome.failed
    assert "custom property routes: '203.0.113.0/24' is not a list" in outcome.log


def test_ports_that_come_are_logged(host: FakeHost) -> None:
    for properties, logged in (PROPERTIES, "network lan: web01 has a card 52:54:00:4a:23:01\n"), ({}, ""):
        outcome = run_hook(network_routes.hook, "network/port-created", document=PORT, custom_properties=properties)
        assert outcome.log == logged


@pytest.mark.parametrize(("privileged", "properties"), [(False, PROPERTIES), (True, {"pincpu": "0"})])
def test_other_networks_and_users_leave_the_host_alone(
    host: FakeHost, privileged: bool, properties: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooking.HookContext, "privileged", privileged)
    before = host.snapshot()
    for op in "started", "stopped":
        assert not call(host, op, **properties).failed
    assert host.snapshot() == before
    assert host.commands == []


def test_a_network_lives_undisturbed(host: FakeHost, tmp_path: Path) -> None:
    network = run_hook(network_routes.hook, "network/start", custom_properties=PROPERTIES).after
    before = host.snapshot()
    daemon = Libvirtd(tmp_path / "daemon", this_python=True, host=host)
    daemon.install(network_routes.__file__, "network.d/50-routes")
    daemon.start_network(network)
    daemon.destroy(daemon.start())
    daemon.stop_network("lan")
    daemon.check()
    assert host.snapshot() == before


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(network_routes.hook))
