from pathlib import Path

import pytest
import rename_bridges

from hooking.testing import Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())

CARD = "<interface type='bridge'><source bridge='{}'/></interface>"
GUEST = f"<domain><name>web01</name><devices>{CARD.format('br0')}{CARD.format('br9')}</devices></domain>"


@pytest.mark.parametrize("point", ["qemu/migrate", "qemu/restore", "libxl/migrate"])
def test_cards_are_plugged_into_bridges_of_this_host(point: str) -> None:
    outcome = run_hook(rename_bridges.hook, point, document=GUEST, twice=True)
    assert [card.source_bridge for card in outcome.domain.interfaces] == ["br-lan", "br9"]


def test_networks_of_libvirt_stay() -> None:
    assert not run_hook(rename_bridges.hook, "qemu/migrate").changed


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(rename_bridges.hook))
