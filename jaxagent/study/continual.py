"""What later stages of training do to what earlier ones taught: forgetting, ACC, BWT, FWT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxagent.study.scores import (
    BASE,
    Scores,
    Weights,
    contrast,
    is_plain,
    mean_of,
    plain_tasks,
    prefixes,
    stage_mean,
    stage_tasks,
)
from jaxagent.study.statistics import MISSING, Estimate


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
    """F averaged over the plain tasks of the earlier stages of all sequences, those alone that
    nothing holds to what was learnt, if there are such; `MISSING` without a sequence."""
    every = forgetting(table)
    free = [f for f in every if is_plain(f.phase)]
    plain = {task for name in table.environments for task in plain_tasks(table, name)}
    lost = [loss(table, f) for f in free or every if f.task in plain]
    return contrast(table, np.mean(lost, axis=0)) if lost else MISSING


def loss(table: Scores, found: Forgetting) -> Weights:
    """The weights of what was lost, to be averaged with others."""
    return mean_of(table, found.own_stage, [found.task]) - mean_of(table, found.phase, [found.task])


@dataclass(frozen=True)
class Continual:
    """The three numbers of a sequence of T stages, over the plain tasks of each stage, every
    environment of a stage counting once."""

    phase: str
    accuracy: Estimate
    backward: Estimate
    forward: Estimate


def numbers(table: Scores, phase: str) -> Continual | None:
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


def _forgotten(table: Scores, phase: str, own: str, task: str) -> Forgetting:
    before, after = mean_of(table, own, [task]), mean_of(table, phase, [task])
    return Forgetting(
        phase, own, task, *(contrast(table, weights) for weights in (before, after, before - after))
    )
