from pathlib import Path

import numa
import pytest

from hooking.testing import Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())


@pytest.mark.parametrize("point", ["before_vm_start", "qemu/migrate", "qemu/restore"])
def test_the_memory_comes_from_the_nodes(point: str) -> None:
    tuning = run_hook(numa.hook, point, custom_properties={"numa": "strict:0-3,^2"}).domain.numatune
    assert (tuning.mode, tuning.nodeset) == ("strict", "0-3,^2")


def test_the_nodes_of_the_host_that_a_guest_came_from_give_way() -> None:
    there = run_hook(numa.hook, "qemu/migrate", custom_properties={"numa": "strict:0"}).after
    here = run_hook(numa.hook, "qemu/migrate", document=there, custom_properties={"numa": "strict:1"}, twice=True)
    assert here.domain.numatune.nodeset == "1"


def test_a_vm_to_which_the_engine_gave_nodes_does_not_start() -> None:
    given = run_hook(numa.hook, "before_vm_start", custom_properties={"numa": "strict:0"}).after
    assert not run_hook(numa.hook, "before_vm_start", document=given).failed
    outcome = run_hook(numa.hook, "before_vm_start", document=given, custom_properties={"numa": "strict:1"})
    assert "the guest is not started: " in outcome.host_verdict
    assert not outcome.changed


@pytest.mark.parametrize("tuning", ["strict", "tight:0", "strict:x", ""])
def test_a_vm_with_wrong_tuning_does_not_start(tuning: str) -> None:
    assert run_hook(numa.hook, "before_vm_start", custom_properties={"numa": tuning}).failed


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(numa.hook))
