"""What goes wrong in hooks that are written in Python."""

from __future__ import annotations

import ast
import re
import warnings

from hooking.cli.checks import handlers, programs
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.python_names import EXITS, Module
from hooking.cli.checks.shell import check_command
from hooking.cli.checks.shell_commands import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.script import Script

_IN_SHELL = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
_RUNNERS = {
    *_IN_SHELL,
    *(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")),
    "hooking.run_command",
    "hooking.execCmd",
}
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
_REFUSALS = {"hooking.refuse", "hooking.block_start", "hooking.block_migration"}
_OLD_MODULES = {
    "ConfigParser", "StringIO", "cStringIO", "Queue", "commands", "urllib2", "urlparse", "httplib", "cPickle",
    "__builtin__", "thread", "SocketServer", "HTMLParser", "cookielib", "xmlrpclib",
}  # fmt: skip
_OLD_NAMES = {"unicode", "xrange", "raw_input", "basestring", "unichr", "execfile", "reduce", "long", "cmp", "file"}
_OLD_METHODS = {"has_key", "iteritems", "iterkeys", "itervalues"}
_HARMLESS = {"len", "bool", "type"}
_OLD_SYNTAX = re.compile(r"Missing parentheses|multiple exception types|octal|leading zeros|exec|print|<>|backquote")
_OLD_LINE = re.compile(
    r"""^\s*(print\s+["'\w]|print\s*>>|except\s+[\w.]+\s*,\s*\w+\s*:|raise\s+\w+\s*,|exec\s+["'])|`|<>"""
)
_LOGGING = re.compile(r"(logging|log|logger|LOG|LOGGER)\.(debug|info|warn\w*|error|exception|critical|log)$")


def check(script: Script) -> Iterator[Finding]:
    """Check a Python script."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(script.data, str(script.path))
    except (SyntaxError, ValueError) as error:
        yield _syntax_error(error, script)
        return
    module = Module(tree)
    yield from _leftovers(module)
    yield from _swallowing(module)
    yield from handlers.check(module, script)
    for call in module.calls():
        yield from _command(call, module, script)
        yield from _speech(call, module, script)
        yield from _secrets(call, module)
    if script.under_libvirt:
        yield from _libvirt(module)
        yield from _guests(module)


def _syntax_error(error: SyntaxError | ValueError, script: Script) -> Finding:
    line = getattr(error, "lineno", None) or 1
    message = getattr(error, "msg", str(error))
    text = (script.text.splitlines() or [""])[line - 1 : line]
    old = _OLD_SYNTAX.search(message) or any(map(_OLD_LINE.search, text))
    return Finding("H112" if old else "H111", line, message)


def _leftovers(module: Module) -> Iterator[Finding]:
    """Find modules, names and methods that Python 3 lacks."""
    known = set(_defined(module))
    for node in module.nodes:
        old = ""
        if isinstance(node, ast.Import):
            old = next((f"import {alias.name}" for alias in node.names if alias.name in _OLD_MODULES), "")
        elif isinstance(node, ast.ImportFrom) and node.module in _OLD_MODULES:
            old = f"import {node.module}"
        elif isinstance(node, ast.Name) and node.id in _OLD_NAMES - known:
            old = node.id
        elif isinstance(node, ast.Attribute) and node.attr in _OLD_METHODS:
            old = f".{node.attr}()"
        if old and not _is_tried(module, node):
            yield Finding("H112", getattr(node, "lineno", 1), old)


def _defined(module: Module) -> Iterator[str]:
    """Yield all names that a script gives to something, anywhere."""
    for node in module.nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name


def _is_tried(module: Module, node: ast.AST) -> bool:
    """Tell whether a script is prepared for Python 3 as well."""
    for around, _ in module.parents(node):
        if isinstance(around, ast.If) and "version" in ast.dump(around.test):
            return True
        if isinstance(around, ast.Try) and any(map(_catches_missing, around.handlers)):
            return True
        if isinstance(around, ast.ExceptHandler) and _catches_missing(around):
            return True
    return False


def _catches_missing(handler: ast.ExceptHandler) -> bool:
    caught = ast.dump(handler.type) if handler.type else ""
    return bool(re.search("ImportError|ModuleNotFound|NameError|AttributeError", caught))


def _swallowing(module: Module) -> Iterator[Finding]:
    """Find handlers that take the script's own exit for an error."""
    for node in module.nodes:
        if not isinstance(node, ast.Try):
            continue
        for handler in node.handlers:
            caught = module.name(handler.type) if handler.type else ""
            broad = handler.type is None or caught == "BaseException"
            if not broad or any(isinstance(each, ast.Raise) for each in ast.walk(handler)):
                continue
            ends = any(map(module.leaves, handler.body))
            if not ends or _exits(node.body, module, set()):
                yield Finding("H301", handler.lineno, f"except {caught}".strip() + ":")


def _exits(body: list[ast.stmt], module: Module, seen: set[str]) -> bool:
    """Tell whether statements may end the script."""
    for node in (each for statement in body for each in ast.walk(statement)):
        if isinstance(node, ast.Raise) and node.exc and "SystemExit" in ast.dump(node.exc):
            return True
        if not isinstance(node, ast.Call):
            continue
        name = module.name(node.func)
        if name in EXITS | _REFUSALS:
            return True
        if name in module.functions and name not in seen and _exits(module.functions[name].body, module, {*seen, name}):
            return True
    return False


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
    limited = background or name == "hooking.run_command" or "timeout" in keywords or _is_limited(module)
    if script.under_libvirt and not limited and programs.waits_for_network(words):
        yield Finding("H202", call.lineno, programs.program(words)[0])
    if script.under_libvirt and programs.calls_back(words):
        yield Finding("H201", call.lineno, " ".join(programs.program(words)[:2]))
    if background and not module.guarded and not {"stdout", "stderr"} <= {*keywords} and None not in keywords:
        yield Finding("H204", call.lineno, f"Popen({' '.join(words[:2])})")


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
            if finding.code in {"H105", "H201", "H202", "H204", "H205"} and not harmless:
                yield Finding(finding.code, call.lineno, finding.what)
    names = [node for node in ast.walk(module.value(call.args[0])) if isinstance(node, (ast.Name, ast.Subscript))]
    if "$" in text and any(_is_foreign(node, module) for node in names):
        yield Finding("H307", call.lineno, module.name(call.func))


def _is_foreign(node: ast.expr, module: Module) -> bool:
    """Tell whether a value comes from the host: an argument, the environment, standard input."""
    value = module.value(node)
    return bool(re.search(r"attr='(argv|environ|stdin)'|attr='getenv'|attr='custom_properties'", ast.dump(value)))


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


def _speech(call: ast.Call, module: Module, script: Script) -> Iterator[Finding]:
    """Find words that take the place of a document."""
    name = module.name(call.func)
    if module.guarded or name not in {"print", "sys.stdout.write", "os.write"} or not call.args:
        return
    arguments = call.args[1:] if name == "os.write" and getattr(call.args[0], "value", 0) == 1 else call.args
    if (name == "os.write" and arguments is call.args) or any(keyword.arg == "file" for keyword in call.keywords):
        return
    texts = (module.text(argument) for argument in arguments if not isinstance(argument, ast.Name))
    text = next(filter(None, texts), "")
    if not re.search("[A-Za-z]", text) or text.lstrip().startswith("<"):
        return
    if ops := module.ops(call) & script.filter_ops:
        yield Finding("H203", call.lineno, f"{name} {text[:40]!r} at {', '.join(sorted(ops))}")


def _secrets(call: ast.Call, module: Module) -> Iterator[Finding]:
    """Find what is logged that should not be."""
    name = module.name(call.func)
    to_stderr = name == "print" and any(module.name(keyword.value) == "sys.stderr" for keyword in call.keywords)
    is_log = _LOGGING.match(name) or name in {"hooking.log", "syslog.syslog", "sys.stderr.write"} or to_stderr
    if not is_log and not _writes_log(call, module):
        return
    for node in (each for argument in call.args for each in _shown(argument)):
        what = _secret(node, module)
        if what:
            yield Finding("H306", call.lineno, what)
            return


def _shown(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of an expression whose values come into a text."""
    yield node
    is_harmless = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _HARMLESS
    if is_harmless or isinstance(node, (ast.Compare, ast.IfExp, ast.Attribute, ast.Subscript)):
        return
    for child in ast.iter_child_nodes(node):
        yield from _shown(child)


def _secret(node: ast.AST, module: Module) -> str:
    if not isinstance(node, ast.expr):
        return ""
    if module.name(node) == "os.environ":
        return "it logs the environment"
    if "sys.stdin.read" in module.name(getattr(module.value(node), "func", node)):
        return "it logs standard input, the guest's document"
    key = getattr(node, "id", None) or getattr(node, "attr", None)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        key = node.slice.value
    if isinstance(node, ast.Call) and node.args and re.search(r"\.(get|getenv)$", module.name(node.func)):
        key = module.text(node.args[0])
    return f"it logs {key}" if isinstance(key, str) and programs.SECRET.search(key) else ""


def _writes_log(call: ast.Call, module: Module) -> bool:
    """Tell whether a call writes to a file that others read."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in {"write", "writelines"}:
        return False
    opened = module.value(call.func.value)
    if isinstance(opened, ast.Name):
        items = [item for node in module.nodes if isinstance(node, ast.With) for item in node.items]
        named = [item.context_expr for item in items if getattr(item.optional_vars, "id", "") == opened.id]
        opened = named[-1] if named else opened
    is_open = isinstance(opened, ast.Call) and module.name(opened.func) == "open" and bool(opened.args)
    return is_open and isinstance(opened, ast.Call) and bool(programs.LOG_FILE.search(module.text(opened.args[0])))


def _libvirt(module: Module) -> Iterator[Finding]:
    """Find what must not be done while libvirt waits."""
    for node in module.nodes:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.partition(".")[0] == "libvirt" for name in names):
            yield Finding("H201", getattr(node, "lineno", 1), "import libvirt")
        text = node.value if isinstance(node, ast.Constant) and not module.is_docstring(node) else ""
        if isinstance(text, str) and programs.CONFIGURATION.match(text) and " " not in text:
            yield Finding("H205", getattr(node, "lineno", 1), text)
    if _is_limited(module):
        return
    for call in module.calls():
        name = module.name(call.func)
        given = {keyword.arg for keyword in call.keywords} & {"timeout", None}
        if not given and (name in _REQUESTS or len(call.args) < _SOCKETS.get(name, 0)):
            yield Finding("H202", call.lineno, name)


def _is_limited(module: Module) -> bool:
    """Tell whether a script sets a time limit for all that it does."""
    names = {module.name(call.func) for call in module.calls()}
    hooks = [call for call in module.calls() if module.name(call.func) == "hooking.Hook"]
    timed = any(keyword.arg == "timeout" for call in hooks for keyword in call.keywords)
    return timed or bool(names & {"socket.setdefaulttimeout", "signal.alarm", "signal.setitimer"})


def _guests(module: Module) -> Iterator[Finding]:
    """Find names of guests, and what fails for all others."""
    for node in module.nodes:
        if not isinstance(node, ast.Compare) or not _is_guest(node.left, module):
            continue
        right = module.value(node.comparators[0])
        names = [module.text(item) for item in getattr(right, "elts", [right])]
        if not names or not all(names) or names == ["-"]:
            continue
        yield Finding("H304", node.lineno, ", ".join(names))
        for last in _for_others(node, module):
            yield Finding("H305", last.lineno, f"not {', '.join(names)}")


def _for_others(test: ast.Compare, module: Module) -> list[ast.stmt]:
    """Return what ends the branch for guests that a test is not about, if that fails."""
    others = isinstance(test.ops[0], (ast.NotEq, ast.NotIn))
    for around, part in module.parents(test):
        if isinstance(around, ast.If) and part is around.test:
            branch = around.body if others else around.orelse
            return [last for last in branch[-1:] if _fails(last, module)]
    return []


def _is_guest(node: ast.expr, module: Module) -> bool:
    return module.is_argument(node, 1) or module.name(node) in {"context.object", "domain.name"}


def _fails(statement: ast.stmt, module: Module) -> bool:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    call = statement.value
    status = call.args[0] if call.args else None
    return module.name(call.func) in EXITS and status is not None and getattr(status, "value", 1) not in {0, None}
