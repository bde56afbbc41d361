from __future__ import annotations

from pathlib import Path

import boot_hostdev
import pytest

from hooking.testing import Outcome, Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())

VM = """<domain><name>web01</name><os><type>hvm</type></os><devices>
<disk type='file'><target dev='vda'/><boot order='1'/></disk>
<hostdev mode='subsystem' type='pci'>
<source><address domain='0x0000' bus='0x0b' slot='0x00' function='0x1'/></source></hostdev>
<hostdev mode='subsystem' type='usb'><source><address bus='2' device='8'/></source></hostdev>
</devices></domain>"""


def run(name: str, document: str = VM) -> Outcome:
    properties = {"boot_hostdev": name}
    return run_hook(boot_hostdev.hook, "before_vm_start", document=document, custom_properties=properties, twice=True)


@pytest.mark.parametrize(("name", "orders"), [("pci_0000_0b_00_1", [2, 1, None]), ("usb_2_8", [2, None, 1])])
def test_the_vm_boots_from_the_device_first(name: str, orders: list[int | None]) -> None:
    assert [device.boot_order for device in run(name).domain.devices] == orders


@pytest.mark.parametrize("name", ["pci_0000_ff_00_0", "pci_0000", "sda"])
def test_a_vm_without_the_device_does_not_start(name: str) -> None:
    outcome = run(name)
    assert outcome.failed
    assert name in outcome.host_verdict
    assert not outcome.changed


def test_a_vm_that_names_its_boot_devices_elsewhere_does_not_start() -> None:
    assert "boot devices exclude" in run("usb_2_8", VM.replace("<os>", "<os><boot dev='hd'/>")).host_verdict


def test_an_empty_property_is_none() -> None:
    assert not run("").changed


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(boot_hostdev.hook))
