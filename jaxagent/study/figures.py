"""Line and dot charts as inline SVG: colours come from the page's CSS variables, so they follow
light and dark mode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from jaxagent.study.labels import lines_of
from jaxagent.study.statistics import Estimate

PALETTE = 8
_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 20, 12, 36


@dataclass(frozen=True)
class Line:
    """One curve with its band; `colour` is the index of a CSS variable `--c0`, `--c1`, ..."""

    label: str
    colour: int
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Dot:
    """One number with its interval."""

    label: str
    colour: int
    estimate: Estimate


@dataclass(frozen=True)
class Axis:
    """A linear map from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) inside [low, high], roughly `about` of
    them."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((power * m for m in (1, 2, 5, 10)), key=lambda size: abs(math.log(size / raw)))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def short(number: float) -> str:
    """A tick label: 1500000 is 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}".replace("-", "−")


def line_chart(lines: Sequence[Line], name: str, *, percent: bool = False) -> str:
    """Curves over training turns with their bands; `percent` shows fractions as 0 to 100."""
    right = max(float(line.x[-1]) for line in lines)
    low, high = (0.0, 1.0) if percent else _range(lines)
    x = Axis(0.0, max(right, 1.0), _LEFT, _WIDTH - _RIGHT)
    y = Axis(low, high, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        _grid(x, y, percent),
        _text(_WIDTH - _RIGHT, _HEIGHT - 4, "end", "turns of training"),
    ]
    parts += [_band(line, x, y) for line in lines] + [_stroke(line, x, y) for line in lines]
    return _svg(parts, _WIDTH, _HEIGHT, name)


def dot_chart(groups: Sequence[tuple[str, Sequence[Dot]]], name: str) -> str:
    """Fractions with their intervals, one block of rows per group, each labelled on the left."""
    names = [lines_of(label, 24) for label, _ in groups]
    left = max(70, 20 + 7 * max(len(line) for lines in names for line in lines))
    step, gap = 13, 12
    height = _TOP + sum(step * len(dots) + gap for _, dots in groups) + 26
    x = Axis(0.0, 1.0, left, _WIDTH - _RIGHT)
    parts = [_vertical(x, mark, height - 26) for mark in ticks(0.0, 1.0)]
    top = float(_TOP)
    for lines, (_, dots) in zip(names, groups, strict=True):
        first = top + step * len(dots) / 2 + 4 - step / 2 * (len(lines) - 1)
        parts += [_text(left - 10, first + step * i, "end", line) for i, line in enumerate(lines)]
        parts += [_dot(dot, x, top + step * (i + 0.5)) for i, dot in enumerate(dots)]
        top += step * len(dots) + gap
    return _svg(parts, _WIDTH, height, name)


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    values = np.concatenate([np.concatenate([line.y, line.low, line.high]) for line in lines])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    low = min(low, 0.0)
    return (low, high + 0.05 * (high - low)) if high > low else (low, low + 1.0)


def _grid(x: Axis, y: Axis, percent: bool) -> str:
    marks = []
    for value in ticks(y.low, y.high):
        at = y(value)
        marks.append(f'<line class="rule" x1="{x.start}" x2="{x.end}" y1="{at}" y2="{at}"/>')
        marks.append(_text(x.start - 8, at + 4, "end", short(value * 100 if percent else value)))
    marks += [_text(x(t), y.start + 16, "middle", short(t)) for t in ticks(x.low, x.high, 4)]
    return "".join(marks)


def _vertical(x: Axis, value: float, bottom: float) -> str:
    at = x(value)
    line = f'<line class="rule" x1="{at}" x2="{at}" y1="{_TOP - 4}" y2="{bottom}"/>'
    return line + _text(at, bottom + 16, "middle", short(value * 100))


def _band(line: Line, x: Axis, y: Axis) -> str:
    inside = np.isfinite(line.low) & np.isfinite(line.high)
    if inside.sum() < 2:
        return ""
    upper = [(x(a), y(b)) for a, b in zip(line.x[inside], line.high[inside], strict=True)]
    lower = [(x(a), y(b)) for a, b in zip(line.x[inside], line.low[inside], strict=True)]
    points = _points(upper + lower[::-1])
    return f'<polygon points="{points}" fill="var(--c{line.colour})" opacity=".16"/>'


def _stroke(line: Line, x: Axis, y: Axis) -> str:
    inside = np.isfinite(line.y)
    points = _points([(x(a), y(b)) for a, b in zip(line.x[inside], line.y[inside], strict=True)])
    title = f"<title>{escape(line.label)}</title>"
    style = f'fill="none" stroke="var(--c{line.colour})" stroke-width="1.8"'
    return f'<polyline points="{points}" {style}>{title}</polyline>'


def _dot(dot: Dot, x: Axis, y: float) -> str:
    found = dot.estimate
    if not found.measured:
        return ""
    colour, title = f"var(--c{dot.colour})", f"<title>{escape(dot.label)}</title>"
    mark = f'<circle cx="{x(found.value)}" cy="{y}" r="4" fill="{colour}">{title}</circle>'
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return mark
    ends = f'x1="{x(found.low)}" x2="{x(found.high)}" y1="{y}" y2="{y}"'
    return f'<line {ends} stroke="{colour}" stroke-width="2" opacity=".55"/>{mark}'


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a},{b}" for a, b in pairs)


def _svg(parts: Sequence[str], width: float, height: float, name: str) -> str:
    body = "".join(parts)
    label = escape(name, quote=True)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{body}</svg>'
