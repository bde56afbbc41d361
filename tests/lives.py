"""Whole lives of two guests that share a host, and whose hooks are killed at any line of ours."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, Optional

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import hooking
from hooking import points
from hooking.testing import FakeHost, run_hook
from hooking.testing.documents import sample
from hooking.testing.fake_programs import add_systemd

GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
PAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
GUESTS = {
    "alma": ("4dea22b3-1d52-d8f3-2516-782e98ab3fa0", 2, "0"),
    "bert": ("c7a5fdbd-edaf-9455-926a-d65c16db1809", 3, "1-2"),
}
UNIT = "display-manager.service"
GPU = "0000:01:00.0"
LINES = 3000
"""About as many lines of ours run in the longest call."""

KILLS = int(os.environ.get("HOOKING_KILLS", "60"))
"""About as many times is a hook killed in one test."""

Kill = Optional[int]
Change = Callable[[hooking.State, hooking.Domain], None]


def change_host(state: hooking.State, domain: hooking.Domain) -> None:
    """Make the changes that both guests hold together, and one of its own."""
    _, pages, cpus = GUESTS[domain.name]
    hooking.write_sysfs(state, GOVERNOR, "performance\n")
    mark = state.path(f"/run/{domain.name}.mounted")
    state.remember(f"mount of {domain.name}", unmount, mark)
    with open(mark, "w", encoding="utf-8"):
        pass
    hooking.stop_units(state, UNIT)
    hooking.bind_to_vfio(state, [GPU])
    hooking.reserve_hugepages(state, pages, size=2048)
    hooking.isolate_cpus(state, cpus)


def unmount(mark: str) -> None:
    if os.path.exists(mark):
        os.unlink(mark)


def make_host(folder: str) -> FakeHost:
    host = FakeHost(folder)
    host.add_cpus(8, governor="powersave")
    host.add_nodes(sizes=[2048])
    host.write("/proc/sys/vm/compact_memory", "")
    host.add_pci_device(GPU, driver="nvidia", group=1)
    host.add_pci_device("0000:02:00.0", driver="vfio-pci", group=9)
    add_systemd(host, {UNIT: "active"})
    return host


class Lives(RuleBasedStateMachine):
    """A daemon that calls the guests' hook as libvirt does, and knows as little of its kills."""

    killed = 0
    changes: tuple[Change, ...] = (change_host,)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="hooking-lives-")
        self.host = make_host(self.folder)
        self.before = self.everything()
        self.running: set[str] = set()
        self.half_released: set[str] = set()

    guests = st.sampled_from(sorted(GUESTS))
    kills = st.none() | st.integers(1, LINES)

    @rule(guest=guests, fails=st.booleans(), kills=st.tuples(kills, kills, kills))
    def start(self, guest: str, fails: bool, kills: tuple[Kill, Kill, Kill]) -> None:
        if guest in self.running:
            return
        if self.call(guest, "prepare", kills[0], fails=fails) and self.call(guest, "started", kills[1]):
            self.running.add(guest)
        else:
            self.release(guest, kills[2])

    @rule(guest=guests, kill=kills)
    def stop(self, guest: str, kill: Kill) -> None:
        """Stop a guest; one that does not run is released too, as with LXC."""
        self.running.discard(guest)
        self.release(guest, kill)

    @precondition(lambda self: self.running)
    @rule(kills=st.tuples(kills, kills))
    def restart_daemon(self, kills: tuple[Kill, Kill]) -> None:
        for guest in sorted(self.running):
            if not self.call(guest, "reconnect", kills[0]):
                self.stop(guest, kills[1])

    @invariant()
    def a_guest_that_runs_has_what_it_needs(self) -> None:
        for guest in self.running:
            assert self.host.path(f"/run/{guest}.mounted").exists()
            assert self.host.read(GOVERNOR) == "performance\n"
            assert self.host.read(f"/run/systemd/units/{UNIT}/ActiveState") == "inactive"
            assert os.readlink(self.host.path(f"/sys/bus/pci/devices/{GPU}/driver")).endswith("/vfio-pci")
        if not self.half_released:
            assert int(self.host.read(PAGES)) == sum(GUESTS[guest][1] for guest in self.running)

    @invariant()
    def nothing_is_left_after_the_last_guest(self) -> None:
        if not self.running | self.half_released:
            assert self.everything() == self.before

    def teardown(self) -> None:
        for guest in self.running | self.half_released:
            self.stop(guest, None)
        self.nothing_is_left_after_the_last_guest()
        self.host.close()
        shutil.rmtree(self.folder)

    def everything(self) -> object:
        """Return all that hooks may change."""
        return self.host.snapshot()

    def release(self, guest: str, kill: Kill) -> None:
        if self.call(guest, "release", kill):
            self.half_released.discard(guest)
        else:
            self.half_released.add(guest)

    def call(self, guest: str, op: str, kill: Kill, *, fails: bool = False) -> bool:
        """Call the hook in a process that is killed at its ``kill``-th line; tell whether it succeeded."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            self.be_hook(guest, op, kill, writer, fails=fails)
        os.close(writer)
        with open(reader, "rb") as stream:
            answer = stream.read().decode()
        os.waitpid(child, 0)
        assert answer in ("", "ok", "failed"), answer
        Lives.killed += not answer
        return answer == "ok"

    def be_hook(self, guest: str, op: str, kill: Kill, writer: int, *, fails: bool) -> NoReturn:
        try:
            sys.settrace(killer(kill) if kill else None)
            outcome = run_hook(self.hook(fails=fails), f"qemu/{op}", document=document(guest), host=self.host)
            sys.settrace(None)
            expected = not outcome.stderr or (fails and "no such volume" in outcome.stderr)
            os.write(writer, (("failed" if outcome.failed else "ok") if expected else outcome.stderr).encode())
        except BaseException:  # noqa: BLE001 - the parent tells
            os.write(writer, traceback.format_exc().encode())
        finally:
            os.kill(os.getpid(), signal.SIGKILL)  # without a word to pytest or coverage
        raise AssertionError

    def hook(self, *, fails: bool) -> hooking.Hook:
        hook = hooking.Hook()

        @hook.qemu("prepare", "started", "reconnect")
        def set_up(domain: hooking.Domain, context: hooking.HookContext) -> None:
            state = hooking.state(context)
            state["calls"] = state.get("calls", 0) + 1
            for change in self.changes:
                change(state, domain)
                if fails:
                    raise hooking.HostError("no such volume")

        @hook.qemu("release")
        def tear_down(domain: hooking.Domain, context: hooking.HookContext) -> None:
            hooking.state(context).undo()

        return hook


def killer(line: int) -> Any:
    """Return a trace function that kills this process at the ``line``-th line of ours that runs."""
    left, process = line, os.getpid()

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal left
        file = frame.f_code.co_filename
        if os.getpid() != process or ("/hooking/" not in file and file != __file__):
            return None
        left -= event == "line"
        if left <= 0:
            os.kill(process, signal.SIGKILL)
        return trace

    return trace


def document(guest: str) -> bytes:
    data = sample(points.find("qemu", "prepare"))
    data = re.sub(rb"<name>.*?</name>", b"<name>%s</name>" % guest.encode(), data, count=1)
    return re.sub(rb"<uuid>.*?</uuid>", b"<uuid>%s</uuid>" % GUESTS[guest][0].encode(), data, count=1)
