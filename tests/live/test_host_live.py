"""A hook that forwards a port: under real daemons it is there exactly while its guest runs on that host."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import daemons
import pytest
from daemons import RECORDER, Daemon, folder, missing
from test_live_libvirtd import UUID, Hosts, migrate, wait_for

pytestmark = pytest.mark.live

NETWORK = """<network><name>lan</name><bridge name='virbr0'/><forward mode='nat'/>
<ip address='192.168.171.1' netmask='255.255.255.0'/></network>"""
NAME = "libvirt-hooking/tcp/8080/any/192.168.171.5/80"
HOOK = f"""#!{sys.executable} -I
import hooking

hook = hooking.Hook(timeout=30)


@hook.qemu("prepare", "started", "reconnect")
def forward(domain, context):
    state = hooking.state(context)
    state["calls"] = [*state.get("calls", []), context.op]
    hooking.forward_port(state, 8080, "192.168.171.5", to_port=80)


@hook.qemu("release")
def close(domain, context):
    hooking.state(context).undo()


hook.run()
"""
THERE = {
    "tables": [f"table ip {NAME}"],
    "firewall": [NAME],
    "records": ["changes", f"qemu/{UUID}"],
}
GONE: dict[str, list[str]] = {"tables": [], "firewall": [], "records": []}


def left(daemon: Daemon) -> dict[str, list[str]]:
    """Return what there is on a host of forwarded ports and of what hooks keep."""
    records = daemon.base / "host" / "libvirt-hooking"
    assert records.exists() == any(records.rglob("*.json"))
    return {
        "tables": [line for line in run(daemon, "nft", "list", "tables").splitlines() if "libvirt-hooking" in line],
        "firewall": [word.strip('"') for word in run(daemon, "iptables", "-S").split() if "libvirt-hooking" in word],
        "records": sorted(str(path.relative_to(records).parent) for path in records.rglob("*") if path.is_file()),
    }


def calls(daemon: Daemon) -> list[str]:
    """Return what the hook kept from call to call."""
    (record,) = (daemon.base / "host" / "libvirt-hooking" / "qemu" / UUID).glob("*.json")
    kept: list[str] = json.loads(record.read_text())["values"]["calls"]
    return kept


def run(daemon: Daemon, *command: str) -> str:
    """Run a program in the network of a daemon's host."""
    inside = ["nsenter", "-t", (daemon.base / "virtlogd.pid").read_text().strip(), "-n"]
    return subprocess.run([*inside, *command], check=True, stdout=subprocess.PIPE, text=True, timeout=30).stdout


@pytest.fixture(scope="module")
def _running(require_live: Callable[[str], None]) -> Iterator[Hosts]:
    tools = [tool for tool in ("nft", "iptables") if shutil.which(tool) is None]
    require_live(missing() or ", ".join(tools))
    base = folder()
    (base / "migration").mkdir()
    (base / "migration").chmod(0o777)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemons, "FOLDERS", {"host": "/run", **daemons.FOLDERS})  # two hosts, each with a /run of its own
        hosts = Hosts(base, Daemon(base / "source", "source"), Daemon(base / "destination", "destination"))
        both = hosts.source, hosts.destination
        for daemon in both:
            daemon.install(HOOK, "qemu.d/50-forward")
            daemon.start()
            daemon.virsh("net-create", hosts.file("n.xml", NETWORK))
        yield hosts
        for daemon in both:
            daemon.stop()
    shutil.rmtree(base)


@pytest.fixture
def hosts(_running: Hosts) -> Iterator[Hosts]:
    """Both daemons with a NAT network and the hook, and before and after it another one, which the test lets fail."""
    both = _running.source, _running.destination
    for daemon in both:
        for name in "qemu", "qemu.d/90-recorder":
            daemon.install(RECORDER.format(base=daemon.base), name)
        daemon.fail()
        daemon.calls()
        assert left(daemon) == GONE
    yield _running
    for daemon in both:
        daemon.fail()
        daemon.virsh("destroy", "g", check=False)
        assert left(daemon) == GONE


def test_from_start_to_destroy(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    assert left(hosts.source) == THERE
    assert calls(hosts.source) == ["prepare", "started"]
    hosts.source.virsh("destroy", "g")
    assert left(hosts.source) == GONE


def test_a_guest_whose_emulator_dies(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    run(hosts.source, "kill", "-KILL", (hosts.source.base / "run" / "qemu" / "g.pid").read_text().strip())
    wait_for(lambda: left(hosts.source) == GONE)
    assert hosts.source.virsh("list", "--name").stdout.split() == []


@pytest.mark.parametrize("failing", ["prepare", "start", "started"])
@pytest.mark.parametrize("others", ["qemu", "qemu.d/90-recorder"])
def test_a_start_that_another_hook_lets_fail(hosts: Hosts, failing: str, others: str) -> None:
    (hosts.source.hooks / ({"qemu", "qemu.d/90-recorder"} - {others}).pop()).unlink()
    hosts.source.fail(failing)
    refused = hosts.source.virsh("create", hosts.guest, check=False)
    assert f"no {failing}" in refused.stderr
    assert hosts.source.calls()[-1][0][2] == "release"
    assert left(hosts.source) == GONE


def test_save_and_restore(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.source.virsh("save", "g", hosts.image)
    assert left(hosts.source) == GONE
    hosts.source.fail("started")
    assert hosts.source.virsh("restore", hosts.image, check=False).returncode != 0
    assert left(hosts.source) == GONE
    hosts.source.fail()
    hosts.source.virsh("restore", hosts.image)
    assert left(hosts.source) == THERE


def test_a_restart_of_the_daemon_puts_back_what_was_flushed(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    run(hosts.source, "nft", "delete", "table", "ip", NAME)
    run(hosts.source, "iptables", "-F", "FORWARD")
    assert left(hosts.source) == {**THERE, "tables": [], "firewall": []}
    hosts.source.restart()
    wait_for(lambda: calls(hosts.source)[2:] == ["reconnect"] and left(hosts.source) == THERE)
    assert hosts.source.virsh("domstate", "g").stdout.strip() == "running"


def test_a_live_migration(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    migrate(hosts, "--live", check=True)
    assert (left(hosts.source), left(hosts.destination)) == (GONE, THERE)
    hosts.destination.restart()
    wait_for(lambda: calls(hosts.destination)[2:] == ["reconnect"] and left(hosts.destination) == THERE)
    assert left(hosts.source) == GONE
    hosts.destination.virsh("destroy", "g")
    assert (left(hosts.source), left(hosts.destination)) == (GONE, GONE)


@pytest.mark.parametrize("failing", ["migrate", "prepare", "start", "started"])
def test_a_live_migration_that_fails_leaves_the_guest_where_it_is(hosts: Hosts, failing: str) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.destination.fail(failing)
    migrate(hosts, "--live")
    assert hosts.source.virsh("list", "--name").stdout.split() == ["g"]
    assert (left(hosts.source), left(hosts.destination)) == (THERE, GONE)
