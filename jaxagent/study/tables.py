"""The tables of a report, as HTML, and the one that ends a run, in the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from jaxagent.study import metrics
from jaxagent.study.scores import BASE, Scores, scores, stages
from jaxagent.study.statistics import MISSING, Estimate
from jaxagent.study.table import Row

if TYPE_CHECKING:
    from rich.table import Table

_RATES = ("success", "invalid", "pass@", "failure:")
NOTHING = "–"


def is_rate(metric: str) -> bool:
    """Whether a metric is a fraction, shown in percent."""
    return metric.startswith(_RATES)


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
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return "no interval"
    low, high = (number(x, rate=rate, sign=sign) for x in (estimate.low, estimate.high))
    return f"{low} to {high}" if sign or estimate.low < 0 else f"{low}–{high}"


def short_task(task: str, environment: str) -> str:
    """The part of a task's name after its environment."""
    return task.removeprefix(f"{environment}/")


def cell(estimate: Estimate, *, rate: bool = True, sign: bool = False) -> str:
    """A table cell: the value and its interval beneath."""
    if not estimate.measured:
        return f'<td class="none">{NOTHING}</td>'
    strong = ' class="sure"' if sign and estimate.excludes_zero else ""
    value = number(estimate.value, rate=rate, sign=sign)
    return (
        f"<td{strong}><b>{value}</b><small>{interval(estimate, rate=rate, sign=sign)}</small></td>"
    )


def heat_map(table: Scores) -> str:
    """Phases × tasks: success in percent and below it the gain over the base, also the tint."""
    matrix = metrics.transfer(table)
    widest = (
        max((abs(g.value) for row in matrix.gain for g in row if g.measured), default=1.0) or 1.0
    )
    rows = [_heat_row(table, matrix, index, widest) for index in range(len(matrix.phases))]
    return _table(_task_header(table), rows, "heat")


def metric_table(table: Scores, metric: str) -> str:
    """Phases × tasks of any metric, each value with its interval."""
    matrix = metrics.transfer(table)
    rate = is_rate(metric)
    rows = [
        _row(p, [cell(e, rate=rate) for e in row])
        for p, row in zip(matrix.phases, matrix.score, strict=True)
    ]
    return _table(_task_header(table), rows)


def delta_table(table: Scores) -> str:
    """Held-in, held-out and overall gain of every trained phase; with three seeds or more the
    robust summaries too."""
    found = [
        (metrics.deltas(table, phase), metrics.aggregate(table, phase))
        for phase in table.phases
        if phase != BASE
    ]
    robust = any(summary.iqm.measured for _, summary in found)
    names = ["held-in gain", "held-out gain", "overall gain"] + [
        "IQM",
        "P(better than base)",
    ] * robust
    rows = []
    for delta, summary in found:
        cells = [cell(e, sign=True) for e in (delta.held_in, delta.held_out, delta.overall)]
        cells += [cell(e) for e in (summary.iqm, summary.improvement)] if robust else []
        rows.append(_row(delta.phase, cells))
    return _table(_header(["phase", *names]), rows)


def forgetting_table(found: Sequence[metrics.Forgetting]) -> str:
    """What every sequence lost on the tasks of its earlier stages."""
    rows = [
        _row(
            f.phase,
            [
                f'<td class="text">{escape(f.task)}</td>',
                cell(f.before),
                cell(f.after),
                cell(f.lost, sign=True),
            ],
        )
        for f in found
    ]
    return _table(_header(["sequence", "task", "end of own stage", "end", "forgotten"]), rows)


def continual_table(table: Scores) -> str:
    """ACC, BWT and FWT of every complete sequence; empty without one."""
    found = [
        c for c in (metrics.continual(table, phase) for phase in table.phases) if c is not None
    ]
    rows = [
        _row(c.phase, [cell(c.accuracy), cell(c.backward, sign=True), cell(c.forward, sign=True)])
        for c in found
    ]
    return _table(_header(["sequence", "ACC", "BWT", "FWT"]), rows) if rows else ""


def shift_table(table: Scores, shift: metrics.Shift) -> str:
    """How the gain of every trained phase on a plain task differs under each shift of it."""
    rows = [
        _row(
            p, [cell(metrics.carried(table, p, shift.plain, v), sign=True) for v in shift.variants]
        )
        for p in table.phases
        if p != BASE
    ]
    names = [variant.removeprefix(f"{shift.plain}+") for variant in shift.variants]
    return _table(_header(["phase", *names]), rows) if BASE in table.phases and rows else ""


def terminal_table(rows: Iterable[Row]) -> Table:
    """Success in percent with its interval, phases × tasks, for the end of a run."""
    from rich.table import Table

    table = scores(rows)
    shown = Table(title="success, % (95 % interval)", title_justify="left", header_style="bold")
    shown.add_column("phase", no_wrap=True)
    for task, environment in zip(table.tasks, table.environments, strict=True):
        shown.add_column(f"{environment}\n{short_task(task, environment)}", justify="right")
    matrix = metrics.transfer(table)
    for phase, line in zip(matrix.phases, matrix.score, strict=True):
        shown.add_row(
            phase,
            *(
                f"{number(e.value)}\n[dim]{interval(e)}[/dim]" if e.measured else NOTHING
                for e in line
            ),
        )
    return shown


def _heat_row(table: Scores, matrix: metrics.Transfer, index: int, widest: float) -> str:
    trained = {name for stage in stages(table, matrix.phases[index]) for name in stage}
    cells = zip(matrix.score[index], matrix.gain[index], table.environments, strict=True)
    shown = [_heat_cell(s, g, name in trained, widest) for s, g, name in cells]
    return _row(matrix.phases[index], shown)


def _heat_cell(score: Estimate, gain: Estimate, own: bool, widest: float) -> str:
    if not score.measured:
        return cell(MISSING)
    body = f"<b>{number(score.value)}</b><small>{interval(score)}</small>"
    if not gain.measured:
        return f"<td>{body}</td>"
    name = ("sure" if gain.excludes_zero else "unsure") + " own" * own
    body += f'<small class="gain">{number(gain.value, sign=True)}</small>'
    body += f'<small class="bounds">{interval(gain, sign=True)}</small>'
    return f'<td class="{name}" style="background:{_tint(gain.value / widest)}">{body}</td>'


def _tint(share: float) -> str:
    """Blue for gain, orange for loss; transparent enough to read on light and dark pages."""
    rgb = "46,122,190" if share >= 0 else "214,106,38"
    return f"rgba({rgb},{0.55 * min(1.0, abs(share)):.2f})"


def _task_header(table: Scores) -> str:
    """Two header rows: environments, and the rest of each task's name."""
    groups = [(name, len(list(same))) for name, same in groupby(table.environments)]
    top = "".join(f'<th colspan="{size}">{escape(name)}</th>' for name, size in groups)
    pairs = zip(table.tasks, table.environments, strict=True)
    names = "".join(f"<th>{escape(short_task(t, e)).replace('+', '<wbr>+')}</th>" for t, e in pairs)
    return f'<tr><th rowspan="2">phase</th>{top}</tr><tr>{names}</tr>'


def _header(names: Sequence[str]) -> str:
    shown = (f"<th{' class=text' * (name == 'task')}>{escape(name)}</th>" for name in names)
    return f"<tr>{''.join(shown)}</tr>"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>"


def _table(header: str, rows: Sequence[str], name: str = "") -> str:
    body = f"<thead>{header}</thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll"><table class="{name}">{body}</table></div>'
