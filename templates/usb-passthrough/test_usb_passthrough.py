from pathlib import Path

import pytest
import usb_passthrough

from hooking.testing import Recording, Vdsmd, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())

TWO = {"hostusb": "0x1234:0xbeef&0x1050:0x0407"}


def test_the_vm_has_the_devices() -> None:
    outcome = run_hook(usb_passthrough.hook, "before_vm_start", custom_properties=TWO, twice=True)
    devices = outcome.domain.host_devices
    assert {device.type for device in devices} == {"usb"}
    ids = [(device.source_vendor, device.source_product) for device in devices]
    assert ids == [("0x1234", "0xbeef"), ("0x1050", "0x0407")]


@pytest.mark.parametrize("devices", ["1234:beef", "0x1234", "0x1234:0xbeef:0x1", "usb_2_8"])
def test_a_vm_with_wrong_devices_does_not_start(devices: str) -> None:
    outcome = run_hook(usb_passthrough.hook, "before_vm_start", custom_properties={"hostusb": devices})
    assert "custom property hostusb: " in outcome.host_verdict
    assert not outcome.changed


@pytest.mark.parametrize(("properties", "goes"), [(TWO, False), ({"hostusb": ""}, True), ({}, True)])
def test_a_vm_stays_where_its_devices_are(vdsmd: Vdsmd, properties: dict[str, str], goes: bool) -> None:
    for point in ("before_vm_start", "before_vm_migrate_source"):
        vdsmd.install(usb_passthrough.__file__, point)
    vm = vdsmd.start_vm(custom_properties=properties)
    assert vm.up
    assert vdsmd.migrate_vm(vm).up is goes


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(usb_passthrough.hook))
