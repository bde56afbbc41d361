from __future__ import annotations

from pathlib import Path

import pytest
import smbios

from hooking.testing import Outcome, Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())


def entry(outcome: Outcome, section: str, name: str) -> str | None:
    return outcome.domain.element.findtext(f"sysinfo/{section}/entry[@name='{name}']")


def test_entries_go_where_they_belong() -> None:
    entries = "{'vendor': 'ACME', 'version': '7'}^{'serial': '0815', 'sku': 12}"
    outcome = run_hook(smbios.hook, "before_vm_start", custom_properties={"smbios": entries}, twice=True)
    assert [entry(outcome, "bios", name) for name in ("vendor", "version")] == ["ACME", "7"]
    assert [entry(outcome, "system", name) for name in ("serial", "sku")] == ["0815", "12"]
    assert entry(outcome, "system", "manufacturer") == "Example"


def test_the_guest_sees_them_also_where_it_saw_none() -> None:
    vm = "<domain><name>web01</name><os><type>hvm</type></os></domain>"
    outcome = run_hook(smbios.hook, "before_vm_start", document=vm, custom_properties={"smbios": "{'serial': '1'}"})
    assert outcome.domain.os.smbios_mode == "sysinfo"


@pytest.mark.parametrize("entries", ["serial=1", "{'colour': 'red'}", "{'date': 'today'}"])
def test_a_vm_with_wrong_entries_does_not_start(entries: str) -> None:
    outcome = run_hook(smbios.hook, "before_vm_start", custom_properties={"smbios": entries})
    assert outcome.failed
    assert not outcome.changed


def test_a_vm_without_the_property_stays_as_it_is() -> None:
    assert not run_hook(smbios.hook, "before_vm_start").changed


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(smbios.hook))
