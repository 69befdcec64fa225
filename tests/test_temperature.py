"""Temperatures: at 0 the likeliest word, and no others than positive finite ones elsewhere."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs import evaluation_keys, fill_pool, make_suite
from jaxagent.models import SIZES, Policy
from jaxagent.rl.actor import Actor
from jaxagent.text import END

ROWS, WORDS = 8, 4


def keys_of(seed):
    """A key for every row."""
    return jax.random.split(jax.random.key(seed), ROWS)


@pytest.fixture(scope="module")
def speaking():
    """Says an action in every row of a batch that has read its openings: seed, temperature."""
    suite = make_suite("maze/easy")
    actor = Actor(Policy(SIZES["nano"], len(suite.language.vocabulary)), suite)
    params = jax.tree.map(lambda x: 20 * x, actor.policy.init(jax.random.key(0)))
    pool = fill_pool(suite, evaluation_keys(jnp.arange(ROWS)), jnp.zeros(ROWS, jnp.int32))
    cache = jax.vmap(lambda _: actor.empty_cache(64))(jnp.arange(ROWS))
    hidden, cache = actor.read(params, cache, pool.messages.tokens, pool.messages.length)
    given = (params, cache, hidden, pool.instances, jnp.ones(ROWS, bool))
    jitted = jax.jit(partial(actor.speak, size=WORDS))
    logits = actor.logits(params, hidden, pool.instances.task)
    likeliest = np.asarray(actor.words)[np.argmax(logits, axis=-1)]
    return partial(actor.speak, *given, size=WORDS), partial(jitted, *given), likeliest


@pytest.mark.parametrize("temperature", [0.0, 1e-30, 1e-7])
def test_a_policy_without_chance_says_the_likeliest_word(speaking, temperature):
    _, speak, likeliest = speaking
    said = [speak(keys=keys_of(seed), temperature=temperature)[0].tokens for seed in range(3)]
    np.testing.assert_array_equal(said[0][:, 0], likeliest)
    np.testing.assert_array_equal(said[0], said[1])
    np.testing.assert_array_equal(said[0], said[2])
    assert not np.all(np.asarray(said[0])[:, 0] == END)


def test_at_a_high_one_chance_plays(speaking):
    _, speak, _ = speaking
    first, second = (speak(keys=keys_of(seed), temperature=100.0)[0].tokens for seed in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("temperature", [math.nan, math.inf, -math.inf, -1.0])
def test_other_temperatures_are_refused(speaking, temperature):
    with pytest.raises(ValueError, match="temperature=.*expected at least 0, and finite"):
        speaking[0](keys=keys_of(0), temperature=temperature)
