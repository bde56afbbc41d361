"""What goes wrong in hooks that are written for a shell."""

from __future__ import annotations

import re
import shutil
import subprocess

from hooking.cli.checks import programs, shell_files, shell_logic
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.shell_commands import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.script import Script
    from hooking.cli.checks.shell_program import Command, Program

_SHELLS = {"sh", "bash", "dash"}
_SPEAKERS = {"echo", "printf"}
_LOGGERS = {*_SPEAKERS, "logger", "systemd-cat"}
_NO_WORDS = re.compile(r"\$\{[^}]*\}|\$\(\)|\$\w+|%\w|\\\w")
_HANDED = re.compile(r"\$([1-4](?!\d)|\{[1-4]\b|[@*])")
_HEAD_OF_ERROR = re.compile(r".*?\bline (\d+): *(.*)|[^:]*: (\d+): *(.*)")


def check(script: Script) -> Iterator[Finding]:
    """Check a script that some shell runs."""
    if error := _syntax_error(script):
        yield error
        return
    program = parse(script.text)
    for command in program.commands:
        yield from check_command(command, program, script)
    yield from shell_logic.check(program, script)


def check_command(command: Command, program: Program, script: Script) -> Iterator[Finding]:
    """Check one command, be it of a script or of a text that Python hands to a shell."""
    words = [program.resolve(word) for word in command.words]
    name = "".join(programs.program(words)[:1])
    if name in {"python", "python2", "python2.7"}:
        yield Finding("H105", command.line, f"it calls {name}")
    if not (command.background and _is_silent(command)):
        yield from _calls(words, command, program, script)
    yield from _speech(name, words, command, program, script)
    if command.background and not _is_silent(command) and program.is_heard(command.function) and not _waits(program):
        yield Finding("H204", command.line, " ".join([*command.words[:3], "&"]))
    yield from shell_files.check(name, words, command, program)
    yield from _code(name, words, command, program, script)
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


def _calls(words: list[str], command: Command, program: Program, script: Script) -> Iterator[Finding]:
    """Find programs that make the host wait, or harm it."""
    limited = not program.ops(command)
    for code, what in programs.faults(words, under_libvirt=script.under_libvirt, limited=limited):
        if code != "H207" or "DISPLAY" not in program.variables:
            yield Finding(code, command.line, what)
    name = "".join(programs.program(words)[:1])
    found = {each.words[0] for each in command.inner} & {"pgrep", "pidof"}
    if name == "kill" and (found or (words[0] == "xargs" and command.input == "|")):
        yield Finding("H210", command.line, " ".join(command.words[:3]))


def _speech(name: str, words: list[str], command: Command, program: Program, script: Script) -> Iterator[Finding]:
    """Find words that take the place of a document."""
    said = [word for word in command.words[1:] if not re.match(r"-[neE]+$", word)]
    ops = program.ops(command) & script.filter_ops
    if ops and program.speaks(command) and (programs.talks(words) or (name in _SPEAKERS and _is_speech(said))):
        yield Finding("H203", command.line, f"{' '.join([name, *said])[:40]!r} at {', '.join(sorted(ops))}")


def _is_speech(said: list[str]) -> bool:
    """Tell whether the arguments of ``echo`` are no document."""
    rest = _NO_WORDS.sub("", " ".join(said)).strip()
    return bool(rest) and not rest.startswith("<")


def _code(name: str, words: list[str], command: Command, program: Program, script: Script) -> Iterator[Finding]:
    """Find texts of the host that a shell reads as code, or as several words."""
    code = inner_script(words) or (words[1:] if name == "eval" else [])
    bare = [word for word in command.bare if _HANDED.match(word) or re.search(r"/\$\{?1\b", word)]
    written = inner_script(command.words) or (command.words[1:] if name == "eval" else [])
    if any(map(program.is_foreign, [*code, *written])) or (name in shell_files.CHANGERS and bare):
        yield Finding("H307", command.line, " ".join(command.words[:3]))
    for text in code if name != "eval" else ():
        inner = parse(text)
        for each in inner.commands:
            for finding in _calls(each.words, each, inner, script):
                yield Finding(finding.code, command.line, finding.what)


def inner_script(words: list[str]) -> list[str]:
    """Return what a command hands to another shell as its script, as ``sh -c`` does."""
    rest = programs.program(words)
    return rest[rest.index("-c") + 1 :][:1] if rest[:1] and rest[0] in _SHELLS and "-c" in rest else []


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
    if name == "logger":
        return any(map(shell_logic.reads_input, command.inner))
    if command.input or command.output == "$()":
        return False
    return (name == "cat" and not files and to_log) or (name == "tee" and any(map(programs.LOG_FILE.search, files)))


def _is_silent(command: Command) -> bool:
    return bool(command.output) and command.errors


def _waits(program: Program) -> bool:
    return any(command.words[0] == "wait" for command in program.commands)
