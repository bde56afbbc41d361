"""What names in a Python script stand for, as far as one can see without running it."""

from __future__ import annotations

import ast
import re
from functools import cached_property

from hooking import points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ALL_OPS = frozenset(point.op for point in points.all_points() if point.host == "libvirt")
_FOREIGN = re.compile(
    r"attr='(argv|environ|stdin|getenv|custom_properties|read_domxml|read_json|read_domain)'|id='(domain|context)'"
)
_LIMITS = {"socket.setdefaulttimeout", "signal.alarm", "signal.setitimer"}


class Module:
    """A parsed script.

    Args:
        tree: Its syntax tree.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes = list(ast.walk(tree))
        self._parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.functions = {node.name: node for node in self.nodes if isinstance(node, ast.FunctionDef)}
        self._uses: dict[str, list[ast.Name]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Name):
                self._uses.setdefault(node.id, []).append(node)
        self._calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        self._imported = dict(self._imports())
        self._given = dict(self._assignments())
        self.guarded = any(self.name(call.func) == "hooking.Hook" for call in self.calls())
        self._texts = {id(node.value) for node in self.nodes if isinstance(node, ast.Expr)}

    def _imports(self) -> Iterator[tuple[str, str]]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    yield (alias.asname, alias.name) if alias.asname else (top, top)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    yield alias.asname or alias.name, f"{node.module or ''}.{alias.name}"

    def _assignments(self) -> Iterator[tuple[str, ast.expr]]:
        for node in reversed(self.nodes):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    yield from _pairs(target, node.value)
            elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value and isinstance(node.target, ast.Name):
                yield node.target.id, node.value

    def calls(self) -> list[ast.Call]:
        """Return all calls."""
        return self._calls

    def name(self, node: ast.expr) -> str:
        """Return the full name of what an expression stands for, as ``subprocess.run``; empty if it has none."""
        if isinstance(node, ast.Name):
            return self._imported.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            before = self.name(node.value)
            return f"{before}.{node.attr}" if before else ""
        return ""

    def value(self, node: ast.expr) -> ast.expr:
        """Return what a name was given last, if it is a name that was given something."""
        for _ in range(4):
            if not isinstance(node, ast.Name) or node.id not in self._given:
                break
            node = self._given[node.id]
        return node

    def text(self, node: ast.expr) -> str:
        """Return the text of an expression; what is not known of it is ``$``. Empty if it is no text."""
        node = self.value(node)
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.JoinedStr):
            return "".join(self.text(part) if isinstance(part, ast.Constant) else "$" for part in node.values)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
            left = self.text(node.left)
            if isinstance(node.op, ast.Mod):
                return re.sub(r"%\w", "$", left)
            return f"{left or '$'}{self.text(node.right) or '$'}" if left or self.text(node.right) else ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            return re.sub(r"\{[^}]*\}", "$", self.text(node.func.value))
        return ""

    def words(self, node: ast.expr) -> list[str]:
        """Return the words of a list of texts; a word that is not known is ``$``."""
        node = self.value(node)
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self.text(item) or "$" for item in node.elts]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            known = self.words(node.left)
            return known and [*known, *(self.words(node.right) or ["$"])]
        if isinstance(node, ast.Call) and self.name(node.func) == "shlex.split" and node.args:
            return self.text(node.args[0]).split()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            return self.text(node.func.value).split()
        return []

    def is_foreign(self, node: ast.expr, depth: int = 0) -> bool:
        """Tell whether a value comes from the host: an argument, the environment, standard input."""
        value = self.value(node)
        if _FOREIGN.search(ast.dump(value)):
            return True
        names = [each for each in ast.walk(value) if isinstance(each, ast.Name) and each is not node]
        return depth < 3 and any(self.is_foreign(name, depth + 1) for name in names)  # noqa: PLR2004

    @cached_property
    def limited(self) -> bool:
        """Whether the script sets a time limit for all that it does."""
        hooks = [call for call in self.calls() if self.name(call.func) == "hooking.Hook"]
        timed = any(keyword.arg == "timeout" for call in hooks for keyword in call.keywords)
        return timed or any(self.name(call.func) in _LIMITS for call in self.calls())

    def is_argument(self, node: ast.expr, number: int) -> bool:
        """Tell whether an expression is an argument of the script."""
        node = self.value(node)
        if isinstance(node, ast.Subscript) and self.name(node.value) == "sys.argv":
            return isinstance(node.slice, ast.Constant) and node.slice.value == number
        return False

    def parents(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """Yield what is around a node, from inside, each with that part of it."""
        while node in self._parents:
            yield self._parents[node], node
            node = self._parents[node]

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return what is directly around a node."""
        return self._parents.get(node)

    def is_docstring(self, node: ast.AST) -> bool:
        """Tell whether a text stands for itself."""
        return id(node) in self._texts

    def ops(self, node: ast.AST, depth: int = 0) -> frozenset[str]:
        """Return the operations of libvirt at which a node may run."""
        ops = ALL_OPS
        for around, part in self.parents(node):
            if isinstance(around, ast.If) and part is not around.test:
                allowed = self.tested(around.test)
                if part in around.body:
                    ops &= self._possible(around.test)
                elif allowed is not None:
                    ops -= allowed
            ops &= self._before(around, part)
            if isinstance(around, ast.FunctionDef):
                return ops & self._callers(around, depth)
        return ops

    def _before(self, around: ast.AST, part: ast.AST) -> frozenset[str]:
        """Return which operations come past what stands before a statement."""
        ops = ALL_OPS
        body: list[ast.stmt] = getattr(around, "body", []) if isinstance(around, (ast.stmt, ast.Module)) else []
        if isinstance(part, ast.stmt) and part in body:
            for statement in body[: body.index(part)]:
                if isinstance(statement, ast.If) and not statement.orelse and self.leaves(statement.body[-1]):
                    ops -= self.tested(statement.test) or frozenset()
        return ops

    def leaves(self, statement: ast.stmt) -> bool:
        """Tell whether a statement ends the function or the script."""
        if isinstance(statement, (ast.Return, ast.Raise)):
            return True
        return (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and self.name(statement.value.func) in EXITS
        )

    def fails(self, statement: ast.stmt) -> bool:
        """Tell whether a statement ends the script with a status that is not 0."""
        call = statement.value if isinstance(statement, ast.Expr) else None
        return isinstance(call, ast.Call) and self.name(call.func) in EXITS and self.is_failure(call)

    def is_failure(self, call: ast.Call) -> bool:
        """Tell whether an exit has a status that is not 0."""
        if self.name(call.func) == "hooking.exit_hook":
            given = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "return_code")]
            return not given or getattr(given[0], "value", 1) != 0
        return bool(call.args) and getattr(call.args[0], "value", 1) not in {0, None}

    def is_reached(self, node: ast.AST) -> bool:
        """Tell whether anything calls the function in which a node stands, if it stands in one."""
        around = next((each for each, _ in self.parents(node) if isinstance(each, ast.FunctionDef)), None)
        return around is None or bool(around.decorator_list) or around.name in self._uses

    def _callers(self, function: ast.FunctionDef, depth: int) -> frozenset[str]:
        uses = self._uses.get(function.name, [])
        if not uses or depth > 5 or function.decorator_list:  # noqa: PLR2004 - functions may call each other
            return ALL_OPS
        return frozenset[str]().union(*(self._use(use, depth) for use in uses))

    def _use(self, use: ast.Name, depth: int) -> frozenset[str]:
        around = self._parents[use]
        if isinstance(around, ast.Dict) and use in around.values:
            key = around.keys[around.values.index(use)]
            op = self.text(key) if key else ""
            if op in ALL_OPS:
                return frozenset({op})
        return self.ops(use, depth + 1)

    def _possible(self, test: ast.expr) -> frozenset[str]:
        """Return the operations for which a test may be true."""
        ops = ALL_OPS
        for part in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]:
            allowed = self.tested(part)
            ops &= ALL_OPS if allowed is None else allowed
        return ops

    def tested(self, test: ast.expr) -> frozenset[str] | None:
        """Return the operations for which a test is true, if it is one about them alone."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.tested(test.operand)
            return None if inner is None else ALL_OPS - inner
        if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not self.is_op(test.left):
            return None
        right = self.value(test.comparators[0])
        texts = [self.text(item) for item in getattr(right, "elts", [right])]
        given = frozenset(texts) & ALL_OPS
        if len(given) != len(set(texts)):
            return None
        return ALL_OPS - given if isinstance(test.ops[0], (ast.NotEq, ast.NotIn)) else given

    def is_op(self, node: ast.expr) -> bool:
        """Tell whether an expression is the operation."""
        return self.is_argument(node, 2) or (isinstance(node, ast.Attribute) and node.attr == "op")


EXITS = {"sys.exit", "exit", "quit", "os._exit", "hooking.exit_hook"}
"""What ends a script."""


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names of an assignment, each with what it gets."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, (ast.Tuple, ast.List)):
        for number, item in enumerate(target.elts):
            if isinstance(item, ast.Name):
                yield item.id, _item(value, number)


def _item(value: ast.expr, number: int) -> ast.expr:
    if isinstance(value, (ast.Tuple, ast.List)) and number < len(value.elts):
        return value.elts[number]
    begin = 0
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice):
        lower = value.slice.lower
        begin = lower.value if isinstance(lower, ast.Constant) and isinstance(lower.value, int) else 0
        value = value.value
    return ast.Subscript(value, ast.Constant(begin + number), ast.Load())
