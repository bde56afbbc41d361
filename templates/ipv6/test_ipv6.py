from pathlib import Path

import ipv6
import pytest

from hooking.testing import Recording, Vdsmd, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())


def setup(**custom: str) -> dict[str, object]:
    networks = {"lan": {"nic": "em1", "custom": custom}, "old": {"remove": True, "custom": custom}}
    return {"request": {"networks": networks, "bondings": {}, "options": {}}}


def test_the_properties_are_keys_of_the_network() -> None:
    custom = {"ipv6addr": "2001:db8::10/64", "ipv6gateway": "2001:db8::1", "ipv6autoconf": "false", "dhcpv6": "0"}
    outcome = run_hook(ipv6.hook, "before_network_setup", document=setup(**custom, other="x"), twice=True)
    networks = outcome.json["request"]["networks"]
    assert networks["lan"] == {"nic": "em1", "custom": {**custom, "other": "x"}, **custom}
    assert networks["old"] == {"remove": True, "custom": {**custom, "other": "x"}}


def test_other_networks_stay_as_they_are() -> None:
    assert not run_hook(ipv6.hook, "before_network_setup", document=setup(ipv6mtu="1280")).changed


def test_vdsm_sets_the_network_up_so(vdsmd: Vdsmd) -> None:
    vdsmd.install(ipv6.__file__, "before_network_setup")
    accepted = vdsmd.setup_networks(setup(ipv6addr="2001:db8::10/64"))
    assert accepted is not None
    assert accepted["request"]["networks"]["lan"]["ipv6addr"] == "2001:db8::10/64"
    assert vdsmd.setup_networks(setup(), trouble=True) is None
    vdsmd.check()


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(ipv6.hook))
