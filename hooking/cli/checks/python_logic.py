"""What a Python script does for which guests, operations, and files."""

from __future__ import annotations

import ast
import re

from hooking import points
from hooking.cli.checks import programs
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.python_names import ALL_OPS, EXITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.python_names import Module
    from hooking.cli.checks.script import Script

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_OP = re.compile(r"[A-Za-z]+([_-][A-Za-z]+)*$")
_LOOKS_AT_OP = re.compile(r"argv(?!\s*\[\s*[01]\s*\])")
_STATUS_THAT_STOPS = 2
_DOCUMENT = re.compile("_hook_(domxml|json)")
_FILES = {
    *("open", "io.open", "os.open", "os.mkdir", "os.makedirs", "os.path.exists", "os.path.isfile", "os.path.isdir"),
    *("os.listdir", "pathlib.Path", "sys.path.insert", "sys.path.append"),
}


def check(module: Module, script: Script) -> Iterator[Finding]:
    """Check what a script is about."""
    yield from _guests(module, script)
    yield from _files(module)
    yield from _identity(module)
    yield from _idle(module)
    if not script.has_input and not module.guarded:
        yield from _input(module)
    if script.sure and script.under_vdsm and all(point.failure == "ignored" for point in script.points):
        yield from _status(module)
    if script.under_libvirt:
        yield from _libvirt(module, script)
        yield from _operations(module, script)
        yield from _tables(module, script)
        yield from _sameness(module, script)


def _libvirt(module: Module, script: Script) -> Iterator[Finding]:
    """Find what must not be done while libvirt waits, and what its daemons lack."""
    for node in module.nodes:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.partition(".")[0] == "libvirt" for name in names):
            yield Finding("H201", getattr(node, "lineno", 1), "import libvirt")
        text = node.value if isinstance(node, ast.Constant) and not module.is_docstring(node) else ""
        if not isinstance(text, str):
            continue
        if programs.CONFIGURATION.match(text) and " " not in text and not script.is_for_daemon:
            yield Finding("H205", getattr(node, "lineno", 1), text)
        if programs.LACKING.match(text) and _is_needed(node, module):
            yield Finding("H207", getattr(node, "lineno", 1), f"os.environ[{text!r}]")


def _is_needed(node: ast.AST, module: Module) -> bool:
    """Tell whether a variable of the environment has to be there."""
    around = module.parent(node)
    if not isinstance(around, ast.Subscript) or module.name(around.value) != "os.environ":
        return False
    above = [each for each, _ in module.parents(around)]
    asked = [each.test for each in above if isinstance(each, (ast.If, ast.IfExp))]
    key = ast.dump(node)
    is_tried = any(isinstance(each, ast.Try) for each in above) or any(key in ast.dump(test) for test in asked)
    return isinstance(around.ctx, ast.Load) and not is_tried


def _guests(module: Module, script: Script) -> Iterator[Finding]:
    """Find names of guests, and what fails for all others."""
    for node in module.nodes:
        about_guests = any(point.document == "domain" for point in script.points)
        if not isinstance(node, ast.Compare) or not about_guests or not _is_guest(node.left, module):
            continue
        right = module.value(node.comparators[0])
        names = [module.text(item) for item in getattr(right, "elts", [right])]
        if not names or not all(names) or names == ["-"]:
            continue
        others = _for_others(node, module)
        for last in filter(module.fails, others):
            yield Finding("H305", last.lineno, f"not {', '.join(names)}")
        if not others or module.fails(others[0]) or all(map(_UUID.match, names)):
            yield Finding("H304", node.lineno, ", ".join(names))


def _for_others(test: ast.Compare, module: Module) -> list[ast.stmt]:
    """Return what ends the script, for what a test is not about."""
    others = isinstance(test.ops[0], (ast.NotEq, ast.NotIn))
    for around, part in module.parents(test):
        if isinstance(around, ast.If) and part is around.test:
            return [last for last in (around.body if others else around.orelse)[-1:] if module.leaves(last)]
    return []


def _is_guest(node: ast.expr, module: Module) -> bool:
    if isinstance(node, ast.Subscript) and module.name(node.value) == "os.environ":
        return module.text(node.slice) == "vmId"
    return module.is_argument(node, 1) or module.name(node) in {"context.object", "context.uuid", "domain.name"}


def _operations(module: Module, script: Script) -> Iterator[Finding]:
    """Find operations that are none, and what fails for those that are not meant."""
    for node in module.nodes:
        if isinstance(node, ast.Compare) and module.is_op(node.left):
            right = module.value(node.comparators[0])
            for op in [module.text(item) for item in getattr(right, "elts", [right])]:
                if _OP.match(op) and op not in ALL_OPS and not points.is_known("vdsm", op):
                    yield Finding("H302", node.lineno, points.misspelt(script.points[0].driver, op))
            for last in filter(module.fails, _for_others(node, module)):
                yield Finding("H305", last.lineno, "for operations that it does not know")
        elif isinstance(node, ast.Expr) and module.fails(node) and not module.guarded:
            ops = module.ops(node)
            if ops != ALL_OPS and "reconnect" in ops:
                yield Finding("H305", node.lineno, "at reconnect")


