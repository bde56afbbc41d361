"""What goes wrong in hooks that are written in Python."""

from __future__ import annotations

import ast
import re

from hooking.cli.checks import handlers, python_commands, python_logic, python_words
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.python_names import EXITS, Module
from hooking.cli.syntax import syntax_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.script import Script

_REFUSALS = {"hooking.refuse", "hooking.block_start", "hooking.block_migration"}
_OWN = {"hooking.Refusal", "hooking.HookError"}
_OLD_MODULES = {
    "ConfigParser", "StringIO", "cStringIO", "Queue", "commands", "urllib2", "urlparse", "httplib", "cPickle",
    "__builtin__", "thread", "SocketServer", "HTMLParser", "cookielib", "xmlrpclib",
}  # fmt: skip
_OLD_NAMES = {"unicode", "xrange", "raw_input", "basestring", "unichr", "execfile", "reduce", "long", "cmp", "file"}
_OLD_METHODS = {"has_key", "iteritems", "iterkeys", "itervalues", "getcwdu", "encodestring", "decodestring"}
_OLD_ATTRIBUTES = {
    "sys.maxint", "sys.setdefaultencoding", "string.letters", "string.lowercase", "string.uppercase", "string.join",
    "string.maketrans", "string.replace", "string.split", "itertools.izip", "itertools.imap", "itertools.ifilter",
}  # fmt: skip
_OLD_SYNTAX = re.compile(r"Missing parentheses|multiple exception types|octal|leading zeros|exec|print|<>|backquote")
_OLD_LINE = re.compile(
    r"""^\s*(print\s+["'\w]|print\s*>>|except\s+[\w.]+\s*,\s*\w+\s*:|raise\s+\w+\s*,|exec\s+["'])|`|<>"""
)


def check(script: Script) -> Iterator[Finding]:
    """Check a Python script."""
    try:
        tree = syntax_tree(script.data)
    except (SyntaxError, ValueError) as error:
        yield _syntax_error(error, script)
        return
    module = Module(tree)
    yield from _leftovers(module)
    yield from _swallowing(module)
    yield from handlers.check(module, script)
    yield from python_commands.check(module, script)
    yield from python_words.check(module, script)
    yield from python_logic.check(module, script)


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
        elif isinstance(node, ast.Attribute) and (node.attr in _OLD_METHODS or module.name(node) in _OLD_ATTRIBUTES):
            old = f".{node.attr}"
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and _is_view(node):
            old = ast.unparse(node)
        if old and not _is_tried(module, node):
            yield Finding("H112", getattr(node, "lineno", 1), old)


def _is_view(node: ast.Subscript | ast.Attribute) -> bool:
    """Tell whether what is taken from a dictionary is used as the list that it was."""
    made = node.value.func if isinstance(node.value, ast.Call) and not node.value.args else None
    taken = isinstance(made, ast.Attribute) and made.attr in {"keys", "values", "items"}
    return taken and (isinstance(node, ast.Subscript) or node.attr == "sort")


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
        yield from _finally(node, module)
        for handler in node.handlers:
            names = _caught(handler, module)
            broad = not names or "BaseException" in names
            again = any(isinstance(each, ast.Raise) for each in ast.walk(handler))
            ends = any(map(module.leaves, handler.body))
            fails = broad and any(map(module.fails, handler.body))  # as VDSM's own scripts do
            swallows = broad or (names & {"SystemExit", *_OWN} and not ends)
            if swallows and not again and ((broad and not ends) or _exits(node.body, module, well=fails)):
                yield Finding("H301", handler.lineno, f"except {', '.join(sorted(names))}".strip() + ":")
            if "SystemExit" in names:
                break


def _caught(handler: ast.ExceptHandler, module: Module) -> set[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type] if handler.type else []
    return {module.name(kind) for kind in kinds}


def _finally(node: ast.Try, module: Module) -> Iterator[Finding]:
    for last in filter(module.leaves, node.finalbody):
        if not isinstance(last, ast.Raise) and not module.fails(last) and _exits(node.body, module):
            yield Finding("H301", last.lineno, "finally: that returns or exits")


def _exits(body: list[ast.stmt], module: Module, seen: frozenset[str] = frozenset(), *, well: bool = False) -> bool:
    """Tell whether statements may end the script; with ``well``, in another way than by a failure of its own."""
    for node in (each for statement in body for each in ast.walk(statement)):
        if isinstance(node, ast.Raise) and node.exc and "SystemExit" in ast.dump(node.exc):
            return True
        if not isinstance(node, ast.Call):
            continue
        name = module.name(node.func)
        if name in _REFUSALS or (name in EXITS and not (well and module.is_failure(node))):
            return True
        function = module.functions.get(name)
        if function and name not in seen and _exits(function.body, module, seen | {name}, well=well):
            return True
    return False
