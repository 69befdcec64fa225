"""How much each parameter matters: what consolidation holds it by (see `consolidation`)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxagent.envs.pool import draw_pool
from jaxagent.models import Params, log_prob
from jaxagent.rl.consolidation import average
from jaxagent.rl.curriculum import Curriculum
from jaxagent.rl.learner_parts import LearnerParts
from jaxagent.rl.minibatch import over_minibatches
from jaxagent.rl.outputs import word_choices, word_outputs
from jaxagent.rl.packing import PackedRow, pack
from jaxagent.rl.rollout import rollout


def importance(
    learner: LearnerParts,
    params: Params,
    curriculum: Curriculum,
    key: jax.Array,
    updates: int = 8,
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


def _squares(
    learner: LearnerParts, params: Params, curriculum: Curriculum, key: jax.Array
) -> Params:
    actor, window = learner.actor, learner.played
    pool_key, play_key, order_key = jax.random.split(key, 3)
    weights = curriculum.weights_at(jnp.float32(1))
    pool = draw_pool(pool_key, actor.suite, weights, learner.instances)
    horizon = curriculum.horizon_at(jnp.float32(1))
    trajectory = rollout(actor, params, pool, play_key, window, horizon)
    packing = pack(trajectory, window.context, window.words)
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
