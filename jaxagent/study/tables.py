"""The tables of a report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from jaxagent.study import continual, curves, metrics
from jaxagent.study.grid import (
    Column,
    Grid,
    bounds,
    cell,
    number,
    row_of,
    small,
    table_of,
)
from jaxagent.study.labels import breakable
from jaxagent.study.scores import (
    BASE,
    Scores,
    contrast,
    is_rate,
    mean_of,
    plain_tasks,
    scores,
    stages,
)
from jaxagent.study.statistics import MISSING, Estimate
from jaxagent.study.table import Row


def short_task(task: str, environment: str) -> str:
    """The part of a task's name after its environment."""
    return task.removeprefix(f"{environment}/")


def heat_map(table: Scores) -> str:
    """Phases × tasks: success in percent and below it the gain over the base, also the tint."""
    matrix = metrics.transfer(table)
    widest = (
        max((abs(g.value) for row in matrix.gain for g in row if g.measured), default=1.0) or 1.0
    )
    rows = [_heat_row(table, matrix, index, widest) for index in range(len(matrix.phases))]
    return table_of(_task_header(table), rows, "heat")


def score_grid(table: Scores, metric: str = "success") -> Grid:
    """Phases × tasks of any metric."""
    matrix = metrics.transfer(table)
    columns = tuple(Column(task, is_rate(metric)) for task in table.tasks)
    rows = zip(matrix.phases, matrix.score, strict=True)
    return Grid(metric.replace(":", "-"), "phase", columns, tuple(rows))


def gain_grid(table: Scores) -> Grid:
    """Phases × tasks: gain over the base."""
    matrix = metrics.transfer(table)
    columns = tuple(Column(task, sign=True) for task in table.tasks)
    rows = zip(matrix.phases, matrix.gain, strict=True)
    return Grid("gain", "phase", columns, tuple(row for row in rows if row[0] != BASE))


def normalised_grid(table: Scores) -> Grid | None:
    """Gain of phases that trained on one environment, as a share of the gain that the phase of each
    column's own environment has there; None without two such phases."""
    phases, tasks, share = metrics.normalised_transfer(table)
    if len(phases) < 2 or not any(each.measured for row in share for each in row):
        return None
    columns = tuple(Column(task) for task in tasks)
    return Grid(
        "normalised-transfer", "trained on", columns, tuple(zip(phases, share, strict=True))
    )


def delta_grid(table: Scores) -> Grid:
    """Held-in, held-out and overall gain of every trained phase; with three seeds or more the
    robust summaries too."""
    found = [
        (metrics.deltas(table, phase), metrics.aggregate(table, phase))
        for phase in table.phases
        if phase != BASE
    ]
    robust = any(summary.iqm.measured for _, summary in found)
    names = ("held-in gain", "held-out gain", "overall gain")
    columns = [Column(name, sign=True) for name in names]
    columns += [Column("IQM"), Column("P(better than base)")] * robust
    rows = []
    for delta, summary in found:
        cells = (delta.held_in, delta.held_out, delta.overall)
        rows.append((delta.phase, cells + (summary.iqm, summary.improvement) * robust))
    return Grid("held-in-held-out", "phase", tuple(columns), tuple(rows))


def difficulty_grids(table: Scores) -> list[Grid]:
    """For every environment measured at several difficulties, what training on some of them did to
    each: the gain over the base."""
    grids = []
    for environment in dict.fromkeys(table.environments):
        tasks = plain_tasks(table, environment)
        own = [p for p in table.phases if {n for s in stages(table, p) for n in s} == {environment}]
        if len(tasks) < 2 or not own or BASE not in table.phases:
            continue
        columns = [Column(short_task(t, environment)) for t in tasks]
        columns += [Column(f"{short_task(t, environment)} gain", sign=True) for t in tasks]
        rows = []
        for phase in (BASE, *own):
            scored = tuple(contrast(table, mean_of(table, phase, [task])) for task in tasks)
            gained = tuple(metrics.gain(table, phase, [task]) for task in tasks)
            rows.append((phase, scored + gained))
        grids.append(Grid(f"difficulty-{environment}", environment, tuple(columns), tuple(rows)))
    return grids


def forgetting_grid(found: Sequence[continual.Forgetting]) -> Grid:
    """What every sequence lost on the tasks of its earlier stages."""
    columns = (
        Column("task"),
        Column("end of own stage"),
        Column("end"),
        Column("forgotten", sign=True),
    )
    rows = tuple((f.phase, (f.task, f.before, f.after, f.lost)) for f in found)
    return Grid("forgetting", "sequence", columns, rows)


