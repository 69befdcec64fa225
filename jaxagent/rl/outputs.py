"""What a policy makes of packed rows: logits and values before every word that was said."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxagent.models import Params
from jaxagent.rl.actor import Actor
from jaxagent.rl.packing import PackedRow


def word_outputs(
    actor: Actor, params: Params, batch: PackedRow, tasks: Int[Array, "rows turns"]
) -> tuple[Float[Array, "rows words vocabulary"], Float[Array, "rows words"]]:
    """Logits and values before every word that a minibatch's rows say.

    Args:
        actor: the policy in its suite.
        params: its parameters.
        batch: packed rows.
        tasks: tasks of the rollout that they are parts of.
    """
    hidden = jax.vmap(actor.policy.encode, in_axes=(None, 0, 0, 0, 0))(
        params, batch.tokens, batch.positions, batch.segments, batch.slot
    )
    logits = actor.logits(params, hidden, batch.turns_of(tasks))
    return logits, actor.policy.value(params, hidden)


def word_choices(
    actor: Actor, batch: PackedRow, actions: Int[Array, "rows turns action"]
) -> Int[Array, "rows words"]:
    """Place among the actor's words of every word that a minibatch's rows say."""
    return jnp.asarray(actor.places)[batch.words_of(actions)]
