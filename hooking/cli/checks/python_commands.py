"""Programs and other hosts that a Python script calls."""

from __future__ import annotations

import ast

from hooking.cli.checks import programs
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.python_words import at_answer
from hooking.cli.checks.shell import check_command, inner_script
from hooking.cli.checks.shell_commands import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.python_names import Module
    from hooking.cli.checks.script import Script

_IN_SHELL = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
_RUNNERS = {
    *_IN_SHELL,
    *(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")),
    "hooking.run_command",
    "hooking.execCmd",
}
_INHERITING = {f"subprocess.{name}" for name in ("run", "call", "check_call")}
_EVALUATORS = {"eval", "exec", "pickle.load", "pickle.loads", "yaml.load", "importlib.import_module", "__import__"}
_OF_SHELL = {"H105", "H201", "H202", "H204", "H205", "H206", "H208", "H209", "H210", "H308", "H314", "H315"}
_REQUESTS = {f"requests.{name}" for name in ("get", "post", "put", "patch", "delete", "head", "request")}
_SOCKETS = {
    "urllib.request.urlopen": 3,
    "socket.create_connection": 2,
    "http.client.HTTPConnection": 3,
    "http.client.HTTPSConnection": 3,
    "smtplib.SMTP": 4,
    "smtplib.SMTP_SSL": 6,
    "ftplib.FTP": 5,
}


def check(module: Module, script: Script) -> Iterator[Finding]:
    """Check what a script starts, and what it waits for."""
    for call in module.calls():
        yield from _command(call, module, script)
        yield from _code(call, module)
        yield from _network(call, module)
    yield from _forks(module)
    yield from _rules(module)
    yield from _waiting(module)


def _command(call: ast.Call, module: Module, script: Script) -> Iterator[Finding]:
    """Check a call that starts a program."""
    starts = _start(call, module)
    if not starts or not call.args:
        return
    name = module.name(starts.func)
    keywords = {keyword.arg: keyword.value for keyword in starts.keywords}
    text = module.text(call.args[0])
    if name in _IN_SHELL or ("shell" in keywords and getattr(keywords["shell"], "value", True)):
        is_left = name == "subprocess.Popen" and not _is_awaited(starts, module)
        is_left = is_left and not {"stdout", "stderr"} <= {*keywords}
        yield from _shell_text(call, f"{text} &" if is_left else text, module, script)
        return
    words = module.words(call.args[0]) or text.split()[:1]
    background = name == "subprocess.Popen" and not _is_awaited(starts, module)
    limited = background or name == "hooking.run_command" or "timeout" in keywords or module.limited
    for code, what in programs.faults(words, under_libvirt=script.under_libvirt, limited=limited):
        yield Finding(code, call.lineno, what)
    if script.under_libvirt and name == "hooking.execCmd" and getattr(keywords.get("sudo"), "value", False):
        yield Finding("H209", call.lineno, "sudo=True")
    if programs.FOR_ALL.match("".join(words[:1])):
        yield Finding("H308", call.lineno, words[0])
    yield from _handed_on(call, words, module, script)
    if name in _INHERITING and not {"stdout", "capture_output"} & {*keywords} and programs.talks(words):
        yield from at_answer(call, " ".join(words[:3]), module, script)
    if background and not module.guarded and not {"stdout", "stderr"} <= {*keywords} and None not in keywords:
        yield Finding("H204", call.lineno, f"Popen({' '.join(words[:2])})")


def _handed_on(call: ast.Call, words: list[str], module: Module, script: Script) -> Iterator[Finding]:
    """Find programs that the host names, and texts for another shell."""
    if not words and module.is_foreign(call.args[0]):
        yield Finding("H307", call.lineno, "the host names the program")
    for text in inner_script(words):
        yield from _shell_text(call, text, module, script)


def _start(call: ast.Call, module: Module) -> ast.Call | None:
    """Return the call that starts a program: this one, or one in a function that hands it on."""
    name = module.name(call.func)
    if name in _RUNNERS:
        return call
    function = module.functions.get(name)
    if function and function.args.args:
        for inner in ast.walk(function):
            if isinstance(inner, ast.Call) and module.name(inner.func) in _RUNNERS and inner.args:
                handed = inner.args[0]
                if isinstance(handed, ast.Name) and handed.id == function.args.args[0].arg:
                    return inner
    return None


def _shell_text(call: ast.Call, text: str, module: Module, script: Script) -> Iterator[Finding]:
    """Check a text that goes to a shell."""
    program = parse(text)
    for command in program.commands:
        for finding in check_command(command, program, script):
            harmless = finding.code == "H204" and module.guarded
            if finding.code in _OF_SHELL and not harmless:
                yield Finding(finding.code, call.lineno, finding.what)
    names = [node for node in ast.walk(module.value(call.args[0])) if isinstance(node, (ast.Name, ast.Subscript))]
    if ("$" in text or not text) and any(module.is_foreign(node) for node in names):
        yield Finding("H307", call.lineno, module.name(call.func))


def _is_awaited(call: ast.Call, module: Module) -> bool:
    """Tell whether somebody waits for a ``Popen``, or may."""
    around = module.parent(call)
    if isinstance(around, ast.Expr):
        return False
    if isinstance(around, ast.Assign) and isinstance(around.targets[0], ast.Name):
        name = around.targets[0].id
        uses = [node for node in module.nodes if isinstance(node, ast.Name) and node.id == name]
        return any(isinstance(use.ctx, ast.Load) and _waits(module.parent(use)) for use in uses)
    return True


def _waits(node: ast.AST | None) -> bool:
    return not isinstance(node, ast.Attribute) or node.attr in {"wait", "communicate", "stdout", "__enter__"}


def _code(call: ast.Call, module: Module) -> Iterator[Finding]:
    """Find texts of the host that Python runs, and processes that are not the script's."""
    name, first = module.name(call.func), call.args[0] if call.args else None
    if name in _EVALUATORS and first and module.is_foreign(first):
        yield Finding("H307", call.lineno, name)
    if (
        name in {"os.kill", "os.killpg"}
        and first
        and (
            getattr(first, "value", None) == 0
            or module.name(getattr(first, "func", first)) in {"os.getpgrp", "os.getpgid"}
        )
    ):
        yield Finding("H210", call.lineno, name)


def _network(call: ast.Call, module: Module) -> Iterator[Finding]:
    """Find what waits for another host, however long."""
    name = module.name(call.func)
    given = {keyword.arg for keyword in call.keywords} & {"timeout", None}
    if not given and not module.limited and (name in _REQUESTS or len(call.args) < _SOCKETS.get(name, 0)):
        yield Finding("H202", call.lineno, name)


def _forks(module: Module) -> Iterator[Finding]:
    """Find children that live on with the host's pipes."""
    names = {module.name(call.func): call for call in module.calls()}
    lets_go = {"os.dup2", "os.close", "os.closerange", "os.wait", "os.waitpid"} & {*names}
    if "os.fork" in names and not lets_go and not module.guarded:
        yield Finding("H204", names["os.fork"].lineno, "os.fork()")


def _rules(module: Module) -> Iterator[Finding]:
    """Find rules of the firewall that nobody asks for before they are added."""
    started = [
        (call, module.words(call.args[0]) or module.text(call.args[0]).split()) for call in _with_arguments(module)
    ]
    done = [(call, programs.rule(words), module.ops(call)) for call, words in started]
    asked = any(does == "check" or (does in programs.CLEARING and "reconnect" in ops) for _, does, ops in done)
    for call, does, ops in done if not asked and not module.guarded else ():
        if does == "add" and "reconnect" in ops and len(ops) > 1:
            yield Finding("H311", call.lineno, module.name(call.func))


def _with_arguments(module: Module) -> list[ast.Call]:
    return [call for call in module.calls() if call.args]


def _waiting(module: Module) -> Iterator[Finding]:
    """Find loops that sleep until something comes true, and locks, however long that takes."""
    for node in [] if module.limited else module.nodes:
        inner = list(ast.walk(node)) if isinstance(node, (ast.While, ast.Call)) else []
        if isinstance(node, ast.While) and any(_is_call(each, module, {"time.sleep"}) for each in inner):
            counts = any(isinstance(each, (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.AugAssign)) for each in inner)
            if not counts:
                yield Finding("H206", node.lineno, "it sleeps until something comes true")
        elif _is_call(node, module, {"fcntl.flock", "fcntl.lockf"}):
            names = {module.name(each) for each in inner if isinstance(each, ast.expr)}
            if "fcntl.LOCK_EX" in names and "fcntl.LOCK_NB" not in names:
                yield Finding("H206", getattr(node, "lineno", 1), "flock")


def _is_call(node: ast.AST, module: Module, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and module.name(node.func) in names
