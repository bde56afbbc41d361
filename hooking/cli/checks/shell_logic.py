"""What goes wrong in hooks for a shell that no single command tells."""

from __future__ import annotations

import re

from hooking import points
from hooking.cli.checks import programs
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.shell_program import ALL_OPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.script import Script
    from hooking.cli.checks.shell_program import Command, Program

_NAME = re.compile(r"(?!-$)[\w.+-]+$")
_OP = re.compile(r"[A-Za-z]+([_-][A-Za-z]+)*$")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_LOOKS_AT_OP = re.compile(r"\$(\{?[2@*]|\{@)|\bshift\b")
_COUNTS = re.compile(r"\s-(lt|le|gt|ge)\s|\(\(|\b(SECONDS|EPOCH\w+|let|expr|seq|timeout)\b|%s")
_READERS = {"cat", "tr", "base64"}
_PROBES = {"[", "[[", "curl", "nc", "pgrep", "ping", "test"}
_BASHISMS = re.compile(r"\$\{\w+(//?|\^|,|:\d|@)|\$\{!")
_BASH_COMMANDS = {"[[", "((", "source", "declare", "let", "shopt", "mapfile", "readarray", "pushd", "popd"}


def check(program: Program, script: Script) -> Iterator[Finding]:
    """Check what a script does as a whole."""
    yield from _loops(program, script)
    yield from _variables(program, script)
    if script.interpreter in {"sh", "dash"}:
        yield from _bashisms(program)
    yield from _endings(program)
    if program.functions and not any(not each.function and each.words[0] != "set" for each in program.commands):
        yield Finding("H310", 1, f"{', '.join(sorted(program.functions))}: called nowhere")
    if script.under_vdsm:
        yield from _status(program, script)
    if script.under_libvirt:
        yield from _guests(program, script)
        yield from _operations(program, script)
        yield from _others(program)
        yield from _searches(program)
        yield from _configuration(program, script)
        yield from _rules(program)
    if not script.has_input:
        for command in filter(reads_input, program.commands):
            yield Finding("H303", command.line, f"{command.words[0]} reads standard input, which is empty")


def reads_input(command: Command) -> bool:
    """Tell whether a command reads the standard input that the host gives."""
    files = [word for word in command.words[1:] if not word.startswith("-")]
    name = command.words[0]
    return name in _READERS and not command.input and (name == "tr" or not files)


def _loops(program: Program, script: Script) -> Iterator[Finding]:
    """Find loops that sleep until something comes true, however long."""
    lines = script.text.splitlines()
    for loop in program.loops:
        names = {command.words[0] for command in loop.commands}
        last = max((command.line for command in loop.commands), default=loop.line)
        counts = _COUNTS.search("\n".join(lines[loop.line - 1 : last]))
        waits = "sleep" in names or (names & {":", "true"} and names & _PROBES)
        if waits and not counts and not names & {"read", "wait"}:
            yield Finding("H206", loop.line, "it goes on until something comes true")


def _variables(program: Program, script: Script) -> Iterator[Finding]:
    """Find variables that the daemon has not set."""
    own = {word.text.partition("=")[0] for word in program.words}
    for word in program.words if script.under_libvirt else ():
        for plain, braced in re.findall(r"\$(\w+)|\$\{(\w+)\}", word.text):
            name = plain or braced
            if programs.LACKING.match(name) and name not in own:
                yield Finding("H207", word.line, f"${name}")


def _configuration(program: Program, script: Script) -> Iterator[Finding]:
    """Find the files of libvirt itself."""
    given = [(command.line, command.input) for command in program.commands]
    for line, text in [*given, *((word.line, re.sub(r"^\w+=", "", word.text)) for word in program.words)]:
        path = program.resolve(text)
        if programs.CONFIGURATION.match(path) and " " not in path and not script.is_for_daemon:
            yield Finding("H205", line, path)


def _bashisms(program: Program) -> Iterator[Finding]:
    """Find what other shells do not know."""
    for command in program.commands:
        name = command.words[0]
        if name in _BASH_COMMANDS or (name == "[" and "==" in command.words):
            yield Finding("H114", command.line, " ".join(command.words[:3]))
    for word in program.words:
        if _BASHISMS.search(word.text):
            yield Finding("H114", word.line, word.text)


