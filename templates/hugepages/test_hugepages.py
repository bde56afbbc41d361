from __future__ import annotations

from pathlib import Path

import hugepages
import pytest

import hooking
from hooking.testing import FakeHost, Libvirtd, Outcome, Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())
SMALL = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
LARGE = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
GUEST = """<domain type='kvm'><name>web01</name><uuid>3573e29e-5de9-468a-9fae-16050c6b3dcc</uuid>
<metadata/><memory unit='GiB'>2</memory><memoryBacking>{}</memoryBacking></domain>"""
BACKED = GUEST.format("<hugepages/>")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """A host that has 10 pages already."""
    host = FakeHost(tmp_path / "host")
    host.add_nodes()
    host.write(SMALL, "10\n")
    return host


def call(host: FakeHost, op: str, pages: str | None, document: str = BACKED) -> Outcome:
    properties = {"hugepages": pages} if pages else {}
    return run_hook(hugepages.hook, f"qemu/{op}", document=document, custom_properties=properties, host=host)


@pytest.mark.parametrize(
    ("pages", "elements", "file", "count"),
    [
        ("yes", "<hugepages/>", SMALL, 10 + 1024),
        ("2048", "<hugepages/>", SMALL, 10 + 1024),
        ("1048576", "<hugepages/>", LARGE, 2),
        ("yes", "<hugepages><page size='1' unit='GiB'/></hugepages>", LARGE, 2),
        (None, "<hugepages/>", SMALL, 10),
    ],
)
def test_the_pool_grows_by_the_guests_memory(
    host: FakeHost, pages: str | None, elements: str, file: str, count: int
) -> None:
    before = host.snapshot()
    assert not call(host, "prepare", pages, GUEST.format(elements)).stderr
    assert host.read(file) == f"{count}\n"
    assert not call(host, "release", pages, GUEST.format(elements)).stderr
    assert host.snapshot() == before


def test_a_guest_does_not_start_where_memory_is_too_little(host: FakeHost) -> None:
    host.path(SMALL).unlink()
    host.path(SMALL).symlink_to("/proc/sys/kernel/ngroups_max")
    assert call(host, "prepare", "yes").host_verdict.startswith("the guest is not started")


@pytest.mark.parametrize(
    ("pages", "elements", "reason"),
    [
        ("yes", "", "the guest's memory is not of huge pages; call set_hugepages"),
        ("2M", "<hugepages/>", "custom property hugepages: '2M' is not of the form yes"),
        ("4096", "<hugepages/>", "no huge pages of 4096 KiB"),
    ],
)
def test_what_cannot_be_reserved_is_refused(host: FakeHost, pages: str, elements: str, reason: str) -> None:
    outcome = call(host, "prepare", pages, GUEST.format(elements))
    assert outcome.failed
    assert reason in outcome.stderr


def test_who_is_not_root_reserves_nothing(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooking.HookContext, "privileged", False)
    before = host.snapshot()
    for op in "prepare", "release":
        assert not call(host, op, "yes").failed
    assert host.snapshot() == before


@pytest.mark.parametrize(("pages", "size"), [("yes", None), ("1048576", "1048576")])
def test_a_vm_of_vdsm_asks_for_them(pages: str, size: str | None) -> None:
    properties = {"hugepages": pages}
    outcome = run_hook(hugepages.hook, "before_vm_start", custom_properties=properties, twice=True)
    assert outcome.domain.memory_backing.hugepages
    page = outcome.domain.element.find("memoryBacking/hugepages/page")
    assert (None if page is None else page.get("size")) == size


def test_a_guest_lives_undisturbed(libvirtd: Libvirtd, host: FakeHost) -> None:
    libvirtd.install(hugepages.__file__, "qemu.d/10-hugepages")
    guest = libvirtd.start(BACKED)
    libvirtd.save(guest)
    libvirtd.restore(guest)
    libvirtd.restart()
    libvirtd.destroy(guest)
    libvirtd.check()


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(hugepages.hook))