def continual_grid(table: Scores, rows: Sequence[Row]) -> Grid | None:
    """ACC, BWT, FWT and the forward transfer of learning curves of every complete sequence; None
    without one."""
    found = [
        c for c in (continual.numbers(table, phase) for phase in table.phases) if c is not None
    ]
    if not found:
        return None
    columns = (
        Column("ACC"),
        Column("BWT", sign=True),
        Column("FWT", sign=True),
        Column("FT of the last stage", sign=True),
    )
    cells = (
        (c.phase, (c.accuracy, c.backward, c.forward, curves.forward_transfer(rows, c.phase)))
        for c in found
    )
    return Grid("continual", "sequence", columns, tuple(cells))


def shift_grid(table: Scores, shift: metrics.Shift) -> Grid | None:
    """How the gain of every trained phase on a plain task differs under each shift of it."""
    rows = [
        (p, tuple(metrics.carried(table, p, shift.plain, v) for v in shift.variants))
        for p in table.phases
        if p != BASE
    ]
    if BASE not in table.phases or not rows:
        return None
    names = [variant.removeprefix(f"{shift.plain}+") for variant in shift.variants]
    columns = tuple(Column(name, sign=True) for name in names)
    return Grid(f"shift-{shift.plain.replace('/', '-')}", "phase", columns, tuple(rows))


def failure_grids(rows: Sequence[Row]) -> list[Grid]:
    """For every environment, the share of its plain tasks' episodes with each failure mode, of the
    base and of the phases that trained on it last."""
    modes = list(dict.fromkeys(r.metric for r in rows if r.metric.startswith("failure:")))
    by_mode = {mode: scores(rows, mode) for mode in modes}
    if not modes:
        return []
    first, grids = by_mode[modes[0]], []
    for environment in dict.fromkeys(first.environments):
        tasks = plain_tasks(first, environment)
        own = [
            p for p in first.phases if p == BASE or environment in (stages(first, p) or [()])[-1]
        ]
        lines = tuple(
            (p, tuple(contrast(t, mean_of(t, p, tasks)) for t in by_mode.values())) for p in own
        )
        columns = tuple(Column(mode.removeprefix("failure:").replace("_", " ")) for mode in modes)
        grids.append(Grid(f"failures-{environment}", environment, columns, lines))
    return grids


def variant_grid(finals: dict[str, Scores]) -> Grid | None:
    """How much the base could do in every variant of a study, and what training on one environment
    did inside and outside of it; None without variants."""
    if len(finals) < 2:
        return None
    rows = []
    for name, table in finals.items():
        _, inside, outside = metrics.average_deltas(table)
        rows.append((name, (metrics.overall(table, BASE), inside, outside)))
    columns = (
        Column("base"),
        Column("held-in gain", sign=True),
        Column("held-out gain", sign=True),
    )
    return Grid("variants", "variant", columns, tuple(rows))


def _heat_row(table: Scores, matrix: metrics.Transfer, index: int, widest: float) -> str:
    trained = {name for stage in stages(table, matrix.phases[index]) for name in stage}
    cells = zip(matrix.score[index], matrix.gain[index], table.environments, strict=True)
    shown = [_heat_cell(s, g, name in trained, widest) for s, g, name in cells]
    return row_of(matrix.phases[index], shown)


def _heat_cell(score: Estimate, gain: Estimate, own: bool, widest: float) -> str:
    if not score.measured:
        return cell(MISSING)
    body = f"<b>{number(score.value)}</b>{small(bounds(score))}"
    if not gain.measured:
        return f"<td>{body}</td>"
    name = ("sure" if gain.excludes_zero else "unsure") + " own" * own
    body += small(number(gain.value, sign=True), "gain") + small(bounds(gain, sign=True), "bounds")
    return f'<td class="{name}" style="background:{_tint(gain.value / widest)}">{body}</td>'


def _tint(share: float) -> str:
    """Blue for gain, orange for loss; transparent enough to read on light and dark pages."""
    rgb = "46,122,190" if share >= 0 else "214,106,38"
    return f"rgba({rgb},{0.55 * min(1.0, abs(share)):.2f})"


def _task_header(table: Scores) -> str:
    """Two header rows: environments, and the rest of each task's name."""
    groups = [(name, len(list(same))) for name, same in groupby(table.environments)]
    top = "".join(f'<th colspan="{size}">{breakable(name)}</th>' for name, size in groups)
    pairs = zip(table.tasks, table.environments, strict=True)
    names = "".join(f"<th>{breakable(short_task(t, e))}</th>" for t, e in pairs)
    return f'<tr><th rowspan="2">phase</th>{top}</tr><tr>{names}</tr>'
