"""Shell scripts as words and operators: comments, quotes, substitutions and here-documents are known."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_OPERATOR = re.compile(r"\n|;;&|;&|;;|&&|\|\||\|&|&>>|&>|[0-9]*(?:<<<|<<-?|>>|>&|<&|>\||<>|<(?!\()|>(?!\())|[;&|()]")
_PLAIN = re.compile(r"[^\s;&|()<>'\"\\$`]+")
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*|[0-9@*#?$!-])")
_QUOTED_DOLLAR = "\0"
"""Stands for ``$`` where the shell takes it as it is."""


@dataclass
class Word:
    """A word, its quotes taken away.

    Attributes:
        line: Where it begins.
        text: What it says; a variable as it is written.
        nested: The commands in it (``$(…)``), each with its line.
        bare: Whether it has a variable that is not between quotes.
    """

    line: int
    text: str = ""
    nested: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    bare: bool = False


@dataclass(frozen=True)
class Operator:
    """An operator: ``;``, ``&&``, ``>``, or the end of a line."""

    line: int
    text: str


class Lexer:
    """Takes a script apart.

    Args:
        text: The script.
        line: The number of its first line.
    """

    def __init__(self, text: str, line: int = 1) -> None:
        self._text, self._at = text, 0
        self._counted, self._lines = 0, line
        self._documents: list[tuple[str, bool]] = []

    def tokens(self) -> Iterator[Word | Operator]:
        """Yield the words and operators."""
        awaits_mark = ""
        while self._skip_space():
            found = _OPERATOR.match(self._text, self._at)
            if not found:
                word = self._word()
                if awaits_mark:
                    self._documents.append((word.text, awaits_mark.endswith("-")))
                awaits_mark = ""
                yield word
                continue
            line, operator = self._line, found.group()
            self._at = found.end()
            awaits_mark = operator if operator.lstrip("0123456789") in {"<<", "<<-"} else ""
            if operator == "\n":
                self._skip_documents()
            yield Operator(line, operator)

    @property
    def _line(self) -> int:
        self._lines += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._lines

    def _skip_space(self) -> bool:
        """Go to the next token; tell whether there is one."""
        space = re.compile(r"(?:[^\S\n]|\\\n)*(?:#[^\n]*)?")
        found = space.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _skip_documents(self) -> None:
        for mark, tabs in self._documents:
            while self._at < len(self._text):
                line = self._until("\n", self._at)
                if (line.lstrip("\t") if tabs else line) == mark:
                    break
        self._documents = []

    def _word(self) -> Word:
        word = Word(self._line)
        while self._at < len(self._text):
            character = self._text[self._at]
            plain = _PLAIN.match(self._text, self._at)
            if plain:
                word.text += plain.group()
                self._at = plain.end()
            elif character == "'":
                word.text += self._until("'", self._at + 1).replace("$", _QUOTED_DOLLAR)
            elif character == '"':
                self._at += 1
                self._double_quoted(word)
            elif character in "\\$`":
                word.bare = word.bare or character == "$"
                self._special(word)
            elif character in "<>" and self._text[self._at + 1 : self._at + 2] == "(":
                self._at += 1
                self._nested(word)
            elif character == "(" and word.text.endswith("="):
                self._parenthesised()
            else:
                break
        return word

    def _until(self, end: str, begin: int) -> str:
        stop = self._text.find(end, begin)
        stop = len(self._text) if stop < 0 else stop
        self._at = stop + 1
        return self._text[begin:stop]

    def _double_quoted(self, word: Word) -> None:
        while self._at < len(self._text) and self._text[self._at] != '"':
            after = self._text[self._at + 1 : self._at + 2]
            if self._text[self._at] in "$`" or (self._text[self._at] == "\\" and after in '$`"\\\n'):
                self._special(word)
            else:
                word.text += self._text[self._at]
                self._at += 1
        self._at += 1

    def _special(self, word: Word) -> None:
        """Take what begins with a backslash, a dollar or a backquote."""
        character, after = self._text[self._at], self._text[self._at + 1 : self._at + 2]
        variable = _VARIABLE.match(self._text, self._at)
        if character == "\\":
            word.text += after.replace("$", _QUOTED_DOLLAR).replace("\n", "")
            self._at += 2
        elif character == "`":
            line = self._line
            word.nested.append((line, self._until("`", self._at + 1)))
            word.text += "$()"
        elif variable:
            word.text += variable.group()
            self._at = variable.end()
        elif self._text.startswith("$((", self._at):
            self._at += 1
            self._parenthesised()
            word.text += "$()"
        elif after == "(":
            self._at += 1
            self._nested(word)
        elif after == "{":
            word.text += "${" + self._until("}", self._at + 2) + "}"
        else:
            word.text += character
            self._at += 1

    def _nested(self, word: Word) -> None:
        line = self._line
        word.nested.append((line, self._parenthesised()))
        word.text += "$()"

    def _parenthesised(self) -> str:
        """Go behind the closing parenthesis; return what lies between, as text."""
        begin, depth = self._at + 1, 0
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == "'":
                self._until("'", self._at)
            elif character == '"':
                self._double_quoted(Word(0))
            elif character == "\\":
                self._at += 1
            elif character in "()":
                depth += 1 if character == "(" else -1
                if not depth:
                    break
        return self._text[begin : self._at - 1]
