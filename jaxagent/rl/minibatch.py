"""Minibatches: the packed rows of a trajectory in random order, gathered a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxagent.rl.devices import longest
from jaxagent.rl.packing import PackedRow, Packing, pack_row

Carry = Any


def shuffled_rows(key: jax.Array, packing: Packing) -> tuple[Array, Array]:
    """Group and number of all packed rows, the filled ones first and in random order.

    Returns:
        int32[rows × turns] each; there are never more packed rows than turns.
    """
    groups, turns = packing.layout.start.shape
    number = jnp.broadcast_to(jnp.arange(turns), (groups, turns))
    unused = number >= packing.layout.used[:, None]
    order = jnp.argsort((unused + jax.random.uniform(key, (groups, turns))).reshape(-1))
    return order // turns, order % turns


def gather_minibatch(
    packing: Packing,
    group: Int[Array, " rows"],
    number: Int[Array, " rows"],
    filled: Bool[Array, " rows"],
    context: int,
    words: int,
) -> PackedRow:
    """The packed rows with these groups and numbers; rows that are not `filled` are padding."""
    number = jnp.where(filled, number, packing.layout.start.shape[1])
    return jax.vmap(pack_row, in_axes=(None, 0, 0, None, None))(
        packing, group, number, context, words
    )


def over_minibatches(
    key: jax.Array,
    packing: Packing,
    size: int,
    context: int,
    words: int,
    carry: Carry,
    update: Callable[[Carry, PackedRow, Int[Array, ""]], Carry],
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
    group, number = shuffled_rows(key, packing)
    count = longest((packing.used + size - 1) // size, devices)

    def gather(index: Int[Array, ""]) -> PackedRow:
        rows = index * size + jnp.arange(size)
        filled = rows < packing.used
        rows = jnp.minimum(rows, len(group) - 1)
        return gather_minibatch(packing, group[rows], number[rows], filled, context, words)

    # The next minibatch is gathered ahead: what a loop carries lies in memory, and on a CPU each
    # use of a place or a segment would gather it again otherwise.
    def visit(state: tuple) -> tuple:
        index, batch, carry = state
        return index + 1, gather(index + 1), update(carry, batch, count)

    first = jnp.int32(0)
    state = (first, gather(first), carry)
    return jax.lax.while_loop(lambda state: state[0] < count, visit, state)[-1]
