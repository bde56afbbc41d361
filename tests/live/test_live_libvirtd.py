"""The simulated libvirt daemon and real hooks, held against live daemons with QEMU under emulation."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from daemons import Daemon, folder, missing

from hooking import points
from hooking.call import read_document
from hooking.document import parse
from hooking.domain import Domain
from hooking.network import HookData, PortData
from hooking.testing import Libvirtd
from hooking.testing.inventory import Guest
from hooking.testing.libvirtd import Trouble

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
UUID = "3573e29e-5de9-468a-9fae-16050c6b3dcc"
MAC = "52:54:00:4a:23:01"
CARD = f"<interface type='network'><mac address='{MAC}'/><source network='lan'/><model type='virtio'/></interface>"
DOMAIN = f"""<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
<name>g</name><uuid>{UUID}</uuid><memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{CARD}</devices>{{}}</domain>"""
HOTPLUG = "<features><acpi/></features>"
BAD_EMULATOR = "<qemu:commandline><qemu:arg value='-nonsense'/></qemu:commandline>"
CONTAINER = """<domain type='lxc'><name>g</name><uuid>c5679575-05ed-43bc-ae90-9ed88d8ecd8f</uuid>
<memory unit='KiB'>65536</memory><vcpu>1</vcpu><os><type>exe</type><init>/bin/sleep</init></os>
<devices><console type='pty'/></devices></domain>"""
NETWORK = """<network><name>lan</name><bridge name='virbr{0}'/>
<ip address='192.168.{0}.1' netmask='255.255.255.0'><dhcp><range start='192.168.{0}.2' end='192.168.{0}.9'/></dhcp></ip>
</network>"""


@dataclass
class Hosts:
    """Two live daemons, and the files of a guest and its network."""

    base: Path
    source: Daemon
    destination: Daemon

    def file(self, name: str, text: str) -> str:
        path = self.base / name
        path.write_text(text)
        return str(path)

    @property
    def guest(self) -> str:
        return self.file("g.xml", DOMAIN.format(""))

    @property
    def image(self) -> str:
        return str(self.base / "source" / "lib" / "g.save")


@pytest.fixture(scope="module")
def _running(require_live: Callable[[str], None]) -> Iterator[Hosts]:
    require_live(missing())
    base = folder()
    (base / "migration").mkdir()
    (base / "migration").chmod(0o777)
    hosts = Hosts(base, Daemon(base / "source", "source"), Daemon(base / "destination", "destination"))
    hosts.source.start()
    hosts.destination.start()
    yield hosts
    hosts.source.stop()
    hosts.destination.stop()
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def hosts(_running: Hosts) -> Iterator[Hosts]:
    """Both daemons with a network that is up, and without guests."""
    for number, daemon in enumerate((_running.source, _running.destination), 171):
        daemon.fail()
        daemon.record()
        daemon.reload()
        time.sleep(0.3)  # until the daemon has looked for its scripts
        daemon.virsh("net-create", _running.file("n.xml", NETWORK.format(number)))
        daemon.calls()
    yield _running
    for daemon in (_running.source, _running.destination):
        daemon.fail()
        daemon.virsh("destroy", "g", check=False)
        daemon.virsh("managedsave-remove", "g", check=False)
        daemon.virsh("undefine", "g", check=False)
        daemon.virsh("net-destroy", "lan", check=False)


def migrate(hosts: Hosts, *more: str, check: bool = False) -> None:
    socket = hosts.base / "migration" / str(time.monotonic_ns())
    uri = f"qemu+unix:///system?socket={hosts.destination.base}/run/libvirt-sock"
    hosts.source.virsh("migrate", "--p2p", *more, "g", uri, f"unix://{socket}", check=check)


# Each life cycle twice: what is done with virsh, and what is done with the simulated daemon.


def live_start(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.source.virsh("destroy", "g")


def simulated_start(host: Libvirtd) -> None:
    host.destroy(host.start(DOMAIN.format("")))


def live_failing_start(hosts: Hosts) -> None:
    assert "error" in hosts.source.virsh("create", hosts.guest, check=False).stderr


def simulated_failing_start(host: Libvirtd) -> None:
    assert not host.start(DOMAIN.format("")).active


def live_bad_emulator(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.file("bad.xml", DOMAIN.format(BAD_EMULATOR)), check=False)


def live_save(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.source.virsh("save", "g", hosts.image)
    hosts.source.virsh("restore", hosts.image, check=False)


def live_managed_save(hosts: Hosts) -> None:
    hosts.source.virsh("define", hosts.guest)
    hosts.source.virsh("start", "g")
    hosts.source.virsh("managedsave", "g")
    hosts.source.virsh("start", "g")


def simulated_save(host: Libvirtd) -> None:
    guest = host.start(DOMAIN.format(""))
    host.save(guest)
    host.restore(guest)


def live_crash(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    pid = next((hosts.source.base / "run" / "qemu").glob("g.pid")).read_text()
    os.kill(int(pid), 9)
    wait_for(lambda: "g" not in hosts.source.virsh("list", "--name").stdout.split())


def simulated_crash(host: Libvirtd) -> None:
    host.crash(host.start(DOMAIN.format("")))


def live_restart(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.source.restart()
    wait_for(lambda: "reconnect" in recorded_ops(hosts.source))


def simulated_restart(host: Libvirtd) -> None:
    host.start(DOMAIN.format(""))
    host.restart()


def live_reload(hosts: Hosts) -> None:
    hosts.source.reload()
    wait_for(lambda: "reload" in recorded_ops(hosts.source))


def live_network(hosts: Hosts) -> None:
    hosts.source.virsh("net-update", "lan", "add", "ip-dhcp-host", f"<host mac='{MAC}' ip='192.168.171.5'/>", "--live")
    hosts.source.virsh("net-destroy", "lan")
    hosts.source.virsh("net-create", hosts.file("n.xml", NETWORK.format(171)))


def simulated_network(host: Libvirtd) -> None:
    host.update_network("lan")
    host.stop_network("lan")
    host.start_network(NETWORK.format(171))


def live_network_start(hosts: Hosts) -> None:
    hosts.source.virsh("net-create", hosts.file("o.xml", NETWORK.format(173).replace("lan", "other")), check=False)


def simulated_network_start(host: Libvirtd) -> None:
    host.start_network(NETWORK.format(173).replace("lan", "other"))


def live_card(hosts: Hosts, features: str = HOTPLUG) -> None:
    hosts.source.virsh("create", hosts.file("acpi.xml", DOMAIN.format(features)))
    card = hosts.file("card.xml", CARD.replace(MAC, "52:54:00:4a:23:09"))
    hosts.source.virsh("attach-device", "g", card, check=bool(features))


def simulated_card(host: Libvirtd, trouble: Trouble | None = None) -> None:
    guest = host.start(DOMAIN.format(""))
    host.attach_interface(guest, CARD.replace(MAC, "52:54:00:4a:23:09"), trouble=trouble)


def live_link_state(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.source.virsh("domif-setlink", "g", MAC, "down")


def simulated_link_state(host: Libvirtd) -> None:
    host.update_interface(host.start(DOMAIN.format("")), MAC)


def live_network_goes(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.source.virsh("net-destroy", "lan")
    hosts.source.virsh("destroy", "g")


def simulated_network_goes(host: Libvirtd) -> None:
    guest = host.start(DOMAIN.format(""))
    host.stop_network("lan")
    host.destroy(guest)


def live_container(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.file("ct.xml", CONTAINER), check=False, driver="lxc")


def simulated_container(host: Libvirtd) -> None:
    host.start(CONTAINER, driver="lxc", trouble="emulator")


def recorded_ops(daemon: Daemon) -> list[str]:
    return [path.read_bytes().split(b"\0")[2].decode() for path in sorted(daemon.base.glob("calls/*/argv"))]


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(300):
        if happened():
            return
        time.sleep(0.1)
    raise TimeoutError("it did not happen")


LIFE_CYCLES: dict[str, tuple[Callable[[Hosts], None], Callable[[Libvirtd], object], list[str]]] = {
    "start and destroy": (live_start, simulated_start, []),
    "prepare fails": (live_failing_start, simulated_failing_start, ["prepare"]),
    "port-created fails": (live_failing_start, simulated_failing_start, ["port-created"]),
    "start fails": (live_failing_start, simulated_failing_start, ["start"]),
    "started fails": (live_failing_start, simulated_failing_start, ["started"]),
    "stopped and release fail": (live_start, simulated_start, ["stopped", "release", "port-deleted"]),
    "emulator fails": (
        live_bad_emulator,
        lambda host: host.start(DOMAIN.format(""), trouble="emulator"),
        [],
    ),
    "save and restore": (live_save, simulated_save, []),
    "restore fails": (live_save, simulated_save, ["restore"]),
    "managed save": (live_managed_save, simulated_save, []),
    "crash": (live_crash, simulated_crash, []),
    "restart": (live_restart, simulated_restart, []),
    "reload": (live_reload, Libvirtd.reload, []),
    "network": (live_network, simulated_network, []),
    "updated fails": (live_network, simulated_network, ["updated"]),
    "network start fails": (live_network_start, simulated_network_start, ["start"]),
    "network started fails": (live_network_start, simulated_network_start, ["started"]),
    "card": (live_card, simulated_card, []),
    "card that the emulator refuses": (
        lambda hosts: live_card(hosts, features=""),
        lambda host: simulated_card(host, "device"),
        [],
    ),
    "link state": (live_link_state, simulated_link_state, []),
    "network goes": (live_network_goes, simulated_network_goes, []),
    "container": (live_container, simulated_container, []),
    "container prepare fails": (live_container, simulated_container, ["prepare"]),
}


def simulate(tmp_path: Path, failing: list[str], name: str = "simulated") -> Libvirtd:
    """A simulated daemon with the same failing scripts and a network that is up."""
    host = Libvirtd(tmp_path / name, version="9.0.0")
    host.start_network(NETWORK.format(171))
    script = tmp_path / "script"
    cases = "|".join(failing) or "none"
    script.write_text(f'#!/bin/sh\ncase "$2" in {cases}) echo "no $2" >&2; exit 1;; esac\n')
    for driver in ("daemon", "qemu", "lxc", "network"):
        host.install(script, driver)
    host.log.clear()
    return host


def compare(live: list[tuple[list[str], bytes]], host: Libvirtd) -> None:
    """Compare call by call, argument by argument, and what typed views make of the documents."""
    assert [argv[1:] for argv, _ in live] == [list(call.arguments) for call in host.log]
    for (argv, stdin), call in zip(live, host.log):
        assert Path(argv[0]).name == call.point.driver
        document = read_document(points.find(call.point.driver, argv[2]), stdin)
        assert type(document) is type(call.document), call
        assert traits(document) == traits(call.document), call


def traits(document: object) -> object:
    """What of a document does not depend on the machine."""
    if isinstance(document, Domain):
        cards = [(card.type, card.mac, card.source_network, bool(card.target_dev)) for card in document.interfaces]
        return document.name, document.id is None, bool(cards and document.interfaces[0].alias), cards
    if isinstance(document, PortData):
        port = document.port
        return document.network.name, port.owner_name, port.mac, port.plug_type
    return document.network.name if isinstance(document, HookData) else None


@pytest.mark.parametrize("name", LIFE_CYCLES)
def test_a_life_cycle_is_the_same_call_by_call(hosts: Hosts, tmp_path: Path, name: str) -> None:
    live, simulated, failing = LIFE_CYCLES[name]
    hosts.source.fail(*failing)
    live(hosts)
    host = simulate(tmp_path, failing)
    simulated(host)
    compare(hosts.source.calls(), host)


@pytest.mark.parametrize("failing", [[], ["migrate"], ["prepare"], ["started"]], ids=str)
def test_a_migration_is_the_same_on_both_ends(hosts: Hosts, tmp_path: Path, failing: list[str]) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.source.calls()
    hosts.destination.fail(*failing)
    migrate(hosts, "--live", check=not failing)
    source, destination = simulate(tmp_path, [], "source"), simulate(tmp_path, failing, "destination")
    guest = source.start(DOMAIN.format(""))
    source.log.clear()
    source.migrate(guest, destination)
    compare(hosts.source.calls(), source)
    compare(hosts.destination.calls(), destination)


def test_an_offline_migration_calls_only_migrate(hosts: Hosts, tmp_path: Path) -> None:
    hosts.source.virsh("define", hosts.guest)
    migrate(hosts, "--offline", "--persistent", check=True)
    source, destination = simulate(tmp_path, [], "source"), simulate(tmp_path, [], "destination")
    source.migrate(Guest("qemu", DOMAIN.format("").encode()), destination, offline=True)
    compare(hosts.destination.calls(), destination)
    assert hosts.source.calls() == []


# Real hooks under real daemons.


def hook(body: str) -> str:
    """A hook script with this package, for the system's own Python, that prints noise and leaves a process behind."""
    return f"""#!/usr/bin/python3 -I
import subprocess, sys
sys.path.insert(0, {str(ROOT)!r})
import hooking

hook = hooking.Hook(timeout=30)

@hook.qemu("prepare", "restore", "migrate", "reconnect")
def handler(domain, context):
    print("noise on standard output")
    subprocess.Popen(["sleep", "20"])
    {body}

hook.run()
"""


