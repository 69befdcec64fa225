"""What a study is about: transfer, held-in and held-out gains, and what carries over a shift."""

from __future__ import annotations

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
    stages,
)
from jaxagent.study.statistics import MISSING, Estimate


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
    """Return the interquartile mean over tasks and seeds together, and the probability of
    improvement over the base (Agarwal et al. 2021, arXiv 2108.13264).

    Both are without an interval: that of a bootstrap, which the source takes, is too narrow over
    a few seeds.
    """
    runs, base = _runs(table, phase), _runs(table, BASE)
    if len(runs) < statistics.SEEDS_FOR_INTERVAL:
        return Aggregate(phase, MISSING, MISSING)
    middle = _bare(float(statistics.iqm(runs.reshape(-1))), len(runs))
    compared = phase != BASE and len(base) > 0
    better = _bare(float(statistics.improvement(runs, base)), len(runs)) if compared else MISSING
    return Aggregate(phase, middle, better)


def _bare(value: float, seeds: int) -> Estimate:
    return Estimate(value, np.nan, np.nan, statistics.WITHOUT, seeds)


def _runs(table: Scores, phase: str) -> Float[np.ndarray, "seeds tasks"]:
    plain = [t for name in dict.fromkeys(table.environments) for t in plain_tasks(table, name)]
    if phase not in table.phases:
        return np.zeros((0, len(plain)))
    runs = table.value[table.phases.index(phase)][[table.tasks.index(task) for task in plain]].T
    return runs[np.isfinite(runs).all(axis=1)]
