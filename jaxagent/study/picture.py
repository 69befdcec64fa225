"""The transfer matrix of a study as a picture of its own (SVG), for pages that show no HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from jaxagent.study import metrics
from jaxagent.study.grid import NOTHING, bounds, number
from jaxagent.study.labels import lines_of, short_label
from jaxagent.study.scores import Scores
from jaxagent.study.statistics import Estimate
from jaxagent.study.tables import short_task

_CELL, _ROW, _LETTER, _HEAD = 118, 52, 7.2, 64
_LINE, _STEP = 13, 16
_LONGEST, _WIDEST = 30, 15
_CAPTION = "success, % (gain over the base), 95 % interval"
_INK, _SOFT, _RULE = "#1c1f24", "#646b76", "#e3e5e9"
_GAIN, _LOSS = "46,122,190", "214,106,38"


def transfer_picture(table: Scores, study: str) -> str:
    """Success behind every phase (rows) on every task (columns), percent, with its interval, tinted
    by the gain over the base: blue is gain, orange loss. Long names take several lines.
    The name of the study is above it."""
    matrix = metrics.transfer(table)
    names = [lines_of(short_label(each), _LONGEST) for each in matrix.phases]
    heads = [
        lines_of(short_task(task, name), _WIDEST)
        for task, name in zip(matrix.tasks, table.environments, strict=True)
    ]
    top = _HEAD + _LINE * max(map(len, heads))
    label = int(_LETTER * max(len(line) for lines in names for line in lines)) + 24
    heading = int(_LETTER * max(len(_CAPTION), len(study))) + 16
    width = max(label + _CELL * len(matrix.tasks), heading)
    widest = max((abs(g.value) for row in matrix.gain for g in row if g.measured), default=0.0)
    parts = [_text(8, 20, study, "start", weight=600), _text(8, 36, _CAPTION, "start", soft=True)]
    for column, (name, lines) in enumerate(zip(table.environments, heads, strict=True)):
        middle = label + _CELL * (column + 0.5)
        parts.append(_text(middle, 56, lines_of(name, _WIDEST)[0]))
        parts += [_text(middle, 70 + _LINE * i, line, soft=True) for i, line in enumerate(lines)]
    for lines, scores, gains in zip(names, matrix.score, matrix.gain, strict=True):
        first = top + _ROW / 2 + 4 - _STEP / 2 * (len(lines) - 1)
        parts += [_text(8, first + _STEP * i, line, "start") for i, line in enumerate(lines)]
        cells = zip(scores, gains, strict=True)
        parts += [_cell(label + _CELL * i, top, *cell, widest) for i, cell in enumerate(cells)]
        top += max(_ROW, _STEP * len(lines) + 8)
    return _svg(parts, width, top + 8, f"{study}: {_CAPTION}")


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
    found += _text(middle, top + 24, told, weight=600)
    return found + _text(middle, top + 40, bounds(score), soft=True)


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
