"""Noise is that of `jax.random`, and what is made of it sorts as NumPy does."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs.chance import blocks
from jaxagent.envs.order import inverse, ordering, ranks
from jaxagent.envs.threefry import uniform


@pytest.mark.parametrize("count", [1, 2, 7, 64, 1071])
def test_uniform_equals_that_of_jax(count):
    keys = jax.random.split(jax.random.key(3), 5)
    counters = np.random.default_rng(0).permutation(count).astype(np.uint32)
    ours = jax.jit(jax.vmap(lambda key: uniform(key, counters)))(keys)
    expected = jax.vmap(lambda key: jax.random.uniform(key, (count,)))(keys)
    np.testing.assert_array_equal(ours, expected[:, counters])


def test_blocks_are_one_draw_cut_in_pieces():
    shapes = ((3, 4), (), (2, 3, 5), (7,))
    key = jax.random.key(11)
    noise = np.asarray(jax.random.uniform(key, (12 + 1 + 30 + 7,)))
    ends = np.cumsum([12, 1, 30])
    for block, part, shape in zip(blocks(key, *shapes), np.split(noise, ends), shapes, strict=True):
        np.testing.assert_array_equal(block, part.reshape(shape))


@pytest.mark.parametrize("size", [1, 5, 32, 33, 65])
def test_order_is_that_of_a_stable_sort(size):
    keys = jnp.asarray(np.random.default_rng(size).integers(0, size, (20, size)) / 4 - 2)
    expected = np.argsort(keys, axis=1, kind="stable")
    np.testing.assert_array_equal(jax.vmap(ordering)(keys), expected)
    np.testing.assert_array_equal(jax.vmap(ranks)(keys), np.argsort(expected, axis=1))
    first = jax.vmap(lambda row: ordering(row, (size + 1) // 2))(keys)
    np.testing.assert_array_equal(first, expected[:, : (size + 1) // 2])
    np.testing.assert_array_equal(jax.vmap(inverse)(expected), np.argsort(expected, axis=1))
