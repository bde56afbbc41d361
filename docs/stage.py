"""Where life cycles are played: simulated hosts whose calls are noted, and may fail."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hooking.testing import Libvirtd, Outcome, Vdsmd
from hooking.testing.inventory import Guest
from hooking.testing.vm import Vm

CARD_OF_SAMPLE = "52:54:00:4a:23:01"


@dataclass
class Tape:
    """The calls of one play.

    Attributes:
        failing: Which call fails; none by default.
        calls: Each call: where, and how it ended.
        dropped: Whether the host drops what scripts make of the document of each call, although its kind goes back.
        events: The number of the event in which each call was made.
        event: The number of the event that goes on.
    """

    failing: int | None = None
    calls: list[tuple[str, Outcome]] = field(default_factory=list[tuple[str, Outcome]])
    dropped: list[bool] = field(default_factory=list[bool])
    events: list[int] = field(default_factory=list[int])
    event: int = 0

    def note(self, place: str, outcome: Outcome, *, used: bool = True) -> Outcome:
        """Keep a call, and return its outcome: a failure, if it is its turn."""
        noted = replace(outcome, status=1) if len(self.calls) == self.failing else outcome
        self.calls.append((place, noted))
        self.dropped.append(not used)
        self.events.append(self.event)
        return noted


class TapedLibvirtd(Libvirtd):
    """A libvirt daemon whose calls are noted."""

    def __init__(self, folder: Path, tape: Tape, place: str) -> None:
        super().__init__(folder)
        self.tape, self.place = tape, place

    def _call(self, *arguments: Any, **more: Any) -> Outcome:
        return self.tape.note(self.place, super()._call(*arguments, **more))


class TapedVdsmd(Vdsmd):
    """A VDSM host whose calls are noted."""

    def __init__(self, folder: Path, tape: Tape, place: str) -> None:
        super().__init__(folder, taskset=False)
        self.tape, self.place = tape, place

        self.drives_used = True

    def _prepare_drives(self, vm: Vm, *, used: bool = True) -> bool:
        self.drives_used = used
        return super()._prepare_drives(vm, used=used)

    def _call(self, *arguments: Any, used: bool = True, **more: Any) -> Outcome:
        outcome = super()._call(*arguments, used=used, **more)
        is_used = self.drives_used if outcome.point.op == "after_disk_prepare" else used
        return self.tape.note(self.place, outcome, used=is_used)


class Stage:
    """Two hosts of each kind, and the guest or VM that things happen to."""

    guest: Guest
    vm: Vm

    def __init__(self, folder: Path, tape: Tape) -> None:
        self.host = TapedLibvirtd(folder / "1", tape, "source")
        self.other = TapedLibvirtd(folder / "2", tape, "destination")
        self.vdsm = TapedVdsmd(folder / "3", tape, "source")
        self.other_vdsm = TapedVdsmd(folder / "4", tape, "destination")

    def start(self, driver: str = "qemu", **trouble: Any) -> None:
        """Start the guest."""
        self.guest = self.host.start(driver=driver, **trouble)

    def start_vm(self) -> None:
        """Start the VM, whose card has custom properties."""
        self.vm = self.vdsm.start_vm(device_properties={CARD_OF_SAMPLE: {"speed": "1"}})
