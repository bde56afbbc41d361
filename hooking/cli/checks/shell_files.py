"""Files that a shell script takes for what they are not."""

from __future__ import annotations

import re

from hooking.cli.checks import programs
from hooking.cli.checks.findings import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.shell_program import Command, Program

CHANGERS = {"rm", "mv", "cp", "ln", "chown", "chgrp", "chmod", "mkdir", "rmdir", "touch", "install"}
"""Programs that change files."""

_INTERPRETERS = {"sh", "bash", "python3", "perl", "source", "."}
_READERS = {"cat", "head", "tail", "touch", "mkdir", "rm", "wc"}
_RELATIVE = re.compile(r"\.{1,2}/|\w[\w.-]*(/|$)")
_OF_A_USER = re.compile(r"/home/|~|\$\{?HOME\b")
_FETCHERS = {"curl", "wget"}
_ALL_BELOW = re.compile(r"\$\{?([A-Za-z_]\w*)\}?/\*?$")
_UNKNOWN = re.compile(r"/\*?$|\$[({A-Za-z_]")
_DOCUMENT = re.compile(r"\$\{?_hook_(domxml|json)\b")


def check(name: str, words: list[str], command: Command, program: Program) -> Iterator[Finding]:
    """Check the files of a command."""
    output, given = program.resolve(command.output), program.resolve(command.input)
    named = [word for word in words[1:] if not word.startswith("-")]
    started = [words[0], *(named[:1] if name in _INTERPRETERS and "-c" not in words else [])]
    written = named if name in CHANGERS - {"rm", "rmdir"} or name == "tee" else []
    public = next(filter(programs.FOR_ALL.match, [output, given, *written, *started]), "")
    if public:
        yield Finding("H308", command.line, public)
    yield from _foreign_code(name, words, started, command, program)
    if name == "rm" and any(re.match(r"-\w*[rR]|--recursive", word) for word in words):
        for word in filter(_ALL_BELOW.match, command.words):
            if _UNKNOWN.match(program.resolve(word)) and not _is_sure(_ALL_BELOW.sub(r"\1", word), program):
                yield Finding("H314", command.line, " ".join(command.words))
    tested = [
        right for left, right in zip(words, words[1:]) if words[0] in {"[", "[["} and re.match("-[efrsdx]$", left)
    ]
    files = [*started[1:], given, "" if output.isdigit() else output, *tested, *(named if name in _READERS else [])]
    files = [file for file in files if _RELATIVE.match(file) and not file.isdigit()]
    files += [words[0]] if re.match(r"\.{1,2}/", words[0]) else []
    if files and not any(each.words[0] in {"cd", "pushd"} for each in program.commands):
        yield Finding("H208", command.line, files[0])
    target = named[-1] if name == "tee" and named else output
    same = re.match(r"/(?!dev/)|\$\w", command.output) and command.output in {*command.words[1:], command.input}
    unsafe = _DOCUMENT.match(target) and name not in {"cat", "echo", "printf"}
    if same or unsafe:
        yield Finding("H312", command.line, f"{name} … > {command.output}")


def _foreign_code(
    name: str, words: list[str], started: list[str], command: Command, program: Program
) -> Iterator[Finding]:
    """Find scripts that somebody else may change: a user of this host, or whoever answers at an address."""
    if users := next(filter(_OF_A_USER.match, started), ""):
        yield Finding("H315", command.line, users)
    options = programs.program(words)[1:]
    given = [word for word in options if not word.startswith("-")]
    if name not in {*_INTERPRETERS, "eval"}:
        return
    sources = command.inner if given[:1] == ["$()"] else []
    if command.input == "|" and (not given or "-s" in options):
        sources = [before for before, each in zip(program.commands, program.commands[1:]) if each is command]
    if any(each.words[0] in _FETCHERS for each in sources):
        yield Finding("H315", command.line, f"{name} runs what comes over the network")


def _is_sure(name: str, program: Program) -> bool:
    """Tell whether a script looks whether a variable is empty, or the shell or a loop does."""
    looks = re.compile(rf"\$\{{?{name}\b")
    return any(
        (command.words[0] == "set" and re.match(r"-\w*[eu]", "".join(command.words[1:2])))
        or (command.words[0] in {"[", "[[", "test"} and any(map(looks.match, command.words)))
        for command in program.commands
    ) or any(word.text == name or f"${{{name}:?" in word.text for word in program.words)
