"""What hosts call in each life cycle, and what a failure of each call leads to, as told by the simulated hosts.

Each life cycle is played once as it should go, and once more for each call, which then fails.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from stage import CARD_OF_SAMPLE, Stage, Tape

from hooking.exceptions import InvocationError
from hooking.points import Point
from hooking.testing import Outcome
from hooking.testing.life_cycles import CARD, MAC, OVIRT_CARD

DISK = "<disk type='file' device='disk'><source file='/data.qcow2'/><target dev='vdc' bus='virtio'/></disk>"
MEMORY = "<memory model='dimm'><target><size unit='KiB'>1048576</size><node>0</node></target></memory>"

Event = tuple[str, Callable[[Stage], object]]


def start(driver: str) -> Event:
    """Return the event of a start, and what it is called."""
    return "the guest starts", lambda stage: stage.start(driver)


RESTART: Event = ("the daemon restarts", lambda stage: stage.host.restart())
MIGRATION: Event = ("the guest migrates", lambda stage: stage.host.migrate(stage.guest, stage.other))
SHUTDOWN: Event = ("the guest shuts down, crashes or is switched off", lambda stage: stage.host.shutdown(stage.guest))
START_VM: Event = ("the VM starts", Stage.start_vm)

LIFE_CYCLES: dict[str, tuple[str, tuple[Event, ...]]] = {
    "qemu": ("A guest of QEMU starts and ends", (start("qemu"), SHUTDOWN)),
    "qemu-failed-start": (
        "The emulator does not come up",
        (("the guest starts, and QEMU fails", lambda stage: stage.start(trouble="emulator")),),
    ),
    "qemu-migration": ("A guest of QEMU migrates", (start("qemu"), MIGRATION)),
    "qemu-save": (
        "A guest of QEMU is saved and restored",
        (
            start("qemu"),
            ("the guest is saved", lambda stage: stage.host.save(stage.guest)),
            ("the guest is restored", lambda stage: stage.host.restore(stage.guest)),
        ),
    ),
    "qemu-reconnect": ("The daemon restarts while a guest of QEMU runs", (start("qemu"), RESTART)),
    "qemu-card": (
        "A guest of QEMU gets a network card and loses it",
        (
            start("qemu"),
            ("a card is plugged in", lambda stage: stage.host.attach_interface(stage.guest, CARD)),
            ("the card is changed", lambda stage: stage.host.update_interface(stage.guest, MAC)),
            ("the card is unplugged", lambda stage: stage.host.detach_interface(stage.guest, MAC)),
        ),
    ),
    "lxc": ("A container of LXC starts and ends", (start("lxc"), RESTART, SHUTDOWN)),
    "libxl": ("A guest of Xen starts and ends", (start("libxl"), RESTART, SHUTDOWN)),
    "libxl-migration": ("A guest of Xen migrates", (start("libxl"), MIGRATION)),
    "bhyve": (
        "A guest of bhyve starts, reboots and ends",
        (start("bhyve"), ("the guest reboots", lambda stage: stage.host.reboot(stage.guest)), SHUTDOWN),
    ),
    "network": (
        "A network starts, changes and stops",
        (
            ("the network starts", lambda stage: stage.host.start_network()),
            ("the network is changed", lambda stage: stage.host.update_network("lan")),
            ("the network stops", lambda stage: stage.host.stop_network("lan")),
        ),
    ),
    "daemon": (
        "The libvirt daemon starts, reloads and stops",
        (
            ("the daemon starts", lambda stage: stage.host.boot()),
            ("the daemon gets SIGHUP", lambda stage: stage.host.reload()),
            ("the daemon stops", lambda stage: stage.host.shut_down()),
        ),
    ),
    "vdsm": (
        "A VM of VDSM starts and is switched off",
        (START_VM, ("the VM is switched off", lambda stage: stage.vdsm.destroy_vm(stage.vm))),
    ),
    "vdsm-migration": (
        "A VM of VDSM migrates",
        (START_VM, ("the VM migrates", lambda stage: stage.vdsm.migrate_vm(stage.vm, stage.other_vdsm))),
    ),
    "vdsm-hibernation": (
        "A VM of VDSM is hibernated and restored",
        (
            START_VM,
            ("the VM is hibernated", lambda stage: stage.vdsm.hibernate_vm(stage.vm)),
            ("the VM is restored", lambda stage: stage.vdsm.restore_vm(stage.vm)),
        ),
    ),
    "vdsm-pause": (
        "A VM of VDSM is paused and goes on",
        (
            START_VM,
            ("the VM is paused", lambda stage: stage.vdsm.pause_vm(stage.vm)),
            ("the VM goes on", lambda stage: stage.vdsm.resume_vm(stage.vm)),
        ),
    ),
    "vdsm-devices": (
        "Devices of a VM of VDSM come, change and go",
        (
            START_VM,
            ("a card is plugged in", lambda stage: stage.vdsm.hotplug_nic(stage.vm, OVIRT_CARD)),
            ("the card is changed", lambda stage: stage.vdsm.update_device(stage.vm, MAC, OVIRT_CARD)),
            ("the card is unplugged", lambda stage: stage.vdsm.hotunplug_nic(stage.vm, MAC)),
            ("a disk is plugged in", lambda stage: stage.vdsm.hotplug_disk(stage.vm, DISK)),
            ("the disk is unplugged", lambda stage: stage.vdsm.hotunplug_disk(stage.vm, "vdc")),
            ("memory is plugged in", lambda stage: stage.vdsm.hotplug_memory(stage.vm, MEMORY)),
            ("the number of CPUs is set", lambda stage: stage.vdsm.set_number_of_cpus(stage.vm, 2)),
            ("a console's password is set", lambda stage: stage.vdsm.set_ticket(stage.vm)),
        ),
    ),
    "vdsm-trouble": (
        "What VDSM calls when something else fails",
        (
            START_VM,
            (
                "libvirt refuses a card",
                lambda stage: stage.vdsm.hotplug_nic(stage.vm, OVIRT_CARD, trouble=True),
            ),
            (
                "libvirt refuses to change a card",
                lambda stage: stage.vdsm.update_device(stage.vm, CARD_OF_SAMPLE, OVIRT_CARD, trouble=True),
            ),
            (
                "libvirt refuses to unplug a card",
                lambda stage: stage.vdsm.hotunplug_nic(stage.vm, CARD_OF_SAMPLE, trouble=True),
            ),
            (
                "networks cannot be set up, and are rolled back",
                lambda stage: stage.vdsm.setup_networks(trouble=True),
            ),
        ),
    ),
    "vdsm-host": (
        "VDSM starts, sets up networks, tells of the host, and stops",
        (
            ("VDSM starts", lambda stage: stage.vdsm.boot()),
            ("networks are set up", lambda stage: stage.vdsm.setup_networks()),
            ("the Engine asks for capabilities", lambda stage: stage.vdsm.get_caps()),
            ("the Engine asks for the host's devices", lambda stage: stage.vdsm.list_host_devices()),
            ("the Engine asks for statistics", lambda stage: stage.vdsm.get_stats()),
            ("the Engine asks for those of a VM", lambda stage: stage.vdsm.get_vm_stats({})),
            ("the Engine asks for those of all VMs", lambda stage: stage.vdsm.get_all_vm_stats()),
            ("VDSM stops", lambda stage: stage.vdsm.shut_down()),
        ),
    ),
}
"""Each life cycle by the name of its drawing: its title and what happens."""


@dataclass(frozen=True)
class Row:
    """One call in a life cycle, or several of the same one after the other.

    Attributes:
        point: The hook point.
        event: What happens, if this is the first call of it.
        place: ``source`` or ``destination``; empty where there is one host.
        dropped: Whether the host drops what scripts make of the document, although elsewhere it takes that.
        failure: What a failure does: ``aborts``, ``kills`` or ``ignored``.
        consequence: What it leads to.
    """

    point: Point
    event: str
    place: str
    dropped: bool
    failure: str
    consequence: str

    @property
    def each(self) -> str:
        """What the call is made for each of."""
        if self.point.document == "port":
            return "each card"
        if self.point.op == "after_disk_prepare":
            return "each disk"
        return "each device with custom properties" if re.search("_device_[cdm]", self.point.op) else ""


@cache
def rows(name: str) -> list[Row]:
    """Return the calls of a life cycle; those of the start of a guest only in the drawing that is about that."""
    _, events = LIFE_CYCLES[name]
    usual = play(events)
    skipped = int("-" in name and len(events) > 1 and events[0][0] in ("the guest starts", "the VM starts"))
    found: list[Row] = []
    for number, ((place, outcome), event) in enumerate(zip(usual.calls, usual.events)):
        begins = number == 0 or usual.events[number - 1] != event
        again = not begins and usual.calls[number - 1][1].point is outcome.point
        if event >= skipped and not again:
            failed = play(events, failing=number)
            what = events[event][0] if begins else ""
            found.append(Row(outcome.point, what, place, usual.dropped[number], *_consequence(failed, usual, number)))
    two = len({row.place for row in found}) > 1
    return found if two else [replace(row, place="") for row in found]


def play(events: tuple[Event, ...], failing: int | None = None) -> Tape:
    """Let everything happen, as far as it can after a failure."""
    tape = Tape(failing)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), tape)
        with suppress(InvocationError):  # what happens next needs a guest that runs
            for tape.event, (_, happen) in enumerate(events):
                happen(stage)
    return tape


DONE = {
    "cpu hotplug": "the number of CPUs stays",
    "destroy": "the VM cannot be switched off",
    "device update": "the device is not changed",
    "hotplug": "the device is not plugged in",
    "hotunplug": "the device is not unplugged",
    "network setup": "the networks are not set up",
    "pause": "the VM is not paused",
    "resume": "the VM does not go on",
    "suspend": "the VM is not hibernated",
}
"""What a failure does to an action, where the simulated hosts have a plainer word than a drawing."""


def _consequence(failed: Tape, usual: Tape, number: int) -> tuple[str, str]:
    """Tell what the failure of a call does, in a word, and what that leads to."""
    place, outcome = failed.calls[number]
    point, following = outcome.point, _following(failed, number)
    if point.absent:
        return "kills", f"{point.absent}, and the VM goes down"
    if point.failure == "ignored" or (point.document == "port" and "reconnect" in following):
        return "ignored", "it is logged, and the host goes on"
    done = _done(outcome, place, _following(usual, number))
    there = f"at the {place} " if place == "destination" else ""
    word = "aborts" if place == "destination" else point.failure  # what would be killed there does not run yet
    if "before_vm_destroy" in following:
        return word, f"{done}; {there}the destroy points follow"
    return word, f"{done}; {there}then {', '.join(following)}" if following else done


def _done(outcome: Outcome, place: str, usually: list[str]) -> str:
    """Tell what the failure of a call does at once, where `usually` are the operations that would have followed."""
    point = outcome.point
    if place == "destination":
        return f"the migration fails; the {'guest' if point.host == 'libvirt' else 'VM'} runs on at the source"
    if point.document == "port" and "start" in usually:
        return "the guest is not started"
    if point.document == "port" and usually:
        return "the network card is not changed"
    if point.name == "network/started":
        return "the network stays inactive, but its bridge and dnsmasq run on"
    if point.action.startswith("get "):
        return "the caller gets an error"
    done = outcome.host_verdict.partition(": ")[0]
    return DONE.get(point.action, done.replace("guest", "VM")) if point.host == "vdsm" else done


def _following(tape: Tape, number: int) -> list[str]:
    """Return the operations after a call in the same event."""
    later = zip(tape.calls[number + 1 :], tape.events[number + 1 :])
    return list(dict.fromkeys(outcome.point.op for (_, outcome), event in later if event == tape.events[number]))
