"""Charts as SVG text, to stand inside a page. Pure functions; colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources

import numpy as np

LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 34
CURVE = 240, 168
"""Width and height of a curve, in pixels."""


@dataclass(frozen=True)
class Point:
    """A figure at a place, with its interval where known, and what it says on hover."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    x_low: float | None = None
    x_high: float | None = None
    label: str = ""


@dataclass(frozen=True)
class Series:
    """Points of one colour. ``colour``: number of the page's colour."""

    name: str
    colour: int
    points: Sequence[Point]


@dataclass(frozen=True)
class Axis:
    """A linear axis: bounds in data units, pixels at both ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Data to pixels."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most about so many round numbers that span low to high, both ends covered."""
    size = max(abs(low), abs(high), 1e-6)
    if high - low < 1e-6 * size:
        low, high = low - 0.5 * size, high + 0.5 * size
    rough = (high - low) / max(most - 1, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def curve(series: Sequence[Series], across: str, numbers: Sequence[int], title: str) -> str:
    """Figures over some numbers, evenly spaced whatever they are, with their intervals as bands."""
    width, height = CURVE
    known = [p for s in series for p in s.points]
    if not known:
        return ""
    marks = ticks(
        min(_least(p) for p in known),
        max(_most(p) for p in known),
    )
    y = Axis(marks[0], marks[-1], height - BOTTOM, TOP)
    places = {number: LEFT + (k + 0.5) * (width - LEFT - RIGHT) / len(numbers) for k, number in enumerate(numbers)}
    parts = _grid(y, marks, width)
    for number, x in places.items():
        parts.append(_text(x, height - BOTTOM + 16, str(number), "middle"))
    parts.append(_text((LEFT + width - RIGHT) / 2, height - 4, across, "middle"))
    for line in series:
        points = sorted(line.points, key=lambda p: p.x)
        bounds = [(places[int(p.x)], p) for p in points if p.low is not None and p.high is not None]
        if len(bounds) > 1:
            there = [f"{x:.1f},{y(p.low or 0):.1f}" for x, p in bounds]
            back = [f"{x:.1f},{y(p.high or 0):.1f}" for x, p in reversed(bounds)]
            parts.append(f'<polygon class="band c{line.colour}" points="{" ".join(there + back)}"/>')
        path = " ".join(f"{places[int(p.x)]:.1f},{y(p.y):.1f}" for p in points)
        parts.append(f'<polyline class="line c{line.colour}" points="{path}"/>')
        for p in points:
            parts.append(_dot(places[int(p.x)], y(p.y), 3.5, line.colour, p.label))
    return _svg(parts, width, height, title)


def side_by_side(curves: Mapping[str, str]) -> str:
    """Curves, each under its name, as one SVG file with the page's colours."""
    width, height = CURVE
    head = 22
    parts = []
    for column, (name, chart) in enumerate(curves.items()):
        parts.append(f'<text x="{column * width + 8}" y="{head - 8}">{escape(name)}</text>')
        parts.append(chart.replace("<svg ", f'<svg x="{column * width}" y="{head}" ', 1))
    style = resources.files("gioconda.evaluation").joinpath("report.css").read_text(encoding="utf-8")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * len(curves)} {head + height}">'
        f'<style>{style}</style><rect width="100%" height="100%" style="fill:var(--paper)"/>{"".join(parts)}</svg>\n'
    )


def scatter(
    series: Sequence[Series], across: str, up: str, title: str, width: int = 560, height: int = 360, named: bool = True
) -> str:
    """Points by two figures, with whiskers where there are intervals; points of a series are joined in order."""
    known = [p for s in series for p in s.points]
    if not known:
        return ""
    x_marks = ticks(
        min(p.x if p.x_low is None else p.x_low for p in known),
        max(p.x if p.x_high is None else p.x_high for p in known),
        7,
    )
    y_marks = ticks(min(_least(p) for p in known), max(_most(p) for p in known), 6)
    bottom, left, top = BOTTOM + 10, LEFT + 18, TOP + 14
    x = Axis(x_marks[0], x_marks[-1], left + 6, width - RIGHT - 40)
    y = Axis(y_marks[0], y_marks[-1], height - bottom, top)
    parts = _grid(y, y_marks, width, left)
    for mark in x_marks:
        parts.append(f'<line class="grid" x1="{x(mark):.1f}" y1="{top}" x2="{x(mark):.1f}" y2="{height - bottom}"/>')
        parts.append(_text(x(mark), height - bottom + 16, f"{mark:g}", "middle"))
    parts.append(_text((left + width - RIGHT) / 2, height - 8, across, "middle", "axis"))
    parts.append(
        f'<text class="axis" text-anchor="middle" transform="translate(12 {(top + height - bottom) / 2:.0f}) '
        f'rotate(-90)">{escape(up)}</text>'
    )
    for line in series:
        if named and len(line.points) > 1:
            path = " ".join(f"{x(p.x):.1f},{y(p.y):.1f}" for p in line.points)
            parts.append(f'<polyline class="line thin c{line.colour}" points="{path}"/>')
        for p in line.points:
            if p.low is not None and p.high is not None:
                parts.append(_whisker(line.colour, x(p.x), y(p.low), x(p.x), y(p.high)))
            if p.x_low is not None and p.x_high is not None:
                parts.append(_whisker(line.colour, x(p.x_low), y(p.y), x(p.x_high), y(p.y)))
            parts.append(_dot(x(p.x), y(p.y), 5.5 if named else 3.5, line.colour, p.label))
    if named:
        parts += _labels([(x(p.x), y(p.y), p.label.split(":")[0]) for s in series for p in s.points])
    return _svg(parts, width, height, title)


