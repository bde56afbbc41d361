"""What handlers of `hooking.Hook`, and scripts by hand, cannot do at their hook points."""

from __future__ import annotations

import ast

import hooking
from hooking import points
from hooking.cli.checks.findings import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.python_names import Module
    from hooking.cli.checks.script import Script
    from hooking.points import Point

_DRIVERS = points.DRIVERS | {"vdsm"}
_ACTIONS = {"hooking.block_start": "start", "hooking.block_migration": "migration"}
_WRITERS = {"write_domain", "write_device", "write_domxml", "write_json"}
_READERS = {"read_domain", "read_device", "read_domxml", "read_hook_data", "read_json"}
_EDITS = {
    f"hooking.{name}"
    for module, names in hooking._MODULES.items()  # noqa: SLF001 - the public names by module
    if module.startswith("edits.") and module != "edits.refusals"
    for name in names.split()
}


def check(module: Module, script: Script) -> Iterator[Finding]:
    """Check what is done where."""
    every: list[tuple[int, Point]] = []
    for function in module.functions.values():
        registered = [point for each in function.decorator_list for point in _registered(each, module)]
        for line, point in registered:
            if not point.known:
                yield Finding("H302", line, points.misspelt(point.driver, point.op))
            elif point.absent:
                yield Finding("H302", line, f"{point.name}: {point.absent}")
        known = [point for _, point in registered if point.known]
        if known and not _asks(function):
            yield from _handler(function, known, module)
        every += registered
    if every:
        yield from _hook(every, module)
    if script.sure and len({point.driver for point in script.points}) == 1 and not module.guarded:
        yield from _by_hand(module, script)


def _hook(registered: list[tuple[int, Point]], module: Module) -> Iterator[Finding]:
    """Check how handlers are run."""
    runs = [call for call in module.calls() if isinstance(call.func, ast.Attribute) and call.func.attr == "run"]
    if not any(map(module.is_reached, runs)):
        yield Finding("H310", registered[0][0], "the handlers wait for hook.run()")
    harmed = [point.name for _, point in registered if point.on_error == "pass" and point.known]
    for call in module.calls():
        strict = [keyword for keyword in call.keywords if keyword.arg == "strict"]
        if harmed and strict and module.name(call.func) == "hooking.Hook" and getattr(strict[0].value, "value", True):
            yield Finding("H305", call.lineno, f"strict=True at {', '.join(harmed)}")


def _registered(decorator: ast.expr, module: Module) -> Iterator[tuple[int, Point]]:
    if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
        return
    hook = module.value(decorator.func.value)
    is_hook = isinstance(hook, ast.Call) and module.name(hook.func) == "hooking.Hook"
    if is_hook and decorator.func.attr in _DRIVERS:
        for argument in decorator.args:
            if op := module.text(argument):
                yield decorator.lineno, points.find(decorator.func.attr, op)


def _asks(function: ast.FunctionDef) -> bool:
    """Tell whether a handler looks itself where it is called."""
    return any(isinstance(node, ast.Attribute) and node.attr in {"op", "point"} for node in ast.walk(function))


def _handler(function: ast.FunctionDef, known: list[Point], module: Module) -> Iterator[Finding]:
    arguments = function.args.args
    document = arguments[0].arg if arguments else ""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        name = module.name(node.func)
        unable = [point.name for point in known if not _can(point, name, node, document)]
        if unable:
            yield Finding("H303", node.lineno, f"{name} at {', '.join(unable)}")


def _can(point: Point, name: str, call: ast.Call, document: str) -> bool:
    if name in _ACTIONS:
        return (point.action, point.failure) == (_ACTIONS[name], "aborts")
    if name == "hooking.refuse":
        return point.failure != "ignored"
    first = call.args[0] if call.args else None
    edits = name in _EDITS and isinstance(first, ast.Name) and first.id == document
    return not edits or point.reply is not None


def _by_hand(module: Module, script: Script) -> Iterator[Finding]:
    places = ", ".join(point.name for point in script.points[:3])
    for call in module.calls():
        name = module.name(call.func)
        ops = module.ops(call)
        own = [point for point in script.points if point.host == "vdsm" or point.op in ops]
        verb = name.rpartition(".")[2] if name.startswith("hooking.") else ""
        if own and verb in _WRITERS and not any(point.reply for point in own):
            yield Finding("H303", call.lineno, f"{name} at {', '.join(point.name for point in own[:3])}")
        if verb in _READERS and not any(_comes(point, verb) for point in script.points):
            yield Finding("H303", call.lineno, f"{name} at {places}")


def _comes(point: Point, reader: str) -> bool:
    """Tell whether a host hands over such a document."""
    return bool(point.document) and point.is_json == (reader == "read_json")
