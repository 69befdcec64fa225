"""Curricula: weights over the tasks of a suite as a function of training progress.

A curriculum is data of one shape, so that changing it never recompiles and several can be mapped
over. Weights are interpolated between knots; a jump is two knots at nearly the same place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import flax.struct
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxagent.envs.suite import Suite

KNOTS = 16
"""Knots of every curriculum; unused ones repeat the last."""

_JUMP = 1e-6


class Curriculum(flax.struct.PyTreeNode):
    """Task weights and turn limits over progress.

    Attributes:
        progress: float32[KNOTS], ascending places in [0, 1].
        weights: float32[KNOTS, tasks], weights at each of them, each row summing to 1.
        stage: float32[KNOTS], ascending places where a new horizon begins; unused ones above 1.
        horizon: float32[KNOTS], share of the turn limits that is given from there on.
    """

    progress: Float[Array | np.ndarray, " knots"]
    weights: Float[Array | np.ndarray, "knots tasks"]
    stage: Float[Array | np.ndarray, " knots"]
    horizon: Float[Array | np.ndarray, " knots"]

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
        return jnp.asarray(self.horizon)[reached - 1]


def mixture(suite: Suite, weights: Mapping[str, float] | Sequence[str]) -> Curriculum:
    """The same weights throughout; tasks in a plain list weigh the same.

    Raises:
        ValueError: a task is not in the suite, a weight is negative or all are zero.
    """
    return _through([(0.0, _row(suite, weights))])


def single(suite: Suite, task: str) -> Curriculum:
    """One task."""
    return mixture(suite, [task])


def sequence(suite: Suite, stages: Sequence[Mapping[str, float] | Sequence[str]]) -> Curriculum:
    """One mixture after the other, each for an equal share of the training."""
    knots = []
    for i, stage in enumerate(stages):
        row = _row(suite, stage)
        knots += [(i / len(stages) + (_JUMP if i else 0.0), row)]
        knots += [((i + 1) / len(stages), row)]
    return _through(knots)


def ramp(suite: Suite, tasks: Sequence[str], rehearsal: float = 0.1) -> Curriculum:
    """From the first task to the last, fading from one to the next.

    Args:
        suite: the tasks.
        tasks: in the order of difficulty.
        rehearsal: share that is always spread evenly over all of them.
    """
    if not 0.0 <= rehearsal <= 1.0:
        raise ValueError(f"rehearsal={rehearsal}: expected a share between 0 and 1")
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
    stage, horizon = np.full(KNOTS, 2.0, np.float32), np.ones(KNOTS, np.float32)
    stage[: len(shares)] = np.arange(len(shares)) / len(shares)
    horizon[: len(shares)] = shares
    return curriculum.replace(stage=stage, horizon=horizon)


def _row(suite: Suite, weights: Mapping[str, float] | Sequence[str]) -> np.ndarray:
    given = dict(weights) if isinstance(weights, Mapping) else dict.fromkeys(weights, 1.0)
    unknown = sorted(set(given) - set(suite.names))
    if unknown:
        raise ValueError(f"curriculum: {unknown} are not tasks of the suite {list(suite.names)}")
    row = np.array([given.get(name, 0.0) for name in suite.names], np.float32)
    if (row < 0).any() or row.sum() <= 0:
        raise ValueError(f"curriculum: weights {given} must be at least 0, and not all 0")
    return row / row.sum()


def _through(knots: Sequence[tuple[float, np.ndarray]]) -> Curriculum:
    if len(knots) > KNOTS:
        raise ValueError(f"curriculum: {len(knots)} knots, expected at most {KNOTS}")
    padded = [*knots, *[knots[-1]] * (KNOTS - len(knots))]
    progress, weights = (np.asarray(each, np.float32) for each in zip(*padded, strict=True))
    stage = np.full(KNOTS, 2.0, np.float32)
    stage[0] = 0.0
    return Curriculum(progress, weights, stage, np.ones(KNOTS, np.float32))
