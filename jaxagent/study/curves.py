"""Learning curves, and how much sooner something is learnt behind something else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxagent.study import statistics
from jaxagent.study.scores import is_rate
from jaxagent.study.stage import STEP
from jaxagent.study.statistics import Estimate
from jaxagent.study.table import Row


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


def learning_curves(rows: Iterable[Row], metric: str = "success") -> tuple[Curve, ...]:
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
    means = [[np.mean([r.value for r in cells[seed, turn]]) for seed in seeds] for turn in points]
    rate = is_rate(rows[0].metric)
    found = [statistics.over_seeds(values, rate=rate) for values in means]
    value, low, high = np.array([(e.value, e.low, e.high) for e in found]).reshape(-1, 3).T
    return Curve(phase, environment, np.array(points, float), value, low, high, len(seeds))


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
    return statistics.over_seeds(values)


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
