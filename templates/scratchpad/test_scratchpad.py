import stat
from pathlib import Path

import pytest
import scratchpad

from hooking.testing import FakeHost, Recording, Vdsmd, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())

DISKS = {"scratchpad": "1M,/scratch/a:512k,/scratch/b"}


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path)
    host.path("/scratch").mkdir()
    return host


def sizes(host: FakeHost) -> dict[str, int]:
    """The disks; each has a second name that says whose it is."""
    return {path.name: path.stat().st_size for path in host.path("/scratch").iterdir() if not path.suffix}


def test_disks_are_there_while_the_vm_runs(host: FakeHost) -> None:
    before = host.snapshot()
    outcome = run_hook(scratchpad.hook, "before_vm_start", custom_properties=DISKS, host=host)
    disks = {disk.path: disk for disk in outcome.domain.disks}
    assert [disks[path].target_dev for path in ("/scratch/a", "/scratch/b")] == ["vdc", "vdd"]
    assert disks["/scratch/a"].driver_cache == "writeback"
    assert sizes(host) == {"a": 1 << 20, "b": 512 << 10}
    assert stat.filemode(host.path("/scratch/a").stat().st_mode) == "-rw-rw----"
    assert not run_hook(scratchpad.hook, "after_vm_destroy", custom_properties=DISKS, host=host).failed
    assert host.snapshot() == before


def test_a_file_that_was_there_is_never_touched(host: FakeHost) -> None:
    host.write("/scratch/b", "precious")
    outcome = run_hook(scratchpad.hook, "before_vm_start", custom_properties=DISKS, host=host)
    assert "cannot make the scratch disk /scratch/b: File exists" in outcome.host_verdict
    assert not outcome.changed
    run_hook(scratchpad.hook, "after_vm_destroy", custom_properties=DISKS, host=host)
    assert sizes(host) == {"b": len("precious")}


def test_a_disk_of_a_start_that_was_cut_short_is_made_anew(host: FakeHost) -> None:
    for size in "1M", "2M":
        run_hook(scratchpad.hook, "before_vm_start", custom_properties={"scratchpad": f"{size},/scratch/a"}, host=host)
    assert sizes(host) == {"a": 2 << 20}


def test_a_disk_that_is_gone_is_no_trouble(host: FakeHost) -> None:
    run_hook(scratchpad.hook, "before_vm_start", custom_properties=DISKS, host=host)
    host.path("/scratch/a").unlink()
    outcome = run_hook(scratchpad.hook, "after_vm_destroy", custom_properties=DISKS, host=host)
    assert (outcome.status, outcome.stderr, sizes(host)) == (0, "", {})


@pytest.mark.parametrize("disks", ["1M", "1X,/scratch/a", "1000000T,/scratch/a", "1M,scratch/a", "1M,/scratch/a:"])
def test_a_vm_with_wrong_disks_does_not_start(host: FakeHost, disks: str) -> None:
    outcome = run_hook(scratchpad.hook, "before_vm_start", custom_properties={"scratchpad": disks}, host=host)
    assert "custom property scratchpad: " in outcome.host_verdict
    assert sizes(host) == {}


def test_a_vm_with_scratch_disks_lives_and_ends_on_its_host(vdsmd: Vdsmd) -> None:
    for point in ("before_vm_start", "before_vm_migrate_source", "before_vm_hibernate", "after_vm_destroy"):
        vdsmd.install(scratchpad.__file__, point)
    vdsmd.host.path("/scratch").mkdir()
    vm = vdsmd.start_vm(custom_properties=DISKS)
    assert vm.up
    assert not vdsmd.migrate_vm(vm).up
    assert not vdsmd.hibernate_vm(vm)
    assert set(sizes(vdsmd.host)) == {"a", "b"}
    assert vdsmd.destroy_vm(vm)
    assert sizes(vdsmd.host) == {}


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(scratchpad.hook))
