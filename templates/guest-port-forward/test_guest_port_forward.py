from __future__ import annotations

from pathlib import Path

import guest_port_forward
import pytest

import hooking
from hooking.testing import FakeHost, Libvirtd, Outcome, Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())
PROPERTIES = {"forward": "8080:80 5300-5301:53/udp", "address": "192.168.122.5"}
TCP = "libvirt-hooking/tcp/8080/any/192.168.122.5/80"
UDP = "libvirt-hooking/udp/5300-5301/any/192.168.122.5/53-54"

NFT = """
cd '{tables}'
if [ "$1" = -f ]; then
    while read -r verb kind family name _; do
        case $verb in
        delete) rm -f "$(echo "$name" | tr / .)" ;;
        table) file=$(echo "$family" | tr / .) && cat > "$file" ;;
        esac
    done
fi
"""


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """A host with libvirt's default network, on which hooks run as root: each table of nft is a file."""
    host = FakeHost(tmp_path / "host")
    tables = host.path("/tables")
    tables.mkdir()
    host.add_program("nft", NFT.format(tables=tables))
    host.add_program("ip", """echo '[{"dst": "192.168.122.0/24", "dev": "virbr0"}]'""")
    host.write("/proc/sys/net/ipv4/ip_forward", "1\n")
    return host


def tables(host: FakeHost) -> dict[str, str]:
    return {path.name.replace(".", "/"): path.read_text() for path in host.path("/tables").iterdir()}


def call(host: FakeHost, op: str, **properties: str) -> Outcome:
    return run_hook(guest_port_forward.hook, f"qemu/{op}", custom_properties=properties or PROPERTIES, host=host)


def named(*names: str) -> set[str]:
    return {name.replace(".", "/") for name in names}


def test_the_ports_are_forwarded_while_the_guest_is_there(host: FakeHost) -> None:
    before = host.snapshot()
    for op in "prepare", "started":
        assert not call(host, op).stderr
        assert set(tables(host)) == named(TCP, UDP)
    assert "tcp dport 8080 dnat to 192.168.122.5:80" in tables(host)[TCP.replace(".", "/")]
    assert "udp dport map { 5300 : 53, 5301 : 54 }" in tables(host)[UDP.replace(".", "/")]
    assert not call(host, "release").stderr
    assert host.snapshot() == before


def test_what_was_flushed_comes_back_when_the_daemon_restarts(host: FakeHost) -> None:
    call(host, "prepare")
    for path in host.path("/tables").iterdir():
        path.unlink()
    assert not call(host, "reconnect").stderr
    assert set(tables(host)) == named(TCP, UDP)


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"forward": "8080:80"}, "custom property address: say which address of the guest the ports lead to"),
        ({"forward": "8080", "address": "192.168.122.5"}, "custom property forward: '8080' is not a list"),
        ({"forward": "8080:80/sctp", "address": "192.168.122.5"}, "custom property forward: '8080:80/sctp' is not"),
        ({"forward": "8080:99999", "address": "192.168.122.5"}, "'99999' is not a whole number from 1 to 65535"),
        ({"forward": "8080:80", "address": "web01"}, "'web01' is not the IPv4 or IPv6 address of one machine"),
    ],
)
def test_a_guest_with_wrong_properties_does_not_start(host: FakeHost, properties: dict[str, str], reason: str) -> None:
    outcome = call(host, "prepare", **properties)
    assert outcome.failed
    assert reason in outcome.stderr
    assert not call(host, "reconnect", **properties).failed
    assert tables(host) == {}


@pytest.mark.parametrize(("privileged", "properties"), [(False, PROPERTIES), (True, {"pincpu": "0"})])
def test_other_guests_and_users_leave_the_host_alone(
    host: FakeHost, privileged: bool, properties: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooking.HookContext, "privileged", privileged)
    before = host.snapshot()
    for op in "prepare", "started", "release":
        assert not call(host, op, **properties).failed
    assert host.snapshot() == before


def test_a_guest_lives_undisturbed(host: FakeHost, tmp_path: Path) -> None:
    guest_with = call(host, "migrate").after
    before = host.snapshot()
    daemon = Libvirtd(tmp_path / "daemon", this_python=True, host=host)
    daemon.install(guest_port_forward.__file__, "qemu.d/50-forward")
    guest = daemon.start(guest_with)
    daemon.restart()
    daemon.save(guest)
    daemon.restore(guest)
    daemon.destroy(guest)
    daemon.check()
    assert host.snapshot() == before


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(guest_port_forward.hook))
