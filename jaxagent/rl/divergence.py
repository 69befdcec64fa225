"""How far a policy has moved from another, measured where it goes itself.

RL's Razor (Shenfeld et al. 2025, arXiv 2509.04259): what is forgotten follows the divergence from
the base policy on the *new* task.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxagent.envs.pool import draw_pool
from jaxagent.models import Params, kl
from jaxagent.rl.curriculum import Curriculum
from jaxagent.rl.minibatch import over_minibatches
from jaxagent.rl.outputs import word_outputs
from jaxagent.rl.packing import PackedRow, pack
from jaxagent.rl.rollout import rollout

if TYPE_CHECKING:
    from jaxagent.rl.learner import Learner


@partial(jax.jit, static_argnums=0)
def divergence(
    learner: Learner, params: Params, reference: Params, curriculum: Curriculum, key: jax.Array
) -> Float[Array, ""]:
    """Mean KL(policy ‖ reference) in nats per word said, over the words of a rollout of the policy.

    Args:
        learner: who plays, and how much.
        params: of the policy.
        reference: parameters of the other policy.
        curriculum: the tasks, as they are weighed at the end of the training.
        key: for what is played.
    """
    actor, window = learner.actor, learner.played
    pool_key, play_key, order_key = jax.random.split(key, 3)
    weights = curriculum.weights_at(jnp.float32(1))
    pool = draw_pool(pool_key, actor.suite, weights, learner.instances)
    packing = pack(rollout(actor, params, pool, play_key, window), window.context, window.words)
    task = packing.trajectory.turns.task

    def add(sums: tuple[Array, Array], batch: PackedRow, count: Array) -> tuple[Array, Array]:
        del count
        new, old = (word_outputs(actor, each, batch, task)[0] for each in (params, reference))
        distance = jnp.where(batch.said, kl(new, old), 0.0)
        return sums[0] + jnp.sum(distance), sums[1] + jnp.sum(batch.said)

    start = (jnp.float32(0), jnp.int32(0))
    total, words = over_minibatches(order_key, packing, *learner.visit, start, add)
    return total / jnp.maximum(words, 1)
