from pathlib import Path

import cantmigrate
import pytest

from hooking.testing import Recording, Vdsmd, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())

PROPERTY = {"cantmigrate": "1"}


@pytest.mark.parametrize("point", ["before_vm_migrate_source", "qemu/migrate", "libxl/migrate"])
def test_a_guest_with_the_property_stays(point: str) -> None:
    outcome = run_hook(cantmigrate.hook, point, custom_properties=PROPERTY)
    assert outcome.failed
    assert cantmigrate.REASON in outcome.host_verdict


def test_a_vm_without_the_property_migrates(vdsmd: Vdsmd) -> None:
    vdsmd.install(cantmigrate.__file__, "before_vm_migrate_source")
    assert vdsmd.migrate_vm(vdsmd.start_vm()).up
    vdsmd.check()


def test_a_vm_with_the_property_goes_on_where_it_is(vdsmd: Vdsmd) -> None:
    vdsmd.install(cantmigrate.__file__, "before_vm_migrate_source")
    vm = vdsmd.start_vm(custom_properties=PROPERTY)
    assert not vdsmd.migrate_vm(vm).up
    assert vm.up
    assert vdsmd.destroy_vm(vm)


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(cantmigrate.hook))
