from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import gpu_passthrough
import pytest

import hooking
from hooking.testing import FakeHost, Libvirtd, Outcome, Recording, run_hook
from hooking.testing.fake_programs import add_systemd

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())
CARD = "0000:01:00.0"
GUEST = """<domain type='kvm'><name>{name}</name><uuid>3573e29e-5de9-468a-9fae-16050c6b3dcc</uuid>
<memory>65536</memory><vcpu{pins}>2</vcpu><devices><hostdev mode='subsystem' type='pci' managed='no'>
<source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source></hostdev></devices></domain>"""
PLAYER = GUEST.format(name="gpu-player", pins=" cpuset='2-3'")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    """A desktop with one graphics card."""
    with FakeHost(tmp_path / "host") as host:
        host.add_cpus(4)
        host.add_pci_device(CARD, driver="amdgpu", group=1)
        host.add_consoles()
        add_systemd(host, {"display-manager.service": "active"})
        yield host


def call(host: FakeHost, op: str, guest: str = PLAYER) -> Outcome:
    return run_hook(gpu_passthrough.hook, f"qemu/{op}", document=guest, host=host)


def found(host: FakeHost) -> dict[str, object]:
    units = host.path("/run/systemd/units")
    cpus = "/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor"
    return {
        "driver": os.path.basename(os.readlink(host.path(f"/sys/bus/pci/devices/{CARD}/driver"))),
        "console": host.read("/sys/class/vtconsole/vtcon1/bind"),
        "display manager": (units / "display-manager.service" / "ActiveState").read_text(),
        "host's CPUs": (units / "system.slice" / "AllowedCPUs").read_text(),
        "governor": host.read(cpus).strip(),
        "awake": any(units.glob("libvirt-hooking-sleep-*")),
    }


BEFORE = {
    "driver": "amdgpu",
    "console": "1\n",
    "display manager": "active",
    "host's CPUs": "",
    "governor": "schedutil",
    "awake": False,
}
HANDED_OVER = {
    "driver": "vfio-pci",
    "console": "0\n",
    "display manager": "inactive",
    "host's CPUs": "0,1",
    "governor": "performance",
    "awake": True,
}


def test_the_guest_gets_what_it_needs_until_it_is_gone(host: FakeHost) -> None:
    assert found(host) == BEFORE
    before = host.snapshot()
    assert not call(host, "prepare").stderr
    assert found(host) == HANDED_OVER
    assert not call(host, "release").stderr
    assert host.snapshot() == before


def test_a_guest_that_is_not_pinned_leaves_the_cpus_alone(host: FakeHost) -> None:
    assert not call(host, "prepare", GUEST.format(name="gpu-player", pins="")).stderr
    cpus = {name: BEFORE[name] for name in ("host's CPUs", "governor")}
    assert found(host) == {**HANDED_OVER, **cpus}


def test_what_was_done_before_a_failure_is_undone_with_the_guest(host: FakeHost) -> None:
    host.path(f"/sys/devices/pci0000:00/{CARD}/iommu_group").unlink()
    before = host.snapshot()
    outcome = call(host, "prepare")
    assert "no IOMMU isolates 0000:01:00.0" in outcome.stderr
    assert outcome.failed
    assert found(host)["display manager"] == "inactive"
    call(host, "release")
    assert host.snapshot() == before


def test_other_guests_leave_the_host_alone(host: FakeHost) -> None:
    before = host.snapshot()
    assert not call(host, "prepare", GUEST.format(name="web01", pins="")).stderr
    assert host.snapshot() == before


def test_who_is_not_root_leaves_the_host_alone(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooking.HookContext, "privileged", False)
    before = host.snapshot()
    for op in "prepare", "release":
        assert not call(host, op).failed
    assert host.snapshot() == before


def test_a_guest_lives_undisturbed(libvirtd: Libvirtd, host: FakeHost, tmp_path: Path) -> None:
    before = host.snapshot()
    daemon = Libvirtd(tmp_path / "desktop", this_python=True, host=host)
    for each in libvirtd, daemon:
        each.install(gpu_passthrough.__file__, "qemu.d/50-gpu")
    guest = daemon.start(PLAYER)
    daemon.restart()
    daemon.shutdown(guest)
    daemon.check()
    libvirtd.destroy(libvirtd.start())
    libvirtd.check()
    assert host.snapshot() == before


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(gpu_passthrough.hook))
