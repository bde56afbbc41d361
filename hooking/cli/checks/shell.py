"""What goes wrong in hooks that are written for a shell."""

from __future__ import annotations

import re
import shutil
import subprocess

from hooking.cli.checks import programs
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.shell_commands import Command, Program, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.script import Script

_SPEAKERS = {"echo", "printf"}
_LOGGERS = {*_SPEAKERS, "logger", "systemd-cat"}
_COMPARISONS = {"=", "==", "!="}
_NO_WORDS = re.compile(r"\$\{[^}]*\}|\$\(\)|\$\w+|%\w|\\\w")
_NAME = re.compile(r"(?!-$)[\w.+-]+$")
_HEAD_OF_ERROR = re.compile(r".*?\bline (\d+): *(.*)|[^:]*: (\d+): *(.*)")


def check(script: Script) -> Iterator[Finding]:
    """Check a script that some shell runs."""
    if error := _syntax_error(script):
        yield error
        return
    program = parse(script.text)
    for command in program.commands:
        yield from check_command(command, program, script)
    yield from _guests(program, script)


def check_command(command: Command, program: Program, script: Script) -> Iterator[Finding]:
    """Check one command, be it of a script or of a text that Python hands to a shell."""
    words = [program.resolve(word) for word in command.words]
    name = "".join(programs.program(words)[:1])
    if name in {"python", "python2", "python2.7"}:
        yield Finding("H105", command.line, f"it calls {name}")
    if script.under_libvirt and not (command.background and _is_silent(command)):
        yield from _calls(words, command, program)
    yield from _speech(name, command, program, script)
    if command.background and not _is_silent(command) and _reaches_host(command, program) and not _waits(program):
        yield Finding("H204", command.line, " ".join([*command.words[:3], "&"]))
    if script.under_libvirt and name not in _LOGGERS and any(map(programs.CONFIGURATION.match, words[1:])):
        yield Finding("H205", command.line, next(filter(programs.CONFIGURATION.match, words[1:])))
    yield from _secrets(name, command, program, script)


def _syntax_error(script: Script) -> Finding | None:
    """Let the script's own shell read it, without running anything."""
    shell = shutil.which(script.interpreter)
    if not shell or b"\r\n" in script.data:
        return None
    ended = subprocess.run(
        [shell, "-n"], input=script.data, capture_output=True, check=False, timeout=10, env={"LC_ALL": "C"}
    )
    if ended.returncode == 0:
        return None
    said = ended.stderr.decode("utf-8", "replace").strip().splitlines() or ["it cannot be read"]
    found = _HEAD_OF_ERROR.match(said[0])
    line, message = (found[1] or found[3], found[2] or found[4]) if found else ("1", said[0])
    return Finding("H111", int(line), message)


def _calls(words: list[str], command: Command, program: Program) -> Iterator[Finding]:
    if programs.calls_back(words):
        yield Finding("H201", command.line, " ".join(programs.program(words)[:2]))
    if programs.waits_for_network(words) and program.ops(command):
        yield Finding("H202", command.line, programs.program(words)[0])


def _speech(name: str, command: Command, program: Program, script: Script) -> Iterator[Finding]:
    """Find words that take the place of a document."""
    said = [word for word in command.words[1:] if not re.match(r"-[neE]+$", word)]
    if name not in _SPEAKERS or not said or not program.speaks(command):
        return
    rest = _NO_WORDS.sub("", " ".join(said))
    if rest.lstrip().startswith("<") or not re.search("[A-Za-z]", rest):
        return
    if ops := program.ops(command) & script.filter_ops:
        yield Finding("H203", command.line, f"{name} {said[0][:40]!r} at {', '.join(sorted(ops))}")


def _secrets(name: str, command: Command, program: Program, script: Script) -> Iterator[Finding]:
    target = program.resolve(command.output)
    to_log = bool(programs.LOG_FILE.search(target))
    words = command.words
    variables = re.findall(r"\$\{?(\w+)", " ".join(words[1:]))
    if name in _LOGGERS and any(map(programs.SECRET.search, variables)) and (to_log or target in {"", "2"}):
        yield Finding("H306", command.line, f"it logs ${next(filter(programs.SECRET.search, variables))}")
    elif words in (["env"], ["printenv"]) and (to_log or target == "|"):
        yield Finding("H306", command.line, "it logs the environment")
    elif _reads_document(name, command, to_log=to_log) and script.filter_ops & program.ops(command):
        yield Finding("H306", command.line, "it copies standard input, the guest's document with passwords")


def _reads_document(name: str, command: Command, *, to_log: bool) -> bool:
    files = [word for word in command.words[1:] if not word.startswith("-")]
    if command.input or command.output == "$()":
        return False
    return (name == "cat" and not files and to_log) or (name == "tee" and any(map(programs.LOG_FILE.search, files)))


def _guests(program: Program, script: Script) -> Iterator[Finding]:
    """Find names of guests, and what fails for all others."""
    if not script.under_libvirt:
        return
    for case in program.cases:
        if program.is_argument(case.subject, 1) and _NAME.match(case.pattern):
            yield Finding("H304", case.line, case.pattern)
    tested = False
    for command in program.commands:
        words = command.words
        if tested and command.joined == "||" and words[0] == "exit" and words[1:] not in ([], ["0"]):
            yield Finding("H305", command.line, " ".join(words))
        tested = False
        for left, operator, right in zip(words, words[1:], words[2:]):
            if operator in _COMPARISONS and program.is_argument(left, 1) and _NAME.match(program.resolve(right)):
                yield Finding("H304", command.line, program.resolve(right))
                tested = operator != "!="


def _reaches_host(command: Command, program: Program) -> bool:
    """Tell whether a command has the host's pipes, or at least some call of its function."""
    return not command.function or any(map(program.speaks, program.calls(command.function)))


def _is_silent(command: Command) -> bool:
    return bool(command.output) and command.errors


def _waits(program: Program) -> bool:
    return any(command.words[0] == "wait" for command in program.commands)
