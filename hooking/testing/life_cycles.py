"""The life cycles that ``hooking run`` plays: what happens to a guest, a network, a VM or a host, call after call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hooking import points
from hooking.testing import documents
from hooking.testing.libvirtd import Libvirtd
from hooking.testing.usual_host import usual_host
from hooking.testing.vdsmd import Vdsmd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hooking.testing.inventory import Guest
    from hooking.testing.vm import Vm

MAC = "52:54:00:4a:23:99"
CARD = f"<interface type='network'><mac address='{MAC}'/><source network='lan'/><model type='virtio'/></interface>"
OVIRT_CARD = CARD.replace("network", "bridge", 1).replace("network='lan'", "bridge='ovirtmgmt'")


@dataclass(frozen=True)
class Scene:
    """What a life cycle is about.

    Attributes:
        document: The ``<domain>`` or ``<network>``; `None` for a recorded sample.
        driver: libvirt's driver of the guest.
        custom_properties: Custom properties of the guest or VM.
    """

    document: documents.DocumentSource = None
    driver: str = "qemu"
    custom_properties: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class LifeCycle:
    """A sequence of events on a simulated host.

    Attributes:
        host: ``libvirt`` or ``vdsm``.
        description: What happens.
        play: Lets it happen on that host.
        takes: The options of ``hooking run`` that have a sense for it.
    """

    host: str
    description: str
    play: Callable[[Any, Scene], object]
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """How the host is simulated.

    Attributes:
        folder: For its files.
        timeout: Seconds until a script counts as hanging it.
        this_python: Start Python scripts by this interpreter.
        document: What it is about, if it is not a sample.
    """

    folder: Path
    timeout: float = 10
    this_python: bool = False
    document: bytes | None = None

    def host(self, name: str) -> Libvirtd | Vdsmd:
        """Return the host ``libvirt`` or ``vdsm``."""
        make = Libvirtd if name == "libvirt" else Vdsmd
        root = usual_host(self.folder / "host", self.document)
        return make(self.folder, timeout=self.timeout, this_python=self.this_python, host=root)


def play(life_cycle: LifeCycle, scene: Scene, scripts: tuple[Path, ...], host: Libvirtd | Vdsmd) -> None:
    """Play a life cycle with ``scripts``; the calls stand in the log of ``host``."""
    for script in scripts:
        install(script, host)
    life_cycle.play(host, scene)


def install(script: Path, host: Libvirtd | Vdsmd, point: points.Point | None = None) -> None:
    """Install a hook script on a simulated host.

    Args:
        script: The script.
        host: The host.
        point: Where it is called. By default, one that is named like its driver, or lies in ``<driver>.d`` or in the
            folder of a hook point, is called there alone, and any other everywhere.
    """
    folder = script.absolute().parent.name
    if isinstance(host, Vdsmd):
        known = [folder] if points.is_known("vdsm", folder) else _living_points()
        for op in known if point is None else [point.op]:
            host.install(script, op)
    elif script.name in points.DRIVERS:
        host.install(script, script.name)
    else:
        told = [driver for driver in sorted(points.DRIVERS) if folder == f"{driver}.d"] or sorted(points.DRIVERS)
        for driver in told if point is None else [point.driver]:
            host.install(script, f"{driver}.d/{script.name}")


def _living_points() -> list[str]:
    """The hook points where VDSM starts scripts."""
    return [point.op for point in points.all_points() if point.host == "vdsm" and not point.absent]


def _other(host: Libvirtd) -> Libvirtd:
    return host.twin(usual_host(f"{host.host.root}-2"))


def _start(host: Libvirtd, scene: Scene) -> Guest:
    point = points.find(scene.driver, "prepare")
    given = documents.with_properties(point, documents.load(point, scene.document), scene.custom_properties)
    return host.start(given, driver=scene.driver)


def _guest(*events: Callable[[Libvirtd, Guest], object]) -> Callable[[Libvirtd, Scene], None]:
    """Return what starts a guest and lets things happen to it while it is there."""

    def play_events(host: Libvirtd, scene: Scene) -> None:
        guest = _start(host, scene)
        for event in events:
            if guest.active or guest.saved is not None:
                event(host, guest)

    return play_events


def _network(host: Libvirtd, scene: Scene) -> None:
    network = host.start_network(scene.document)
    if network.active:
        host.update_network(network.name)
        host.stop_network(network.name)


def _daemon(host: Libvirtd, scene: Scene) -> None:
    host.boot()
    _start(host, scene)
    host.reload()
    host.restart()


def _vm(*events: Callable[[Vdsmd, Vm], object]) -> Callable[[Vdsmd, Scene], None]:
    """Return what starts a VM and lets things happen to it as long as they work."""

    def play_events(host: Vdsmd, scene: Scene) -> None:
        vm = host.start_vm(scene.document, custom_properties=scene.custom_properties)
        for event in events if vm.up else ():
            if not event(host, vm):
                return

    return play_events


def _vdsm_host(host: Vdsmd, _: Scene) -> None:
    host.boot()
    host.get_caps()
    host.setup_networks()
    host.list_host_devices()
    host.get_stats()
    host.get_all_vm_stats()
    host.shut_down()


_VM = ("--document", "--property")
_GUEST = (*_VM, "--driver")

LIFE_CYCLES = {
    "guest": LifeCycle("libvirt", "a guest starts and shuts down", _guest(Libvirtd.shutdown), _GUEST),
    "guest-crash": LifeCycle("libvirt", "a guest starts and crashes", _guest(Libvirtd.crash), _GUEST),
    "guest-reboot": LifeCycle("libvirt", "a guest starts and reboots", _guest(Libvirtd.reboot), _GUEST),
    "guest-save": LifeCycle(
        "libvirt", "a guest is saved and restored", _guest(Libvirtd.save, Libvirtd.restore), _GUEST
    ),
    "guest-revert": LifeCycle("libvirt", "a guest goes back to a snapshot", _guest(Libvirtd.revert), _GUEST),
    "guest-migration": LifeCycle(
        "libvirt",
        "a guest migrates to another host with the same scripts",
        _guest(lambda host, guest: host.migrate(guest, _other(host))),
        _GUEST,
    ),
    "guest-card": LifeCycle(
        "libvirt",
        "a guest gets a network card, whose link is changed, and loses it",
        _guest(
            lambda host, guest: host.attach_interface(guest, CARD),
            lambda host, guest: host.update_interface(guest, MAC),
            lambda host, guest: host.detach_interface(guest, MAC),
        ),
        _GUEST,
    ),
    "network": LifeCycle("libvirt", "a network starts, is changed and stops", _network, ("--document",)),
    "daemon": LifeCycle("libvirt", "the daemon starts, reloads, and starts again while a guest runs", _daemon, _GUEST),
    "vm": LifeCycle("vdsm", "a VM starts and is destroyed", _vm(Vdsmd.destroy_vm), _VM),
    "vm-pause": LifeCycle("vdsm", "a VM is paused and goes on", _vm(Vdsmd.pause_vm, Vdsmd.resume_vm), _VM),
    "vm-hibernation": LifeCycle(
        "vdsm", "a VM is hibernated and restored", _vm(Vdsmd.hibernate_vm, Vdsmd.restore_vm), _VM
    ),
    "vm-migration": LifeCycle("vdsm", "a VM migrates", _vm(Vdsmd.migrate_vm), _VM),
    "vm-card": LifeCycle(
        "vdsm",
        "a VM gets a network card and loses it",
        _vm(
            lambda host, vm: host.hotplug_nic(vm, OVIRT_CARD, properties=vm.custom_properties),
            lambda host, vm: host.hotunplug_nic(vm, vm.domain.interfaces[-1].mac or MAC),
        ),
        _VM,
    ),
    "vdsm-host": LifeCycle("vdsm", "VDSM starts, sets up networks, tells of the host, and stops", _vdsm_host),
}
"""What ``hooking run`` can play, by name."""
