"""Small arrays put in order by counting: n * n comparisons, and no sort."""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Shaped

_TOGETHER = 32
"""Of more numbers than this XLA makes an array on a CPU before it adds them up."""


def ordering(keys: Shaped[Array, " n"], number: int | None = None) -> Int[Array, " number"]:
    """int32: the indices that sort `keys`, equal ones in their order; the first `number` of them."""
    return inverse(ranks(keys), number)


def ranks(keys: Shaped[Array, " n"]) -> Int[Array, " n"]:
    """int32: the place of every key among the sorted ones; of random keys, a permutation."""
    if keys.dtype == bool:
        true = jnp.cumsum(keys, dtype=jnp.int32)
        places = jnp.arange(len(keys))
        return jnp.where(keys, len(keys) - 1 - true[-1] + true, places - true)
    total = jnp.zeros(len(keys), jnp.int32)
    for others, is_earlier in _others(keys):
        before = jnp.where(is_earlier, others <= keys, others < keys)
        total += jnp.sum(before, axis=0, dtype=jnp.int32)
    return total


def inverse(permutation: Int[Array, " n"], number: int | None = None) -> Int[Array, " number"]:
    """int32: where in the permutation every index stands; of the first `number` indices."""
    places = jnp.arange(len(permutation))
    found = jnp.zeros_like(places).at[permutation]
    return found.set(places, mode="promise_in_bounds", unique_indices=True)[:number]


def repeated(keys: Shaped[Array, " n"]) -> Bool[Array, " n"]:
    """Which keys equal one before them."""
    again = jnp.zeros(len(keys), bool)
    for others, is_earlier in _others(keys):
        again |= jnp.any((others == keys) & is_earlier, axis=0)
    return again


def _others(keys: Shaped[Array, " n"]) -> Iterator[tuple[Shaped[Array, "m 1"], Bool[Array, "m n"]]]:
    """All keys as columns, some at a time, and whether they stand before each of the keys."""
    places = np.arange(len(keys))
    for start in range(0, len(keys), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        yield keys[some, None], jnp.asarray(places[some, None] < places)
