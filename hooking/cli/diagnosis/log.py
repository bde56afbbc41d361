"""The last failures of hooks, out of libvirt's log files or the journal, in whatever language the daemon speaks."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from hooking.cli import daemons

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hooking.cli.host_files import Tree

_FOLDER = "/var/log/libvirt"
_TAIL = 4 * 2**20
_LONGEST_MESSAGE = 2000
_TRIES = 50  # more only a log that was made to look so has
_PRIME = 2**61 - 1
_BASE = 10**9 + 7
_COMMAND_STARTS = "LC_ALL=C "
_CALLERS = ("virRunScript", "virHookCall")
_HEAD = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)[+-]\d{4}: (\d+): \w+ : (\w+):\d+ : (.*)", re.DOTALL)

_WIDE = "\N{FULLWIDTH LEFT PARENTHESIS}\N{FULLWIDTH RIGHT PARENTHESIS}\N{FULLWIDTH COLON}"
_WORD = r"""(?:'[^']*'|\\'|[^\s!"#$&'()*;<>?\[\\\]^`{|}~])+"""
_COMMAND = re.compile(
    rf"[({_WIDE[0]}]LC_ALL=C (?:[A-Z_]+={_WORD} )*(?P<script>{_WORD}) (?P<guest>{_WORD}) (?P<op>[a-z-]+) "
    rf"(?P<subop>[a-z-]+) (?P<extra>'[a-z ]+'|[a-z-]+)[){_WIDE[1]}]"
    rf"(?P<words>\D*?)(?P<number>\d+)(?:[:{_WIDE[2]}]\s*(?P<message>.*))?",
    re.DOTALL,
)
"""What stands in every language: the command as for a shell, a number, and what the script said."""

_DRIVER = re.compile(r"/hooks/(\w+)(\.d/[^/]+)?$")
_SIGNAL = re.compile(r"signal|señal|sinal|segnale|sygnał|сигнал|信号|信號|シグナル|시그널", re.IGNORECASE)

_HINTS = {
    126: "the system would not start it: see its first line, its mode, and SELinux or AppArmor",
    127: "its interpreter is missing, or its first line ends with CR LF; or a program in it was not found",
}


@dataclass(frozen=True)
class Failure:
    """A script that failed.

    Attributes:
        time: When, in UTC.
        driver: The driver.
        guest: The guest or network.
        op: The operation.
        subop: Whether it begins or ends.
        extra: The reason, at ``release``.
        script: The script.
        status: Its exit status; negative for a signal.
        message: What it said.
    """

    time: str
    driver: str
    guest: str
    op: str
    subop: str
    extra: str
    script: str
    status: int
    message: str

    @property
    def hint(self) -> str:
        """What the status tells."""
        return "it was killed" if self.status < 0 else _HINTS.get(self.status, "")


def failures(tree: Tree, most: int) -> list[Failure]:
    """Return the last failures, the newest first.

    Args:
        tree: The host.
        most: How many.
    """
    logs = (Path(tree.at(_FOLDER), f"{name}.log") for name in sorted(daemons.NAMES))
    found = [failure for path in logs for failure in parse(_tail(path))]
    if tree.is_live:
        found += _journal(most)
    return sorted(found, key=lambda failure: failure.time, reverse=True)[:most]


def parse(text: str) -> Iterator[Failure]:
    """Yield the failures that a log has.

    libvirt logs each twice: when the process ends, and when the hook's caller hears of it, in the same words. What a
    script says can look like a line of the log, but not come in both ways at once, whole.
    """
    log = _Log(text.split("\n"))
    over: dict[int, int] = {}
    at = 0
    while at < len(log.lines):
        head = log.heads[at]
        second, length = log.repetition(at, head) if head and at not in over else (at, 0)
        if head and length:
            failure = _failure(head[1], "\n".join([head[4], *log.lines[at + 1 : at + length]]))
            yield from filter(None, [failure])
            over[second] = second + length
        at = over.get(at, at + max(1, length))


class _Log:
    """The lines of a log, and what finds a repetition among them without comparing each with each."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.heads = [_HEAD.match(line) for line in lines]
        self._ends = _ends(lines)
        self._sums = list(accumulate(map(hash, lines), lambda sum_, line: (sum_ * _BASE + line) % _PRIME, initial=0))
        self._callers: dict[tuple[str, str], list[int]] = {}
        for place, head in enumerate(self.heads):
            if head and head[3] in _CALLERS:
                self._callers.setdefault(_key(head), []).append(place)

    def repetition(self, at: int, first: re.Match[str]) -> tuple[int, int]:
        """Return where the record that begins at ``at`` comes again, and how long it is; 0 if it does not.

        All of its lines come again, so it ends before the first that does not. The longest that fills all between the
        two counts, so that what lies inside is taken for what a script said. If another thread wrote something between
        them, it ends there.
        """
        if first[3] in _CALLERS or _COMMAND_STARTS not in first[4]:
            return at, 0
        again, until = self._callers.get(_key(first), []), self._ends[at]
        begin, end = bisect_right(again, at), bisect_right(again, until)
        within = [*reversed(again[max(begin, end - _TRIES) : end]), *again[begin : min(end, begin + _TRIES)]]
        for second, length in [(second, second - at) for second in within] + [(s, until - at) for s in again[end:][:1]]:
            if self._is_again(first, at, second, length):
                return second, length
        return at, 0

    def _is_again(self, first: re.Match[str], at: int, second: int, length: int) -> bool:
        head = self.heads[second]
        same = head is not None and head[4].endswith(first[4]) and second + length <= len(self.lines)
        return same and self._sum(at + 1, length - 1) == self._sum(second + 1, length - 1)

    def _sum(self, begin: int, length: int) -> int:
        return (self._sums[begin + length] - self._sums[begin] * pow(_BASE, length, _PRIME)) % _PRIME


def _ends(lines: list[str]) -> list[int]:
    """Return, for each line, which is the next one that does not come again."""
    ends, end, seen = [0] * len(lines), len(lines), set[str]()
    for place in range(len(lines) - 1, -1, -1):
        ends[place] = end
        if lines[place] not in seen:
            end = place
            seen.add(lines[place])
    return ends


def _key(head: re.Match[str]) -> tuple[str, str]:
    return head[2], head[4].partition(_COMMAND_STARTS)[2]


def _failure(when: str, text: str) -> Failure | None:
    found = _COMMAND.search(text)
    driver = found and _DRIVER.search(_plain(found["script"]))
    if not found or not driver:
        return None
    number = int(found["number"][:9])
    status = -number if _SIGNAL.search(found["words"]) else number
    guest, op, subop, extra, script = (_plain(found[name]) for name in ("guest", "op", "subop", "extra", "script"))
    message = (found["message"] or "").strip()[:_LONGEST_MESSAGE]
    return Failure(when, driver[1], guest, op, subop, extra, script, status, message)


def _plain(word: str) -> str:
    return "".join(shlex.split(word))


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read(_TAIL).decode("utf-8", "replace")
    except OSError:  # there is none, or it is root's
        return ""


def in_utc(seconds: float) -> str:
    """Return a time as failures have it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def _journal(most: int) -> list[Failure]:
    """Return what daemons without a log file of their own told systemd."""
    matches = [f"CODE_FUNC={caller}" for caller in _CALLERS]
    rows = daemons.ask("journalctl", "--output=json", f"--lines={most}", "--no-pager", *matches).splitlines()
    return list(filter(None, map(_entry, rows)))


def _entry(row: str) -> Failure | None:
    entry: dict[str, Any] = json.loads(row)
    message: str | list[int] = entry.get("MESSAGE") or ""
    if not isinstance(message, str):  # but bytes, where it is no text
        message = bytes(message).decode("utf-8", "replace")
    seconds, micros = divmod(int(entry["__REALTIME_TIMESTAMP"]), 10**6)
    return _failure(f"{in_utc(seconds)}.{micros // 1000:03}", message)
