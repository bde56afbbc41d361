"""The templates under a real daemon: all of them at once through the life of a plain guest, and what some do."""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import daemons
import pytest
from daemons import Daemon, folder, missing
from test_host_live import NETWORK, run
from test_live_libvirtd import DOMAIN, cpuset_of, wait_for

from support import TEMPLATES

pytestmark = pytest.mark.live

SCRIPTS = sorted(path for path in TEMPLATES.glob("*/*.py") if not path.name.startswith("test_"))
OPS = {
    "qemu": {"prepare", "start", "started", "stopped", "release", "restore", "reconnect"},
    "network": {"start", "started", "port-created", "port-deleted", "stopped"},
    "daemon": {"shutdown", "start"},
    "lxc": set[str](),
    "libxl": set[str](),
    "bhyve": set[str](),
}
"""What the life of the guest calls."""

OURS = "<metadata><properties xmlns='urn:libvirt-hooking:1'>{}</properties></metadata>"
FAILED = "Hook script execution failed"
WITNESS = """#!/bin/sh
# Start the hook and note how it ended, and what it said, which libvirt reads of failing hooks only.
"{hook}" "$@" 2> "{hook}.says"
status=$?
cat "{hook}.says" >> "{hook}.said"
cat "{hook}.says" >&2
echo "$2 $status" >> "{hook}.ended"
exit $status
"""


def drivers(script: Path) -> set[str]:
    """Return the drivers that a hook has handlers for; those of VDSM alone have nothing to do under any other."""
    registrations = runpy.run_path(str(script))["hook"]._registrations
    return {driver for driver, *_ in registrations} - {"vdsm"} or {"qemu"}


def install(daemon: Daemon, script: Path) -> None:
    for driver in drivers(script):
        hook = daemon.base / "installed" / f"{driver}.d" / script.stem
        hook.parent.mkdir(parents=True, exist_ok=True)
        hook.write_text(script.read_text().replace("/usr/bin/python3", sys.executable, 1))
        hook.chmod(0o755)
        daemon.install(WITNESS.format(hook=hook), f"{driver}.d/{script.stem}")


def ended(daemon: Daemon, driver: str, script: Path) -> list[tuple[str, int]]:
    """Return the operations that a hook was called at, each with its exit status."""
    path = daemon.base / "installed" / f"{driver}.d" / f"{script.stem}.ended"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(op, int(status)) for op, _, status in (line.partition(" ") for line in lines)]


def log(daemon: Daemon) -> str:
    return (daemon.base / "log" / "libvirtd.log").read_text()


@pytest.fixture(scope="module")
def running(require_live: Callable[[str], None]) -> Iterator[Daemon]:
    require_live(missing() or ", ".join(tool for tool in ("nft", "iptables") if shutil.which(tool) is None))
    base = folder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemons, "FOLDERS", {"host": "/run", **daemons.FOLDERS})
        daemon = Daemon(base / "host", "host")
        with (daemon.base / "etc" / "libvirtd.conf").open("a") as file:
            file.write('\nlog_outputs = "3:file:/var/log/libvirt/libvirtd.log"\n')
        daemon.start()
        yield daemon
        daemon.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def after_life(running: Daemon) -> Daemon:
    """The daemon after the life of a guest, with all templates."""
    for script in SCRIPTS:
        install(running, script)
    create(running, "net-create", NETWORK)
    create(running, "create", DOMAIN.format(""))
    running.virsh("save", "g", str(running.base / "lib" / "g.save"))
    running.virsh("restore", str(running.base / "lib" / "g.save"))
    running.restart()
    reconnected = [script for script in SCRIPTS if "qemu" in drivers(script)]
    wait_for(lambda: all(("reconnect", 0) in ended(running, "qemu", script) for script in reconnected))
    assert running.virsh("domstate", "g").stdout.strip() == "running"
    running.virsh("destroy", "g")
    running.virsh("net-destroy", "lan")
    return running


@pytest.fixture
def daemon(after_life: Daemon) -> Iterator[Daemon]:
    """The daemon with a network, and without guests and templates."""
    for path in after_life.hooks.glob("*.d"):
        shutil.rmtree(path)
    yield after_life
    after_life.virsh("destroy", "g", check=False)
    after_life.virsh("net-destroy", "lan", check=False)
    assert not (after_life.base / "host" / "libvirt-hooking").exists()


