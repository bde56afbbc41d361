"""The actions on what the kernel shows, held against the kernel itself; what they change is restored.

A virtual machine, on which these tests run, has huge pages and interrupts, but neither cpufreq, nor an IOMMU, nor a
graphics card: governors, VFIO and consoles are tested on a fake host only.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hooking import HookContext, State, _process, state
from hooking.actions import cpus, hugepages, kernel
from hooking.exceptions import HostError
from test_actions_kernel import ALMA, BERT, HandedOver, backed, killed_at_write

pytestmark = pytest.mark.live

POOLS = ["/sys/kernel/mm/hugepages/hugepages-2048kB", "/sys/devices/system/node/node0/hugepages/hugepages-2048kB"]
MAP_HUGETLB = 0x40000


def missing() -> str:
    if os.geteuid() != 0:
        return "not root"
    return "" if all(map(os.path.isdir, POOLS)) else "huge pages of 2 MiB on NUMA node 0"


@pytest.fixture
def before(require_live: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """How many huge pages the host has, also afterwards."""
    require_live(missing())
    monkeypatch.setattr(_process, "_current", _process.Process(["/etc/libvirt/hooks/kernel-live"], {}))
    pages = size()
    yield pages
    for uuid in (ALMA, BERT):
        of(uuid, "release").undo()
    assert size() == pages


def size(pool: str = POOLS[0]) -> int:
    return int(Path(pool, "nr_hugepages").read_text())


def of(uuid: str, op: str = "prepare", elements: str = "") -> State:
    context = HookContext("qemu", op, object="guest", uuid=uuid)
    context.handed_over = HandedOver(f"<domain><name>guest</name><uuid>{uuid}</uuid>{elements}</domain>".encode())
    return state(context)


def test_the_pages_of_guests_add_up_and_each_gives_back_its_own(before: int) -> None:
    hugepages.reserve_hugepages(of(ALMA, elements=backed(64 * 2048)), size=2048)
    hugepages.reserve_hugepages(of(BERT), 16, size=2048)
    assert size() == before + 80
    assert of(ALMA, "release").undo()
    assert size() == before + 16


def test_pages_come_from_the_node_that_is_asked_for(before: int) -> None:
    node = size(POOLS[1])
    hugepages.reserve_hugepages(of(ALMA), 8, size=2048, node=0)
    assert size(POOLS[1]) == node + 8


def test_pages_that_the_host_cannot_have_are_refused_and_given_back(before: int) -> None:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    gigabytes = memory // 2**30 + 1
    huge = "/sys/kernel/mm/hugepages/hugepages-1048576kB"
    if not os.path.isdir(huge):
        pytest.skip("no huge pages of 1 GiB, with which memory is asked for that is not there, and none is swapped")
    had = size(huge)
    with pytest.raises(HostError, match=r"hugepages-1048576kB/nr_hugepages got [0-9]+ of [0-9]+ huge pages"):
        hugepages.reserve_hugepages(of(ALMA), gigabytes, size=1048576)
    assert size(huge) == had


@pytest.mark.parametrize("number", [1, 2])
def test_a_killed_hook_leaves_what_is_set_right(number: int, before: int) -> None:
    killed_at_write(number, lambda: hugepages.reserve_hugepages(of(ALMA), 8, size=2048))
    hugepages.reserve_hugepages(of(BERT), 4, size=2048)
    assert size() == before + 12
    assert of(ALMA, "release").undo()
    assert size() == before + 4


def test_pages_that_are_lent_are_not_kept(before: int) -> None:
    hugepages.reserve_hugepages(of(ALMA), 4, size=2048)
    overcommit = Path(POOLS[0], "nr_overcommit_hugepages")
    old = overcommit.read_text()
    overcommit.write_text("100")
    try:
        with mmap.mmap(-1, (size() + 3) << 21, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB):
            assert size() == before + 4 + 3
            hugepages.reserve_hugepages(of(BERT), 2, size=2048)
            assert size() == before + 4 + 3
            assert of(ALMA, "release").undo()
        assert size() == before + 2
    finally:
        overcommit.write_text(old)


def test_interrupts_move_away_and_back(before: int) -> None:
    online = kernel.read("/sys/devices/system/cpu/online").strip()
    if online == "0":
        pytest.skip("one CPU: there is none to move to")
    files = ["/proc/irq/default_smp_affinity", *map(str, Path("/proc/irq").glob("*/smp_affinity_list"))]
    old = {file: Path(file).read_text() for file in files}
    cpus.move_interrupts(of(ALMA), "0")
    moved = [file for file in files if Path(file).read_text() != old[file]]
    assert "/proc/irq/default_smp_affinity" in moved
    assert len(moved) > 1
    assert of(ALMA, "release").undo()
    assert {file: Path(file).read_text() for file in files} == old
