"""What a Python script says: to the host, and into logs."""

from __future__ import annotations

import ast
import re

from hooking.cli.checks import programs
from hooking.cli.checks.findings import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.python_names import Module
    from hooking.cli.checks.script import Script

_SPEECH = {"print", "sys.stdout.write", "sys.stdout.buffer.write", "os.write"}
_HARMLESS = {"len", "bool", "type"}
_SERIALISERS = {"tostring", "tobytes", "toxml", "toprettyxml"}
_LOGGING = re.compile(r"(logging|log|logger|LOG|LOGGER)\.(debug|info|warn\w*|error|exception|critical|log)$")


def check(module: Module, script: Script) -> Iterator[Finding]:
    """Check what a script writes."""
    for call in module.calls():
        yield from _speech(call, module, script)
        yield from _document(call, module, script)
        yield from _secrets(call, module)


def at_answer(call: ast.Call, what: str, module: Module, script: Script) -> Iterator[Finding]:
    """Find words where they take the place of a document."""
    ops = module.ops(call) & script.filter_ops
    if ops and not module.guarded:
        yield Finding("H203", call.lineno, f"{what} at {', '.join(sorted(ops))}")


def _speech(call: ast.Call, module: Module, script: Script) -> Iterator[Finding]:
    """Find words that take the place of a document."""
    name = module.name(call.func)
    if module.guarded or name not in _SPEECH or not call.args:
        return
    arguments = call.args[1:] if name == "os.write" and getattr(call.args[0], "value", 0) == 1 else call.args
    if (name == "os.write" and arguments is call.args) or any(keyword.arg == "file" for keyword in call.keywords):
        return
    texts = (module.text(argument) for argument in arguments if not isinstance(argument, ast.Name))
    text = next(filter(None, texts), "")
    if re.search("[A-Za-z]", text) and not text.lstrip().startswith("<"):
        yield from at_answer(call, f"{name} {text[:40]!r}", module, script)


def _document(call: ast.Call, module: Module, script: Script) -> Iterator[Finding]:
    """Find documents that are written where no host reads them."""
    name = module.name(call.func)
    inner = [
        each.func.attr for each in ast.walk(call) if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)
    ]
    to_host = name in _SPEECH and not call.keywords and {*inner} & _SERIALISERS
    tree = inner[:1] == ["write"] and call.args and module.name(call.args[0]).startswith("sys.stdout")
    ops = module.ops(call)
    if (to_host or tree) and not module.guarded and script.sure and ops and not ops & script.filter_ops:
        yield Finding("H303", call.lineno, f"a document on standard output, which {script.points[0].host_title} drops")


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
    if module.name(node) == "os.environ" or _is_any_variable(node, module):
        return "it logs the environment"
    if "sys.stdin.read" in module.name(getattr(module.value(node), "func", node)):
        return "it logs standard input, the guest's document"
    key = getattr(node, "id", None) or getattr(node, "attr", None)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        key = node.slice.value
    if isinstance(node, ast.Call) and node.args and re.search(r"\.(get|getenv)$", module.name(node.func)):
        key = module.text(node.args[0])
    return f"it logs {key}" if isinstance(key, str) and programs.SECRET.search(key) else ""


def _is_any_variable(node: ast.expr, module: Module) -> bool:
    """Tell whether a value is that of whatever variable of the environment comes along."""
    if isinstance(node, ast.Subscript):
        return module.name(node.value) == "os.environ" and isinstance(node.slice, ast.Name)
    loops = [each for each in module.nodes if isinstance(each, ast.For) and "environ" in ast.dump(each.iter)]
    values = [loop.target.elts[-1] for loop in loops if isinstance(loop.target, ast.Tuple)]
    return any(isinstance(node, ast.Name) and getattr(value, "id", "") == node.id for value in values)


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
