"""Values: read as the hosts read them."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import assume, example, given, reject, strategies as st

import hooking
from hooking.exceptions import InvalidValueError
from hooking.patterns import matches_glob
from hooking.values import MAC, MEMORY_UNIT, TEXT, UNSIGNED, choice, unit_bytes


@pytest.mark.parametrize("value", ["true", "TRUE", "tRuE", "1", " 1 ", "-1", "2", "1_0"])
def test_true_for_vdsm(value: str) -> None:
    assert hooking.tobool(value) is True


@pytest.mark.parametrize("value", ["", "0", "false", "yes", "on", "True ", None, 1, True, ["1"], "0x1", "1.0"])
def test_false_for_vdsm(value: object) -> None:
    assert hooking.tobool(value) is False


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0", [0]),
        ("1-4,^3,6", [1, 2, 4, 6]),
        ("^3,1-4", [1, 2, 3, 4]),
        (" 1 , 2-3 ,", [1, 2, 3]),
        ("0- 2", [0, 1, 2]),
        ("16383", [16383]),
        ("3,3,2", [2, 3]),
    ],
)
def test_cpu_sets_that_libvirt_takes(text: str, cpus: list[int]) -> None:
    assert hooking.parse_cpuset(text) == cpus


@pytest.mark.parametrize(
    "text", ["", ",", "^3", "1,^1", "4-1", "1-", "-1", "a", "1;2", "0-3,^0-1", "^ 1,2", "1,,2", "16384", "٣", "1 2"]
)
def test_cpu_sets_that_libvirt_refuses(text: str) -> None:
    with pytest.raises(hooking.InvalidValueError, match="is not a set of CPUs such as"):
        hooking.parse_cpuset(text)


@pytest.mark.parametrize("text", ["52:54:00:4a:23:01", "AA:bb:0:1:2:3"])
def test_mac_addresses(text: str) -> None:
    assert MAC.read(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "52:54:00:4a:23", "52:54:00:4a:23:01:02", "52:54:00:4a:23:0g", "01:00:5e:00:00:01", "52:54:00:4a:23:+1"],
)
def test_not_the_mac_address_of_one_card(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not the MAC address of one card"):
        MAC.read(text)


@pytest.mark.parametrize(
    ("unit", "size"),
    [
        ("b", 1),
        ("bytes", 1),
        ("KB", 1000),
        ("k", 1024),
        ("KiB", 1024),
        ("MB", 10**6),
        ("M", 2**20),
        ("GiB", 2**30),
        ("E", 2**60),
    ],
)
def test_units_of_memory(unit: str, size: int) -> None:
    assert unit_bytes(unit) == size
    assert MEMORY_UNIT.read(unit) == unit


def test_no_unit_of_memory() -> None:
    with pytest.raises(InvalidValueError, match="'parsec' is not a unit of memory"):
        unit_bytes("parsec")


@pytest.mark.parametrize("text", ["-1", "1.5", "", "one", "¹"])
def test_not_a_whole_number(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not a whole number, 0 or more"):
        UNSIGNED.read(text)


def test_a_choice_names_its_words() -> None:
    with pytest.raises(InvalidValueError, match="'sideways' is not one of up, down"):
        choice("up", "down").write("sideways")


@pytest.mark.parametrize("text", ["\0", "\x1b[2J", "\ud800", "\uffff"])
def test_text_that_xml_cannot_hold(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not text that XML can hold"):
        TEXT.write(text)


@example("b", "[a-c]")
@example("d", "[a-c]")
@example("-", "[!a-c-]")
@example("x", "[!ab]?")
@given(st.text(alphabet="ab.-[]!*?^\n", max_size=8), st.text(alphabet="ab.-[]!*?", max_size=8))
def test_globs_are_those_of_the_shell(text: str, pattern: str) -> None:
    assume(not re.search(r"\[(.-.)+!", pattern))  # fnmatch negates behind ranges that are none
    try:
        expected = fnmatch.fnmatchcase(text, pattern)
    except re.error:  # of Python 3.9, for ranges that are none
        reject()
    assert matches_glob(text, pattern) == expected


def test_a_hostile_name_cannot_make_a_glob_slow() -> None:
    assert not matches_glob("a" * 20_000, "*a*a*a*a*b")
