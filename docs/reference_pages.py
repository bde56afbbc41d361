"""The pages of the reference that are made from the code: what can be imported, hook points, commands."""

from __future__ import annotations

import importlib
import inspect
import re

import click
import drawing
from click.testing import CliRunner
from life_cycles import LIFE_CYCLES

import hooking
from hooking import points, testing
from hooking.cli.command import hooking as command

API = """# What can be imported

`import hooking` has all that hooks need; `hooking.testing` is for their tests. This page is made from the docstrings.
"""

ROOMS = {
    "A hook, and the call it answers": "hook context host exceptions",
    "By hand": "call",
    "Domains and their devices": "domain devices machine",
    "Networks": "network",
    "JSON documents of VDSM": "json_documents",
    "Custom properties and values": "properties values",
    "Edits": "edits",
    "State and programs": "states commands",
    "Actions": "actions",
    "VDSM's own names": "vdsm",
}
"""The headings of the page, and the modules below each."""


def first_line(thing: object) -> str:
    """Return the first line of a docstring, as Markdown."""
    return (inspect.getdoc(thing) or "").splitlines()[0].replace("``", "`").replace("|", "\\|")


MORE = {
    "hooking.values": ["Kind"],
    "hooking.points": ["Point"],
    "hooking.testing.libvirtd": ["Trouble"],
    "hooking.testing.inventory": ["Guest", "Port", "SimulatedNetwork"],
    "hooking.testing.vm": ["Vm"],
    "hooking.testing.vdsm_host": ["VdsmHost"],
    "hooking.testing.executable": ["Ended"],
    "hooking.testing.golden": ["Golden"],
}
"""What the names above take and return, and nobody imports."""

BASES = "Element, JsonObject, BaseException, Mapping, MutableMapping, VdsmHost"
"""Classes whose members are not shown again in each class that is made of them."""

ALIASES = """
```{eval-rst}
.. py:data:: hooking.testing.DocumentSource

   XML or JSON as bytes or text, a `pathlib.Path` of it, or the value of a JSON document; `None` for a sample.
```
"""


def render_api() -> str:
    """Return the page with every public name."""
    parts = [API]
    for title, modules in ROOMS.items():
        parts.append(f"\n## {title}\n")
        for module, names in hooking._MODULES.items():  # noqa: SLF001 - the list of the face
            if module.partition(".")[0] in modules.split():
                heading = first_line(importlib.import_module(f"hooking.{module}")).rstrip(".")
                parts.append(f"\n### {heading}\n\n{_documented('hooking', names.split())}")
    public = [name for name, thing in vars(testing).items() if callable(thing)]
    parts.append(f"\n## Tests\n\n{_documented('hooking.testing', public)}\n## What they speak of\n")
    parts += [f"\n{_documented(module, names)}" for module, names in MORE.items()]
    return "".join([*parts, ALIASES])


def _documented(module: str, names: list[str]) -> str:
    """Return the directives that fetch the docstrings of ``names``."""
    lines = [_directive(name, getattr(importlib.import_module(module), name)) for name in names]
    return "\n".join(["```{eval-rst}", f".. currentmodule:: {module}\n", *lines, "```\n"])


def _directive(name: str, thing: object) -> str:
    if inspect.isclass(thing):
        return f".. autoclass:: {name}\n   :members:\n   :inherited-members: {BASES}"
    return f".. autofunction:: {name}" if inspect.isfunction(thing) else f".. autodata:: {name}\n   :no-value:"


POINTS = """# The hook points

When the hosts start a script, with what, and what its answer does. [Life cycles](life-cycles.md) shows the
same as drawings, in the order of the calls. `hooking points` prints the same; this page is made from the code.

* **document**: `domain`, `device`, `network` and `port` are XML, `object` and `array` JSON; with `?` it may be empty.
* **goes back**: how a changed document goes back: by standard output, by the file that VDSM names, or merged into
  VDSM's own. Where it is empty the host ignores changes, and making one is an error.
* **a failure** of the script *aborts* what the host is about to do, *kills* what already runs, or *is ignored*. *Then
  cleanup*: libvirt calls `stopped` and `release` afterwards.
  A `Hook` fails so at any error, but where **errors pass**: there failing would do harm, so it only logs what is no
  refusal, and the host goes on.
"""

POINT_COLUMNS = "hook point | document | goes back | a failure | remark"
"""The heads of the columns."""

CLI = """# The command

`libvirt-hooking[cli]` brings it ([how](../how-to/install.md#get-the-package-onto-a-host)). This page is what it
says of itself with `--help`, made from the code. What the statuses mean: [exit statuses](exit-statuses.md).
"""


def render_points() -> str:
    """Return the page with every hook point."""
    drivers = dict.fromkeys(point.driver for point in points.all_points())
    return POINTS + "".join(_points_of(driver) for driver in drivers)


def _points_of(driver: str) -> str:
    """Return the table of a driver's hook points."""
    title = "VDSM" if driver == "vdsm" else f"libvirt, driver {driver}"
    rows = [_row(point) for point in points.all_points() if point.driver == driver]
    rule = " | ".join(["---"] * len(POINT_COLUMNS.split("|")))
    return "\n".join([f"\n## {title}\n", f"| {POINT_COLUMNS} |", f"| {rule} |", *rows, ""])


