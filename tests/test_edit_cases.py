"""Every case of every edit: what it makes of each start, that twice is once, and what it leaves alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from lxml import etree

import edit_cases_devices
import edit_cases_guest
from edit_cases import Case, domain
from hooking.document import identify
from hooking.domain import Domain
from hooking.exceptions import DocumentError

CASES = [*edit_cases_devices.CASES, *edit_cases_guest.CASES]
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
STARTS = [pytest.param(case, start, id=f"{case.name}-{start}") for case in CASES for start in case.starts]
MADE_BY_GUEST = {"name", "uuid", "memory", "vcpu", "os", "devices"}

needs_schema = pytest.mark.skipif(not SCHEMA.exists(), reason=f"libvirt's schemas are not installed: {SCHEMA}")


@cache
def schema() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(str(SCHEMA)))


def accepted(view: Domain) -> bool:
    """Whether libvirt's schema accepts the document of ``view``, as it would be sent."""
    return schema().validate(etree.fromstring(etree.tostring(view.element)))


def text(view: Domain) -> bytes:
    return etree.tostring(view.element)


def test_the_names_of_the_cases_differ() -> None:
    names = [case.name for case in CASES]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("verb", sorted({case.verb for case in CASES}))
def test_every_verb_starts_from_all_four_states(verb: str) -> None:
    cases = [case for case in CASES if case.verb == verb]
    shown = {start for case in cases for start in case.starts}
    impossible = {state for case in cases for state in case.impossible}
    assert shown | impossible >= {"absent", "equal", "different", "doubled"}
    assert not shown & impossible


@pytest.mark.parametrize(("case", "start"), STARTS)
def test_a_verb_makes_what_it_says_of_every_start(case: Case, start: str) -> None:
    view = domain(case.starts[start])
    case.edit(view)
    assert case.unfulfilled(view.element) == []


@pytest.mark.parametrize("case", [case for case in CASES if "equal" in case.starts], ids=lambda case: case.name)
def test_what_is_equal_already_stays_as_it_is(case: Case) -> None:
    view = domain(case.starts["equal"])
    before = etree.tostring(view.element, method="c14n")
    case.edit(view)
    assert etree.tostring(view.element, method="c14n") == before


@pytest.mark.parametrize(("case", "start"), STARTS)
def test_twice_is_once(case: Case, start: str) -> None:
    view = domain(case.starts[start])
    case.edit(view)
    once = text(view)
    case.edit(view)
    assert text(view) == once


@pytest.mark.parametrize(("case", "start"), STARTS)
def test_a_verb_leaves_the_identity_and_all_that_it_does_not_name(case: Case, start: str) -> None:
    before, after = domain(case.starts[start]), domain(case.starts[start])
    case.edit(after)
    assert identify(after.element) == identify(before.element)
    assert case.untouched(after.element) == case.untouched(before.element)


@needs_schema
@pytest.mark.parametrize(("case", "start"), STARTS)
def test_a_verb_keeps_a_valid_document_valid(case: Case, start: str) -> None:
    view = domain(case.starts[start])
    valid = accepted(view)
    case.edit(view)
    assert accepted(view) or not valid, schema().error_log


@needs_schema
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_verb_starts_from_a_valid_document_once(case: Case) -> None:
    assert any(accepted(domain(start)) for start in case.starts.values())


def parts(path: str) -> list[str]:
    """What all cases have at ``path``, each once."""
    roots = [domain(start).element for case in CASES for start in case.starts.values()]
    found = [part for root in roots for part in root.iterfind(path) if part.tag not in MADE_BY_GUEST]
    return sorted({etree.tostring(part, encoding="unicode") for part in found})


random_devices = st.lists(st.sampled_from(parts("devices/*")), max_size=4)
random_elements = st.lists(st.sampled_from(parts("*")), max_size=3)
noise = st.sampled_from(["", "<!-- kept -->", "<app:kept xmlns:app='urn:app' a='1'/>"])


@st.composite
def guests(draw: st.DrawFn, case: Case) -> Domain:
    """A guest that ``case`` starts from, with any devices, elements and comments more."""
    view = domain(draw(st.sampled_from(sorted(case.starts.values()))))
    devices = view.element.find("devices")
    assert devices is not None
    devices.extend(map(etree.fromstring, draw(random_devices)))
    for element in map(etree.fromstring, draw(random_elements)):
        if view.element.find(str(element.tag)) is None:  # of most a guest has one
            view.element.append(element)
    for parent in (devices, view.element):
        parent.extend([*etree.fromstring(f"<x>{draw(noise)}</x>")])
    return domain(text(view).decode())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@settings(max_examples=settings().max_examples // 3)
@given(data=st.data())
def test_any_guest_stays_valid_itself_and_unchanged_elsewhere(case: Case, data: st.DataObject) -> None:
    view = data.draw(guests(case))
    before = domain(text(view).decode())
    edit = data.draw(st.just(case.edit) if case.edits is None else case.edits)
    try:
        edit(view)
    except DocumentError:
        assert text(view) == text(before)
        return
    once = text(view)
    edit(view)
    assert text(view) == once
    assert identify(view.element) == identify(before.element)
    assert case.untouched(view.element) == case.untouched(before.element)
    if SCHEMA.exists() and accepted(before):
        assert accepted(view), schema().error_log
