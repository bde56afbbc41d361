"""The edits, held against a live libvirt: what it makes of their results is what they say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from daemons import Daemon, folder, missing
from lxml import etree

import edit_cases_devices
import edit_cases_guest
from edit_cases import NAME, UUID, Case, domain
from hooking.document import parse

pytestmark = pytest.mark.live

CASES = [*edit_cases_devices.CASES, *edit_cases_guest.CASES]
STARTS = [pytest.param(case, start, id=f"{case.name}-{start}") for case in CASES for start in case.starts]


@pytest.fixture(scope="module")
def daemon(require_live: Callable[[str], None]) -> Iterator[Daemon]:
    require_live(missing())
    base = folder()
    daemon = Daemon(base / "edits", "edits")
    daemon.start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base, ignore_errors=True)


def defined(daemon: Daemon, root: etree._Element) -> etree._Element:
    """What libvirt makes of a definition."""
    file = daemon.base / "guest.xml"
    file.write_bytes(etree.tostring(root))
    ended = daemon.virsh("define", str(file), check=False)
    assert ended.returncode == 0, ended.stderr
    text = daemon.virsh("dumpxml", "--inactive", "--security-info", NAME).stdout
    daemon.virsh("undefine", "--nvram", NAME)
    return parse(text.encode())


@pytest.mark.parametrize(("case", "start"), STARTS)
def test_libvirt_makes_of_an_edit_what_it_says(case: Case, start: str, daemon: Daemon) -> None:
    view = domain(case.starts[start])
    case.edit(view)
    found = defined(daemon, view.element)
    assert case.unfulfilled(found) == []
    assert found.findtext("uuid") == UUID


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_edit_of_what_libvirt_made_of_it_changes_nothing(case: Case, daemon: Daemon) -> None:
    view = domain(case.starts[min(case.starts)])
    case.edit(view)
    once = etree.tostring(defined(daemon, view.element), encoding="unicode")
    again = domain(once)
    case.edit(again)
    assert etree.tostring(defined(daemon, again.element), encoding="unicode") == once