def install(daemon: Daemon, body: str) -> None:
    daemon.install(hook(body), "qemu")


def cpuset_of(daemon: Daemon) -> str | None:
    return Domain(parse(daemon.virsh("dumpxml", "g").stdout.encode())).vcpu.cpuset


def test_a_restore_with_a_document_that_a_hook_changed(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.source.virsh("save", "g", hosts.image)
    install(hosts.source, 'if context.op == "restore": hooking.set_cpuset(domain, "0")')
    begin = time.monotonic()
    hosts.source.virsh("restore", hosts.image)
    assert time.monotonic() - begin < 20  # it did not wait for what the hook left behind
    assert hosts.source.virsh("domstate", "g").stdout.strip() == "running"
    assert cpuset_of(hosts.source) == "0"


def test_a_live_migration_with_a_document_that_a_hook_changed(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    install(hosts.destination, 'if context.op == "migrate": hooking.set_cpuset(domain, "0")')
    migrate(hosts, "--live", check=True)
    assert hosts.destination.virsh("domstate", "g").stdout.strip() == "running"
    assert cpuset_of(hosts.destination) == "0"
    assert "g" not in hosts.source.virsh("list", "--name").stdout.split()


def test_a_changed_name_is_refused_before_libvirt_sees_it(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    hosts.source.virsh("save", "g", hosts.image)
    install(hosts.source, 'if context.op == "restore": domain.element.find("name").text = "other"')
    error = hosts.source.virsh("restore", hosts.image, check=False).stderr
    assert "qemu: qemu/restore g: the name must stay 'g', but the hook made it 'other', so nothing was written" in error
    assert "does not match source" not in error


def test_a_refused_start_shows_our_line(hosts: Hosts) -> None:
    install(hosts.source, 'hooking.block_start(context, "the GPU is in use")')
    error = hosts.source.virsh("create", hosts.guest, check=False).stderr
    assert "unexpected exit status 1: qemu: qemu/prepare g: the GPU is in use" in error


def test_a_handler_that_breaks_at_reconnect_leaves_the_guest_running(hosts: Hosts) -> None:
    hosts.source.virsh("create", hosts.guest)
    install(hosts.source, 'open(__file__ + ".seen", "w").close(); nonsense')
    hosts.source.restart()
    wait_for((hosts.source.hooks / "qemu.seen").exists)
    time.sleep(1)
    assert hosts.source.virsh("domstate", "g").stdout.strip() == "running"
    (hosts.source.hooks / "qemu.seen").unlink()
