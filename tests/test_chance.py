"""Noise is that of `jax.random`, and small arrays are put in the order of NumPy's sort."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs.chance import blocks, integers, parted
from jaxagent.envs.order import arranged, first_where, inverse, ordering, ranks, repeated
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


def test_noise_is_parted_in_a_choice_and_noise():
    noise = jax.random.uniform(jax.random.key(2), (200_000,))
    low, high = jnp.array(3), jnp.array(15)
    choice, rest = map(np.asarray, parted(noise, low, high))
    np.testing.assert_array_equal(choice, integers(noise, low, high))
    assert rest.min() >= 0 and rest.max() < 1
    assert abs(np.corrcoef(choice, rest)[0, 1]) < 0.01
    assert abs(np.quantile(rest, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.005


@pytest.mark.parametrize("number", [1, 4, 9])
def test_the_first_that_hold_are_put_in_front(number):
    values = np.arange(40, 49, dtype=np.int8)
    masks = np.random.default_rng(1).random((64, 9)) < np.linspace(0, 1, 64)[:, None]
    found = jax.jit(jax.vmap(lambda mask: first_where(values, mask, number, -1)))(masks)
    for mask, row in zip(masks, found, strict=True):
        expected = [*values[mask], *[-1] * 9][:number]
        np.testing.assert_array_equal(row, np.array(expected, np.int8))


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
