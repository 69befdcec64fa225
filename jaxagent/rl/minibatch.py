"""Minibatches: the packed rows of a trajectory in random order, gathered a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.rl.devices import longest
from jaxagent.rl.trajectory import Layout, PackedRow, Trajectory, lay_out, pack_row, turn_lengths

Carry = Any


@flax.struct.dataclass
class Minibatch:
    """Packed rows, a leading axis [rows] on every leaf.

    Attributes:
        packed: the rows.
        owner: int32[rows], row of the rollout that each of them is a part of.
    """

    packed: PackedRow
    owner: Int[Array, " rows"]

    def words_of(self, grid: Array) -> Array:
        """Values of the words said, out of an array [rollout rows, turns, action]."""
        return jax.vmap(lambda row, owner: row.words_of(grid[owner]))(self.packed, self.owner)

    def turns_of(self, grid: Array) -> Array:
        """Values of the words' turns, out of an array [rollout rows, turns]."""
        return jax.vmap(lambda row, owner: grid[owner][row.turn])(self.packed, self.owner)


@flax.struct.dataclass
class Packing:
    """A trajectory and the layout of its packed rows.

    Attributes:
        trajectory: the rollout.
        layout: of every row.
    """

    trajectory: Trajectory
    layout: Layout

    @property
    def used(self) -> Int[Array, ""]:
        """Packed rows that are filled."""
        return jnp.sum(self.layout.used)

    def useful(self, context: int) -> Float[Array, ""]:
        """Share of the filled packed rows' tokens that is not padding."""
        lengths, _ = turn_lengths(self.trajectory.turns, self.trajectory.openings)
        return jnp.sum(lengths) / (self.used * context)


def pack(trajectory: Trajectory, context: int, words: int) -> Packing:
    """Lays out the packed rows of a trajectory; see `lay_out`."""
    layout = jax.vmap(lay_out, in_axes=(0, None, None, None))(
        trajectory.turns, trajectory.openings, context, words
    )
    return Packing(trajectory, layout)


def shuffled_rows(key: jax.Array, packing: Packing) -> tuple[Array, Array]:
    """Owner and number of all packed rows, the filled ones first and in random order.

    Returns:
        int32[rows × turns] each; there are never more packed rows than turns.
    """
    rows, turns = packing.layout.start.shape
    number = jnp.broadcast_to(jnp.arange(turns), (rows, turns))
    unused = number >= packing.layout.used[:, None]
    order = jnp.argsort((unused + jax.random.uniform(key, (rows, turns))).reshape(-1))
    return order // turns, order % turns


def gather_minibatch(
    packing: Packing,
    owner: Array,
    number: Array,
    filled: Bool[Array, " rows"],
    context: int,
    words: int,
) -> Minibatch:
    """The packed rows with these owners and numbers; rows that are not `filled` are padding."""
    number = jnp.where(filled, number, packing.layout.start.shape[1])
    turns, layout = jax.tree.map(lambda x: x[owner], (packing.trajectory.turns, packing.layout))
    packed = jax.vmap(pack_row, in_axes=(0, None, 0, 0, None, None))(
        turns, packing.trajectory.openings, layout, number, context, words
    )
    return Minibatch(packed, owner)


def over_minibatches(
    key: jax.Array,
    packing: Packing,
    size: int,
    context: int,
    words: int,
    carry: Carry,
    update: Callable[[Carry, Minibatch, Int[Array, ""]], Carry],
    devices: int = 1,
) -> Carry:
    """Folds `update` over the minibatches of one epoch.

    As many are visited as there are filled rows; the last may be padded. Devices that share a
    batch visit equally many, each of its own rows.

    Args:
        key: for the order.
        packing: the packed rows.
        size: rows of a minibatch.
        context: tokens of a packed row.
        words: words said in a packed row at most.
        carry: start of the fold.
        update: `(carry, minibatch, count)`, with `count` the number of minibatches.
        devices: that share the batch.
    """
    owner, number = shuffled_rows(key, packing)
    pad = -len(owner) % size
    owner, number = jnp.pad(owner, (0, pad)), jnp.pad(number, (0, pad))
    count = longest((packing.used + size - 1) // size, devices)

    def visit(state: tuple) -> tuple:
        index, carry = state
        rows = index * size + jnp.arange(size)
        filled = rows < packing.used
        rows = jnp.minimum(rows, len(owner) - 1)
        chosen = (owner[rows], number[rows], filled)
        batch = gather_minibatch(packing, *chosen, context, words)
        return index + 1, update(carry, batch, count)

    return jax.lax.while_loop(lambda state: state[0] < count, visit, (jnp.int32(0), carry))[1]
