from pathlib import Path

import macspoof
import pytest

from hooking.testing import Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())

CARD = "<interface type='bridge'><filterref filter='vdsm-no-mac-spoofing'/></interface>"
VM = f"<domain><name>router</name><devices>{CARD}{CARD}</devices></domain>"


@pytest.mark.parametrize(("value", "filters"), [("true", []), ("1", []), ("false", [macspoof.FILTER] * 2)])
def test_the_property_of_a_vm_is_for_all_its_cards(value: str, filters: list[str]) -> None:
    outcome = run_hook(macspoof.hook, "before_vm_start", document=VM, custom_properties={"macspoof": value}, twice=True)
    assert [card.filter for card in outcome.domain.interfaces if card.filter] == filters


@pytest.mark.parametrize("point", ["before_device_create", "before_nic_hotplug"])
@pytest.mark.parametrize(("name", "changed"), [("ifacemacspoof", True), ("macspoof", False)])
def test_the_property_of_a_profile_is_for_one_card(point: str, name: str, changed: bool) -> None:
    outcome = run_hook(macspoof.hook, point, document=CARD, custom_properties={name: "true"})
    assert outcome.changed is changed


def test_another_filter_stays() -> None:
    card = CARD.replace("vdsm-no-mac-spoofing", "clean-traffic")
    properties = {"ifacemacspoof": "true"}
    assert not run_hook(macspoof.hook, "before_nic_hotplug", document=card, custom_properties=properties).changed


def test_other_devices_have_no_such_filter() -> None:
    properties = {"ifacemacspoof": "true"}
    outcome = run_hook(macspoof.hook, "before_device_create", document="<video/>", custom_properties=properties)
    assert not outcome.changed


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(macspoof.hook))
