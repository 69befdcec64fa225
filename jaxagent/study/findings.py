"""The findings of the original study, each as a number of this one with its interval and a verdict.

The patterns A to J are those that Xi et al. 2026 (arXiv 2603.12011) report, and J that of arXiv
2601.18217. A verdict follows from the interval alone: the pattern holds if all of the interval is
on its side, does not hold if all of it is on the other, and is not decided else. Nothing is
corrected for there being ten of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxagent.study import continual, metrics
from jaxagent.study.grid import bounds, interval, number
from jaxagent.study.scores import (
    BASE,
    Scores,
    Weights,
    contrast,
    is_plain,
    macro_mean,
    mean_of,
    plain_tasks,
    scores,
    stages,
)
from jaxagent.study.statistics import MISSING, Estimate
from jaxagent.study.table import Row

HOLDS, FAILS, OPEN, SILENT = "holds", "does not hold", "not decided", "cannot be told"

MARGIN = 0.05
"""Difference of success below which two policies count as alike."""

COMMON = 0.1
"""Share of episodes from which a failure counts as common (the original's "above 10 %")."""

LISTED = "list:every_turn"


@dataclass(frozen=True)
class Finding:
    """A pattern and what this study says about it.

    Attributes:
        letter: A to J.
        pattern: what was reported.
        measured: what was measured here.
        estimate: the number; `MISSING` where the study does not have it.
        verdict: one of `HOLDS`, `FAILS`, `OPEN`, `SILENT`.
        rate: whether the number is a rate or a difference of rates.
    """

    letter: str
    pattern: str
    measured: str
    estimate: Estimate
    verdict: str
    rate: bool = True

    @property
    def shown(self) -> str:
        """The number and its interval."""
        if not self.estimate.measured:
            return ""
        value = number(self.estimate.value, rate=self.rate, sign=True)
        ends = bounds(self.estimate, rate=self.rate, sign=True)
        return f"{value} ({ends})" if ends else value


def findings(rows: Sequence[Row], table: Scores) -> list[Finding]:
    """All patterns, with `SILENT` for those that the study says nothing about.

    Args:
        rows: of one variant of a study.
        table: their success.
    """
    return [
        _easy_lifts_hard(table),
        _inside_beats_outside(table),
        _both_signs(table),
        _list_hurts(table),
        _shorter(rows),
        _sequences_keep(table),
        _sequence_like_mixture(table),
        _curriculum_beats(table),
        _outside_gains(table),
        _belief_is_common(rows),
        _asides_protect(table),
    ]


def judge(estimate: Estimate, low: float = -np.inf, high: float = np.inf) -> str:
    """Whether a number is inside (low, high), by its interval."""
    if not estimate.measured:
        return SILENT
    if low < estimate.low and estimate.high < high:
        return HOLDS
    return FAILS if estimate.high <= low or estimate.low >= high else OPEN


def _easy_lifts_hard(table: Scores) -> Finding:
    parts = []
    for name in _environments(table):
        easy, others = f"{name}/easy", [t for t in plain_tasks(table, name) if t != f"{name}/easy"]
        phase = _trained(table, [[easy]])
        if phase and others and BASE in table.phases:
            parts.append(mean_of(table, phase, others) - mean_of(table, BASE, others))
    found = _mean(table, parts)
    told = "gain on the harder levels of an environment by training on its easy one alone"
    pattern = "Training on easy tasks alone lifts hard ones."
    return Finding("A", pattern, told, found, judge(found, low=0))


def _inside_beats_outside(table: Scores) -> Finding:
    pairs = [metrics.delta_weights(table, phase)[:2] for phase in _single(table)]
    pairs = [pair for pair in pairs if all(part.any() for part in pair)]
    found = _mean(table, [inside - outside for inside, outside in pairs])
    told = "held-in gain minus held-out gain, averaged over the environments trained on"
    pattern = "What is gained in the environment trained on is far more than what others gain."
    return Finding("B", pattern, told, found, judge(found, low=0))


def _both_signs(table: Scores) -> Finding:
    gains = [
        contrast(table, macro_mean(table, phase, [name]) - macro_mean(table, BASE, [name]))
        for phase in _single(table)
        for name in _environments(table)
        if name not in stages(table, phase)[0]
    ]
    gains = [each for each in gains if each.measured]
    if len(gains) < 2:
        return Finding("C", _SIGNS, "lowest gain on an environment not trained on", MISSING, SILENT)
    worst, best = (pick(gains, key=lambda e: e.value) for pick in (min, max))
    verdict = OPEN
    if any(e.high < 0 for e in gains) and any(e.low > 0 for e in gains):
        verdict = HOLDS
    elif all(e.high < 0 for e in gains) or all(e.low > 0 for e in gains):
        verdict = FAILS
    told = (
        f"lowest of {len(gains)} gains on environments not trained on; the highest is "
        f"{number(best.value, sign=True)} ({interval(best, sign=True)})"
    )
    return Finding("C", _SIGNS, told, worst, verdict)


_SIGNS = "Transfer to other environments has both signs."


def _list_hurts(table: Scores) -> Finding:
    """The explanation of C: the list of valid commands."""
    parts = []
    for name in _environments(table):
        for task in plain_tasks(table, name):
            listed, plain = _trained(table, [[f"{task}+{LISTED}"]]), _trained(table, [[task]])
            if listed and plain:
                parts.append(mean_of(table, listed, [task]) - mean_of(table, plain, [task]))
    found = _mean(table, parts)
    told = "success without the list, trained with it, minus the same trained without it"
    pattern = "Training with the valid commands listed every turn harms where they are not."
    return Finding("C′", pattern, told, found, judge(found, high=0))


def _shorter(rows: Sequence[Row]) -> Finding:
    turns = scores(rows, "turns")
    inside = [metrics.delta_weights(turns, phase)[0] for phase in _single(turns)]
    found = _mean(turns, [weights for weights in inside if weights.any()])
    told = "change of turns per episode in the environment trained on"
    pattern = "Training shortens episodes in the environment trained on."
    return Finding("D", pattern, told, found, judge(found, high=0), rate=False)


def _sequences_keep(table: Scores) -> Finding:
    lost = []
    for phase in table.phases:
        if len(stages(table, phase)) == 2 and "@" not in phase:
            lost += [
                continual.loss(table, f)
                for f in continual.forgetting(table)
                if f.phase == phase and "+" not in f.task and _left(table, phase)
            ]
    found = _mean(table, lost)
    told = f"success lost on the first environment; alike within {number(MARGIN)} points"
    pattern = "Training on a second environment keeps the first."
    return Finding("E", pattern, told, found, judge(found, high=MARGIN))


def _sequence_like_mixture(table: Scores) -> Finding:
    every = set(_environments(table))
    mixtures = [p for p in table.phases if [set(s) for s in stages(table, p)] == [every]]
    mixtures = [p for p in mixtures if is_plain(p)]
    sequences = [
        p
        for p in table.phases
        if len(stages(table, p)) == len(every) > 1
        and {n for s in stages(table, p) for n in s} == every
        and is_plain(p)
    ]
    parts = []
    if mixtures and sequences:
        means = [macro_mean(table, p, _environments(table)) for p in sequences]
        parts = [np.mean(means, axis=0) - macro_mean(table, mixtures[0], _environments(table))]
    found = _mean(table, parts)
    told = (
        f"mean success of {len(sequences)} sequences over all environments minus that of the "
        f"mixture of the same budget; alike within {number(MARGIN)} points"
    )
    pattern = "Environments one after another come to what their mixture comes to."
    return Finding("F", pattern, told, found, judge(found, low=-MARGIN, high=MARGIN))


def _curriculum_beats(table: Scores) -> Finding:
    over: list[list[Weights]] = [[], []]
    for name in _environments(table):
        tasks = plain_tasks(table, name)
        for phase in table.phases:
            order = table.trained[table.phases.index(phase)]
            if len(order) != 2 or [len(s) for s in order] != [1, 1] or order[0] == order[1]:
                continue
            alone = [_trained(table, [list(stage)]) for stage in order]
            if {task.partition("/")[0] for s in order for task in s} == {name} and all(alone):
                for part, single in zip(over, alone, strict=True):
                    part.append(mean_of(table, phase, tasks) - mean_of(table, str(single), tasks))
    found = [_mean(table, part) for part in over]
    worse = min(found, key=lambda e: e.value if e.measured else np.inf)
    told = (
        "success over all levels, easy then hard, minus the better of either alone (half the turns)"
    )
    pattern = "Easy tasks first, then hard ones, beats either alone."
    return Finding("G", pattern, told, worse, judge(worse, low=0))


def _outside_gains(table: Scores) -> Finding:
    _, _, outside = metrics.average_deltas(table)
    told = "held-out gain, averaged over the environments trained on"
    pattern = "On average other environments gain a little."
    return Finding("H", pattern, told, outside, judge(outside, low=0))


def _belief_is_common(rows: Sequence[Row]) -> Finding:
    table, found = scores(rows, "failure:unverified"), []
    for name in _environments(table):
        own = [phase for phase in _single(table) if stages(table, phase)[0] == (name,)]
        if own:
            found.append(contrast(table, macro_mean(table, own[0], [name])))
    least = min(found, key=lambda e: e.value, default=MISSING)
    told = (
        "share of episodes with an action on an unverified belief behind training, in the "
        f"environment with the fewest of {len(found)}; common from {number(COMMON)} %"
    )
    pattern = "Acting on an unverified belief is common in every environment."
    return Finding("I", pattern, told, least, judge(least, low=COMMON))


def _asides_protect(table: Scores) -> Finding:
    parts = []
    for name in _environments(table):
        plain = _trained(table, [[f"{name}/easy"]])
        noisy = [
            p
            for p, order in zip(table.phases, table.trained, strict=True)
            if len(order) == 1
            and {t.partition("/")[0] for t in order[0]} == {name}
            and any("+asides:" in t for t in order[0])
        ]
        others = [other for other in _environments(table) if other != name]
        if plain and noisy and others:
            parts.append(macro_mean(table, noisy[0], others) - macro_mean(table, plain, others))
    found = _mean(table, parts)
    told = "held-out success, trained with remarks beside the point, minus the same without"
    pattern = "Irrelevant text in training protects what transfers."
    return Finding("J", pattern, told, found, judge(found, low=0))


def _environments(table: Scores) -> tuple[str, ...]:
    return tuple(dict.fromkeys(table.environments))


def _single(table: Scores) -> list[str]:
    """Phases that trained on one plain task of one environment alone."""
    return [
        phase
        for phase, order in zip(table.phases, table.trained, strict=True)
        if [len(stage) for stage in order] == [1]
        and "+" not in order[0][0]
        and BASE in table.phases
    ]


def _trained(table: Scores, order: list[list[str]]) -> str:
    """The phase that trained on just these tasks in this order, or nothing."""
    for phase, own in zip(table.phases, table.trained, strict=True):
        if [list(stage) for stage in own] == order and is_plain(phase):
            return phase
    return ""


def _left(table: Scores, phase: str) -> bool:
    """Whether the second stage of a phase trained on another environment than the first."""
    first, second = stages(table, phase)
    return not set(first) & set(second)


def _mean(table: Scores, parts: Sequence[Weights]) -> Estimate:
    return contrast(table, np.mean(parts, axis=0)) if len(parts) else MISSING