def _row(point: points.Point) -> str:
    arguments = f" {point.subop} {point.extra}" if point.host == "libvirt" else ""
    failure = {"aborts": f"aborts the {point.action}", "kills": "**kills**", "ignored": "is ignored"}[point.failure]
    passes = "; **errors pass**" if point.on_error == "pass" else ""
    hosts = [f"since {point.since}"] * bool(point.since) + [f"until {point.until}"] * bool(point.until)
    cells = [
        f"`{point.name}`" + (f" `{arguments.strip()}`" if arguments else ""),
        f"{point.document or ''}{'?' * point.may_be_empty}",
        {"stdout": "standard output", None: ""}.get(point.reply, point.reply),
        failure + (f", then {point.then}" if point.then else "") + passes,
        "; ".join(filter(None, [" ".join(hosts), point.remark])),
    ]
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def render_cli() -> str:
    """Return the page with the help of every command."""
    return CLI + _help([]) + "".join(_help([name]) for name in command.list_commands(click.Context(command)))


def _help(words: list[str]) -> str:
    asked = CliRunner().invoke(command, [*words, "--help"], prog_name="hooking")
    if asked.exit_code:
        raise SystemExit(f"hooking {' '.join(words)} --help fails: {asked.output}")
    return f"\n## {' '.join(['hooking', *words])}\n\n```text\n{asked.output.rstrip()}\n```\n"


DRAWINGS = """# Life cycles

What the hosts call in each life cycle, in their order: which document comes, whether a change goes back, and what a
failure of the hook does there. The drawings are made by playing each life cycle on the [simulated
hosts](../explanation/fidelity.md), once as it should go and once more for each call, which then fails. Each links to
itself: its text can be searched and copied.

| in a drawing | what it says |
| --- | --- |
| ⇄ goes back | the host takes a changed document back |
| read only | it takes none back there, and a `Hook` that changes the document fails |
| changes are dropped | it takes them back at this point elsewhere, but not in this life cycle |
| aborts | a failing script keeps from happening what the host is about to do |
| KILLS | a failing script ends a guest that runs |
| ignored | a failing script is logged |
| a Hook's errors pass here | an error of a `Hook` is logged and does no harm; only what it refuses counts |
| the destroy points follow | VDSM calls those points of the VM whose names end in `_destroy` |

`hooking run SCRIPT LIFECYCLE` plays most of them with your script; `hooking run --help` lists them.
[The hook points](points.md) are the same as a table.
"""


def render_life_cycles() -> str:
    """Return the page with every drawing."""
    return DRAWINGS + "".join(
        f"\n## {title}\n\n[![{drawing.describe(name)}](../life-cycles/{name}.svg)](../life-cycles/{name}.svg)\n"
        for name, (title, _) in LIFE_CYCLES.items()
    )


EXIT_STATUSES = """# Exit statuses

## Of a hook

What the host does with a failure is said in [the hook points](points.md) and drawn in [life cycles](life-cycles.md).

| what happened | status |
| --- | --- |
| all went well, or no handler is registered for the call | 0 |
| a `Refusal`: `refuse`, `block_start`, `block_migration` | 1; at a point of VDSM that a failure aborts 2 |
| any other error, the end of `timeout=`, SIGTERM | the same; but 0, and it is logged, where [errors pass](points.md) |
| the same with `Hook(strict=True)` | 1 or 2 everywhere |
| an operation that is newer than this package | 0, and a line in the log |
| no host started the script | 1 |

VDSM runs no further script of the point after a 2, and shows only the last script's words; so 2 is used where it
gives up anyway. libvirt knows only 0 and not 0. A hook never ends with a status above 2, unless a handler kills it.

By hand, an uncaught `HookError` prints its line and ends the script with 1. VDSM's `exit_hook(message)` ends it with
2, or with the status that it is given.

Where a host cannot start a script, libvirt's log says 126 (it is there, but cannot be executed) or 127 (it, or its
interpreter, is not there).

## Of the command

| command | status |
| --- | --- |
"""


def render_exit_statuses() -> str:
    """Return the page with the statuses of hooks, and of every command as its help tells them."""
    rows: dict[str, str] = {}
    for name, found in sorted(command.commands.items()):
        told = re.search(
            r"^Exit status: (.*?)(?:\n\n|\Z)", inspect.cleandoc(found.help or ""), re.MULTILINE | re.DOTALL
        )
        if told is None:
            raise SystemExit(f"hooking {name} --help does not tell its exit status")
        rows[name] = " ".join(told[1].split())
    return EXIT_STATUSES + "".join(f"| `hooking {name}` | {statuses} |\n" for name, statuses in rows.items())


PAGES = {
    "api": render_api,
    "points": render_points,
    "cli": render_cli,
    "life-cycles": render_life_cycles,
    "exit-statuses": render_exit_statuses,
}
"""What makes each page."""
