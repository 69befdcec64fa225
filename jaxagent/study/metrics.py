"""What a study is about: transfer, held-in and held-out gains, forgetting, ACC/BWT/FWT, learning
curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxagent.study import statistics
from jaxagent.study.scores import (
    BASE,
    Scores,
    Weights,
    contrast,
    gain,
    macro_mean,
    mean_of,
    plain_tasks,
    pool,
    prefixes,
    stage_mean,
    stage_tasks,
    stages,
)
from jaxagent.study.stage import STEP
from jaxagent.study.statistics import MISSING, Estimate
from jaxagent.study.table import Row


@dataclass(frozen=True)
class Transfer:
    """Scores and gains over the base, `[phases][tasks]`; the gains of the base itself are
    `MISSING`."""

    phases: tuple[str, ...]
    tasks: tuple[str, ...]
    score: tuple[tuple[Estimate, ...], ...]
    gain: tuple[tuple[Estimate, ...], ...]


def transfer(table: Scores) -> Transfer:
    """The transfer matrix T[phase, task] = R[phase, task] - R[base, task], and R itself."""
    score = [
        [contrast(table, mean_of(table, phase, [task])) for task in table.tasks]
        for phase in table.phases
    ]
    difference = [[gain(table, phase, [task]) for task in table.tasks] for phase in table.phases]
    return Transfer(
        table.phases, table.tasks, tuple(map(tuple, score)), tuple(map(tuple, difference))
    )


@dataclass(frozen=True)
class Deltas:
    """Gains over the base in the environments trained on, in the others, and in all; each
    environment counts once."""

    phase: str
    held_in: Estimate
    held_out: Estimate
    overall: Estimate


def delta_weights(table: Scores, phase: str) -> tuple[Weights, Weights, Weights]:
    """The weights of held-in, held-out and overall gain (Xi et al. 2026, arXiv 2603.12011); all
    zero where undefined."""
    environments = tuple(dict.fromkeys(table.environments))
    trained = {name for stage in stages(table, phase) for name in stage}
    inside = [name for name in environments if name in trained]
    outside = [name for name in environments if trained and name not in trained]
    held_in, held_out, overall = (
        macro_mean(table, phase, group) - macro_mean(table, BASE, group)
        for group in (inside, outside, environments)
    )
    return held_in, held_out, overall


def deltas(table: Scores, phase: str) -> Deltas:
    """Held-in, held-out and overall gain of one phase; `MISSING` where undefined (a mixture holds
    nothing out)."""
    if BASE not in table.phases or phase == BASE:
        return Deltas(phase, MISSING, MISSING, MISSING)
    return Deltas(phase, *(contrast(table, weights) for weights in delta_weights(table, phase)))


def average_deltas(table: Scores) -> tuple[int, Estimate, Estimate]:
    """Held-in and held-out gain averaged over the phases that trained in one stage and held
    something out, and how many."""
    single = [
        phase for phase in table.phases if len(stages(table, phase)) == 1 and BASE in table.phases
    ]
    weights = [delta_weights(table, phase)[:2] for phase in single]
    weights = [pair for pair in weights if all(part.any() for part in pair)]
    if not weights:
        return 0, MISSING, MISSING
    inside, outside = np.mean(weights, axis=0)
    return len(weights), contrast(table, inside), contrast(table, outside)


def overall(table: Scores, phase: str) -> Estimate:
    """Mean score of a phase over the plain tasks, every environment counting once."""
    if phase not in table.phases:
        return MISSING
    return contrast(table, macro_mean(table, phase, tuple(dict.fromkeys(table.environments))))


def normalised_transfer(
    table: Scores,
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[Estimate, ...], ...]]:
    """T[i, j] / T[j, j] for the phases that trained on one environment in one stage: the gain on
    each environment's plain tasks as a share of what its own training gains there.

    The interval is that of `T[i, j] - r T[j, j]` over T[j, j], r being the ratio (delta method).

    Returns:
        The phases, their environments, and the shares `[phases][environments]`.
    """
    single = {
        stages(table, phase)[0][0]: phase
        for phase in reversed(table.phases)
        if len(stages(table, phase)) == 1 and len(stages(table, phase)[0]) == 1
    }
    names = tuple(name for name in dict.fromkeys(table.environments) if name in single)
    if BASE not in table.phases:
        names = ()

    def gained(phase: str, name: str) -> Weights:
        return macro_mean(table, phase, [name]) - macro_mean(table, BASE, [name])

    def share(phase: str, name: str) -> Estimate:
        own = contrast(table, gained(single[name], name))
        other = contrast(table, gained(phase, name))
        if phase == single[name] or not own.excludes_zero or not other.measured:
            return MISSING
        ratio = other.value / own.value
        spread = contrast(table, gained(phase, name) - ratio * gained(single[name], name))
        ends = sorted(ratio + end / own.value for end in (spread.low, spread.high))
        return Estimate(ratio, ends[0], ends[1], spread.kind, spread.count)

    rows = tuple(tuple(share(single[own], name) for name in names) for own in names)
    return tuple(single[name] for name in names), names, rows


@dataclass(frozen=True)
class Forgetting:
    """One task of an earlier stage: its score when that stage ended (`own_stage`), at the end, and
    what was lost."""

    phase: str
    own_stage: str
    task: str
    before: Estimate
    after: Estimate
    lost: Estimate


def forgetting(table: Scores) -> tuple[Forgetting, ...]:
    """F = R[own stage, task] - R[end, task] for every task of an earlier stage of every sequence.

    The variant of Wołczyk et al. 2021 (Continual World, arXiv 2105.10919, section 4.3): against the
    end of the own stage, not against the best so far. Sequences whose own-stage phase was not
    evaluated are left out.
    """
    found = []
    for phase in table.phases:
        for tasks, own in zip(stage_tasks(table, phase)[:-1], prefixes(table, phase), strict=False):
            found += [_forgotten(table, phase, own, task) for task in tasks if own in table.phases]
    return tuple(found)


def average_forgetting(table: Scores) -> Estimate:
    """F averaged over the plain tasks of the earlier stages of all sequences; `MISSING` without
    one."""
    plain = {task for name in table.environments for task in plain_tasks(table, name)}
    lost = [
        mean_of(table, f.own_stage, [f.task]) - mean_of(table, f.phase, [f.task])
        for f in forgetting(table)
        if f.task in plain
    ]
    return contrast(table, np.mean(lost, axis=0)) if lost else MISSING


@dataclass(frozen=True)
class Continual:
    """The three numbers of a sequence of T stages, over the plain tasks of each stage, every
    environment of a stage counting once."""

    phase: str
    accuracy: Estimate
    backward: Estimate
    forward: Estimate


def continual(table: Scores, phase: str) -> Continual | None:
    """ACC, BWT and FWT of Lopez-Paz and Ranzato 2017 (arXiv 1706.08840, equations 2-4), b being the
    base.

    ACC = mean_j R[T, j]; BWT = mean_{j<T} R[T, j] - R[j, j]; FWT = mean_{j>1} R[j-1, j] - b[j].
    None unless `phase` is a sequence whose every prefix and base were evaluated.
    """
    order, names = stage_tasks(table, phase), prefixes(table, phase)
    if len(order) < 2 or any(name not in table.phases for name in (BASE, *names)):
        return None

    def at(name: str, stage: int) -> Weights:
        return stage_mean(table, name, order[stage])

    last = len(order) - 1
    accuracy = np.mean([at(phase, j) for j in range(last + 1)], axis=0)
    backward = np.mean([at(phase, j) - at(names[j], j) for j in range(last)], axis=0)
    forward = np.mean([at(names[j], j + 1) - at(BASE, j + 1) for j in range(last)], axis=0)
    return Continual(
        phase, *(contrast(table, weights) for weights in (accuracy, backward, forward))
    )


def forward_transfer(rows: Sequence[Row], phase: str) -> Estimate:
    """How much sooner the last stage of a sequence was learnt than in the phase that trained on
    nothing else: (AUC - AUC') / (1 - AUC'), AUC being the mean success over the stage (Wołczyk et
    al. 2021, arXiv 2105.10919, section 4.3); over the seeds that have both."""
    alone = phase.split(STEP)[-1].partition(" @ ")[0]
    curves = [_areas(rows, name) for name in (phase, alone)]
    seeds = sorted(set(curves[0]) & set(curves[1]))
    values = [
        (curves[0][seed] - curves[1][seed]) / (1 - curves[1][seed])
        for seed in seeds
        if curves[1][seed] < 1
    ]
    unknown = [np.nan] * len(values)
    return statistics.over_seeds(values, unknown, unknown) if values else MISSING


def _areas(rows: Sequence[Row], phase: str) -> dict[int, float]:
    """Seed -> mean success over a phase's turns; every row tells of the turns since the one
    before."""
    groups: dict[int, dict[int, list[float]]] = {}
    for row in rows:
        if (row.phase, row.split, row.metric) == (phase, "train", "success"):
            groups.setdefault(row.seed, {}).setdefault(row.turns, []).append(row.value)
    areas = {}
    for seed, points in groups.items():
        turns = sorted(points)
        lengths = np.diff([0, *turns])
        areas[seed] = float(np.average([np.mean(points[t]) for t in turns], weights=lengths))
    return areas


@dataclass(frozen=True)
class Shift:
    """A plain task and its variants: the same dynamics in other words (`+renamed`) or another
    interface (`+call`)."""

    plain: str
    variants: tuple[str, ...]


def shifts(table: Scores) -> tuple[Shift, ...]:
    """Every plain task that was also evaluated under a shift."""
    found = (Shift(t, tuple(v for v in table.tasks if v.startswith(f"{t}+"))) for t in table.tasks)
    return tuple(shift for shift in found if "+" not in shift.plain and shift.variants)


def carried(table: Scores, phase: str, plain: str, variant: str) -> Estimate:
    """Gain of `phase` on the variant minus its gain on the plain task: zero if all that was learned
    carries over."""
    if BASE not in table.phases or phase == BASE:
        return MISSING
    after = mean_of(table, phase, [variant]) - mean_of(table, phase, [plain])
    return contrast(table, after - mean_of(table, BASE, [variant]) + mean_of(table, BASE, [plain]))


@dataclass(frozen=True)
class Aggregate:
    """Robust summaries over the plain tasks and seeds of one phase; `MISSING` under three complete
    seeds."""

    phase: str
    iqm: Estimate
    improvement: Estimate


def aggregate(table: Scores, phase: str) -> Aggregate:
    """Interquartile mean and probability of improvement over the base (Agarwal et al. 2021, arXiv
    2108.13264)."""
    runs, base = _runs(table, phase), _runs(table, BASE)
    if len(runs) < statistics.SEEDS_FOR_BOOTSTRAP:
        return Aggregate(phase, MISSING, MISSING)
    low, high = statistics.stratified_bootstrap(runs, _flat_iqm)
    middle = Estimate(float(_flat_iqm(runs)), low, high, statistics.OVER_SEEDS, len(runs))
    compared = phase != BASE and len(base) > 0
    better = statistics.probability_of_improvement(runs, base) if compared else MISSING
    return Aggregate(phase, middle, better)


@dataclass(frozen=True)
class Curve:
    """A learning curve of one phase in one environment: median (or mean) over seeds at each number
    of turns."""

    phase: str
    environment: str
    turns: Float[np.ndarray, "points"]
    value: Float[np.ndarray, "points"]
    low: Float[np.ndarray, "points"]
    high: Float[np.ndarray, "points"]
    seeds: int


def curves(rows: Iterable[Row], metric: str = "success") -> tuple[Curve, ...]:
    """One curve per phase and environment from the rows of split `train`, tasks of the environment
    averaged.

    Turns that some of the curve's seeds have not reached are left out.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.split == "train" and row.metric == metric:
            groups.setdefault((row.phase, row.environment), []).append(row)
    found = (_curve(phase, environment, group) for (phase, environment), group in groups.items())
    return tuple(curve for curve in found if len(curve.turns))


