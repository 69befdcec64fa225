"""The episodes of a rollout: which turns belong together, and how far they went."""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxagent.rl.trajectory import Turn


class Episodes(flax.struct.PyTreeNode):
    """Episodes by row and number in the row, of which there are at most as many as turns.

    Attributes:
        number: int32[rows, turns], number of the episode that each turn belongs to.
        turn: int32[rows, turns], number of the turn in its episode, from 1.
        whole: bool[rows, episodes], played to an end, be it the turn limit.
    """

    number: Int[Array, "rows turns"]
    turn: Int[Array, "rows turns"]
    whole: Bool[Array, "rows episodes"]

    def total(self, values: Shaped[Array, "rows turns"]) -> Float[Array, "rows episodes"]:
        """Sum over the turns of every episode."""
        return _total(self.number, values)

    def per_turn(self, values: Shaped[Array, "rows episodes"]) -> Shaped[Array, "rows turns"]:
        """The value of each turn's episode."""
        return jnp.take_along_axis(values, self.number, axis=1)


def episodes_of(turns: Turn) -> Episodes:
    """The episodes of a rollout: leading axes [rows, turns]; every row opens with a fresh one."""
    number = jnp.maximum(jnp.cumsum(turns.fresh, axis=1) - 1, 0)
    places = jnp.arange(turns.fresh.shape[1])
    opened = jax.lax.cummax(jnp.where(turns.fresh, places, 0), axis=1)
    whole = _total(number, turns.terminated | turns.truncated) > 0
    return Episodes(number, places - opened + 1, whole)


def _total(number: Array, values: Array) -> Float[Array, "rows episodes"]:
    count = number.shape[1]

    def add(number: Array, values: Array) -> Array:
        return jax.ops.segment_sum(values.astype(jnp.float32), number, count)

    return jax.vmap(add)(number, values)
