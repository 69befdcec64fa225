"""The numbers of `jax.random.uniform`, made in one pass over them.

JAX carries out the rounds of Threefry on a CPU one after the other over the whole array. Here all
rounds of a number are one expression: the noise of an instance takes a third to a quarter of the
time, and compiles no slower.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_ONE = np.uint32(0x3F800000)
"""Bits of the float32 1."""

_PARTS = 2


def uniform(key: jax.Array, counters: UInt32[np.ndarray, " n"]) -> Float[Array, " n"]:
    """float32 in [0, 1), bit for bit `jax.random.uniform(key, (…,))[counters]`.

    Args:
        key: a key of `threefry2x32`, the default of JAX.
        counters: which numbers, in any order.
    """
    data, size = jax.random.key_data(key), -(-len(counters) // _PARTS)
    parts = jnp.asarray(np.resize(counters, (_PARTS, size)))

    def fill(part: Array, numbers: Float[Array, "n"]) -> Float[Array, "n"]:
        bits = _random_bits(data, parts[part])
        fraction = jax.lax.bitcast_convert_type(bits >> np.uint32(9) | _ONE, jnp.float32) - 1.0
        return jax.lax.dynamic_update_slice(numbers, fraction, (part * size,))

    # A loop, for XLA fuses nothing across it: each use would make the numbers again for itself.
    return jax.lax.fori_loop(0, _PARTS, fill, jnp.zeros(_PARTS * size))[: len(counters)]


def _random_bits(key: UInt32[Array, "2"], counter: UInt32[Array, "n"]) -> UInt32[Array, "n"]:
    """Both words of the block of every counter, combined (Salmon et al., 2011: Threefry-2x32-20).

    It is what `jax.random.bits` does under `jax_threefry_partitionable`, the default.
    """
    words = key[0], key[1], key[0] ^ key[1] ^ _PARITY
    left, right = jnp.broadcast_to(words[0], counter.shape), counter + words[1]
    for four in range(5):
        for distance in _ROTATIONS[four % 2]:
            left = left + right
            right = left ^ (right << np.uint32(distance) | right >> np.uint32(32 - distance))
        left = left + words[(four + 1) % 3]
        right = right + words[(four + 2) % 3] + np.uint32(four + 1)
    return left ^ right
