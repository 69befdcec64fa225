"""The scores of a study as one array, and the one rule that turns weights on them into a number
with an interval.

Gains, transfer, forgetting, ACC, BWT and FWT are all linear in the scores R[phase, task]: each is a
table of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxagent.study import statistics
from jaxagent.study.stage import STEP, trained_tasks
from jaxagent.study.statistics import MISSING, Estimate
from jaxagent.study.table import Row

BASE = "base"


@dataclass(frozen=True)
class Scores:
    """The last measurement of one metric per phase, task and seed; `value`, `low`, `high` are NaN
    where there is none.

    Phases are ordered by stage, tasks by environment, both otherwise as they first appear;
    `environments` holds the environment of each task, `trained` the tasks of every stage of each
    phase.
    """

    phases: tuple[str, ...]
    trained: tuple[tuple[tuple[str, ...], ...], ...]
    tasks: tuple[str, ...]
    environments: tuple[str, ...]
    seeds: tuple[int, ...]
    value: Float[np.ndarray, "phases tasks seeds"]
    low: Float[np.ndarray, "phases tasks seeds"]
    high: Float[np.ndarray, "phases tasks seeds"]


Weights = Float[np.ndarray, "phases tasks"]


def scores(rows: Iterable[Row], metric: str = "success") -> Scores:
    """Collects one metric of held-out instances; where a task was measured several times in a
    phase, the one with the most training counts."""
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
    )


def contrast(table: Scores, weights: Weights) -> Estimate:
    """Σ weights·R as one estimate, seed by seed, so that differences are paired within a seed.

    Only seeds with every cell of non-zero weight count. A base measured under one seed alone is
    shared by all, as a fixed point of comparison. Three seeds or more: median and bootstrap over
    seeds of the weighted sum. Fewer: mean over seeds, and the evaluation intervals of the cells,
    taken as independent (see `statistics.over_seeds`).
    """
    used = weights != 0
    cells = np.stack([table.value, table.low, table.high])[:, used]
    shared = _measured_once(cells[0]) & _in_base(table)[used]
    shared &= ~shared.all()
    cells[:, shared] = _only_seed(cells[:, shared])
    cells = cells[:, :, np.isfinite(cells[0]).all(axis=0)]
    count = cells.shape[2]
    if not used.any() or count == 0:
        return MISSING
    if count >= statistics.SEEDS_FOR_BOOTSTRAP:
        unused = np.full(count, np.nan)
        return statistics.over_seeds(weights[used] @ cells[0], unused, unused)
    # A shared cell is one measurement however many seeds use it: pool seeds within cells first.
    pooled = [pool(cells[:, i, : 1 if once else count]) for i, once in enumerate(shared)]
    return Estimate(
        *statistics.linear_combination(weights[used], *np.transpose(pooled)),
        statistics.OVER_EPISODES,
        count,
    )


def mean_of(table: Scores, phase: str, tasks: Iterable[str]) -> Weights:
    """The weights whose contrast is the mean score of `phase` over `tasks`."""
    weights = np.zeros((len(table.phases), len(table.tasks)))
    chosen = [table.tasks.index(task) for task in tasks]
    weights[table.phases.index(phase), chosen] = 1 / max(len(chosen), 1)
    return weights


def macro_mean(table: Scores, phase: str, environments: Sequence[str]) -> Weights:
    """The same over the plain tasks of each environment, then over environments, so that each
    counts once."""
    means = [mean_of(table, phase, plain_tasks(table, environment)) for environment in environments]
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


def pool(estimates: Float[np.ndarray, "3 n"]) -> tuple[float, float, float]:
    """Mean of n independent estimates, given as their values, lows and highs, with its interval."""
    count = estimates.shape[1]
    return statistics.linear_combination(np.full(count, 1 / count), *estimates)


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
