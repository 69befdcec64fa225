"""The scores of a study as one array, and the one rule that turns weights on them into a number
with an interval.

Gains, transfer, forgetting, ACC, BWT and FWT are all linear in the scores R[phase, task]: each is a
table of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from jaxagent.study import statistics
from jaxagent.study.crossed import crossed_sum
from jaxagent.study.stage import STEP, trained_tasks
from jaxagent.study.statistics import MISSING, Estimate
from jaxagent.study.table import Row

BASE = "base"

_RATES = ("success", "invalid", "truncated_by_context", "pass@", "failure:")


def is_rate(metric: str) -> bool:
    """Tell whether a metric is a fraction, shown in percent."""
    return metric.startswith(_RATES)


@dataclass(frozen=True)
class Scores:
    """The last measurement of one metric per phase, task and seed; `value`, `low`, `high` are NaN
    where there is none.

    Phases are ordered by stage, tasks by environment, both otherwise as they first appear;
    `environments` holds the environment of each task, `trained` the tasks of every stage of each
    phase. `shares` holds the share of successful attempts at every instance by phase, task and
    seed, where it is known; `rate` says whether values are fractions of 1.
    """

    phases: tuple[str, ...]
    trained: tuple[tuple[tuple[str, ...], ...], ...]
    tasks: tuple[str, ...]
    environments: tuple[str, ...]
    seeds: tuple[int, ...]
    value: Float[np.ndarray, "phases tasks seeds"]
    low: Float[np.ndarray, "phases tasks seeds"]
    high: Float[np.ndarray, "phases tasks seeds"]
    shares: Mapping[tuple[str, str, int], Float[np.ndarray, " instances"]] = field(
        default_factory=dict
    )
    rate: bool = True


Weights = Float[np.ndarray, "phases tasks"]


Attempts = Mapping[str, Mapping[str, Mapping[str, Sequence[int]]]]
"""Phase -> seed as text -> task -> successful attempts at every instance, as in `attempts.json`."""


def scores(
    rows: Iterable[Row], metric: str = "success", attempts: Attempts | None = None
) -> Scores:
    """Collects one metric of held-out instances; where a task was measured several times in a
    phase, the one with the most training counts.

    Args:
        rows: of the table, those of one variant.
        metric: which.
        attempts: at every instance, for the intervals of `success`.
    """
    rows = [row for row in rows if row.metric == metric and row.is_held_out]
    phases = sorted(dict.fromkeys(row.phase for row in rows), key=_stage_of(rows))
    environment = {row.task: row.environment for row in rows}
    trained = {row.phase: trained_tasks(row.trained) for row in rows}
    order = list(dict.fromkeys(environment.values()))
    tasks = sorted(environment, key=lambda task: order.index(environment[task]))
    seeds = sorted({row.seed for row in rows})
    table = np.full((3, len(phases), len(tasks), len(seeds)), np.nan)
    for row in sorted(rows, key=lambda row: row.turns):
        cell = phases.index(row.phase), tasks.index(row.task), seeds.index(row.seed)
        table[(slice(None), *cell)] = row.value, row.low, row.high
    return Scores(
        tuple(phases),
        tuple(trained[phase] for phase in phases),
        tuple(tasks),
        tuple(environment[task] for task in tasks),
        tuple(seeds),
        *table,
        shares=_shares(rows, attempts or {}) if metric == "success" else {},
        rate=is_rate(metric),
    )


def _shares(
    rows: Iterable[Row], attempts: Attempts
) -> dict[tuple[str, str, int], Float[np.ndarray, " instances"]]:
    found = {}
    for row in rows:
        counts = attempts.get(row.phase, {}).get(str(row.seed), {}).get(row.task)
        if counts:
            each = row.episodes / len(counts)
            found[row.phase, row.task, row.seed] = np.asarray(counts, float) / each
    return found


def contrast(table: Scores, weights: Weights) -> Estimate:
    """Σ weights·R as one estimate, seed by seed, so that differences are paired within a seed.

    Only seeds with every cell of non-zero weight count. Where the shares of success at every
    instance are known, seeds and instances are crossed, and phases are paired on instances
    (`jaxagent.study.crossed`). Else a base measured under one seed alone is shared by all, as a
    fixed point of comparison. Where shares are not known, the interval is over seeds alone
    (`statistics.over_seeds`). Where all seeds agree on all instances, it is that of one measurement
    of them. Fewer than three seeds: their mean, without an interval.
    """
    used = weights != 0
    rate = table.rate and bool((weights >= 0).all())
    paired = _paired(table, weights)
    found = crossed_sum(paired)
    if found.measured:
        return (
            replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))
            if rate and found.has_interval
            else found
        )
    cells = np.stack([table.value, table.low, table.high])[:, used]
    shared = _measured_once(cells[0]) & _in_base(table)[used]
    shared &= ~shared.all()
    cells[:, shared] = _only_seed(cells[:, shared])
    cells = cells[:, :, np.isfinite(cells[0]).all(axis=0)]
    count = cells.shape[2]
    if not used.any() or count == 0:
        return MISSING
    if not paired:
        return statistics.over_seeds(weights[used] @ cells[0], rate=rate)
    # Nothing varies: all seeds are one measurement of the same instances.
    ends = statistics.linear_combination(weights[used], *cells[:, :, 0])
    return Estimate(*ends, statistics.OVER_INSTANCES, count)


def _paired(table: Scores, weights: Weights) -> list[Float[np.ndarray, "seeds instances"]]:
    """Σ weights·shares of every task, [seeds, instances]; nothing where any is not known."""
    used = [
        (phase, task, weights[i, j])
        for i, phase in enumerate(table.phases)
        for j, task in enumerate(table.tasks)
        if weights[i, j]
    ]
    seeds = [
        s for s in table.seeds if all((phase, task, s) in table.shares for phase, task, _ in used)
    ]
    sums: dict[str, np.ndarray] = {}
    for phase, task, weight in used:
        if not seeds:
            return []
        part = weight * np.stack([table.shares[phase, task, seed] for seed in seeds])
        sums[task] = sums[task] + part if task in sums else part
    return list(sums.values())


def mean_of(table: Scores, phase: str, tasks: Iterable[str]) -> Weights:
    """The weights whose contrast is the mean score of `phase` over `tasks`."""
    weights = np.zeros((len(table.phases), len(table.tasks)))
    chosen = [table.tasks.index(task) for task in tasks]
    weights[table.phases.index(phase), chosen] = 1 / max(len(chosen), 1)
    return weights


def macro_mean(table: Scores, phase: str, environments: Sequence[str]) -> Weights:
    """The same over the plain tasks of each environment, then over environments, so that each
    counts once."""
    return _mean_of_means(table, phase, [plain_tasks(table, name) for name in environments])


def stage_mean(table: Scores, phase: str, tasks: Sequence[str]) -> Weights:
    """The same over the plain ones of `tasks`, which `stage_tasks` gave."""
    names = dict.fromkeys(task.partition("/")[0] for task in tasks)
    plain = [[t for t in plain_tasks(table, name) if t in tasks] for name in names]
    return _mean_of_means(table, phase, plain)


def _mean_of_means(table: Scores, phase: str, groups: Sequence[Sequence[str]]) -> Weights:
    means = [mean_of(table, phase, tasks) for tasks in groups]
    return sum(means, np.zeros((len(table.phases), len(table.tasks)))) / max(len(means), 1)


def plain_tasks(table: Scores, environment: str) -> tuple[str, ...]:
    """The tasks of an environment without a `+shift` in their name (all of them where there is no
    such task)."""
    own = [
        task
        for task, its in zip(table.tasks, table.environments, strict=True)
        if its == environment
    ]
    return tuple(task for task in own if "+" not in task) or tuple(own)


def stages(table: Scores, phase: str) -> tuple[tuple[str, ...], ...]:
    """The environments of each training stage; empty for the base."""
    every = table.trained[table.phases.index(phase)] if phase in table.phases else ()
    return tuple(tuple(dict.fromkeys(task.partition("/")[0] for task in stage)) for stage in every)


def stage_tasks(table: Scores, phase: str) -> tuple[tuple[str, ...], ...]:
    """The measured tasks of each training stage: the levels trained on, in any words and through
    any interface; all of an environment none of whose levels trained on was measured."""
    found = []
    for stage in table.trained[table.phases.index(phase)] if phase in table.phases else ():
        levels = {_level(task) for task in stage}
        own: list[str] = []
        for name in dict.fromkeys(task.partition("/")[0] for task in stage):
            every = [
                t for t, its in zip(table.tasks, table.environments, strict=True) if its == name
            ]
            own += [task for task in every if _level(task) in levels] or every
        found.append(tuple(own))
    return tuple(found)


def _level(task: str) -> str:
    return task.partition("+")[0]


def is_plain(phase: str) -> bool:
    """Whether no stage of a phase has an option but its length."""
    options = [part.partition("@")[2].split() for part in phase.split(STEP.strip())]
    return all(option.startswith("times=") for each in options for option in each)


def gain(table: Scores, phase: str, tasks: Iterable[str]) -> Estimate:
    """Mean score of `phase` over `tasks` minus the base's; `MISSING` without a base and for the
    base itself."""
    if BASE not in table.phases or phase == BASE:
        return MISSING
    tasks = tuple(tasks)
    return contrast(table, mean_of(table, phase, tasks) - mean_of(table, BASE, tasks))


def prefixes(table: Scores, phase: str) -> tuple[str, ...]:
    """The phases at which the stages of `phase` ended, itself last."""
    names = phase.split(STEP)
    return tuple(STEP.join(names[: k + 1]) for k in range(len(stages(table, phase))))


def _measured_once(values: Float[np.ndarray, "cells seeds"]) -> np.ndarray:
    return np.isfinite(values).sum(axis=1) == 1


def _only_seed(cells: Float[np.ndarray, "3 cells seeds"]) -> np.ndarray:
    seed = np.isfinite(cells[0]).argmax(axis=1)
    return np.take_along_axis(
        cells, np.broadcast_to(seed[None, :, None], (3, len(seed), 1)), axis=2
    )


def _in_base(table: Scores) -> np.ndarray:
    inside = np.array([phase == BASE for phase in table.phases], bool)
    return np.repeat(inside[:, None], len(table.tasks), axis=1)


def _stage_of(rows: Iterable[Row]) -> Callable[[str], tuple[bool, int]]:
    stage = {row.phase: row.stage for row in rows}
    return lambda phase: (phase != BASE, stage[phase])
