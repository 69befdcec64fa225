"""Curricula: weights over the tasks of a suite as a function of training progress and success.

A curriculum is data of one shape, so that changing it never recompiles and several can be mapped
over. Weights are interpolated between knots; a jump is two knots at the same place. A rule
may then shift them towards tasks that promise more (`jaxagent.rl.standing`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import flax.struct
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxagent.envs.suite import Suite

RULES = ("static", "balance", "learnability", "progress", "bandit", "gate")
"""What may shift the weights: nothing; failure `1 − p`; learnability `p (1 − p)` (SFL, Rutherford
et al. 2024, arXiv 2408.15099); learning progress, how far fast and slow means of success are apart
(TSCL, Matiisen et al. 2017, arXiv 1707.00183); a bandit on mean |A| (SEC, arXiv 2505.14970);
stages that open when the one before is solved."""

KNOTS = 16
"""Knots of every curriculum; unused ones repeat the last."""

_LARGEST = 80.0
"""Logarithm that a weight has at most: that of float32's largest number is 88."""

_EARLY = 1e-6
"""How much before its place a stage begins, so that rounding of progress does not delay it."""


class Curriculum(flax.struct.PyTreeNode):
    """Task weights and turn limits over progress.

    Attributes:
        progress: float32[KNOTS], ascending places in [0, 1].
        weights: float32[KNOTS, tasks], weights at each of them, each row summing to 1.
        stage: float32[KNOTS], ascending places where a new horizon begins; unused ones above 1.
        horizon: float32[KNOTS], share of the turn limits that is given from there on.
        rule: int32[], place in `RULES`.
        temperature: float32[], of the rule: large ones bring its weights near to equal.
        explore: float32[], share of the weights that no rule touches; for `gate`, that of the
            stages before.
        threshold: float32[], success that opens the next stage of `gate`.
        rank: int32[tasks], stage of `gate` that each task belongs to.
        replay: float32[], share of the instances that are replayed, if the learner replays.
    """

    progress: Float[Array | np.ndarray, " knots"]
    weights: Float[Array | np.ndarray, "knots tasks"]
    stage: Float[Array | np.ndarray, " knots"]
    horizon: Float[Array | np.ndarray, " knots"]
    rule: Int[Array | np.ndarray, ""]
    temperature: Float[Array | np.ndarray, ""]
    explore: Float[Array | np.ndarray, ""]
    threshold: Float[Array | np.ndarray, ""]
    rank: Int[Array | np.ndarray, " tasks"]
    replay: Float[Array | np.ndarray, ""]

    def weights_at(self, progress: Float[Array, ""]) -> Float[Array, " tasks"]:
        """Weights over the tasks at `progress`, summing to 1."""
        places, rows = jnp.asarray(self.progress), jnp.asarray(self.weights)
        after = jnp.clip(jnp.searchsorted(places, progress, side="right"), 1, KNOTS - 1)
        low, high = places[after - 1], places[after]
        share = jnp.clip((progress - low) / jnp.maximum(high - low, 1e-9), 0.0, 1.0)
        return (1.0 - share) * rows[after - 1] + share * rows[after]

    def horizon_at(self, progress: Float[Array, ""]) -> Float[Array, ""]:
        """Share of the turn limits at `progress` (ScalingInter-RL, arXiv 2509.08755)."""
        reached = jnp.sum(jnp.asarray(self.stage) <= progress)
        return jnp.asarray(self.horizon)[jnp.maximum(reached - 1, 0)]


def mixture(suite: Suite, weights: Mapping[str, float] | Sequence[str]) -> Curriculum:
    """The same weights throughout; tasks in a plain list weigh the same.

    Raises:
        ValueError: a task is not in the suite, a weight is negative or all are zero.
    """
    return _through([(0.0, _row(suite, weights))])


def single(suite: Suite, task: str) -> Curriculum:
    """One task."""
    return mixture(suite, [task])


