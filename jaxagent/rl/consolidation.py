"""Consolidation: elastic weights that hold a policy near what it has learnt before.

Online elastic weight consolidation (Schwarz et al. 2018, arXiv 1805.06370, section 4, after
Kirkpatrick et al. 2017, arXiv 1612.00796, eq. 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxagent.envs.pool import draw_pool
from jaxagent.models import Params, log_prob
from jaxagent.rl.curriculum import Curriculum
from jaxagent.rl.minibatch import over_minibatches
from jaxagent.rl.outputs import word_choices, word_outputs
from jaxagent.rl.packing import PackedRow, pack
from jaxagent.rl.rollout import rollout

if TYPE_CHECKING:
    from jaxagent.rl.learner import Learner


class Memory(flax.struct.PyTreeNode):
    """What a policy is held to; both are trees like its parameters, or empty.

    Attributes:
        params: as they were behind the last stage.
        importance: diagonal of the Fisher information, summed over the stages before.
    """

    params: Params
    importance: Params


def no_memory() -> Memory:
    """Nothing to be held to, for algorithms that do not consolidate."""
    return Memory({}, {})


def drift(params: Params, memory: Memory) -> Float[Array, ""]:
    """`½ Σ F (θ − θ*)²`: how far the parameters have moved where it matters."""

    def part(now: Array, then: Array, importance: Array) -> Array:
        return jnp.sum(importance * jnp.square(now - then))

    parts = jax.tree.map(part, params, memory.params, memory.importance)
    return 0.5 * jnp.sum(jnp.stack(jax.tree.leaves(parts)))


def remember(
    memory: Memory, params: Params, importance: Params, decay: jax.typing.ArrayLike = 1.0
) -> Memory:
    """The memory behind another stage, which older importance fades into by `decay`.

    Args:
        memory: of the stages before; empty for the first.
        params: behind this stage.
        importance: of the parameters in it: see `importance`.
        decay: of what mattered before.
    """
    if memory.importance:
        importance = jax.tree.map(lambda old, new: decay * old + new, memory.importance, importance)
    return Memory(params, importance)


def importance(
    learner: Learner, params: Params, curriculum: Curriculum, key: jax.Array, updates: int = 8
) -> Params:
    """How much each parameter matters: the diagonal of the Fisher information, per episode.

    `E[(∂ log π(what was said) / ∂θ)²]` over packed rows that the policy plays itself. Words of
    different episodes, and those of one, are uncorrelated in their scores, so the square of a row's
    sum is on average the sum of its words' squares.

    Args:
        learner: who plays, and how much at a time.
        params: of the policy.
        curriculum: the tasks, as they are weighed at the end of the training.
        key: for what is played.
        updates: rollouts that are averaged.
    """
    play = jax.jit(_squares, static_argnums=0)
    keys = jax.random.split(key, updates)
    every = [play(learner, params, curriculum, each) for each in keys]
    return average(every)


def _squares(learner: Learner, params: Params, curriculum: Curriculum, key: jax.Array) -> Params:
    actor, window = learner.actor, learner.played
    pool_key, play_key, order_key = jax.random.split(key, 3)
    weights = curriculum.weights_at(jnp.float32(1))
    pool = draw_pool(pool_key, actor.suite, weights, learner.instances)
    packing = pack(rollout(actor, params, pool, play_key, window), window.context, window.words)
    turns = packing.trajectory.turns
    episodes = jnp.maximum(jnp.sum(turns.fresh), 1)

    def score(params: Params, row: PackedRow) -> Array:
        batch = jax.tree.map(lambda x: x[None], row)
        logits, _ = word_outputs(actor, params, batch, turns.task)
        choice = word_choices(actor, batch, turns.action)
        return jnp.sum(jnp.where(batch.said, log_prob(logits, choice), 0.0))

    def add(total: Params, batch: PackedRow, count: Array) -> Params:
        del count
        each = jax.vmap(jax.grad(score), in_axes=(None, 0))(params, batch)
        return jax.tree.map(lambda t, g: t + jnp.sum(jnp.square(g), axis=0), total, each)

    zeros = jax.tree.map(jnp.zeros_like, params)
    total = over_minibatches(order_key, packing, *learner.visit, zeros, add)
    return jax.tree.map(lambda x: x / episodes, total)


def average(stages: list[Params]) -> Params:
    """The mean of the parameters behind several stages of one sequence (Wortsman et al. 2022, arXiv
    2203.05482, model soups).

    Raises:
        ValueError: there is none.
    """
    if not stages:
        raise ValueError("stages=[]: expected the parameters of at least one stage")
    return jax.tree.map(lambda *leaves: sum(leaves[1:], leaves[0]) / len(leaves), *stages)
