"""Noise is that of `jax.random`, and small arrays are put in the order of NumPy's sort."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs.chance import blocks
from jaxagent.envs.order import arranged, inverse, ordering, ranks, repeated
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
@pytest.mark.parametrize("kind", [float, int, bool])
def test_order_is_that_of_a_stable_sort(size, kind):
    drawn = np.random.default_rng(size).integers(0, size, (size, 20)) - size // 2
    keys = (drawn / 4 if kind is float else drawn).astype(kind)
    expected = np.argsort(keys, axis=0, kind="stable")
    few = (size + 1) // 2
    _assert_along_columns(ordering, keys, expected)
    _assert_along_columns(ranks, keys, np.argsort(expected, axis=0))
    _assert_along_columns(inverse, expected, np.argsort(expected, axis=0))
    _assert_along_columns(lambda column: ordering(column, few), keys, expected[:few])
    _assert_along_columns(lambda column: arranged(column, ranks(column)), keys, np.sort(keys, 0))
    again = [[keys[i, j] in keys[:i, j] for j in range(20)] for i in range(size)]
    _assert_along_columns(repeated, keys, again)


def _assert_along_columns(function, keys, expected):
    """For all columns at once, and for each by itself."""
    keys = jnp.asarray(keys)
    np.testing.assert_array_equal(function(keys), expected)
    np.testing.assert_array_equal(jax.vmap(function, 1, 1)(keys), expected)