def _tables(module: Module, script: Script) -> Iterator[Finding]:
    """Find what is no operation among the keys of a table that is asked for the operation."""
    for node in module.nodes:
        asked, key = None, None
        if isinstance(node, ast.Subscript):
            asked, key = module.value(node.value), node.slice
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and node.args
        ):
            asked, key = module.value(node.func.value), node.args[0]
        if isinstance(asked, ast.Dict) and key and module.is_op(key):
            for each in asked.keys:
                op = module.text(each) if each else ""
                if _OP.match(op) and op not in {*ALL_OPS, "default"}:
                    yield Finding("H302", asked.lineno, points.misspelt(script.points[0].driver, op))


def _sameness(module: Module, script: Script) -> Iterator[Finding]:
    """Find scripts that change the host without asking for the operation."""
    if not script.sure or script.is_for_daemon or module.guarded or _LOOKS_AT_OP.search(script.text):
        return
    for call in module.calls():
        words = module.words(call.args[0]) if call.args else []
        writes = module.name(call.func) == "open" and _mode(call, module) & {*"wax"}
        if writes or programs.changes(words):
            yield Finding("H309", call.lineno, " ".join(words[:2]) or "open")
            return


def _mode(call: ast.Call, module: Module) -> set[str]:
    given = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    return {*"".join(map(module.text, given))}


def _files(module: Module) -> Iterator[Finding]:
    """Find files that are not what the script takes them for."""
    moves = any(module.name(call.func) == "os.chdir" for call in module.calls())
    for call in (call for call in module.calls() if call.args):
        name, value, text = module.name(call.func), module.value(call.args[0]), module.text(call.args[0])
        if name in {"sys.path.insert", "sys.path.append"}:
            text = module.text(call.args[-1])
        elif name not in _FILES:
            text = ""
        if programs.FOR_ALL.match(text):
            yield Finding("H308", value.lineno, text)
        elif re.match(r"\w[\w./-]*$|\.", text) and not moves:
            yield Finding("H208", call.lineno, text)
        if _DOCUMENT.search(ast.dump(value)) and (
            _mode(call, module) & {*"w"} or getattr(call.func, "attr", "") == "write"
        ):
            yield Finding("H312", call.lineno, "the file of the document is opened for writing")


def _identity(module: Module) -> Iterator[Finding]:
    """Find changes of what the host knows a guest by."""
    for node in module.nodes:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign):
            targets = [node.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr in {"text", "data", "nodeValue"}:
                tag = _element(target, module)
                if tag in {"name", "uuid"}:
                    yield Finding("H313", node.lineno, tag)


def _element(node: ast.expr, module: Module) -> str:
    """Return the tag of the element of which a node is a part, as of ``root.find("name").text``."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = module.value(node.value)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return ""
    is_search = node.func.attr in {"find", "getElementsByTagName"}
    return re.sub(r"^\./", "", module.text(node.args[0])) if is_search else ""


def _idle(module: Module) -> Iterator[Finding]:
    """Find scripts that define what they would do, and do not do it."""
    for node in module.nodes:
        name = module.text(node.comparators[0]) if isinstance(node, ast.Compare) else ""
        if name not in {"", "__main__"} and isinstance(node, ast.Compare) and module.name(node.left) == "__name__":
            yield Finding("H310", node.lineno, f"__name__ is never {name}")
    if module.functions and not module.guarded and all(map(_is_definition, module.tree.body)):
        yield Finding("H310", 1, f"{', '.join(module.functions)}: called nowhere")


def _is_definition(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Expr)):
        return not any(isinstance(node, ast.Call) for node in ast.walk(statement))
    return isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))


def _input(module: Module) -> Iterator[Finding]:
    """Find who reads what is not there."""
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and module.name(node) == "sys.stdin":
            yield Finding("H303", node.lineno, "it reads standard input, which is empty")


def _status(module: Module) -> Iterator[Finding]:
    """Find a status that keeps others from running where it can stop nothing else."""
    for call in module.calls():
        name, status = module.name(call.func), call.args[-1:]
        given = getattr(status[0], "value", None) if status else None
        by_default = name == "hooking.exit_hook" and len(call.args) == 1 and not call.keywords
        if name in EXITS and (by_default or given == _STATUS_THAT_STOPS):
            yield Finding("H303", call.lineno, "status 2 stops nothing here but the scripts behind this one")
