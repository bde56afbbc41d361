"""The simulated libvirt daemon: the order of its calls, what they hand over, and what failures lead to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hooking.document import parse
from hooking.domain import Domain
from hooking.exceptions import DocumentError, InvocationError, PointError
from hooking.network import HookData, NetworkPort, PortData
from hooking.testing import Libvirtd, Outcome
from hooking.testing.inventory import Guest, Port

ONE_CARD = """<domain type='qemu'><name>g</name><uuid>3573e29e-5de9-468a-9fae-16050c6b3dcc</uuid>
<memory unit='KiB'>65536</memory><vcpu>1</vcpu><devices>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/></interface>
<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/></interface>
<graphics type='vnc' port='-1' autoport='yes'/>
</devices></domain>"""
NO_CARD = "<domain type='lxc'><name>g</name><uuid>3573e29e-5de9-468a-9fae-16050c6b3dcc</uuid></domain>"
CARD = "<interface type='network'><mac address='52:54:00:00:00:09'/><source network='lan'/></interface>"

STARTED = ["prepare", "port-created", "start", "started"]


def script(folder: Path, *failing: str, text: str = "") -> Path:
    """A script that fails at some operations."""
    path = folder / "script"
    cases = "".join(f'{op}) echo "no {op}" >&2; exit 1;;\n' for op in failing)
    path.write_text(f'#!/bin/sh\n{text}\ncase "$2" in\n{cases}esac\n')
    path.chmod(0o755)
    return path


def host(folder: Path, *failing: str, version: str = "10.5.0", text: str = "") -> Libvirtd:
    """A host whose scripts of all drivers fail at some operations."""
    daemon = Libvirtd(folder / "host", version=version, timeout=5)
    for driver in ("daemon", "qemu", "lxc", "libxl", "bhyve", "network"):
        daemon.install(script(folder, *failing, text=text), driver)
    return daemon


def calls(daemon: Libvirtd) -> list[str]:
    """What was called: the operation, and the extra argument where there is one."""
    return [" ".join([call.arguments[1], *[word for word in call.arguments[3:] if word != "-"]]) for call in daemon.log]


def test_a_guest_starts_and_shuts_down(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    guest = daemon.start(ONE_CARD)
    assert guest.active
    assert calls(daemon) == STARTED
    daemon.shutdown(guest)
    assert calls(daemon)[4:] == ["stopped", "port-deleted", "release shutdown"]
    assert not daemon.guests
    daemon.check()


@pytest.mark.parametrize(
    ("driver", "failing", "expected"),
    [
        ("qemu", "prepare", ["prepare", "stopped", "release failed"]),
        ("qemu", "port-created", ["prepare", "port-created", "stopped", "release failed"]),
        ("qemu", "start", ["prepare", "port-created", "start", "stopped", "port-deleted", "release failed"]),
        ("qemu", "started", [*STARTED, "stopped", "port-deleted", "release failed"]),
        ("lxc", "prepare", ["prepare", "stopped", "release failed"]),
        ("lxc", "start", ["prepare", "port-created", "start", "stopped", "port-deleted", "release failed"]),
        ("lxc", "started", [*STARTED, "stopped", "port-deleted", "release failed"]),
        ("libxl", "prepare", ["prepare"]),
        ("libxl", "port-created", ["prepare", "port-created"]),
        ("libxl", "start", ["prepare", "port-created", "start", "stopped", "port-deleted", "release"]),
        ("libxl", "started", [*STARTED, "stopped", "port-deleted", "release"]),
        ("bhyve", "prepare", ["prepare"]),
        ("bhyve", "start", ["prepare", "port-created", "start", "port-deleted"]),
        ("bhyve", "started", [*STARTED, "port-deleted"]),
    ],
)
def test_a_start_that_fails_is_cleaned_up_as_its_driver_does(
    tmp_path: Path, driver: str, failing: str, expected: list[str]
) -> None:
    daemon = host(tmp_path, failing)
    guest = daemon.start(ONE_CARD, driver=driver)
    assert not guest.active
    assert calls(daemon) == expected
    assert not daemon.guests
    with pytest.raises(AssertionError, match=f"{failing} .*: no {failing}"):
        daemon.check()


def test_a_second_port_that_fails_takes_the_first_along(tmp_path: Path) -> None:
    two = ONE_CARD.replace("type='bridge'", "type='network'").replace("bridge='br0'", "network='second'")
    daemon = host(tmp_path, text='[ "$1 $2" = "second port-created" ] && exit 1')
    assert not daemon.start(two).active
    assert calls(daemon) == ["prepare", "port-created", "port-created", "stopped", "port-deleted", "release failed"]
    assert [call.object for call in daemon.log if call.point.op == "port-deleted"] == ["lan"]


@pytest.mark.parametrize(
    ("driver", "trouble", "expected"),
    [
        ("qemu", "early", []),
        ("lxc", "early", ["stopped", "release failed"]),
        ("qemu", "emulator", ["prepare", "port-created", "start", "stopped", "port-deleted", "release failed"]),
    ],
)
def test_a_host_that_fails_itself(tmp_path: Path, driver: str, trouble: str, expected: list[str]) -> None:
    daemon = host(tmp_path)
    assert not daemon.start(ONE_CARD, driver=driver, trouble=trouble).active  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert calls(daemon) == expected


@pytest.mark.parametrize(("end", "reason"), [("shutdown", "shutdown"), ("destroy", "destroyed"), ("crash", "crashed")])
def test_the_reason_of_an_end(tmp_path: Path, end: str, reason: str) -> None:
    daemon = host(tmp_path)
    getattr(daemon, end)(daemon.start(ONE_CARD))
    assert calls(daemon)[-1] == f"release {reason}"


@pytest.mark.parametrize(("driver", "version"), [("qemu", "10.4.0"), ("libxl", "10.5.0"), ("bhyve", "12.0.0")])
def test_no_reason_before_10_5_0_nor_of_other_drivers(tmp_path: Path, driver: str, version: str) -> None:
    daemon = host(tmp_path, version=version)
    daemon.shutdown(daemon.start(ONE_CARD, driver=driver))
    assert calls(daemon)[-1] == "release"


def test_reboots(tmp_path: Path) -> None:
    expected = {
        "qemu": [],
        "lxc": ["stopped", "release shutdown", "prepare", "start", "started"],
        "libxl": ["stopped", "release", "prepare", "start", "started"],
        "bhyve": ["stopped", "release", "start", "started"],
    }
    for driver, ops in expected.items():
        daemon = host(tmp_path)
        guest = daemon.start(NO_CARD, driver=driver)
        daemon.log.clear()
        daemon.reboot(guest)
        assert calls(daemon) == ops
        assert guest.active


def test_save_and_restore(tmp_path: Path) -> None:
    daemon = host(tmp_path, text='[ "$2" = restore ] && sed "s/<vcpu>/<vcpu cpuset=\\"1\\">/"')
    guest = daemon.start(ONE_CARD)
    daemon.log.clear()
    daemon.save(guest)
    assert calls(daemon) == ["stopped", "port-deleted", "release saved"]
    daemon.log.clear()
    outcome = daemon.restore(guest)
    assert outcome is not None
    assert outcome.domain.vcpu.cpuset == "1"
    assert outcome.changed
    assert calls(daemon) == ["restore", *STARTED]
    assert daemon.log[-1].domain.vcpu.cpuset == "1"
    assert guest.active


def test_a_restore_that_fails_leaves_the_image(tmp_path: Path) -> None:
    daemon = host(tmp_path, "restore")
    guest = daemon.start(ONE_CARD)
    daemon.save(guest)
    outcome = daemon.restore(guest)
    assert outcome is not None
    assert outcome.host_verdict == "the guest is not restored: no restore"
    assert calls(daemon)[-1] == "restore"
    assert guest.saved


def test_a_guest_that_does_not_go_on_after_its_restore(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    guest = daemon.start(ONE_CARD)
    daemon.save(guest)
    daemon.log.clear()
    daemon.restore(guest, trouble="resume")
    assert calls(daemon) == ["restore", *STARTED, "stopped", "port-deleted", "release failed"]


def test_xen_has_no_restore_hook(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    guest = daemon.start(NO_CARD, driver="libxl")
    daemon.save(guest)
    daemon.log.clear()
    assert daemon.restore(guest) is None
    assert calls(daemon) == ["prepare", "start", "started"]


def test_a_revert_to_a_snapshot_has_a_reason_with_a_blank(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    guest = daemon.start(NO_CARD)
    daemon.log.clear()
    daemon.revert(guest)
    assert daemon.log[1].arguments == ("g", "release", "end", "from snapshot")
    assert calls(daemon) == ["stopped", "release from snapshot", "prepare", "start", "started"]


def two_hosts(tmp_path: Path, *failing: str, text: str = "") -> tuple[Libvirtd, Libvirtd, Guest]:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    source, destination = host(tmp_path / "a"), host(tmp_path / "b", *failing, text=text)
    guest = source.start(ONE_CARD)
    source.log.clear()
    return source, destination, guest


def test_a_live_migration(tmp_path: Path) -> None:
    source, destination, guest = two_hosts(tmp_path)
    assert not source.migrate(guest, destination).failed
    assert calls(destination) == ["migrate", *STARTED]
    assert calls(source) == ["stopped", "port-deleted", "release migrated"]
    assert list(destination.guests) == [("qemu", "g")]
    assert not source.guests


def test_an_offline_migration(tmp_path: Path) -> None:
    source, destination, _ = two_hosts(tmp_path)
    source.migrate(Guest("qemu", NO_CARD.encode()), destination, offline=True)
    assert (calls(destination), calls(source)) == (["migrate"], [])


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ("migrate", ["migrate"]),
        ("prepare", ["migrate", "prepare", "stopped", "release failed"]),
        ("started", ["migrate", *STARTED, "stopped", "port-deleted", "release failed"]),
    ],
)
def test_a_migration_that_the_destination_refuses_leaves_the_source_alone(
    tmp_path: Path, failing: str, expected: list[str]
) -> None:
    source, destination, guest = two_hosts(tmp_path, failing)
    source.migrate(guest, destination)
    assert calls(destination) == expected
    assert calls(source) == []
    assert guest.active


def test_a_migration_that_breaks_off(tmp_path: Path) -> None:
    source, destination, guest = two_hosts(tmp_path)
    source.migrate(guest, destination, trouble="transfer")
    assert calls(destination) == ["migrate", *STARTED, "stopped", "port-deleted", "release failed"]
    assert guest.active


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ("s/<name>g</<name>h</", "Target domain name h does not match source g"),
        ("s/3573e29e/00000000/", "Target domain uuid 00000000-5de9-468a-9fae-16050c6b3dcc does not match source 3573"),
        ("s/65536/1024/", "Target domain max memory 1048576 does not match source 67108864"),
        ("s/<vcpu>1/<vcpu>2/", "Target domain vCPU count 2 does not match source 1"),
        ("s/type='qemu'/type='kvm'/", "Target domain virt type kvm does not match source qemu"),
        ("1s/^/noise /", "the document is not XML that a host writes: Start tag expected"),
        ("s/domain/network/g", "Target domain root element network does not match source domain"),
    ],
)
def test_a_document_that_libvirt_refuses(tmp_path: Path, edit: str, why: str) -> None:
    source, destination, guest = two_hosts(tmp_path, text=f'[ "$2" = migrate ] && sed "{edit}"')
    outcome = source.migrate(guest, destination)
    assert outcome.host_verdict.startswith(f"the guest is not migrated: {why}")
    assert outcome.failed
    assert calls(destination) == ["migrate"]


def test_xen_takes_any_domain(tmp_path: Path) -> None:
    source, destination = host(tmp_path), Libvirtd(tmp_path / "b")
    destination.install(script(tmp_path, text='[ "$2" = migrate ] && sed "s/65536/1024/"'), "libxl")
    guest = source.start(ONE_CARD, driver="libxl")
    assert source.migrate(guest, destination).changed


def test_a_restart_of_the_daemon(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    daemon.start(ONE_CARD)
    daemon.start(NO_CARD.replace("<name>g", "<name>h"), driver="lxc")
    daemon.start(NO_CARD, driver="bhyve")
    daemon.log.clear()
    daemon.restart()
    assert calls(daemon)[:3] == ["shutdown shutdown", "start start", "port-created"]
    assert sorted((call.point.name, call.object) for call in daemon.log[3:]) == [
        ("lxc/reconnect", "h"),
        ("qemu/reconnect", "g"),
    ]
    assert len(daemon.guests) == 3


@pytest.mark.parametrize(("driver", "reason"), [("qemu", " daemon"), ("lxc", " failed"), ("libxl", "")])
def test_a_guest_that_is_not_reconnected_is_killed(tmp_path: Path, driver: str, reason: str) -> None:
    daemon = host(tmp_path, "reconnect", "port-created")
    guest = daemon.start(NO_CARD, driver=driver)
    daemon.log.clear()
    daemon.restart()
    assert calls(daemon)[2:] == ["reconnect", "stopped", f"release{reason}"]
    assert not guest.active
    assert daemon.log[2].host_verdict == "the running guest is killed: no reconnect"


def test_hooks_of_several_guests_run_at_once_when_the_daemon_reconnects(tmp_path: Path) -> None:
    (tmp_path / "meet").mkdir()
    text = f"""if [ "$2" = reconnect ]; then
        touch {tmp_path}/meet/$1
        for i in $(seq 100); do [ $(ls {tmp_path}/meet | wc -l) = 2 ] && exit 0; sleep 0.05; done
        exit 1
    fi"""
    daemon = host(tmp_path, text=text)
    for name in ("a", "b"):
        daemon.start(NO_CARD.replace("<name>g", f"<name>{name}"))
    daemon.restart()
    daemon.check()


def test_scripts_are_looked_for_at_the_start_and_at_sighup(tmp_path: Path) -> None:
    daemon = Libvirtd(tmp_path / "host")
    path = script(tmp_path, "prepare")
    os.link(path, daemon.hooks / "qemu")
    assert daemon.start(NO_CARD).active
    daemon.reload()
    assert not daemon.start(NO_CARD.replace("<name>g", "<name>h")).active
    assert calls(daemon)[3] == "reload SIGHUP"


def test_the_daemon_hook_gets_nothing_and_decides_nothing(tmp_path: Path) -> None:
    daemon = host(tmp_path, "start", "reload", "shutdown", text="[ $(cat | wc -c) = 0 ] || exit 7")
    daemon.boot()
    daemon.reload()
    daemon.shut_down()
    assert [(call.arguments, call.status) for call in daemon.log] == [
        (("-", "start", "-", "start"), 1),
        (("-", "reload", "begin", "SIGHUP"), 1),
        (("-", "shutdown", "-", "shutdown"), 1),
    ]
    assert daemon.log[0].host_verdict == "libvirt logs the failure, and the daemon start goes on: no start"


def test_networks_start_and_stop(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    network = daemon.start_network()
    assert network.active
    daemon.update_network("lan")
    daemon.update_network("lan", network.document)
    daemon.stop_network("lan")
    assert calls(daemon) == ["start", "started", "updated", "updated", "stopped"]


@pytest.mark.parametrize(
    ("failing", "expected", "half"),
    [("start", ["start"], False), ("started", ["start", "started"], True)],
)
def test_a_network_that_fails_is_not_stopped(tmp_path: Path, failing: str, expected: list[str], *, half: bool) -> None:
    daemon = host(tmp_path, failing)
    assert not daemon.start_network().active
    assert calls(daemon) == expected
    with pytest.raises(AssertionError) as caught:
        daemon.check()
    assert ("network lan: bridge and dnsmasq were left running" in str(caught.value)) == half


def test_an_update_is_not_undone(tmp_path: Path) -> None:
    daemon = host(tmp_path, "updated")
    daemon.start_network()
    changed = daemon.networks["lan"].document.replace(b"virbr9", b"virbr8")
    assert daemon.update_network("lan", changed).failed
    assert daemon.networks["lan"].document == changed


def test_ports_of_a_stopped_network_are_gone_without_a_call(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    daemon.start_network()
    guest = daemon.start(ONE_CARD)
    daemon.log.clear()
    daemon.stop_network("lan")
    daemon.shutdown(guest)
    assert calls(daemon) == ["stopped", "stopped", "release shutdown"]


def port_of(call: Outcome) -> NetworkPort:
    assert isinstance(call.hook_data, PortData)
    return call.hook_data.port


def test_cards_come_and_go(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    guest = daemon.start(NO_CARD)
    daemon.log.clear()
    assert daemon.attach_interface(guest, CARD)
    assert daemon.update_interface(guest, "52:54:00:00:00:09")
    assert not daemon.update_interface(guest, "52:54:00:00:00:09", trouble="device")
    daemon.detach_interface(guest, "52:54:00:00:00:09")
    daemon.detach_interface(guest, "52:54:00:00:00:09")
    assert not daemon.attach_interface(guest, CARD, trouble="device")
    expected = "port-created port-created port-deleted port-created port-deleted port-deleted port-created port-deleted"
    assert " ".join(calls(daemon)) == expected
    created, replaced, gone = (port_of(call).uuid for call in daemon.log[:3])
    assert created != replaced
    assert gone == created
    refused, given_up, kept = (port_of(call).uuid for call in daemon.log[3:6])
    assert refused == given_up != kept
    assert not Domain(parse(guest.document)).interfaces


def test_a_card_that_a_hook_refuses_is_not_there(tmp_path: Path) -> None:
    daemon = host(tmp_path, "port-created")
    guest = daemon.start(NO_CARD)
    assert not daemon.attach_interface(guest, CARD)
    assert daemon.log[-1].host_verdict == "the network card is not plugged in: no port-created"
    guest.ports.append(Port("lan", "52:54:00:00:00:09", guest.document))
    assert not daemon.update_interface(guest, "52:54:00:00:00:09")


def test_what_each_operation_hands_over(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    daemon.shutdown(daemon.start(ONE_CARD))
    made = {call.point.op: call for call in daemon.log}
    prepared, started, stopped, released = (made[op].domain for op in ("prepare", "started", "stopped", "release"))
    assert (prepared.id, prepared.interfaces[0].alias) == (1, None)
    card = started.interfaces[0]
    assert (started.id, card.alias, card.target_dev) == (1, "net0", "vnet0")
    assert [source.get("portid") for source in card.element.iterfind("source")] == [port_of(made["port-created"]).uuid]
    assert [display.get("port") for display in started.element.iterfind("devices/graphics")] == ["5900"]
    assert (stopped.id, stopped.interfaces[0].alias, stopped.interfaces[0].target_dev) == (None, "net0", None)
    assert released.id is None


def test_containers_have_their_number_at_other_times(tmp_path: Path) -> None:
    daemon = host(tmp_path)
    daemon.shutdown(daemon.start(NO_CARD, driver="lxc"))
    ids = {call.point.op: call.domain.id for call in daemon.log}
    assert ids == {"prepare": None, "start": None, "started": 1, "stopped": 1, "release": None}


def test_a_container_that_never_ran_has_no_number_when_it_is_stopped(tmp_path: Path) -> None:
    daemon = host(tmp_path, "start")
    daemon.start(NO_CARD, driver="lxc")
    assert {call.domain.id for call in daemon.log} == {None}
    assert calls(daemon)[-2:] == ["stopped", "release failed"]
    broken = Libvirtd(tmp_path / "broken")
    broken.start(NO_CARD, driver="lxc", trouble="emulator")
    assert [call.domain.id for call in broken.log] == [None, None, 1, None]


def test_ports_before_5_5_0(tmp_path: Path) -> None:
    daemon = host(tmp_path, version="5.4.0")
    daemon.shutdown(daemon.start(ONE_CARD))
    assert [call.point.op for call in daemon.log if call.point.driver == "network"] == ["plugged", "unplugged"]
    data = daemon.log[1].hook_data
    assert isinstance(data, HookData)
    assert data.domain
    assert data.interface
    assert (data.domain.name, data.interface.mac, data.network.name) == ("g", "52:54:00:00:00:01", "lan")


def test_a_single_call(tmp_path: Path) -> None:
    daemon = host(tmp_path, text='[ "$2" = restore ] && cat')
    outcome = daemon.call("qemu/restore", object="-x", custom_properties={"pincpu": "1"})
    assert outcome.arguments == ("-x", "restore", "begin", "-")
    assert outcome.domain.metadata.custom_properties["pincpu"] == "1"
    assert not outcome.changed
    assert daemon.call("qemu/release", extra="from snapshot").arguments[3] == "from snapshot"
    with pytest.raises(PointError):
        daemon.call("qemu/migarte")
    with pytest.raises(DocumentError):
        daemon.call("qemu/start", document="<network/>")


def test_a_script_that_hangs_the_daemon(tmp_path: Path) -> None:
    daemon = Libvirtd(tmp_path / "host", timeout=0.5)
    daemon.install(script(tmp_path, text="sleep 30 &"), "qemu.d/10-x")
    outcome = daemon.call("qemu/start")
    assert outcome.host_verdict.startswith(f"libvirt would hang here: {daemon.hooks}/qemu.d/10-x: sleep (process ")
    assert outcome.host_verdict.endswith("which the script left behind, holds its standard output and error")
    with pytest.raises(AssertionError, match="would hang here"):
        daemon.check()


def test_events_that_cannot_be(tmp_path: Path) -> None:
    daemon = Libvirtd(tmp_path / "host")
    guest = daemon.start(NO_CARD, driver="bhyve")
    with pytest.raises(InvocationError, match="guest g was not saved, so it cannot be restored"):
        daemon.restore(guest)
    with pytest.raises(InvocationError, match="the bhyve driver cannot save a guest; qemu and libxl can"):
        daemon.save(guest)
    with pytest.raises(InvocationError, match="the bhyve driver cannot migrate a guest"):
        daemon.migrate(guest, daemon)
    with pytest.raises(InvocationError, match="the bhyve driver cannot revert a guest; qemu can"):
        daemon.revert(guest)
    daemon.shutdown(guest)
    with pytest.raises(InvocationError, match="guest g does not run; start it first"):
        daemon.shutdown(guest)
    again = daemon.start(NO_CARD)
    again.saved = again.document
    with pytest.raises(InvocationError, match="guest g runs already"):
        daemon.restore(again)


@pytest.mark.parametrize("name", ["qemud.d/50", "before_vm_start", "qemu/migrate", "qemu.d/", "qemu.d/x/y", "", ".d/x"])
def test_a_place_where_libvirt_looks_for_no_script(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvocationError, match="libvirt looks for no script at"):
        Libvirtd(tmp_path / "host").install(script(tmp_path), name)


def test_trouble_that_cannot_be(tmp_path: Path) -> None:
    daemon = Libvirtd(tmp_path / "host")
    with pytest.raises(InvocationError, match="trouble='transfer' cannot be here; what can is early or emulator"):
        daemon.start(NO_CARD, trouble="transfer")
    with pytest.raises(InvocationError, match="there is no driver xen of guests"):
        daemon.start(NO_CARD, driver="xen")
    assert not daemon.log


def test_a_name_is_free_for_one_guest(tmp_path: Path) -> None:
    daemon = Libvirtd(tmp_path / "host")
    guest = daemon.start(NO_CARD)
    with pytest.raises(InvocationError, match="guest g runs already"):
        daemon.start(NO_CARD)
    daemon.log.clear()
    with pytest.raises(InvocationError, match="guest g runs already"):
        daemon.migrate(guest, daemon)
    assert not daemon.log


def test_a_network_that_nobody_started(tmp_path: Path) -> None:
    daemon = Libvirtd(tmp_path / "host")
    for act in (daemon.stop_network, daemon.update_network):
        with pytest.raises(InvocationError, match="there is no network x; start it first"):
            act("x")


def test_a_folder_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    daemon = Libvirtd("host")
    daemon.install(script(tmp_path, "start"), "lxc")
    assert "no start" in daemon.call("lxc/start").host_verdict
    assert daemon.log[0].domain.type == "lxc"
