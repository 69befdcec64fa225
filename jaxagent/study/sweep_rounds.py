"""Rounds of a sweep: which points are trained next, given what those before came to.

Everything follows from the sweep's file and the results, so that any worker finds the same shards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxagent.study.processes import exist
from jaxagent.study.sweep_plan import Shard, SweepPlan, shards_of
from jaxagent.study.sweep_shard import RESULT, Row, read_results
from jaxagent.sweep.space import Axis, Point, key

_TRIES = 100
"""Asks of Optuna in a row without a new point, after which a round ends."""


def known_shards(sweep: SweepPlan, folder: Path) -> tuple[list[Shard], bool]:
    """The shards that are known by now, those of finished rounds first.

    Returns:
        The shards, and whether others may follow once they are finished.
    """
    found: list[Shard] = []
    for number, (_, updates) in enumerate(rounds_of(sweep)):
        points = _points(sweep, number, read_results([shard_folder(folder, s) for s in found]))
        found += shards_of(sweep, points, updates, len(found))
        if not all(are_finished(found, folder)):
            return found, number + 1 < len(rounds_of(sweep))
    return found, False


def are_finished(shards: Sequence[Shard], folder: Path) -> list[bool]:
    """Which of the shards are trained and measured."""
    return exist([shard_folder(folder, shard) / RESULT for shard in shards])


def shard_folder(folder: Path, shard: Shard) -> Path:
    """Where a shard is kept."""
    return folder / "shards" / shard.name


def rounds_of(sweep: SweepPlan) -> list[tuple[int, int]]:
    """Points and updates of every round; 0 updates are those of the plan."""
    if sweep.sampler != "optuna":
        return sweep.rungs
    size = max(1, sweep.members // sweep.seeds)
    sizes = [size] * (sweep.samples // size) + [sweep.samples % size]
    return [(count, 0) for count in sizes if count]


def count_shards(sweep: SweepPlan) -> int:
    """How many shards the first round has; the sampler need not be at hand."""
    points, updates = rounds_of(sweep)[0]
    return len(shards_of(sweep, sweep.points()[:points], updates))


def scored(rows: Sequence[Row], updates: int | None = None) -> list[tuple[float, Point]]:
    """Mean success of every point over seeds, arms and tasks, best first; a member that died
    counts as what it was before.

    Args:
        rows: of finished shards.
        updates: only members that were trained for so many; by default all.
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        if row.metric == "success" and updates in (None, row.updates):
            values.setdefault(row.point, []).append(row.value)
    means = [(float(np.mean(each)), json.loads(point)) for point, each in values.items()]
    return sorted(means, key=lambda pair: (-pair[0], json.dumps(pair[1], sort_keys=True)))


def _points(sweep: SweepPlan, number: int, rows: Sequence[Row]) -> list[Point]:
    """The points of a round."""
    if sweep.sampler == "optuna":
        return _asked(sweep, number, rows)
    if number == 0:
        return sweep.points()
    count, _ = rounds_of(sweep)[number]
    before = max(row.updates for row in rows)
    return [point for _, point in scored(rows, before)[:count]]


def _asked(sweep: SweepPlan, number: int, rows: Sequence[Row]) -> list[Point]:
    """What Optuna's sampler asks for, told of all rounds before (its ask-and-tell interface)."""
    try:
        import optuna
    except ImportError:
        raise ValueError("sampler='optuna': the package optuna is not installed") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spaces = {a.name: _distribution(optuna, a) for a in sweep.spaces}
    sampler = optuna.samplers.TPESampler(seed=sweep.seed + number, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    scores = scored(rows)
    for value, point in scores:
        params = {axis.name: _told(axis, point[axis.name]) for axis in sweep.spaces}
        trial = optuna.trial.create_trial(params=params, distributions=spaces, value=value)
        study.add_trial(trial)
    count, _ = rounds_of(sweep)[number]
    before = [point for _, point in scores]
    return _new(sweep, before, lambda: study.ask(spaces).params, count)


def _new(
    sweep: SweepPlan, before: list[Point], ask: Callable[[], dict[str, Any]], count: int
) -> list[Point]:
    """Up to `count` points that are new; fewer where the axes seem to have no more."""
    known = {sweep.resolved(point).identity for point in before}
    found: list[Point] = []
    failed = 0
    while len(found) < count and failed < _TRIES:
        asked = ask()
        point = {axis.name: _asked_for(axis, asked[axis.name]) for axis in sweep.spaces}
        identity = sweep.resolved(point).identity
        if identity in known:
            failed += 1
        else:
            known.add(identity)
            found.append(point)
            failed = 0
    return found


def _distribution(optuna: Any, axis: Axis) -> Any:
    """The axis as Optuna knows it: choices by their number, since they may be anything."""
    kinds = optuna.distributions
    if axis.values:
        return kinds.CategoricalDistribution(range(len(axis.values)))
    return kinds.FloatDistribution(axis.low, axis.high, log=axis.log)


def _told(axis: Axis, value: Any) -> Any:
    """A value as Optuna is told it."""
    return [key(each) for each in axis.values].index(key(value)) if axis.values else value


def _asked_for(axis: Axis, value: Any) -> Any:
    """What Optuna's value stands for."""
    return axis.values[value] if axis.values else value
