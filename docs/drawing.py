"""Life cycles as SVG: a box for each call of the host, and beside it what a failure leads to."""

from __future__ import annotations

import textwrap
from xml.etree import ElementTree as ET

from life_cycles import LIFE_CYCLES, Row, rows

from hooking.points import Point

STYLE = """
  .paper { fill: #ffffff; stroke: #d1d9e0 }
  .box { fill: #f6f8fa; stroke: #afb8c1 }
  .line { stroke: #818b98; fill: none }
  .tip { fill: #818b98 }
  text { font: 13px system-ui, 'DejaVu Sans', sans-serif; fill: #1f2328 }
  .event { font-weight: 600 }
  .op { font: 600 14px ui-monospace, 'DejaVu Sans Mono', monospace }
  .small { font-size: 12px; fill: #59636e }
  .reply { font-size: 12px; fill: #0550ae; font-weight: 600 }
  .word { font-size: 12px; font-weight: 600; text-anchor: middle }
  .end { text-anchor: end }
  .aborts { fill: #fff1c2; stroke: #9a6700 }
  .kills { fill: #ffdcd7; stroke: #cf222e; stroke-width: 2 }
  .ignored { fill: none; stroke: #afb8c1; stroke-dasharray: 3 3 }
"""
"""An image brings its own white paper: it does not know whether its page is light or dark."""

WIDTH, LEFT, INDENT, BOX, WORD, TEXT = 900, 24, 56, 410, 506, 594
"""The width of the whole; where boxes begin, those of a destination further in; where boxes, words and texts stand."""

STEP, HEIGHT, EVENT = 64, 48, 34
"""From call to call; of a box; of the line that says what happens."""

REPLIES = {
    "stdout": "⇄ goes back by standard output",
    "file": "⇄ goes back by VDSM's file",
    "merged": "⇄ goes back, merged into VDSM's",
}
WORDS = {"aborts": "aborts", "kills": "KILLS", "ignored": "ignored"}


def draw(name: str) -> str:
    """Return the drawing of a life cycle as SVG."""
    title, found = LIFE_CYCLES[name][0], rows(name)
    height = 52 + STEP * len(found) + EVENT * sum(bool(row.event) for row in found)
    image = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", role="img")
    image.set("width", str(WIDTH))
    image.set("height", str(height))
    ET.SubElement(image, "title").text = title
    ET.SubElement(image, "desc").text = describe(name, found)
    ET.SubElement(image, "style").text = STYLE
    _add(image, "rect", "paper", x=0.5, y=0.5, width=WIDTH - 1, height=height - 1, rx=8)
    _text(image, LEFT, 26, "what the host calls, in its order, and what it hands over", "small")
    _text(image, WORD, 26, "what a failure of the hook does there", "small")
    _add_rows(image, found)
    ET.indent(image)
    return ET.tostring(image, encoding="unicode") + "\n"


def describe(name: str, found: list[Row] | None = None) -> str:
    """Return a drawing in words."""
    calls = (f"{row.event + ': ' if row.event else ''}{row.point.name} ({row.failure})" for row in found or rows(name))
    return f"The host calls, in this order, with what a failure does: {', '.join(calls)}."


def _add_rows(image: ET.Element, found: list[Row]) -> None:
    y = 44
    above: tuple[int, int] | None = None
    for row in found:
        left = LEFT + INDENT * (row.place == "destination")
        if row.event:
            _text(image, LEFT, y + 20, f"▸ {row.event}", "event")
            y += EVENT
        elif above:
            _arrow(image, above, (left + 24, y))
        _add_box(image, row, left, y)
        _add_failure(image, row, y)
        above = left + 24, y + HEIGHT
        y += STEP


def _add_box(image: ET.Element, row: Row, left: int, y: int) -> None:
    point = row.point
    _add(image, "rect", "box", x=left, y=y, width=LEFT + BOX + INDENT - left, height=HEIGHT, rx=6)
    _text(image, left + 12, y + 20, point.name, "op")
    right = LEFT + BOX + INDENT - 12
    _text(image, right, y + 20, row.place, "small end")
    _text(image, right, y + 39, row.each and f"for {row.each}", "small end")
    if point.reply and not row.dropped:
        _text(image, left + 12, y + 39, f"{_document(point)}  {REPLIES[point.reply]}", "reply")
    else:
        rule = ", changes are dropped" if row.dropped and point.reply else ", read only" if point.document else ""
        _text(image, left + 12, y + 39, _document(point) + rule, "small")


def _document(point: Point) -> str:
    kind = {"object": "JSON object", "array": "JSON array", None: "no document"}.get(point.document, point.document)
    return f"{kind}{' or nothing' if point.may_be_empty else ''}"


def _add_failure(image: ET.Element, row: Row, y: int) -> None:
    _add(image, "rect", row.failure, x=WORD, y=y + 4, width=76, height=22, rx=11)
    _text(image, WORD + 38, y + 19, WORDS[row.failure], "word")
    lines = [(line, "") for line in textwrap.wrap(row.consequence, 44, break_on_hyphens=False)]
    if row.point.on_error == "pass":
        lines.append(("a Hook's errors pass here, its refusals count", "small"))
    for number, (line, style) in enumerate(lines):
        _text(image, TEXT, y + 19 + 16 * number, line, style)


def _arrow(image: ET.Element, start: tuple[int, int], end: tuple[int, int]) -> None:
    (left, top), (x, bottom) = start, end
    _add(image, "path", "line", d=f"M{left} {top}v4H{x}V{bottom - 5}")
    _add(image, "path", "tip", d=f"M{x - 4} {bottom - 7}h8l-4 7z")


def _add(image: ET.Element, tag: str, style: str, **attributes: object) -> ET.Element:
    return ET.SubElement(image, tag, {"class": style, **{name: str(value) for name, value in attributes.items()}})


def _text(image: ET.Element, x: int, y: int, text: str, style: str) -> None:
    if text:
        element = _add(image, "text", style, x=x, y=y)
        element.text = text
