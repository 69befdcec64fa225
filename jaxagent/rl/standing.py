"""The standing of a policy in its tasks, as training goes, and what a curriculum makes of it."""

from __future__ import annotations

import flax.struct
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.rl.curriculum import RULES, Curriculum, shares

FAST, SLOW = 0.3, 0.05
"""Weights of the newest update in the fast and the slow running mean."""

LEAST = 1e-6
"""Smallest score of a task, so that logarithms are finite; equal scores give equal weights."""


class Standing(flax.struct.PyTreeNode):
    """Running means over the updates in which a task was finished; leading axis [tasks].

    Attributes:
        fast: float32[tasks], success of late.
        slow: float32[tasks], success over a longer time.
        gain: float32[tasks], mean |A| of late, which tells how much there is to learn.
        seen: bool[tasks], tasks that have been finished at all.
        stage: int32[], stages that are open (`gated`), less one.
    """

    fast: Float[Array, " tasks"]
    slow: Float[Array, " tasks"]
    gain: Float[Array, " tasks"]
    seen: Bool[Array, " tasks"]
    stage: Int[Array, ""]


def no_standing(tasks: int) -> Standing:
    """Before anything was played."""
    zeros = jnp.zeros(tasks)
    return Standing(zeros, zeros, zeros, zeros > 0, jnp.int32(0))


def record(
    standing: Standing,
    curriculum: Curriculum,
    finished: Float[Array, " tasks"],
    solved: Float[Array, " tasks"],
    gain: Float[Array, " tasks"],
) -> Standing:
    """The standing behind an update.

    Args:
        standing: before it.
        curriculum: whose stages may open.
        finished: episodes of every task that ended in it.
        solved: those that succeeded.
        gain: mean |A| of the words said in them.
    """
    played = finished > 0
    success = solved / jnp.maximum(finished, 1.0)

    def mean(old: Array, new: Array, weight: float) -> Array:
        share = jnp.where(standing.seen, weight, 1.0)
        return jnp.where(played, old + share * (new - old), old)

    fast, seen = mean(standing.fast, success, FAST), standing.seen | played
    rank, stage = jnp.asarray(curriculum.rank), standing.stage
    in_use = jnp.any(jnp.asarray(curriculum.weights) > 0, axis=0)
    current, later = in_use & (rank == stage), in_use & (rank > stage)
    passed = jnp.all(~current | (seen & (fast >= curriculum.threshold)))
    return Standing(
        fast=fast,
        slow=mean(standing.slow, success, SLOW),
        gain=mean(standing.gain, gain, FAST),
        seen=seen,
        stage=stage + (passed & jnp.any(later)),
    )


def weights_by(
    curriculum: Curriculum, progress: Float[Array, ""], standing: Standing
) -> Float[Array, " tasks"]:
    """Weights over the tasks, summing to 1: those at `progress`, shifted by the rule."""
    base = curriculum.weights_at(progress)
    # Of the tasks that have a weight alone: beside a task that promises more, but is not played,
    # all others might come to nothing.
    logits = _scores(curriculum, standing) / curriculum.temperature
    highest = jnp.max(jnp.where(base > 0, logits, -jnp.inf))
    logits = jnp.where(standing.seen, logits, highest)
    shifted = shares(base * jnp.exp(jnp.minimum(logits - highest, 0.0)))
    adapted = (1.0 - curriculum.explore) * shifted + curriculum.explore * base
    gate = curriculum.rule == RULES.index("gate")
    return jnp.where(gate, _gated(curriculum, base, standing), adapted)


def _scores(curriculum: Curriculum, standing: Standing) -> Float[Array, " tasks"]:
    """Logarithm of what every task promises under the curriculum's rule."""
    success = jnp.clip(standing.fast, 0.0, 1.0)
    every = {
        "static": jnp.zeros_like(success),
        "balance": jnp.log(1.0 - success + LEAST),
        "learnability": jnp.log(success * (1.0 - success) + LEAST),
        "progress": jnp.log(jnp.abs(standing.fast - standing.slow) + LEAST),
        "bandit": standing.gain,
        "gate": jnp.zeros_like(success),
    }
    return jnp.stack([every[rule] for rule in RULES])[curriculum.rule]


def _gated(
    curriculum: Curriculum, base: Float[Array, " tasks"], standing: Standing
) -> Float[Array, " tasks"]:
    """The stage that is open last, and a share for those before it."""
    rank = jnp.asarray(curriculum.rank)
    current = shares(jnp.where(rank == standing.stage, base, 0.0))
    before = jnp.where(rank < standing.stage, base, 0.0)
    share = jnp.where(jnp.any(before > 0), curriculum.explore, 0.0)
    return (1.0 - share) * current + share * shares(before)
