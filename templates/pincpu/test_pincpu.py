from pathlib import Path

import pincpu
import pytest

from hooking.testing import Libvirtd, Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())


@pytest.mark.parametrize("point", ["before_vm_start", "qemu/migrate", "qemu/restore"])
def test_a_guest_with_the_property_is_pinned(point: str) -> None:
    outcome = run_hook(pincpu.hook, point, custom_properties={"pincpu": "1-4,^3"}, twice=True)
    assert outcome.domain.vcpu.cpuset == "1-4,^3"


def test_what_pinned_a_guest_on_the_host_it_came_from_gives_way() -> None:
    pinned = run_hook(pincpu.hook, "qemu/migrate", custom_properties={"pincpu": "0"}).after
    outcome = run_hook(pincpu.hook, "qemu/migrate", document=pinned, custom_properties={"pincpu": "2"})
    assert outcome.domain.vcpu.cpuset == "2"


def test_a_vm_that_the_engine_has_pinned_stays_as_it_is() -> None:
    pinned = run_hook(pincpu.hook, "before_vm_start", custom_properties={"pincpu": "0"}).after
    assert not run_hook(pincpu.hook, "before_vm_start", document=pinned, custom_properties={"pincpu": "2"}).changed


def test_a_vm_without_the_property_stays_as_it_is() -> None:
    assert not run_hook(pincpu.hook, "before_vm_start").changed


def test_a_guest_is_pinned_wherever_it_goes(libvirtd: Libvirtd) -> None:
    libvirtd.install(pincpu.__file__, "qemu")
    guest = libvirtd.start()
    libvirtd.save(guest)
    restored = libvirtd.restore(guest)
    assert restored is not None
    assert restored.domain.vcpu.cpuset == "0-1"
    assert libvirtd.migrate(guest, libvirtd.twin()).domain.vcpu.cpuset == "0-1"
    libvirtd.check()


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(pincpu.hook))