def _endings(program: Program) -> Iterator[Finding]:
    """Find what stands behind the end, and ends that hide how it went."""
    for command, following in zip(program.commands, program.commands[1:]):
        ends = command.words[0] == "exit" and not command.joined and not command.depth
        if ends and not following.function:
            yield Finding("H310", following.line, "the script has ended before")
    for command in program.commands:
        if (
            command.words[0] == "trap"
            and re.match(r"exit( 0)?$", command.words[1])
            and {"EXIT", "0"} & {*command.words[2:]}
        ):
            yield Finding("H301", command.line, " ".join(command.words))


def _status(program: Program, script: Script) -> Iterator[Finding]:
    """Find a status that keeps others from running where it can stop nothing else."""
    if script.sure and all(point.failure == "ignored" for point in script.points):
        for command in program.commands:
            if command.words == ["exit", "2"]:
                yield Finding("H303", command.line, "status 2 stops nothing here but the scripts behind this one")


def _guests(program: Program, script: Script) -> Iterator[Finding]:
    """Find names of guests."""
    if any(point.document == "domain" for point in script.points):
        for case in program.tests():
            name = program.compared(case.subject, case.pattern, 1)
            if (_NAME.match(name) and not case.guards) or _UUID.match(case.pattern):
                yield Finding("H304", case.line, name or case.pattern)


def _operations(program: Program, script: Script) -> Iterator[Finding]:
    """Find operations that are none, or come otherwise, and scripts that do not ask for theirs."""
    rows = [point for point in points.all_points() if point.driver in {each.driver for each in script.points}]
    for case in program.tests():
        op, subop = (program.compared(case.subject, case.pattern, number) for number in (2, 3))
        known = [point for point in rows if point.op == op]
        others = {program.compared(case.subject, other, 2) for other in case.others}
        if _OP.match(op) and op not in ALL_OPS:
            yield Finding("H302", case.line, points.misspelt(script.points[0].driver, op))
        elif known and all(point.absent for point in known):
            if not any(point.op in others and not point.absent for point in rows):
                yield Finding("H302", case.line, f"{known[0].name}: {known[0].absent}")
        elif known and _OP.match(subop) and subop not in {point.subop for point in known}:
            yield Finding("H302", case.line, f"{op} comes with {known[0].subop}, not with {subop}")
    if script.sure and not script.is_for_daemon and not _LOOKS_AT_OP.search(script.text):
        for command in program.commands:
            if programs.changes(command.words) or re.match(r"/(?!dev/)|\$\w", command.output):
                yield Finding("H309", command.line, " ".join(command.words[:3]))
                break


def _others(program: Program) -> Iterator[Finding]:
    """Find what fails for guests and operations that are not meant."""
    tests = {case.line: case for case in program.tests()}
    for command, before in zip(program.commands, [None, *program.commands]):
        if command.words[0] != "exit" or command.words[1:] in ([], ["0"]):
            continue
        case = tests.get(before.line) if before and command.joined == "||" else None
        about = [case and program.compared(case.subject, case.pattern, number) for number in (1, 2)]
        ops = program.ops(command)
        if command.otherwise or any(about) or (ops != ALL_OPS and "reconnect" in ops):
            yield Finding("H305", command.line, " ".join(command.words))


def _searches(program: Program) -> Iterator[Finding]:
    """Find searches for a guest that end the script where it is not found, by ``set -e``."""
    if not any(each.words[0] == "set" and re.match(r"-\w*e", "".join(each.words[1:2])) for each in program.commands):
        return
    for command in program.commands:
        counts = not command.depth and command.after in {"\n", ";"}
        if counts and command.words[0] == "grep" and any(map(program.is_foreign, command.words)):
            yield Finding("H305", command.line, f"{' '.join(command.words[:3])} under set -e")


def _rules(program: Program) -> Iterator[Finding]:
    """Find rules of the firewall that nobody asks for before they are added."""
    found = [(programs.rule(command.words), program.ops(command), command) for command in program.commands]
    if any(does == "check" or (does in programs.CLEARING and "reconnect" in ops) for does, ops, _ in found):
        return
    for does, ops, command in found:
        if does == "add" and "reconnect" in ops and len(ops) > 1:
            yield Finding("H311", command.line, " ".join(command.words[:4]))