def tempered(weights: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Weights `n^(1/T)`: between those given, at T = 1, and equal ones, as T grows.

    Where that is too large for a number, they are divided by the largest. A weight of 0 stays 0.

    Raises:
        ValueError: the temperature is not positive, or a weight is negative or not finite.
    """
    if not temperature > 0:
        raise ValueError(f"temperature={temperature}: expected more than 0")
    if not all(0 <= weight < math.inf for weight in weights.values()):
        raise ValueError(f"weights={dict(weights)}: expected finite numbers of at least 0")
    power, largest = 1.0 / temperature, max(weights.values(), default=0.0)
    unit = largest if power * math.log(max(largest, 1.0)) > _LARGEST else 1.0
    return {name: (n / unit) ** power if n else 0.0 for name, n in weights.items()}


def sequence(
    suite: Suite, stages: Sequence[Mapping[str, float] | Sequence[str]], rehearsal: float = 0.0
) -> Curriculum:
    """One mixture after the other, each for an equal share of the training.

    Args:
        suite: the tasks.
        stages: the mixtures. Of n in U updates, stage k begins with update ⌈k U / n⌉, counted
            from 0; so each has U / n updates where n divides U.
        rehearsal: share of every stage but the first that goes to the stages before it.

    Raises:
        ValueError: there is no stage, or a mixture is none (see `mixture`).
    """
    _check_share("rehearsal", rehearsal)
    _check_stages(stages)
    starts = [*_starts(len(stages)), 1.0]
    knots: list[tuple[float, np.ndarray]] = []
    before: list[np.ndarray] = []
    for i, stage in enumerate(stages):
        row = _row(suite, stage)
        earlier = np.mean(before, axis=0) if before else row
        before.append(row)
        row = (1.0 - rehearsal) * row + rehearsal * earlier
        knots += [(starts[i], row), (starts[i + 1], row)]
    return _through(knots)


def ramp(suite: Suite, tasks: Sequence[str], rehearsal: float = 0.1) -> Curriculum:
    """From the first task to the last, fading from one to the next.

    Args:
        suite: the tasks.
        tasks: in the order of difficulty.
        rehearsal: share that is always spread evenly over all of them.
    """
    _check_share("rehearsal", rehearsal)
    even = _row(suite, tasks)
    rows = [rehearsal * even + (1.0 - rehearsal) * _row(suite, [task]) for task in tasks]
    places = np.linspace(0.0, 1.0, len(tasks)) if len(tasks) > 1 else [0.0]
    return _through([(place, row) for place, row in zip(places, rows, strict=True)])


def with_horizon(curriculum: Curriculum, shares: Sequence[float]) -> Curriculum:
    """The same weights with turn limits in equal stages, e.g. `(1/3, 2/3, 1)`.

    Raises:
        ValueError: a share is not in (0, 1].
    """
    if not 1 <= len(shares) <= KNOTS or not all(0.0 < share <= 1.0 for share in shares):
        raise ValueError(f"shares={tuple(shares)}: expected up to {KNOTS} numbers in (0, 1]")
    stage, horizon = np.full(KNOTS, np.inf, np.float32), np.ones(KNOTS, np.float32)
    stage[: len(shares)] = _starts(len(shares))
    horizon[: len(shares)] = shares
    return curriculum.replace(stage=stage, horizon=horizon)


def adaptive(
    curriculum: Curriculum, rule: str, temperature: float = 1.0, explore: float = 0.1
) -> Curriculum:
    """The same weights, shifted by a rule towards the tasks that promise more.

    Args:
        curriculum: the weights that the rule starts from; a task that has none gets none.
        rule: one of `RULES` but `gate`.
        temperature: scores count by the power 1 / temperature (`bandit`: exponentially).
        explore: share of the weights that the rule leaves as they are.

    Raises:
        ValueError: a value is out of range.
    """
    choices = [each for each in RULES if each != "gate"]
    if rule not in choices:
        raise ValueError(f"rule={rule!r}: expected one of {', '.join(choices)}")
    if not temperature > 0:
        raise ValueError(f"temperature={temperature}: expected more than 0")
    _check_share("explore", explore)
    return curriculum.replace(
        rule=np.asarray(RULES.index(rule), np.int32),
        temperature=np.asarray(temperature, np.float32),
        explore=np.asarray(explore, np.float32),
    )


def gated(
    suite: Suite,
    stages: Sequence[Mapping[str, float] | Sequence[str]],
    threshold: float = 0.8,
    rehearsal: float = 0.1,
) -> Curriculum:
    """From stage to stage, each opened by success on all tasks of the one before.

    Args:
        suite: the tasks.
        stages: mixtures of tasks, easy ones first; none belongs to two.
        threshold: mean success of training episodes that counts as solved.
        rehearsal: share of the stages before the current one.

    Raises:
        ValueError: there is no stage, a task is in two, or a value is out of range.
    """
    _check_share("threshold", threshold)
    _check_share("rehearsal", rehearsal)
    _check_stages(stages)
    rows = np.stack([_row(suite, stage) for stage in stages])
    twice = [name for name, uses in zip(suite.names, (rows > 0).sum(0), strict=True) if uses > 1]
    if twice:
        raise ValueError(f"stages: {', '.join(twice)} in more than one, expected in one")
    rank = np.where(rows.any(0), rows.argmax(0), len(stages))
    return _through([(0.0, rows.mean(0))]).replace(
        rule=np.asarray(RULES.index("gate"), np.int32),
        rank=rank.astype(np.int32),
        threshold=np.asarray(threshold, np.float32),
        explore=np.asarray(rehearsal, np.float32),
    )


def with_replay(curriculum: Curriculum, share: float) -> Curriculum:
    """The same weights, with a share of the instances replayed (see `Learner.replay`)."""
    _check_share("share", share)
    return curriculum.replace(replay=np.asarray(share, np.float32))


def shares(weights: Float[Array, " n"]) -> Float[Array, " n"]:
    """The weights divided by their sum; nothing but zeros stays so."""
    return weights / jnp.maximum(jnp.sum(weights), 1e-30)


def _check_share(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name}={value}: expected a share between 0 and 1")


def _check_stages(stages: Sequence[Any]) -> None:
    if not len(stages):
        raise ValueError("stages=[]: expected at least one mixture")


def _starts(stages: int) -> np.ndarray:
    """Where each of so many equal stages begins."""
    return np.maximum(np.arange(stages) / stages - _EARLY, 0.0)


def _row(suite: Suite, weights: Mapping[str, float] | Sequence[str]) -> np.ndarray:
    given = dict(weights) if isinstance(weights, Mapping) else dict.fromkeys(weights, 1.0)
    unknown = sorted(set(given) - set(suite.names))
    if unknown:
        raise ValueError(f"curriculum: {unknown} are not tasks of the suite {list(suite.names)}")
    row = np.array([given.get(name, 0.0) for name in suite.names], np.float64)
    if not np.isfinite(row).all() or (row < 0).any() or not row.any():
        raise ValueError(f"curriculum: weights {given} must be finite, at least 0, and not all 0")
    row /= row.max()
    return (row / row.sum()).astype(np.float32)


def _through(knots: Sequence[tuple[float, np.ndarray]]) -> Curriculum:
    if len(knots) > KNOTS:
        raise ValueError(f"curriculum: {len(knots)} knots, expected at most {KNOTS}")
    padded = [*knots, *[knots[-1]] * (KNOTS - len(knots))]
    progress, weights = (np.asarray(each, np.float32) for each in zip(*padded, strict=True))
    stage = np.full(KNOTS, np.inf, np.float32)
    stage[0] = 0.0
    none = np.asarray(0, np.float32)
    return Curriculum(
        progress=progress,
        weights=weights,
        stage=stage,
        horizon=np.ones(KNOTS, np.float32),
        rule=np.asarray(0, np.int32),
        temperature=np.asarray(1, np.float32),
        explore=none,
        threshold=np.asarray(1, np.float32),
        rank=np.zeros(weights.shape[1], np.int32),
        replay=none,
    )
