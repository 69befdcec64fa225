"""Uniform noise, and what is drawn by it, in few operations that compile quickly."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxagent.envs.threefry import uniform


def blocks(key: jax.Array, *shapes: tuple[int, ...]) -> list[Float[Array, "..."]]:
    """Uniform noise in [0, 1) of several shapes by one call: each call takes long to compile.

    The numbers are those of `jax.random.uniform` for all shapes together, one block behind the
    other. They lie in memory column by column, so that what is made of a column reads on end.
    """
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    places = np.split(np.arange(ends[-1], dtype=np.uint32), ends[:-1])
    columns = [
        place.reshape(shape).T.reshape(-1) for place, shape in zip(places, shapes, strict=True)
    ]
    parts = jnp.split(uniform(key, np.concatenate(columns)), ends[:-1])
    return [part.reshape(shape[::-1]).T for part, shape in zip(parts, shapes, strict=True)]


def named_blocks(
    key: jax.Array, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Float[Array, "..."]]:
    """The `blocks` of these shapes, under their names."""
    return dict(zip(shapes, blocks(key, *shapes.values()), strict=True))


def integers(
    noise: Float[Array, "*n"], low: Int[Array, "*n"] | int, high: Int[Array, "*n"] | int
) -> Int[Array, "*n"]:
    """int32 from `low` to `high - 1`, equally likely (to the grain of float32), for [0, 1)."""
    return low + jnp.floor(noise * (jnp.asarray(high) - low)).astype(jnp.int32)


def parted(
    noise: Float[Array, "*n"], low: Int[Array, "*n"] | int, high: Int[Array, "*n"] | int
) -> tuple[Int[Array, "*n"], Float[Array, "*n"]]:
    """What `integers` draws, and what is left of the noise: independent of it, in [0, 1) again.

    The grain of the rest is coarser by the number of choices.
    """
    scaled = noise * (jnp.asarray(high) - low)
    whole = jnp.floor(scaled)
    return low + whole.astype(jnp.int32), scaled - whole


def choose(noise: Float[Array, "*n"], options: tuple[int, ...]) -> Int[Array, "*n"]:
    """One of `options` for every number in [0, 1)."""
    return jnp.array(options)[integers(noise, 0, len(options))]
