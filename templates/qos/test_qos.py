from pathlib import Path

import pytest
import qos

from hooking.testing import Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())

VM = """<domain><name>web01</name><devices>
<interface type='bridge'><mac address='00:1a:4a:60:d1:9a'/><bandwidth/></interface>
<interface type='bridge'><mac address='00:1a:4a:60:c4:88'/><bandwidth><inbound average='7'/></bandwidth></interface>
</devices></domain>"""


def test_each_card_gets_its_limits() -> None:
    limits = (
        "00:1A:4A:60:D1:9A=in{'average': '100', 'peak': 200}^out{'average': '50'}&00:1a:4a:60:c4:88=in{'average': '9'}"
    )
    outcome = run_hook(qos.hook, "before_vm_start", document=VM, custom_properties={"qos": limits}, twice=True)
    bandwidths = outcome.domain.element.findall(".//bandwidth")
    assert [[(way.tag, dict(way.attrib)) for way in bandwidth] for bandwidth in bandwidths] == [
        [("inbound", {"average": "100", "peak": "200"}), ("outbound", {"average": "50"})],
        [("inbound", {"average": "9"})],
    ]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ("00:1a:4a:60:00:00=in{'average': '1'}", "the VM has no network card 00:1a:4a:60:00:00"),
        ("00:1a:4a:60:d1:9a=up{'average': '1'}", "custom property qos: "),
        ("00:1a:4a:60:d1:9a=in{'peak': '1'}", "need an average"),
        ("00:1a:4a:60:d1:9a=in{'peek': '1'}", "'peek' is not one of average, peak"),
    ],
)
def test_a_vm_with_wrong_limits_does_not_start(limits: str, reason: str) -> None:
    outcome = run_hook(qos.hook, "before_vm_start", document=VM, custom_properties={"qos": limits})
    assert reason in outcome.host_verdict
    assert not outcome.changed


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(qos.hook))