def strips(series: Sequence[tuple[str, int, Sequence[float]]], title: str, width: int = 240) -> str:
    """Distributions: a row for each name, a dot for each clip, a bar at the median."""
    rows = [(name, colour, [v for v in values if math.isfinite(v)]) for name, colour, values in series]
    everything = [v for _, _, values in rows for v in values]
    if not everything:
        return ""
    # Seven pixels a letter: the longest name stands whole.
    pitch, left = 26, max(62, 14 + 7 * max(len(name) for name, _, _ in rows))
    height = TOP + pitch * len(rows) + 22
    marks = ticks(min(everything), max(everything), 4)
    x = Axis(marks[0], marks[-1], left, width - RIGHT - 6)
    parts = []
    for mark in marks:
        parts.append(f'<line class="grid" x1="{x(mark):.1f}" y1="{TOP}" x2="{x(mark):.1f}" y2="{height - 22}"/>')
        parts.append(_text(x(mark), height - 7, f"{mark:g}", "middle"))
    for row, (name, colour, values) in enumerate(rows):
        middle = TOP + pitch * (row + 0.5)
        parts.append(_text(left - 8, middle + 4, name, "end"))
        for place, value in enumerate(sorted(values)):
            # A fixed zigzag keeps equal figures apart; chance would make the page differ from run to run.
            shift = (place % 5 - 2) * 2.2
            parts.append(f'<circle class="pale c{colour}" cx="{x(value):.1f}" cy="{middle + shift:.1f}" r="2.6"/>')
        if values:
            centre = x(float(np.median(values)))
            parts.append(
                f'<line class="line c{colour}" x1="{centre:.1f}" y1="{middle - 10:.1f}" '
                f'x2="{centre:.1f}" y2="{middle + 10:.1f}"/>'
            )
    return _svg(parts, width, height, title)


def _least(p: Point) -> float:
    return p.y if p.low is None else min(p.low, p.y)


def _most(p: Point) -> float:
    return p.y if p.high is None else max(p.high, p.y)


def _grid(y: Axis, marks: Sequence[float], width: int, left: int = LEFT) -> list[str]:
    parts = []
    for mark in marks:
        parts.append(f'<line class="grid" x1="{left}" y1="{y(mark):.1f}" x2="{width - RIGHT}" y2="{y(mark):.1f}"/>')
        parts.append(_text(left - 6, y(mark) + 4, f"{mark:g}", "end"))
    return parts


def _text(x: float, y: float, text: str, anchor: str, style: str = "tick") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _dot(x: float, y: float, radius: float, colour: int, label: str) -> str:
    return (
        f'<circle class="dot c{colour}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>{escape(label)}</title></circle>'
    )


def _whisker(colour: int, x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line class="whisker c{colour}" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>'


def _labels(places: Sequence[tuple[float, float, str]]) -> list[str]:
    """Names beside points; those of points in one place are written as one."""
    groups: list[tuple[float, float, list[str]]] = []
    for x, y, name in places:
        for gx, gy, names in groups:
            if abs(x - gx) < 26 and abs(y - gy) < 12:
                names.append(name)
                break
        else:
            groups.append((x, y, [name]))
    return [_text(x + 9, y - 8, _joined(names), "start", "name") for x, y, names in groups]


def _joined(names: Sequence[str]) -> str:
    """`flow 8`, `flow 32` as `flow 8, 32`."""
    text, last = "", ""
    for name in names:
        maker, _, number = name.rpartition(" ")
        text += f", {number}" if maker == last and last else f"{', ' if text else ''}{name}"
        last = maker
    return text


def _svg(parts: Sequence[str], width: int, height: int, title: str) -> str:
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(title, quote=True)}">{body}</svg>'
    )
