from pathlib import Path

import deny_start
import pytest

from hooking.testing import FakeHost, Libvirtd, Outcome, Recording, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())
GUEST = """<domain type='kvm'><name>web01</name><uuid>3573e29e-5de9-468a-9fae-16050c6b3dcc</uuid>
<memory unit='MiB'>100</memory>{}<devices>{}</devices></domain>"""
CARDS = "".join(f"<interface type='bridge'><source bridge='{name}'/></interface>" for name in ("br0", "br1"))
PAGES = "<memoryBacking><hugepages>{}</hugepages></memoryBacking>"
FREE = "/sys/kernel/mm/hugepages/hugepages-{}kB/free_hugepages"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path / "host")
    host.add_nodes()
    host.path("/sys/class/net/br0").mkdir(parents=True)
    return host


def prepare(host: FakeHost, elements: str = "", devices: str = "") -> Outcome:
    document = GUEST.format(elements, devices)
    return run_hook(deny_start.hook, "qemu/prepare", document=document, host=host)


def test_a_guest_waits_for_its_bridges(host: FakeHost) -> None:
    assert "the bridge br1 is missing on this host" in prepare(host, devices=CARDS).host_verdict
    host.path("/sys/class/net/br1").mkdir()
    assert not prepare(host, devices=CARDS).failed


@pytest.mark.parametrize(
    ("pages", "size", "needed"),
    [
        ("", 2048, 50),
        ("<page size='2048'/>", 2048, 50),
        ("<page size='1' unit='GiB'/>", 1048576, 1),
        ("<page size='1' unit='GiB' nodeset='0'/><page size='2048'/>", 2048, 50),
    ],
)
def test_a_guest_waits_for_its_huge_pages(host: FakeHost, pages: str, size: int, needed: int) -> None:
    host.write(FREE.format(size), f"{needed - 1}\n")
    lack = f"the guest needs {needed} huge pages of {size} KiB, of which {needed - 1} are free"
    assert lack in prepare(host, PAGES.format(pages)).host_verdict
    host.write(FREE.format(size), f"{needed}\n")
    assert not prepare(host, PAGES.format(pages)).failed


def test_a_host_without_such_pages_has_none_free(host: FakeHost) -> None:
    assert "of 64 KiB, of which 0 are free" in prepare(host, PAGES.format("<page size='64'/>")).host_verdict


def test_other_guests_start(libvirtd: Libvirtd) -> None:
    libvirtd.install(deny_start.__file__, "qemu.d/00-deny")
    guest = libvirtd.start()
    assert guest.active
    libvirtd.destroy(guest)
    libvirtd.check()
    assert not libvirtd.host.path("/run/libvirt-hooking").exists()
    assert not libvirtd.start(GUEST.format("", CARDS)).active
    assert not libvirtd.host.path("/run/libvirt-hooking").exists()


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(deny_start.hook))
