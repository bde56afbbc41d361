from pathlib import Path

import pytest
import qemucmdline

import hooking
from hooking.testing import Outcome, Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())

ARGS = f"{{{hooking.QEMU_NAMESPACE}}}commandline/{{{hooking.QEMU_NAMESPACE}}}arg"


def run(arguments: str) -> Outcome:
    return run_hook(qemucmdline.hook, "before_vm_start", custom_properties={"qemu_cmdline": arguments}, twice=True)


def test_qemu_gets_each_argument_as_it_is() -> None:
    outcome = run('["-fw_cfg", "name=opt/x,string=a <b>", 7]')
    arguments = [argument.get("value") for argument in outcome.domain.element.iterfind(ARGS)]
    assert arguments == ["-fw_cfg", "name=opt/x,string=a <b>", "7"]


def test_a_vm_without_arguments_stays_as_it_is() -> None:
    assert not run("[]").changed
    assert not run_hook(qemucmdline.hook, "before_vm_start").changed


@pytest.mark.parametrize("arguments", ["-no-hpet", '"-no-hpet"', '["-no-hpet"', '{"-no-hpet": 1}'])
def test_what_is_no_list_does_not_start(arguments: str) -> None:
    outcome = run(arguments)
    assert "custom property qemu_cmdline: " in outcome.host_verdict
    assert not outcome.changed


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(qemucmdline.hook))
