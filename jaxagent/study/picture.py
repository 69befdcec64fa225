"""The transfer matrix of a study as a picture of its own (SVG), for pages that show no HTML."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from jaxagent.study import metrics
from jaxagent.study.grid import NOTHING, bounds, number
from jaxagent.study.labels import lines_of, short_label
from jaxagent.study.scores import Scores
from jaxagent.study.statistics import SEEDS_FOR_INTERVAL, TOO_FEW, Estimate
from jaxagent.study.tables import short_task

_CELL, _ROW, _LETTER, _HEAD = 118, 52, 7.2, 64
_LINE, _STEP = 13, 16
_LONGEST, _WIDEST = 30, 15
_LEAST = 0.01
"""Success from which on a task is drawn."""

_CAPTION = "success, % (gain over the base), "
_INK, _SOFT, _RULE = "#1c1f24", "#646b76", "#e3e5e9"
_GAIN, _LOSS = "46,122,190", "214,106,38"


def transfer_picture(table: Scores, study: str) -> str:
    """Success behind every phase (rows) on every task (columns), percent, with its interval, tinted
    by the gain over the base: blue is gain, orange loss. Long names take several lines;
    tasks on which no phase ever succeeds are named below.
    The name of the study is above it."""
    matrix = metrics.transfer(table)
    shown, silent = _columns(matrix)
    few = len(table.seeds) < SEEDS_FOR_INTERVAL
    caption = _CAPTION + (TOO_FEW if few else "95 % interval")
    tasks, environments = ([each[i] for i in shown] for each in (matrix.tasks, table.environments))
    names = [lines_of(short_label(each), _LONGEST) for each in matrix.phases]
    heads = [
        lines_of(short_task(task, name), _WIDEST)
        for task, name in zip(tasks, environments, strict=True)
    ]
    top = _HEAD + _LINE * max(map(len, heads))
    label = int(_LETTER * max(len(line) for lines in names for line in lines)) + 24
    heading = int(_LETTER * max(len(caption), len(study))) + 16
    width = max(label + _CELL * len(shown), heading)
    widest = max((abs(g.value) for row in matrix.gain for g in row if g.measured), default=0.0)
    parts = [_text(8, 20, study, "start", weight=600), _text(8, 36, caption, "start", soft=True)]
    for column, (name, lines) in enumerate(zip(environments, heads, strict=True)):
        middle = label + _CELL * (column + 0.5)
        parts.append(_text(middle, 56, lines_of(name, _WIDEST)[0]))
        parts += [_text(middle, 70 + _LINE * i, line, soft=True) for i, line in enumerate(lines)]
    for lines, scores, gains in zip(names, matrix.score, matrix.gain, strict=True):
        first = top + _ROW / 2 + 4 - _STEP / 2 * (len(lines) - 1)
        parts += [_text(8, first + _STEP * i, line, "start") for i, line in enumerate(lines)]
        cells = [(scores[i], gains[i]) for i in shown]
        parts += [_cell(label + _CELL * i, top, *cell, widest) for i, cell in enumerate(cells)]
        top += max(_ROW, _STEP * len(lines) + 8)
    told = f"under {100 * _LEAST:g} % in every row: {', '.join(silent)}"
    for line in textwrap.wrap(told, int(width / 6)) if silent else []:
        top += _STEP
        parts.append(_text(8, top - 2, line, "start", soft=True))
    return _svg(parts, width, top + 8, f"{study}: {caption}")


def _columns(matrix: metrics.Transfer) -> tuple[list[int], list[str]]:
    """Places of the tasks to draw, and the names of those on which no phase ever succeeds."""
    count = len(matrix.tasks)
    dead = [all(not line[i].value >= _LEAST for line in matrix.score) for i in range(count)]
    if all(dead):
        dead = [False] * count
    drawn = [i for i in range(count) if not dead[i]]
    return drawn, [matrix.tasks[i] for i in range(count) if dead[i]]


def _cell(left: float, top: float, score: Estimate, gain: Estimate, widest: float) -> str:
    middle = left + _CELL / 2
    if not score.measured:
        return _text(middle, top + 30, NOTHING, soft=True)
    colour, share = _GAIN if gain.measured and gain.value >= 0 else _LOSS, 0.0
    if gain.measured and widest:
        share = 0.55 * abs(gain.value) / widest
    box = f'x="{left + 2}" y="{top + 2}" width="{_CELL - 4}" height="{_ROW - 4}" rx="4"'
    found = f'<rect {box} fill="rgb({colour})" fill-opacity="{share:.2f}" stroke="{_RULE}"/>'
    told = f"{number(score.value)}"
    if gain.measured:
        told += f"  ({number(gain.value, sign=True)})"
    ends = bounds(score)
    found += _text(middle, top + (24 if ends else 30), told, weight=600)
    return found + (_text(middle, top + 40, ends, soft=True) if ends else "")


def _text(
    x: float, y: float, text: str, anchor: str = "middle", soft: bool = False, weight: int = 400
) -> str:
    size, colour = (11, _SOFT) if soft else (13, _INK)
    style = f'font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


def _svg(parts: Sequence[str], width: float, height: float, title: str) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    font = 'font-family="system-ui, sans-serif"'
    back = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img" '
        f'aria-label="{escape(title, quote=True)}">{back}{"".join(parts)}</svg>\n'
    )