def _curve(phase: str, environment: str, rows: Sequence[Row]) -> Curve:
    cells: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        cells.setdefault((row.seed, row.turns), []).append(row)
    seeds, turns = ({key[i] for key in cells} for i in (0, 1))
    points = sorted(turn for turn in turns if all((seed, turn) in cells for seed in seeds))
    means = [[_task_mean(cells[seed, turn]) for turn in points] for seed in sorted(seeds)]
    table: Float[np.ndarray, "3 seeds points"] = np.moveaxis(
        np.reshape(means, (len(seeds), -1, 3)), 2, 0
    )
    if len(seeds) >= statistics.SEEDS_FOR_BOOTSTRAP and points:
        value, low, high = statistics.median_over_seeds(table[0])
    else:
        value, low, high = np.reshape([pool(table[:, :, i]) for i in range(len(points))], (-1, 3)).T
    return Curve(phase, environment, np.array(points, float), value, low, high, len(seeds))


def _task_mean(rows: Sequence[Row]) -> tuple[float, float, float]:
    return pool(np.array([(row.value, row.low, row.high) for row in rows]).T)


def _forgotten(table: Scores, phase: str, own: str, task: str) -> Forgetting:
    before, after = mean_of(table, own, [task]), mean_of(table, phase, [task])
    return Forgetting(
        phase, own, task, *(contrast(table, weights) for weights in (before, after, before - after))
    )


def _runs(table: Scores, phase: str) -> Float[np.ndarray, "seeds tasks"]:
    plain = [t for name in dict.fromkeys(table.environments) for t in plain_tasks(table, name)]
    if phase not in table.phases:
        return np.zeros((0, len(plain)))
    runs = table.value[table.phases.index(phase)][[table.tasks.index(task) for task in plain]].T
    return runs[np.isfinite(runs).all(axis=1)]


def _flat_iqm(values: np.ndarray) -> np.ndarray:
    return statistics.iqm(values.reshape(*values.shape[:-2], -1))
