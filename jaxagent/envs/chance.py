"""Uniform noise made into integers and orders, in few operations that compile quickly.

All draws of an instance cost one call to the generator; small arrays are sorted by counting.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped


def blocks(key: jax.Array, *shapes: tuple[int, ...]) -> list[Float[Array, "..."]]:
    """Uniform noise in [0, 1) of several shapes by one call: each call takes long to compile."""
    sizes = [math.prod(shape) for shape in shapes]
    flat = jax.random.uniform(key, (sum(sizes),))
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    parts = [flat[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def integers(
    noise: Float[Array, "*n"], low: Int[Array, "*n"] | int, high: Int[Array, "*n"] | int
) -> Int[Array, "*n"]:
    """int32 from `low` to `high - 1`, equally likely (to the grain of float32), for [0, 1)."""
    return low + jnp.floor(noise * (jnp.asarray(high) - low)).astype(jnp.int32)


def choose(noise: Float[Array, "*n"], options: tuple[int, ...]) -> Int[Array, "*n"]:
    """One of `options` for every number in [0, 1)."""
    return jnp.array(options)[integers(noise, 0, len(options))]


def ordering(keys: Shaped[Array, " n"], number: int | None = None) -> Int[Array, " number"]:
    """int32: the indices that sort `keys`, equal ones in their order; the first `number` of them.

    It takes n * n comparisons.
    """
    return inverse(ranks(keys), number)


def ranks(keys: Shaped[Array, " n"]) -> Int[Array, " n"]:
    """int32: the place of every key among the sorted ones; of random keys, a permutation."""
    places = np.arange(len(keys))
    comes_first = jnp.asarray(places < places[:, None])
    before = jnp.where(comes_first, keys <= keys[:, None], keys < keys[:, None])
    return jnp.sum(before, axis=1, dtype=jnp.int32)


def inverse(permutation: Int[Array, " n"], number: int | None = None) -> Int[Array, " number"]:
    """int32: where in the permutation every index stands; of the first `number` indices."""
    places = jnp.arange(number or len(permutation))
    return jnp.argmax(permutation == places[:, None], axis=1)
