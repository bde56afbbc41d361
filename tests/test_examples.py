"""The scripts that explain this package, started as executables as each host starts them."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from hooking import points
from support import DOMAIN, PINCPU, TEMPLATES, Recording, canonical, execute, recordings

PIN, STAY, SPOOF = ((TEMPLATES / name / f"{name}.py").read_text() for name in ("pincpu", "cantmigrate", "macspoof"))

BY_HAND = """import hooking
domain = hooking.read_domain()
hooking.set_cpuset(domain, "1-4,^3")
hooking.write_domain(domain)
"""

MINIDOM = """import hooking, os
if "pincpu" in os.environ:
    domxml = hooking.read_domxml()
    domxml.getElementsByTagName("vcpu")[0].setAttribute("cpuset", os.environ["pincpu"])
    hooking.write_domxml(domxml)
"""

CANTMIGRATE = """import os
import sys

if 'cantmigrate' in os.environ:
    sys.stderr.write('cantmigrate: before_vm_migrate_source: cannot migrate this VM\\n')
    sys.exit(2)
"""


class Vdsm:
    """A folder of hook points, and a foreign ``hooking`` on PYTHONPATH as VDSM puts its own there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.payload = folder / "payload"
        (folder / "foreign").mkdir()
        (folder / "foreign" / "hooking.py").write_text("raise SystemExit('the foreign hooking was imported')\n")

    def run(self, point: str, text: str, document: str = DOMAIN, **properties: str) -> tuple[int, str]:
        script = self.folder / point / "50_script"
        script.parent.mkdir(exist_ok=True)
        script.write_text(text)
        self.payload.write_text(document)
        environ = {"LC_ALL": "C.UTF8", "PYTHONPATH": str(self.folder / "foreign"), "vmId": "some-id"}
        ended = execute(script, environ={**environ, **properties, "_hook_domxml": str(self.payload)})
        assert ended.stdout == b""
        return ended.returncode, ended.stderr.decode()

    def cpuset(self) -> str | None:
        vcpu = etree.fromstring(self.payload.read_bytes()).find("vcpu")
        assert vcpu is not None
        return vcpu.get("cpuset")

    def untouched(self, document: str = DOMAIN) -> bool:
        return self.payload.read_text() == document


@pytest.fixture
def vdsm(tmp_path: Path) -> Vdsm:
    return Vdsm(tmp_path)


@pytest.mark.parametrize(
    ("text", "cpuset", "said"),
    [
        (PIN, "0-1", ""),
        (MINIDOM, "0-1", ""),
        (BY_HAND, "1-4,^3", ""),
        (PINCPU, "0-1", "pincpu: pinning cpu to: 0-1\n"),
    ],
    ids=["handlers", "minidom", "by hand", "wiki"],
)
def test_pinning_before_vm_start(vdsm: Vdsm, text: str, cpuset: str, said: str) -> None:
    assert vdsm.run("before_vm_start", text, pincpu="0-1") == (0, said)
    assert vdsm.cpuset() == cpuset


@pytest.mark.parametrize(
    "text", [PIN, STAY, MINIDOM, PINCPU, CANTMIGRATE], ids=["handlers", "handlers 2", "minidom", "wiki", "wiki 2"]
)
@pytest.mark.parametrize("point", ["before_vm_start", "before_vm_migrate_source"])
def test_nothing_happens_to_a_vm_without_the_property(vdsm: Vdsm, text: str, point: str) -> None:
    assert vdsm.run(point, text) == (0, "")
    assert vdsm.untouched()


def test_a_migration_is_blocked(vdsm: Vdsm) -> None:
    status, said = vdsm.run("before_vm_migrate_source", STAY, cantmigrate="1")
    assert (status, said) == (
        2,
        "50_script: before_vm_migrate_source some-id: the custom property cantmigrate keeps this guest on its host\n",
    )
    status, said = vdsm.run("before_vm_migrate_source", CANTMIGRATE, cantmigrate="1")
    assert (status, said) == (2, "cantmigrate: before_vm_migrate_source: cannot migrate this VM\n")
    assert vdsm.untouched()


def test_spoofing_is_allowed_on_a_card_that_asks_for_it(vdsm: Vdsm) -> None:
    card = "<interface type='bridge'><filterref filter='vdsm-no-mac-spoofing'/></interface>"
    for point in ("before_device_create", "before_nic_hotplug"):
        assert vdsm.run(point, SPOOF, card, ifacemacspoof="true") == (0, "")
        assert canonical(vdsm.payload.read_bytes()) == b'<interface type="bridge"></interface>'
        assert vdsm.run(point, SPOOF, card, ifacemacspoof="no") == (0, "")
        assert vdsm.untouched(card)
    assert vdsm.run("before_device_create", SPOOF, "<disk/>", ifacemacspoof="true") == (0, "")


@pytest.mark.parametrize("place", ["{driver}", "{driver}.d/10-x"])
@pytest.mark.parametrize("recording", recordings(), ids=lambda recording: recording.folder.name)
def test_one_file_serves_every_captured_call(tmp_path: Path, recording: Recording, place: str) -> None:
    script = tmp_path / place.format(driver=recording.driver)
    script.parent.mkdir(exist_ok=True)
    script.write_text(PIN)
    ended = execute(script, recording.argv[1:], stdin=recording.stdin, environ=recording.environ)
    assert (ended.returncode, ended.stderr) == (0, b"")
    if points.find(recording.driver, recording.argv[2]).reply is None:
        assert ended.stdout == b""
        return
    pinned = recording.stdin.replace(b"<vcpu placement='static'>", b"<vcpu placement='static' cpuset='0-1'>")
    assert pinned != recording.stdin
    assert canonical(ended.stdout) == canonical(pinned)
