"""Plots as SVG: bars of ratios, and lines with logarithmic axes, on white paper as the drawings of docs/."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

STYLE = """
  .paper { fill: #ffffff; stroke: #d1d9e0 }
  .grid { stroke: #d1d9e0 }
  text { font: 13px system-ui, 'DejaVu Sans', sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .small { font-size: 12px; fill: #59636e }
  .end { text-anchor: end }
  .middle { text-anchor: middle }
  .other { fill: #afb8c1 }
  .ours { fill: #0969da }
  path, circle { stroke-width: 2 }
  .c0 { stroke: #0969da } .c1 { stroke: #8250df } .c2 { stroke: #1a7f37 }
  .c3 { stroke: #59636e } .c4 { stroke: #bf3989 } .c5 { stroke: #bc4c00 }
  path { fill: none }
  circle { fill: #ffffff }
"""

WIDTH, LEFT, TOP = 900, 24, 72
STEP, BAR, BARS = 30, 18, 370
"""From bar to bar; how high one is; where they begin."""
PLOT_LEFT, PLOT_RIGHT, PLOT_HEIGHT, LABEL = 84, 590, 330, 17
"""The sides of a plot of lines, its height, and the room that a label at the end of a line takes."""

Curves = Mapping[str, Mapping[int, float]]


def bars(title: str, subtitle: str, ratios: Mapping[str, float], ours: set[str]) -> str:
    """Return a bar for each ratio."""
    unit = (WIDTH - BARS - 80) / max(ratios.values())
    parts: list[str] = []
    for number, (what, ratio) in enumerate(ratios.items()):
        y = TOP + STEP * number
        kind = "ours" if what in ours else "other"
        parts += [
            _text(BARS - 10, y + 14, what.replace("`", ""), "end"),
            f'<rect class="{kind}" x="{BARS}" y="{y}" width="{ratio * unit:.1f}" height="{BAR}" rx="2"/>',
            _text(BARS + ratio * unit + 8, y + 14, f"{ratio:.2f}"),
        ]
    return _image(title, subtitle, TOP + STEP * len(ratios) + 10, parts)


def lines(title: str, subtitle: str, curves: Curves, unit: str) -> str:
    """Return a line for each curve, of milliseconds over counts of ``unit``; both axes are logarithmic."""
    counts = sorted({count for points in curves.values() for count in points})
    times = [time for points in curves.values() for time in points.values()]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))

    def x(count: float) -> float:
        return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * math.log(count / counts[0]) / math.log(counts[-1] / counts[0])

    def y(time: float) -> float:
        return TOP + PLOT_HEIGHT * (high - math.log10(time)) / (high - low)

    parts = [_text(PLOT_LEFT, TOP + PLOT_HEIGHT + 42, unit, "small")]
    for exponent in range(low, high + 1):
        height = y(10.0**exponent)
        parts += [_line(PLOT_LEFT, height, PLOT_RIGHT, height)]
        parts += [_text(PLOT_LEFT - 10, height + 4, f"{10.0**exponent:,g} ms", "small end")]
    for count in counts:
        parts += [_line(x(count), TOP, x(count), TOP + PLOT_HEIGHT)]
        parts += [_text(x(count), TOP + PLOT_HEIGHT + 20, f"{count:,}", "small middle")]
    labels = _apart({name: y(points[counts[-1]]) for name, points in curves.items()})
    for number, (name, points) in enumerate(curves.items()):
        places = [(x(count), y(time)) for count, time in points.items()]
        parts += [f'<path class="c{number}" d="M{" ".join(f"{left:.1f} {top:.1f}" for left, top in places)}"/>']
        parts += [f'<circle class="c{number}" cx="{left:.1f}" cy="{top:.1f}" r="4"/>' for left, top in places]
        end, label = places[-1][1], labels[name]
        parts += [f'<path class="c{number}" d="M{PLOT_RIGHT + 6} {end:.1f}L{PLOT_RIGHT + 22} {label:.1f}"/>']
        parts += [_text(PLOT_RIGHT + 28, label + 4, name.replace("`", ""))]
    return _image(title, subtitle, TOP + PLOT_HEIGHT + 60, parts)


def _apart(heights: Mapping[str, float]) -> dict[str, float]:
    """Move labels down so that none covers another."""
    placed: dict[str, float] = {}
    last = -math.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        placed[name] = last = max(height, last + LABEL)
    return placed


def _image(title: str, subtitle: str, height: int, parts: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    paper = f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>'
    above = [f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", paper]
    titles = [_text(LEFT, 32, title, "title"), _text(LEFT, 52, subtitle, "small")]
    return "\n  ".join([f'{head} role="img">', *above, *titles, *parts]) + "\n</svg>\n"


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _line(left: float, top: float, right: float, bottom: float) -> str:
    return f'<line class="grid" x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"/>'
