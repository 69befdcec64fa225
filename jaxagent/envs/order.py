"""Small arrays put in order by counting: n * n comparisons, and no sort.

All functions go along the first axis, the columns each by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Shaped

from jaxagent.envs.fusion import worked_out

_TOGETHER = 16
"""Numbers that are compared at once: 48 by sixteens take half the time on a CPU that they take by
32, and a sixth of what they take together, where XLA makes an array of all before it adds up."""

_FEW = 32
"""So many are put in order by comparing all with all: for more, one column by itself, one after
the other is quicker."""


def ordering(
    keys: Shaped[Array, "n *columns"], number: int | None = None
) -> Int[Array, "number *columns"]:
    """int32: the first `number` of the indices that sort `keys`, equal ones in their order."""
    return inverse(ranks(keys), number)


def ranks(keys: Shaped[Array, "n *columns"]) -> Int[Array, "n *columns"]:
    """int32: the place of every key among the sorted ones; of random keys, a permutation."""
    if keys.dtype == bool:
        true = counted(keys)
        behind = len(keys) - 1 - true[-1] + true
        return jnp.where(keys, behind, _along(np.arange(len(keys)), keys) - true)
    keys, total = _whole(keys), jnp.zeros(keys.shape, jnp.int32)
    for others, is_earlier in _others(keys):
        total += jnp.sum(others - is_earlier.astype(keys.dtype) < keys, axis=0, dtype=jnp.int32)
    return total


def _whole(keys: Shaped[Array, "*n"]) -> Int[Array, "*n"]:
    """Signed integers in the order of `keys`, with room for one less.

    Of them one comparison tells whether a key comes before another, equal ones in their order.
    """
    if jnp.issubdtype(keys.dtype, jnp.integer):
        return keys
    bits = jax.lax.bitcast_convert_type(jnp.where(keys == 0, 0, keys), jnp.int32)
    return jnp.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


def counted(mask: Bool[Array, "n *columns"]) -> Int[Array, "n *columns"]:
    """int32: how many entries hold up to every one, and with it: `cumsum`, by bits."""
    count = len(mask)
    mask = jnp.pad(mask, ((0, -count % 32), *[(0, 0)] * (mask.ndim - 1)))
    mask = mask.reshape(-1, 32, *mask.shape[1:])
    bit = jnp.uint32(1) << _along(np.arange(32, dtype=np.uint32), mask[0])
    words = jnp.sum(jnp.where(mask, bit, 0), axis=1, keepdims=True, dtype=jnp.uint32)
    held = jax.lax.population_count(words)
    up_to = jax.lax.population_count(jnp.broadcast_to(words, mask.shape) & (bit | bit - 1))
    up_to += jnp.cumsum(held, axis=0) - held
    return up_to.astype(jnp.int32).reshape(-1, *mask.shape[2:])[:count]


def inverse(
    permutation: Int[Array, "n *columns"], number: int | None = None
) -> Int[Array, "number *columns"]:
    """int32: where in the permutation every index stands; of the first `number` indices."""
    places = np.arange(len(permutation), dtype=np.int32)
    if permutation.ndim == 1 and len(permutation) > _FEW:
        found = jnp.zeros_like(permutation).at[permutation]
        return found.set(places, mode="promise_in_bounds", unique_indices=True)[:number]
    return arranged(_along(places, permutation), permutation, number)


def arranged(
    values: Shaped[Array, "n *columns"], places: Int[Array, "n *columns"], number: int | None = None
) -> Shaped[Array, "number *columns"]:
    """The values, each put at its place, a permutation of each column; the first `number` of them.

    With `ranks` for places they are sorted, without gathering.
    """
    is_here = places[:, None] == _along(np.arange(len(places))[:number], places)
    return jnp.sum(jnp.where(is_here, values[:, None], 0), axis=0, dtype=values.dtype)


def first_where(
    values: Shaped[Array, "n"], mask: Bool[Array, "n"], number: int, missing: int
) -> Shaped[Array, "number"]:
    """The first `number` of the values under the mask, `missing` behind where there are fewer."""
    place = jnp.where(mask, counted(mask) - 1, number)
    found = jnp.full(number, missing, values.dtype)
    return found.at[place].set(values, mode="drop")


def repeated(keys: Shaped[Array, "n *columns"]) -> Bool[Array, "n *columns"]:
    """Which keys equal one before them."""
    again = jnp.zeros(keys.shape, bool)
    for others, is_earlier in _others(keys):
        again |= jnp.any((others == keys) & is_earlier, axis=0)
    return again


def _others(keys: Shaped[Array, "n *columns"]) -> Iterator[tuple[Array, Array]]:
    """All keys [m, 1, *columns], some at a time, and which stand before which: bool[m, n, …]."""
    places = np.arange(len(keys))
    keys = worked_out(keys)
    for start in range(0, len(keys), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        yield keys[some, None], _along(places[some, None] < places, keys)


def _along(values: np.ndarray, keys: Shaped[Array, "n *columns"]) -> Array:
    """Values for the leading axes, to be broadcast against the columns of `keys`."""
    return jnp.asarray(values).reshape(*values.shape, *[1] * (keys.ndim - 1))
