"""How far a policy has moved from another, measured where it goes itself.

RL's Razor (Shenfeld et al. 2025, arXiv 2509.04259): what is forgotten follows the divergence from
the base policy on the *new* task.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxagent.models import Params, kl
from jaxagent.rl.actor import Actor
from jaxagent.rl.evaluation import Script
from jaxagent.rl.minibatch import over_minibatches
from jaxagent.rl.outputs import word_outputs
from jaxagent.rl.packing import PackedRow, pack
from jaxagent.rl.trajectory import Trajectory, blank_turns
from jaxagent.rl.window import Window

VISITED = 16
"""Packed rows that are looked at together."""


@partial(jax.jit, static_argnums=(0, 1))
def divergence(
    actor: Actor,
    window: Window,
    params: Params,
    reference: Params,
    scripts: Script,
    task: Int[Array, ""] | int,
) -> Float[Array, ""]:
    """Mean KL(policy ‖ reference) in nats per word said, over the words of episodes of the policy.

    Args:
        actor: who played them.
        window: the limits that they were played with.
        params: of the policy.
        reference: parameters of the other policy.
        scripts: what the policy read and said, a leading axis [episodes].
        task: number of the task that was played.
    """
    packing = pack(_trajectory(scripts, jnp.asarray(task)), window.context, window.words)
    tasks = packing.trajectory.turns.task

    def add(sums: tuple[Array, Array], batch: PackedRow, count: Array) -> tuple[Array, Array]:
        del count
        new, old = (word_outputs(actor, each, batch, tasks)[0] for each in (params, reference))
        distance = jnp.where(batch.said, kl(new, old), 0.0)
        return sums[0] + jnp.sum(distance), sums[1] + jnp.sum(batch.said)

    start = (jnp.float32(0), jnp.int32(0))
    # Every row is visited once, whatever the order.
    visit = (jax.random.key(0), packing, VISITED, window.context, window.words)
    total, words = over_minibatches(*visit, start, add)
    return total / jnp.maximum(words, 1)


def _trajectory(scripts: Script, task: Int[Array, ""]) -> Trajectory:
    """The words of scripts as a trajectory, an episode per row, of which nothing else is known."""
    messages, actions = scripts.messages, scripts.actions
    rows, turns = actions.length.shape
    first = jnp.zeros((rows, turns), bool).at[:, 0].set(True)
    played = blank_turns(messages, actions).replace(
        task=jnp.broadcast_to(task, (rows, turns)),
        fresh=first,
        entry=jnp.broadcast_to(jnp.arange(rows)[:, None], (rows, turns)),
    )
    return Trajectory(played, scripts.opening, jnp.zeros(rows))
