"""Custom properties as values: what each kind reads, and errors that name property, value and rule."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hooking.context import HookContext
from hooking.exceptions import InvalidValueError
from hooking.properties import BOOLEAN, INTEGER, SIZE, array_of, list_of, mapping_of, pattern, read_property
from hooking.values import CPUSET, MAC, TEXT, UNSIGNED, Kind, choice, whole_number

GIB = 1024**3


def context(**properties: str) -> HookContext:
    return HookContext("vdsm", "before_vm_start", custom_properties=properties)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (TEXT, "", ""),
        (BOOLEAN, "True", True),
        (BOOLEAN, " 1 ", True),
        (BOOLEAN, "yes", False),
        (BOOLEAN, "", False),
        (INTEGER, "-5", -5),
        (whole_number(0, 9, -1), "-1", -1),
        (SIZE, "20G", 20 * GIB),
        (SIZE, " 512 MiB ", GIB // 2),
        (SIZE, "10GB", 10**10),
        (SIZE, "4096", 4096),
        (choice("on", "off"), "off", "off"),
        (pattern("[a-z]+:.*"), "strict:0-1", "strict:0-1"),
        (list_of(TEXT), "a, b ,c", ["a", "b", "c"]),
        (list_of(TEXT), " ", []),
        (list_of(UNSIGNED, ":"), "1:2", [1, 2]),
        (list_of(TEXT, " "), " net1   net2 ", ["net1", "net2"]),
        (list_of(mapping_of(TEXT), "^"), "{'a': 'b'}^{'c': 'd'}", [{"a": "b"}, {"c": "d"}]),
        (array_of(TEXT), '["-cdrom", "/a.iso"]', ["-cdrom", "/a.iso"]),
        (array_of(TEXT), "['-m', 512]", ["-m", "512"]),
        (mapping_of(TEXT), '{"52:54:00:00:00:01": "br0"}', {"52:54:00:00:00:01": "br0"}),
        (mapping_of(UNSIGNED), " {'average': '1000', 'peak': 2000}", {"average": 1000, "peak": 2000}),
        (mapping_of(TEXT), "{}", {}),
        (mapping_of(mapping_of(TEXT)), """{'image': "{'compression': 'glz'}"}""", {"image": {"compression": "glz"}}),
    ],
)
def test_a_kind_reads_what_administrators_write(kind: Kind[Any], text: str, value: object) -> None:
    read = read_property(context(it=text), "it", kind)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "rule"),
    [
        (INTEGER, "1.5", "a whole number"),
        (UNSIGNED, "-1", "a whole number, 0 or more"),
        (whole_number(0, 9, -1), "10", "a whole number from 0 to 9, or -1"),
        (whole_number(0, 9), "३", "a whole number from 0 to 9"),
        (SIZE, "", "a size in bytes, or with a unit"),
        (SIZE, "big", "a size in bytes, or with a unit"),
        (SIZE, "1.5G", "a size in bytes, or with a unit"),
        (SIZE, "10 pages", "a size in bytes, or with a unit"),
        (SIZE, "-1", "a size in bytes, or with a unit"),
        (choice("on", "off"), "On", "one of on, off"),
        (pattern("[a-z]+"), "abc\n", "of the form [a-z]+"),
        (CPUSET, "4-1", "a set of CPUs such as"),
        (list_of(MAC), "52:54:00:00:00:01,x", "a list with ',' between its items, each the MAC address of one card"),
        (list_of(UNSIGNED), "1,,2", "a list with ',' between its items"),
        (array_of(TEXT), '"-S"', 'a list such as ["a", "b"], each item text'),
        (array_of(TEXT), "-cdrom x", 'a list such as ["a", "b"]'),
        (array_of(TEXT), '["a", null]', 'a list such as ["a", "b"]'),
        (array_of(TEXT), '["a", true]', 'a list such as ["a", "b"]'),
        (array_of(TEXT), "[" * 100_000, 'a list such as ["a", "b"]'),
        (array_of(TEXT), "(" * 100_000, 'a list such as ["a", "b"]'),
        (array_of(TEXT), "-" * 100_000 + "1", 'a list such as ["a", "b"]'),
        (mapping_of(TEXT), "serial=1", 'a mapping such as {"a": "b"}, each value text'),
        (mapping_of(TEXT), "['a']", 'a mapping such as {"a": "b"}'),
        (mapping_of(TEXT), "{'a': ['b']}", 'a mapping such as {"a": "b"}'),
        (mapping_of(TEXT), "__import__('os')", 'a mapping such as {"a": "b"}'),
        (mapping_of(UNSIGNED), "{'a': '0.5'}", 'a mapping such as {"a": "b"}, each value a whole number, 0 or more'),
    ],
)
def test_an_error_names_property_value_and_rule(kind: Kind[Any], text: str, rule: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        read_property(context(it=text), "it", kind)
    message = str(caught.value)
    assert message.startswith("custom property it: ")
    assert f"is not {rule}" in message
    assert text[:20].strip("\n") in message


def test_an_unset_property_is_its_default_and_an_empty_one_is_set() -> None:
    assert read_property(context(), "it") is None
    assert read_property(context(), "it", SIZE) is None
    assert read_property(context(), "it", SIZE, 7) == 7
    assert read_property(context(it=""), "it", TEXT, "x") == ""
    assert read_property(context(it=""), "it", list_of(TEXT), None) == []


@given(st.lists(st.integers(0, 2**40)))
def test_lists_and_arrays_read_what_they_write(values: list[int]) -> None:
    for kind in (list_of(UNSIGNED), array_of(UNSIGNED), list_of(SIZE, " ")):
        assert kind.read(kind.write(values)) == values


@given(st.dictionaries(st.text(), st.booleans()))
def test_mappings_read_what_they_write(values: dict[str, bool]) -> None:
    kind = mapping_of(BOOLEAN)
    assert kind.read(kind.write(values)) == values


@given(st.dictionaries(st.text(), st.text()))
def test_a_mapping_is_read_from_json_and_from_a_python_literal(values: dict[str, str]) -> None:
    kind = mapping_of(Kind("anything", str))
    assert kind.read(json.dumps(values)) == kind.read(repr(values)) == values


@pytest.mark.parametrize(
    "kind", [BOOLEAN, INTEGER, SIZE, list_of(SIZE), array_of(TEXT), mapping_of(TEXT), pattern("[a-z]*")]
)
@given(text=st.text(max_size=30))
def test_any_text_is_a_value_or_an_error_of_one_line(kind: Kind[Any], text: str) -> None:
    try:
        value = read_property(context(it=text), "it", kind)
    except InvalidValueError as error:
        value = str(error)
        assert "\n" not in value
    assert value is not None
