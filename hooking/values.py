"""The values that stand in documents and custom properties: how they are read, written and checked."""

from __future__ import annotations

from hooking._typing import Generic, T
from hooking.exceptions import InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

MOST_CPUS: Final = 16384
"""libvirt's bound for the numbers in a CPU set (``VIR_DOMAIN_CPUMASK_LEN``)."""

_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")

_UNITS = {"b": 1, "bytes": 1, "kb": 1000, "k": 1024, "kib": 1024}
for _power, _letter in enumerate("mgtpe", 2):
    _UNITS.update({f"{_letter}b": 1000**_power, _letter: 1024**_power, f"{_letter}ib": 1024**_power})


class Kind(Generic[T]):
    """A kind of value: how it is read from text and written as text.

    Args:
        rule: What a value has to be, for error messages.
        read: Turns text into a value; raises `ValueError`.
        write: Turns a value into text.
    """

    __slots__ = ("_read", "_write", "rule")

    def __init__(self, rule: str, read: Callable[[str], T], write: Callable[[T], str] = str) -> None:
        self.rule = rule
        self._read = read
        self._write = write

    def read(self, text: str) -> T:
        """Return the value that ``text`` stands for.

        Raises:
            InvalidValueError: It stands for none; the message has the rule.
        """
        try:
            return self._read(text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidValueError(f"{text!r} is not {self.rule}") from error

    def write(self, value: T) -> str:
        """Return the text for ``value``.

        Raises:
            InvalidValueError: It could not be read back.
        """
        try:
            text = self._write(value)
            self._read(text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidValueError(f"{value!r} is not {self.rule}") from error
        return text


def tobool(value: object) -> bool:
    """Read a truth value as VDSM does.

    True are ``"true"`` in any case and every text that Python reads as an integer other than 0 (``" 1 "``). Everything
    else is false: ``"yes"``, ``"on"``, ``"True "``, and whatever is not text, the number 1 too.
    """
    if not isinstance(value, str):
        return False
    try:
        return value.lower() == "true" or int(value) != 0
    except ValueError:
        return False


def parse_cpuset(text: str) -> list[int]:
    """Return the CPU numbers that ``text`` names, in order.

    The syntax is libvirt's: numbers, ranges and exclusions, read from left to right: ``1-4,^3,6`` names 1, 2, 4 and 6.
    See the element ``vcpu`` in https://libvirt.org/formatdomain.html#cpu-allocation.

    Raises:
        InvalidValueError: The syntax is wrong, a number is 16384 or more, or no CPU is left.
    """
    return CPU_NUMBERS.read(text)


def unit_bytes(unit: str) -> int:
    """Return how many bytes a unit of memory has: ``b``, ``bytes``, ``KB`` (1000), ``k`` and ``KiB`` (1024), and so on.

    Raises:
        InvalidValueError: It is none of libvirt's units.
    """
    return _UNITS[MEMORY_UNIT.read(unit).lower()]


def _unsigned(text: str) -> int:
    if not (text.isascii() and text.strip().isdigit()):
        raise ValueError(text)
    return int(text)


def _cpu_number(text: str) -> int:
    number = _unsigned(text)
    if number >= MOST_CPUS:
        raise ValueError(text)
    return number


def _cpu_numbers(text: str) -> list[int]:
    chosen: set[int] = set()
    *parts, last = map(str.strip, text.split(","))
    for part in [*parts, last] if last else parts:
        excluded = part.startswith("^")
        first, dash, end = part[excluded:].partition("-")
        low = _cpu_number(first)
        high = _cpu_number(end) if dash else low
        if high < low or (excluded and (dash or first[:1].isspace())):
            raise ValueError(text)
        if excluded:
            chosen.discard(low)
        else:
            chosen.update(range(low, high + 1))
    if not chosen:
        raise ValueError(text)
    return sorted(chosen)


def _mac(text: str) -> str:
    octets = text.split(":")
    if len(octets) != 6 or not all(0 < len(octet) <= 2 and set(octet) <= _HEX_DIGITS for octet in octets):  # noqa: PLR2004
        raise ValueError(text)
    if int(octets[0], 16) & 1:
        raise ValueError(text)
    return text


def _cpuset(text: str) -> str:
    _cpu_numbers(text)
    return text


def choice(*words: str) -> Kind[str]:
    """Return the kind of value that is one of ``words``."""
    return Kind("one of " + ", ".join(words), dict(zip(words, words)).__getitem__)


def whole_number(lowest: int, highest: int, *others: int) -> Kind[int]:
    """Return the kind of value that is a whole number from ``lowest`` to ``highest``, or one of ``others``."""

    def read(text: str) -> int:
        number = int(text) if text.isascii() else lowest - 1
        if not (lowest <= number <= highest or number in others):
            raise ValueError(text)
        return number

    alternatives = "".join(f", or {other}" for other in others)
    return Kind(f"a whole number from {lowest} to {highest}{alternatives}", read)


def _uuid(text: str) -> str:
    digits = text.replace("-", "")
    if len(digits) != 32 or not set(digits) <= _HEX_DIGITS:  # noqa: PLR2004
        raise ValueError(text)
    return text


def _text(text: str) -> str:
    if text.isprintable():
        return text
    if any((character < " " and character not in "\t\n\r") or character in "\ufffe\uffff" for character in text):
        raise ValueError(text)
    text.encode()  # refuses what is half of a character
    return text


def _name(text: str) -> str:
    if not text:
        raise ValueError(text)
    return _text(text)


def _tag(text: str) -> str:
    plain = text.translate(dict.fromkeys(map(ord, "-._"), "0"))
    if not (text.isascii() and plain.isalnum() and (text[0].isalpha() or text[0] == "_")):
        raise ValueError(text)
    return text


TEXT: Final = Kind("text that XML can hold", _text)
NAME: Final = Kind("a name that XML can hold", _name)
TAG: Final = Kind("a name of English letters, digits and -._ that starts with a letter or _", _tag)
UNSIGNED: Final = Kind("a whole number, 0 or more", _unsigned)
MEMORY_UNIT: Final = Kind("a unit of memory such as KiB or GB", lambda unit: unit if _UNITS[unit.lower()] else "")
CPU_NUMBERS: Final = Kind("a set of CPUs such as 0-3,^2,8", _cpu_numbers, lambda cpus: ",".join(map(str, cpus)))
CPUSET: Final = Kind(CPU_NUMBERS.rule, _cpuset)
MAC: Final = Kind("the MAC address of one card, such as 52:54:00:4a:23:01", _mac)
UUID: Final = Kind("a UUID such as c2177883-f1bb-47f0-914d-32a22e3a8804", _uuid)
NODESET: Final = Kind("a set of NUMA nodes such as 0-3,^2", _cpuset)
NUMA_MODE: Final = choice("strict", "interleave", "preferred", "restrictive")
CPU_PERIOD: Final = whole_number(1000, 1_000_000)
CPU_QUOTA: Final = whole_number(1000, 2**44 - 1, 0, -1)
SWITCH: Final = choice("on", "off")
YES_NO: Final = choice("yes", "no")
