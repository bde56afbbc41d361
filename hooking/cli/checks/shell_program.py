"""A shell script that was taken apart: its commands, what its variables are, and which tests it makes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from hooking import points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.shell_words import Word

ALL_OPS = frozenset(point.op for point in points.all_points() if point.host == "libvirt")

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)[^}]*\})")
_ARGUMENTS = {*"1234@*"}
_COMPARISONS = {"=", "==", "!="}
_WELL = (["exit"], ["exit", "0"])
_HEARD = "heard"
"""Among the operations at which a function runs: some call of it writes to the host."""

_INPUT = re.compile(r"(^|[(;|&])\s*cat\s*-?\s*($|[|;)])|/dev/stdin")


@dataclass
class Command:
    """A simple command.

    Attributes:
        line: Where it stands.
        words: What it is made of, after redirections are taken away.
        ops: The operations of libvirt at which it may run.
        function: The function in which it stands.
        output: Where its standard output goes, if not to the host's.
        errors: Whether its standard error goes elsewhere.
        input: Where its standard input comes from, if not from the host.
        background: Whether nobody waits for it.
        joined: The operator before it.
        after: The operator behind it; ``!`` if its status is turned round.
        otherwise: Whether it runs for operations that a ``case`` does not name.
        depth: How many compound commands, functions and substitutions are around it.
        inner: The commands of its substitutions.
        bare: Its words that have a variable without quotes.
    """

    line: int
    words: list[str]
    ops: frozenset[str]
    function: str = ""
    output: str = ""
    errors: bool = False
    input: str = ""
    background: bool = False
    joined: str = ""
    after: str = ""
    otherwise: bool = False
    depth: int = 0
    inner: list[Command] = field(default_factory=list["Command"])
    bare: list[str] = field(default_factory=list[str])


@dataclass
class Case:
    """What a test compares: a word, and a pattern, of a ``case`` or of ``[``.

    Attributes:
        line: Where it stands.
        subject: What is compared.
        pattern: With what.
        guards: Whether the script ends there, and well, for all else.
        others: All patterns of the same branch.
    """

    line: int
    subject: str
    pattern: str
    guards: bool = False
    others: list[str] = field(default_factory=list[str])


@dataclass
class Loop:
    """A loop that ends when its condition says so: where it begins, and its commands with those of the condition."""

    line: int
    commands: list[Command]


@dataclass
class Program:
    """All commands of a script.

    Attributes:
        commands: In order, those of substitutions too.
        words: All words, those of assignments too.
        cases: The patterns of ``case``.
        loops: Those with ``while`` and ``until``.
        functions: The names of its functions.
        variables: What each variable was given first.
    """

    commands: list[Command] = field(default_factory=list[Command])
    words: list[Word] = field(default_factory=list["Word"])
    cases: list[Case] = field(default_factory=list[Case])
    loops: list[Loop] = field(default_factory=list[Loop])
    functions: set[str] = field(default_factory=set[str])
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def resolve(self, word: str) -> str:
        """Return a word with what the variable at its beginning was given."""
        name = re.match(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::?[-?][^}]*)?\})", word)
        if not name:
            return word
        return self.variables.get(name[1] or name[2], name.group()) + word[name.end() :]

    def is_argument(self, word: str, number: int) -> bool:
        """Tell whether a word is, or begins with, an argument of the script."""
        return re.match(rf"\$({number}\b|\{{{number}\b)", self.resolve(word)) is not None

    def is_foreign(self, text: str) -> bool:
        """Tell whether a text has an argument of the script, or a variable made of these or of standard input."""
        return bool(_names(text) & (_ARGUMENTS | self._foreign))

    @cached_property
    def _foreign(self) -> set[str]:
        """The variables that the host has a say in."""
        found: set[str] = set()
        for word in self.words:
            name, _, given = word.text.partition("=")
            inner = [text for _, text in word.nested]
            used = _names("\n".join([given, *inner]))
            if given and (used & (_ARGUMENTS | found) or any(map(_INPUT.search, inner))):
                found.add(name)
        return found

    def compared(self, subject: str, pattern: str, number: int) -> str:
        """Return what a pattern says of an argument of the script, as of ``$2`` in ``"$1/$2"``; empty if nothing."""
        if pattern == "*":
            return (
                pattern if any(self.is_argument(each.group(), number) for each in _VARIABLE.finditer(subject)) else ""
            )
        variables = [match.group() for match in _VARIABLE.finditer(subject)]
        between = re.split(r"\$(?:\w+|\{[^}]*\})", subject)[1:-1]
        if len({*between}) > 1 or between[:1] == [""]:
            return ""
        values = pattern.split(between[0]) if between else [pattern]
        if len(values) != len(variables):  # a * may stand for several
            values = values[: next((at for at, value in enumerate(values) if "*" in value), len(values))]
        return next((value for name, value in zip(variables, values) if self.is_argument(name, number)), "")

    def tests(self) -> Iterator[Case]:
        """Yield all comparisons."""
        yield from self.cases
        for command, following in zip(self.commands, [*self.commands[1:], None]):
            for left, operator, right in zip(command.words, command.words[1:], command.words[2:]):
                if operator in _COMPARISONS:
                    ways = {"&&", ""} if operator == "!=" else {"||"}
                    guards = following is not None and following.words in _WELL and following.joined in ways
                    yield Case(command.line, left, self.resolve(right), guards)

    def ops(self, command: Command) -> frozenset[str]:
        """Return the operations at which a command may run, judged by who calls its function too."""
        return command.ops & self._reached.get(command.function, frozenset())

    def speaks(self, command: Command) -> bool:
        """Tell whether what a command writes comes to the host."""
        return not command.output and self.is_heard(command.function)

    def is_heard(self, function: str) -> bool:
        """Tell whether what a function writes comes to the host, at some call of it."""
        return _HEARD in self._reached.get(function, ())

    @cached_property
    def _reached(self) -> dict[str, frozenset[str]]:
        """For each function, at which operations it runs, and whether it is heard; functions may call each other."""
        calls = [each for each in self.commands if each.words[0] in self.functions]
        reached = {"": ALL_OPS | {_HEARD}, **dict.fromkeys(self.functions, frozenset[str]())}
        before: dict[str, frozenset[str]] = {}
        while before != reached:
            before = dict(reached)
            for call in reversed(calls):  # most scripts define what they call before
                heard = frozenset[str]() if call.output else {_HEARD}
                reached[call.words[0]] |= reached[call.function] & (call.ops | heard)
        return reached


def _names(text: str) -> set[str]:
    """Return the names of the variables in a text."""
    return set(re.findall(r"\$\{?([A-Za-z_]\w*|[0-9@*])", text))
