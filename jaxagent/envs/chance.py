"""Uniform noise made into integers and orders, in few operations that compile quickly.

All draws of an instance cost one call to the generator; small arrays are sorted by counting.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
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


def ordering(keys: Shaped[Array, " n"]) -> Int[Array, " n"]:
    """int32: the indices that sort `keys`, equal ones in their order, by n * n comparisons."""
    places = jnp.arange(len(keys))
    before = (keys < keys[:, None]) | ((keys == keys[:, None]) & (places < places[:, None]))
    return inverse(jnp.sum(before, axis=1))


def inverse(permutation: Int[Array, " n"]) -> Int[Array, " n"]:
    """int32: where in the permutation every index stands."""
    places = jnp.arange(len(permutation))
    return jnp.argmax(permutation == places[:, None], axis=1)