def create(daemon: Daemon, verb: str, document: str, *, check: bool = True) -> str:
    path = daemon.base / "document.xml"
    path.write_text(document)
    return daemon.virsh(verb, str(path), check=check).stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_a_plain_guest_lives_undisturbed(after_life: Daemon, script: Path) -> None:
    for driver in drivers(script):
        calls = ended(after_life, driver, script)
        assert {op for op, _ in calls} >= OPS[driver]
        assert {status for _, status in calls} <= {0}
        said = after_life.base / "installed" / f"{driver}.d" / f"{script.stem}.said"
        assert not said.exists() or said.read_text() == ""


def test_the_daemon_logs_no_failed_hook_but_would(daemon: Daemon) -> None:
    assert FAILED not in log(daemon)
    daemon.install("#!/bin/sh\nexit 3\n", "network.d/broken")
    create(daemon, "net-create", NETWORK, check=False)
    assert FAILED in log(daemon)


def test_pincpu_pins_a_guest_that_is_restored(daemon: Daemon) -> None:
    install(daemon, TEMPLATES / "pincpu" / "pincpu.py")
    create(daemon, "net-create", NETWORK)
    create(daemon, "create", DOMAIN.format(OURS.format("<pincpu>0</pincpu>")))
    assert cpuset_of(daemon) is None
    daemon.virsh("save", "g", str(daemon.base / "lib" / "g.save"))
    daemon.virsh("restore", str(daemon.base / "lib" / "g.save"))
    assert cpuset_of(daemon) == "0"


def test_guest_port_forward_forwards_while_the_guest_runs(daemon: Daemon) -> None:
    install(daemon, TEMPLATES / "guest-port-forward" / "guest_port_forward.py")
    create(daemon, "net-create", NETWORK)
    properties = "<forward>8080:80 53:53/udp</forward><address>192.168.171.5</address>"
    create(daemon, "create", DOMAIN.format(OURS.format(properties)))
    tables = run(daemon, "nft", "list", "tables", "ip")
    assert "libvirt-hooking/tcp/8080/any/192.168.171.5/80" in tables
    assert "libvirt-hooking/udp/53/any/192.168.171.5/53" in tables
    daemon.virsh("destroy", "g")
    assert "libvirt-hooking" not in run(daemon, "nft", "list", "tables", "ip")


def test_network_routes_holds_them_while_the_network_is_up(daemon: Daemon) -> None:
    install(daemon, TEMPLATES / "network-routes" / "network_routes.py")
    properties = OURS.format("<routes>203.0.113.0/24=192.168.171.5</routes>")
    create(daemon, "net-create", NETWORK.replace("</name>", f"</name>{properties}"))
    assert "via 192.168.171.5 dev virbr0" in run(daemon, "ip", "route", "show", "203.0.113.0/24")
    daemon.virsh("net-destroy", "lan")
    assert run(daemon, "ip", "route", "show", "203.0.113.0/24") == ""


def test_deny_start_tells_which_bridge_is_missing(daemon: Daemon) -> None:
    install(daemon, TEMPLATES / "deny-start" / "deny_start.py")
    card = "<interface type='bridge'><source bridge='br7'/></interface></devices>"
    guest = DOMAIN.format("").replace("</devices>", card)
    create(daemon, "net-create", NETWORK)
    assert "the bridge br7 is missing on this host" in create(daemon, "create", guest, check=False)


def test_run_tree_runs_the_tree_of_a_guest(daemon: Daemon) -> None:
    install(daemon, TEMPLATES / "run-tree" / "run_tree.py")
    noted = daemon.base / "noted"
    note = f'echo "$@" $(grep -c "<name>g</name>") >> {noted}'
    plant(daemon, "prepare/begin/10-note.sh", note)
    plant(daemon, "restore/begin/10-title.sh", "sed 's,<uuid>,<title>one</title>&,'")
    plant(daemon, "restore/begin/20-title.sh", "sed 's,>one<,>two<,'")
    plant(daemon, "release/end/10-note.sh", note)
    create(daemon, "net-create", NETWORK)
    create(daemon, "create", DOMAIN.format(""))
    daemon.virsh("save", "g", str(daemon.base / "lib" / "g.save"))
    assert noted.read_text().splitlines() == ["g prepare begin - 1", "g release end - 1"]
    daemon.virsh("restore", str(daemon.base / "lib" / "g.save"))
    assert "<title>two</title>" in daemon.virsh("dumpxml", "g").stdout
    daemon.virsh("destroy", "g")
    plant(daemon, "start/begin/no", "echo no card >&2; exit 77")
    said = create(daemon, "create", DOMAIN.format(""), check=False)
    assert "start/begin/no ended with status 77" in said
    assert "no card" in said


def plant(daemon: Daemon, path: str, text: str) -> None:
    """Put a script into the tree of the guest g."""
    script = daemon.hooks / "qemu.d" / "g" / path
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
