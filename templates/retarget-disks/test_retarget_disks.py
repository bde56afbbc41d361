from pathlib import Path

import pytest
import retarget_disks

from hooking.testing import Libvirtd, Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())


@pytest.mark.parametrize("point", ["qemu/migrate", "qemu/restore", "libxl/migrate"])
def test_disks_are_where_this_host_has_them(point: str) -> None:
    outcome = run_hook(retarget_disks.hook, point, twice=True)
    assert [disk.path for disk in outcome.domain.disks] == ["/mnt/vm/web01.raw", "/mnt/vm/data.raw", None]


def test_other_disks_stay_where_they_are() -> None:
    guest = "<domain><name>a</name><devices><disk><source file='/srv/vm2/a'/></disk></devices></domain>"
    assert not run_hook(retarget_disks.hook, "qemu/migrate", document=guest).changed


def test_a_guest_finds_its_disks_on_both_hosts(libvirtd: Libvirtd) -> None:
    there = libvirtd.twin()
    there.install(retarget_disks.__file__, "qemu")
    guest = libvirtd.start()
    disks = libvirtd.migrate(guest, there).domain.disks
    assert [disk.path for disk in disks] == ["/mnt/vm/web01.raw", "/mnt/vm/data.raw", None]
    there.check()


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(retarget_disks.hook))
