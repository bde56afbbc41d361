"""Measure all, and write the figures and plots of docs/explanation/performance.md. A broken promise ends it with 1."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import bundle
import documents
import many_handlers
import plots
import run_hook
import startup
from measuring import ROOT, ROUNDS, environment, report

PAGE = ROOT / "docs" / "explanation" / "performance.md"


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = environment(folder)
        calls, tasks = startup.measure(folder, python), many_handlers.measure(folder, python)
        bundled, tests = bundle.measure(folder, python), run_hook.measure(folder)
    cards = documents.measure()
    promises = [
        *startup.promises(calls),
        *many_handlers.promises(tasks),
        *documents.promises(cards),
        *bundle.promises(bundled),
        *run_hook.promises(tests),
    ]
    ratios = {what: taken / calls[startup.BARE] for what, taken in calls.items()}
    blocks = {
        "where": where(),
        "calls": table(("call", "ms", "ratio"), [(what, taken * 1000, ratios[what]) for what, taken in calls.items()]),
        "floor": floor(calls),
        "tasks": curves_table("tasks", tasks),
        "cards": curves_table("network cards", cards),
        "promises": table(
            ("what", "measured", "promised"), [(promise.what, promise.measured, promise.rule) for promise in promises]
        ),
    }
    PAGE.write_text(fill(PAGE.read_text(), blocks))
    for name, plot in draw(ratios, tasks, cards).items():
        (PAGE.parent / f"performance-{name}.svg").write_text(plot)
    print(f"{PAGE.relative_to(ROOT)} and its plots are written")
    return report(promises)


def draw(ratios: Mapping[str, float], tasks: plots.Curves, cards: plots.Curves) -> dict[str, str]:
    """Return the plots by their names."""
    return {
        "calls": plots.bars(
            "One call, as a ratio to the start of Python", "whole processes; ours in blue", ratios, startup.OURS
        ),
        "tasks": plots.lines("Many tasks at one hook point", "whole processes", milliseconds(tasks), "tasks"),
        "cards": plots.lines(
            "Large guests", "parse, edit each card, serialise, in a running process", milliseconds(cards), "cards"
        ),
    }


def where() -> str:
    """Say what measured: versions and the kind of machine, not which one."""
    cpu = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    machine = f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}"
    versions = ", ".join(f"{name} {version(name)}" for name in ("lxml", "defusedxml"))
    return f"{platform.python_implementation()} {platform.python_version()}, {versions}; {machine}; {ROUNDS} rounds.\n"


def floor(calls: Mapping[str, float]) -> str:
    """Return how much longer each of our calls takes than the least that could do its work."""
    pairs = [
        (startup.NO_OPERATION, startup.BARE),
        (startup.NO_OBJECT, startup.BARE),
        (startup.DROPPED_IN, startup.MINIDOM),
        (startup.HANDLER, startup.IMPORT_LXML),
        (startup.TIMEOUT, startup.HANDLER),
    ]
    rows = [(ours, least, (calls[ours] - calls[least]) * 1000) for ours, least in pairs]
    return table(("ours", "the least", "ms between"), rows)


def curves_table(head: str, curves: plots.Curves) -> str:
    counts = list(next(iter(curves.values())))
    rows = [(way, *(taken * 1000 for taken in points.values())) for way, points in curves.items()]
    return table((f"ms for so many {head}", *(f"{count:,}" for count in counts)), rows)


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """Return a table in Markdown, with two decimals."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    cells = ([f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows)
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *cells))


def milliseconds(curves: plots.Curves) -> plots.Curves:
    return {way: {count: taken * 1000 for count, taken in points.items()} for way, points in curves.items()}


def fill(page: str, blocks: Mapping[str, str]) -> str:
    """Put each block between its marks in the page."""
    for name, block in blocks.items():
        mark, end = f"<!-- measured: {name} -->\n", "<!-- end -->"
        before, after = page.split(mark)
        page = f"{before}{mark}\n{block}\n{end}{after.partition(end)[2]}"
    return page


if __name__ == "__main__":
    sys.exit(main())
