"""Grids: tables of estimates, as HTML for the report, as CSV and as LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from jaxagent.study.escapes import csv_text, tex
from jaxagent.study.labels import breakable, short_label
from jaxagent.study.statistics import Estimate

NOTHING = "–"

WIDE = 7
"""Columns that fit a page of the usual width beside their labels."""


@dataclass(frozen=True)
class Column:
    """A column: its heading, whether its numbers are rates, shown in percent, and differences,
    shown with a sign."""

    name: str
    rate: bool = True
    sign: bool = False


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        name: of its files.
        corner: heading of the column of labels.
        columns: the others.
        rows: label, and an estimate or a text per column.
    """

    name: str
    corner: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Estimate | str, ...]], ...]

    def html(self) -> str:
        """For the report; intervals stand below their numbers. A wide table of few rows is turned,
        so that it fits the page."""
        names = [each.name for each in self.columns]
        labels = [short_label(label) for label, _ in self.rows]
        lines = [list(map(_cell, cells, self.columns)) for _, cells in self.rows]
        if len(names) > max(WIDE, len(labels)):
            heads, rows = labels, list(map(row_of, names, map(list, zip(*lines, strict=True))))
        else:
            heads, rows = (
                names,
                [row_of(row[0], line) for row, line in zip(self.rows, lines, strict=True)],
            )
        header = "".join(f"<th>{breakable(name)}</th>" for name in [self.corner, *heads])
        return table_of(f"<tr>{header}</tr>", rows)

    def csv(self) -> str:
        """Plain numbers: of every estimate its value and the ends of its interval."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        texts = [self._is_text(i) for i in range(len(self.columns))]
        head = [self.corner]
        for column, is_text in zip(self.columns, texts, strict=True):
            head += [column.name] if is_text else [f"{column.name}{end}" for end in _ENDS]
        lines.writerow(map(csv_text, head))
        for label, cells in self.rows:
            line: list[object] = [csv_text(label)]
            for each in cells:
                line += [csv_text(each)] if isinstance(each, str) else _known(each)
            lines.writerow(line)
        return text.getvalue()

    def latex(self) -> str:
        """A `tabular` for the package booktabs; intervals stand in brackets."""
        head = " & ".join(map(tex, [self.corner, *(each.name for each in self.columns)]))
        lines = [f"\\begin{{tabular}}{{l{'r' * len(self.columns)}}}", "\\toprule"]
        lines += [f"{head} \\\\", "\\midrule"]
        for label, cells in self.rows:
            shown = map(_tex_cell, cells, self.columns)
            lines.append(f"{' & '.join([tex(short_label(label)), *shown])} \\\\")
        return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])

    def _is_text(self, column: int) -> bool:
        return any(isinstance(cells[column], str) for _, cells in self.rows)


_ENDS = ("", " low", " high")


def _known(estimate: Estimate) -> list[float | str]:
    """The value and both ends; empty where there is none."""
    ends = (estimate.value, estimate.low, estimate.high)
    return [each if math.isfinite(each) else "" for each in ends]


def number(value: float, *, rate: bool = True, sign: bool = False) -> str:
    """A value in the units of the report: rates in percent with one decimal, others with three
    digits."""
    if not math.isfinite(value):
        return NOTHING
    text = (
        f"{100 * value:+.1f}"
        if rate
        else f"{value:+.3g}"
        if abs(value) < 1000
        else f"{value:+,.0f}"
    )
    text = text if sign else text.removeprefix("+")
    return ("0.0" if text.strip("+-") == "0.0" else text).replace("-", "−")


def interval(estimate: Estimate, *, rate: bool = True, sign: bool = False) -> str:
    """The bounds of an estimate, as 28.2–32.0, or with signs as −1.2 to +3.4."""
    return bounds(estimate, rate=rate, sign=sign) or "no interval"


def bounds(estimate: Estimate, *, rate: bool = True, sign: bool = False) -> str:
    """Return the same, or nothing where there is no interval."""
    if not estimate.has_interval:
        return ""
    low, high = (number(x, rate=rate, sign=sign) for x in (estimate.low, estimate.high))
    return f"{low} to {high}" if sign or estimate.low < 0 else f"{low}–{high}"


def cell(estimate: Estimate, *, rate: bool = True, sign: bool = False) -> str:
    """A cell of HTML: the value and its interval beneath."""
    if not estimate.measured:
        return f'<td class="none">{NOTHING}</td>'
    strong = ' class="sure"' if sign and estimate.excludes_zero else ""
    value = number(estimate.value, rate=rate, sign=sign)
    return f"<td{strong}><b>{value}</b>{small(bounds(estimate, rate=rate, sign=sign))}</td>"


def small(text: str, name: str = "") -> str:
    """Return a line of small print in a cell, or nothing for an empty one."""
    style = f' class="{name}"' if name else ""
    return f"<small{style}>{text}</small>" if text else ""


def row_of(name: str, cells: Sequence[str]) -> str:
    """A row of HTML; long names of phases are shortened, and told in full under the pointer."""
    label = short_label(name)
    title = f' title="{escape(name)}"' if label != name else ""
    return f"<tr><th{title}>{breakable(label)}</th>{''.join(cells)}</tr>"


def table_of(header: str, rows: Sequence[str], name: str = "") -> str:
    """A table of HTML that scrolls where it is too wide."""
    body = f"<thead>{header}</thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll"><table class="{name}">{body}</table></div>'


def _cell(content: Estimate | str, column: Column) -> str:
    if isinstance(content, str):
        return f'<td class="text">{breakable(content)}</td>'
    return cell(content, rate=column.rate, sign=column.sign)


def _tex_cell(content: Estimate | str, column: Column) -> str:
    if isinstance(content, str):
        return tex(content)
    if not content.measured:
        return "--"
    value = number(content.value, rate=column.rate, sign=column.sign)
    ends = bounds(content, rate=column.rate, sign=column.sign)
    return f"{tex(value)} [{tex(ends)}]" if ends else tex(value)
