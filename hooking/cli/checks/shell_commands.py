"""Shell scripts as commands, each with what it is told of: where its output goes, and for which operations it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hooking.cli.checks.shell_program import ALL_OPS, Case, Command, Loop, Program
from hooking.cli.checks.shell_words import Lexer, Operator, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_OPENERS = {"if": "fi", "while": "done", "until": "done", "for": "done", "select": "done", "case": "esac", "{": "}"}
_OPENERS["("] = ")"
_WITH_LIST = {"for", "case", "select"}
_MIDDLE = {"then", "do", "else", "elif", "!", "time"}
_SEPARATORS = {"\n", ";", "&", "&&", "||", "|", "|&", ";;", ";&", ";;&", "(", ")"}
_ENDINGS = {"exit", "return"}
_GIVEN = re.compile(r"(?:(?:local|export|readonly|declare|typeset|-\w+)\Z|([A-Za-z_]\w*)=(.*)\Z)", re.DOTALL)


@dataclass
class _Frame:
    """A compound command that is not yet closed."""

    end: str
    start: int
    ops: frozenset[str]
    outer: frozenset[str]
    line: int = 0
    loop: bool = False
    function: str = ""
    subject: str = ""
    exact: bool = True
    sure: bool = True
    condition: bool = False
    pattern: bool = False
    seen: frozenset[str] = frozenset()
    others: frozenset[str] = ALL_OPS
    otherwise: bool = False
    cases: list[Case] = field(default_factory=list[Case])


def parse(text: str) -> Program:
    """Return the commands of a script."""
    program = Program()
    _Parser(program, Lexer(text).tokens(), ALL_OPS, "").run()
    return program


class _Parser:
    """Finds the commands among tokens.

    Of a chain (``a && b || c``) it keeps for which operations the next command may run, and what is known of the
    operation if the chain so far is true.
    """

    def __init__(
        self, program: Program, tokens: Iterable[Word | Operator], ops: frozenset[str], function: str, output: str = ""
    ) -> None:
        self._program, self._tokens = program, list(tokens)
        self._output, self._errors = output, False
        self._frames = [_Frame("", 0, ops, ops, function=function)]
        self._function = ""
        self._begin_chain()

    def _begin_chain(self) -> None:
        self._next = self._true = ALL_OPS
        self._exact, self._negated, self._joined = True, False, ""

    def run(self) -> None:
        """Put all commands into the program."""
        at = 0
        while at < len(self._tokens):
            if self._frames[-1].pattern and self._tokens[at].text != "esac":
                at = at + 1 if self._tokens[at].text == "\n" else self._take_patterns(at)
                continue
            segment, separator, at = self._segment(at)
            self._take(segment, separator)

    def _segment(self, at: int) -> tuple[list[Word | Operator], str, int]:
        """Return the tokens of a simple command, what ends it, and where the next one begins."""
        segment: list[Word | Operator] = []
        for at in range(at, len(self._tokens)):  # noqa: B020, PLR1704 - it goes on from there
            token = self._tokens[at]
            if isinstance(token, Word) or token.text not in _SEPARATORS:
                segment.append(token)
                if [each.text for each in segment[-3::2]] == ["case", "in"]:
                    return segment, "\n", at + 1
            elif token.text == "(":
                if segment and self._tokens[at + 1 : at + 2] and self._tokens[at + 1].text == ")":
                    return [Word(token.line, "function"), segment[-1]], "\n", at + 2
                if not segment:
                    segment.append(Word(token.line, "("))
            elif token.text == ")":
                if segment:
                    return segment, ";", at
                segment.append(Word(token.line, ")"))
            else:
                return segment, token.text, at + 1
        return segment, "\n", len(self._tokens)

    def _take_patterns(self, at: int) -> int:
        """Take the patterns of a case up to ``)``; return where its commands begin."""
        frame = self._frames[-1]
        words: list[Word] = []
        while at < len(self._tokens) and not (words and self._tokens[at].text == ")"):
            token = self._tokens[at]
            words += [token] if isinstance(token, Word) else []
            at += 1
        patterns = [word.text for word in words]
        branch = [Case(word.line, frame.subject, word.text, others=patterns) for word in words]
        frame.cases += branch
        self._program.cases += branch
        frame.pattern, frame.ops = False, frame.outer
        given = [self._program.compared(frame.subject, pattern, 2) for pattern in patterns]
        if all(given):
            ops = frozenset[str]().union(*map(_ops_like, given))
            frame.ops = frame.outer & (ALL_OPS - frame.seen if ops == ALL_OPS else ops)
            if self._program.is_argument(frame.subject, 2):
                frame.seen |= ops
        if patterns == ["*"]:
            frame.otherwise = True
            ends = [token.text for token in self._tokens[at + 1 : at + 4] if token.text != "\n"][:2]
            for case in frame.cases if ends in (["exit", "0"], ["exit", ";;"]) else ():
                case.guards = True
        self._begin_chain()
        return at + 1

    def _take(self, segment: list[Word | Operator], separator: str) -> None:
        words, redirects = _redirects(segment)
        if not words and "input" in redirects:  # $(< file)
            self._program.words.append(Word(segment[0].line, redirects["input"]))
        step = 1
        while words and step:
            step = self._keyword(words, redirects, separator)
            words = words[step:]
        if words:
            self._command(words, redirects, separator)
        self._after([word.text for word in words], separator)

    def _keyword(self, words: list[Word], redirects: dict[str, str], separator: str) -> int:
        """Take a reserved word at the beginning of a command; return how many words are done with."""
        first, frame = words[0].text, self._frames[-1]
        if first == "function" and len(words) > 1:
            self._function = words[1].text
            self._program.functions.add(self._function)
            return 2
        if first in _MIDDLE:
            self._middle(first, frame)
            return 1
        if first and first == frame.end:
            self._close(redirects, separator)
            return len(words)
        if first not in _OPENERS:
            return 0
        self._open(words)
        return len(words) if first in _WITH_LIST else 1

    def _middle(self, word: str, frame: _Frame) -> None:
        if word == "!":
            self._negated = not self._negated
            return
        if word in {"else", "elif"}:
            frame.ops = frame.outer - frame.ops if frame.exact else frame.outer
            frame.outer, frame.sure, frame.exact = frame.ops, frame.sure and frame.exact, True
        frame.condition = word == "elif"
        self._begin_chain()

    def _open(self, words: list[Word]) -> None:
        first, outer = words[0].text, self._frames[-1]
        for word in words[1:] if first in _WITH_LIST else ():
            self._substitutions(word)
        ops = ALL_OPS if self._function else outer.ops & self._next
        frame = _Frame(_OPENERS[first], len(self._program.commands), ops, ops, words[0].line)
        frame.function, self._function = self._function or outer.function, ""
        frame.subject = words[1].text if first == "case" and len(words) > 1 else ""
        frame.pattern, frame.condition = first == "case", first in {"if", "while", "until"}
        frame.loop, frame.otherwise = first in {"while", "until"}, outer.otherwise and not self._function
        frame.others = self._true if self._joined == "||" else ALL_OPS
        self._frames.append(frame)
        self._begin_chain()

    def _close(self, redirects: dict[str, str], separator: str) -> None:
        frame = self._frames.pop()
        inner = self._program.commands[frame.start :]
        if inner and inner[-1].words[0] in _ENDINGS and inner[-1].function == self._frames[-1].function:
            if frame.end == "fi" and frame.exact and frame.sure and inner[-1].ops == frame.ops:
                self._frames[-1].ops -= frame.ops
            elif frame.end == "}":
                self._frames[-1].ops &= frame.others
        if frame.loop and separator != "&":
            self._program.loops.append(Loop(frame.line, inner))
        self._redirect(inner, redirects, separator)
        if separator == "&":
            whole = Command(frame.line, [f"… {frame.end}"], frame.ops, self._frames[-1].function, background=True)
            self._redirect([whole], redirects, separator)
            self._program.commands.append(whole)

    def _redirect(self, commands: list[Command], redirects: dict[str, str], separator: str) -> None:
        piped = "|" if separator in {"|", "|&"} else ""
        for command in commands:
            command.output = command.output or redirects.get("output", "") or piped or self._output
            command.errors = command.errors or "errors" in redirects or self._errors
            command.input = command.input or redirects.get("input", "") or ("|" if self._joined in {"|", "|&"} else "")

    def _command(self, words: list[Word], redirects: dict[str, str], separator: str) -> None:
        frame = self._frames[-1]
        start = len(self._program.commands)
        for word in words:
            self._substitutions(word)
        inner = self._program.commands[start:]
        texts = [word.text for word in words]
        while texts and (given := _GIVEN.match(texts[0])):
            if given[1]:
                self._program.variables.setdefault(given[1], self._program.resolve(given[2]))
            texts.pop(0)
        if not texts:
            return
        if texts == ["exec"]:  # from here on everything goes there
            self._output = redirects.get("output", self._output)
            self._errors = self._errors or "errors" in redirects
        command = Command(words[0].line, texts, frame.ops & self._next, frame.function, joined=self._joined)
        command.background, command.otherwise, command.inner = separator == "&", frame.otherwise, inner
        command.after = "!" if self._negated else separator
        command.depth = len(self._frames) - 1 + bool(self._output == "$()")
        command.bare = [word.text for word in words if word.bare]
        self._redirect([command], redirects, separator)
        self._program.commands.append(command)

    def _substitutions(self, word: Word) -> None:
        frame = self._frames[-1]
        self._program.words.append(word)
        for line, text in word.nested:
            _Parser(self._program, Lexer(text, line).tokens(), frame.ops & self._next, frame.function, "$()").run()

    def _after(self, texts: list[str], separator: str) -> None:
        """Learn from a command what is known of the operation behind it."""
        frame = self._frames[-1]
        if texts:
            tested = self._tested(texts)
            if frame.condition:
                frame.exact = frame.exact and tested is not None
                frame.ops = self._joint(frame.ops, frame.outer, tested)
            else:
                self._learn(frame, texts[0], tested, separator)
        if separator in {"&&", "||", "|", "|&"}:
            self._joined, self._negated = separator, False
        else:
            self._begin_chain()
        if separator in {";;", ";&", ";;&"} and frame.end == "esac":
            frame.pattern, frame.ops = True, frame.outer

    def _learn(self, frame: _Frame, first: str, tested: frozenset[str] | None, separator: str) -> None:
        if first in _ENDINGS and self._joined == "||":
            frame.ops &= self._true
        elif first in _ENDINGS and self._joined == "&&" and self._exact:
            frame.ops -= self._next
        self._true = self._joint(self._true, ALL_OPS, tested)
        self._exact = self._exact and tested is not None
        if separator == "&&":
            self._next = self._true
        elif separator == "||":
            self._next = ALL_OPS - self._true if self._exact else ALL_OPS

    def _joint(self, so_far: frozenset[str], outer: frozenset[str], tested: frozenset[str] | None) -> frozenset[str]:
        known = outer if tested is None else outer & tested
        return so_far | known if self._joined == "||" else so_far & known

    def _tested(self, texts: list[str]) -> frozenset[str] | None:
        """Return the operations for which a test is true, if it is one about them."""
        for left, operator, right in zip(texts, texts[1:], texts[2:]):
            compared = self._program.compared(left, right, 2) if operator in {"=", "==", "!="} else ""
            given = _ops_like(compared) if compared else ALL_OPS
            if given != ALL_OPS:
                return given if (operator != "!=") != self._negated else ALL_OPS - given
        return None


def _ops_like(pattern: str) -> frozenset[str]:
    name = re.match(r"[a-z-]+", pattern)
    if not name or name.group() not in ALL_OPS or pattern[name.end() : name.end() + 1] in {"*", "?", "["}:
        return ALL_OPS
    return frozenset({name.group()})


def _redirects(segment: list[Word | Operator]) -> tuple[list[Word], dict[str, str]]:
    """Part a command from its redirections."""
    words: list[Word] = []
    redirects: dict[str, str] = {}
    operator = ""
    for token in segment:
        if isinstance(token, Operator):
            operator = token.text
            continue
        if operator:
            _redirect(operator, token.text, redirects)
        else:
            words.append(token)
        operator = ""
    return words, redirects


def _redirect(operator: str, target: str, redirects: dict[str, str]) -> None:
    sign = operator.lstrip("0123456789")
    number = operator[: -len(sign)] if sign != operator else ""
    if sign.startswith("<"):
        redirects["input"] = target if sign == "<" else "<<"
    elif sign in {"&>", "&>>"} or (sign == ">&" and not number and not re.fullmatch(r"\d|-", target)):
        redirects["output"] = redirects["errors"] = target
    elif number == "2":
        if not (target == "1" and "output" not in redirects):
            redirects["errors"] = target
    elif number in {"", "1"}:
        redirects["output"] = target
