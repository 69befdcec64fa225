"""Against forgetting: what matters is found, and held on to."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import PROBES

from jaxagent.envs import make_suite
from jaxagent.models import ModelConfig, Policy, kl, log_prob
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.consolidation import Memory, average, drift, remember
from jaxagent.rl.curriculum import single
from jaxagent.rl.divergence import divergence
from jaxagent.rl.evaluation import evaluate
from jaxagent.rl.importance import importance
from jaxagent.rl.learner import Learner
from jaxagent.rl.window import Window
from jaxagent.text import ACT


@pytest.fixture(scope="module")
def learner():
    suite = make_suite(["read/easy", "delayed/easy"], PROBES)
    policy = Policy(
        ModelConfig(width=16, layers=1, heads=2, hidden=16), len(suite.language.vocabulary)
    )
    algorithm = Algorithm(epochs=1, minibatch=8, consolidates=True)
    return Learner(Actor(policy, suite), Window(64, 4, 32), algorithm, updates=20)


def test_drift_is_the_weighted_square():
    memory = Memory({"w": jnp.array([1.0, 2.0])}, {"w": jnp.array([3.0, 0.5])})
    np.testing.assert_allclose(drift({"w": jnp.array([2.0, 0.0])}, memory), 0.5 * (3 + 0.5 * 4))
    later = remember(memory, {"w": jnp.zeros(2)}, {"w": jnp.ones(2)}, decay=0.5)
    np.testing.assert_allclose(later.importance["w"], [2.5, 1.25])
    np.testing.assert_array_equal(later.params["w"], 0.0)


def first_logits(actor, params):
    """Of the first word of the first instance."""
    opening = actor.suite.reset(jax.random.key(0), jnp.int32(0))[1]
    tokens = jnp.append(opening.tokens, 0).at[opening.length].set(ACT)
    here = jnp.arange(len(tokens))
    segments = jnp.where(here <= opening.length, 0, -1)
    hidden = actor.policy.encode(params, tokens, here, segments, opening.length[None])
    return actor.logits(params, hidden, jnp.zeros(1, jnp.int32))


@pytest.mark.slow
def test_importance_is_the_fisher_information_of_one_word():
    """A policy that says one word: the exact expectation over all words is at hand."""
    suite = make_suite(["one-action/easy"], PROBES)
    policy = Policy(
        ModelConfig(width=8, layers=1, heads=1, hidden=8), len(suite.language.vocabulary)
    )
    actor = Actor(policy, suite)
    window = Window(512, 1, 16, action_tokens=1)
    learner = Learner(actor, window, Algorithm(minibatch=64))
    params = policy.init(jax.random.key(3))
    plan = single(suite, "one-action/easy")
    found = importance(learner, params, plan, jax.random.key(0), updates=16)
    words = len(actor.words)
    score = jax.grad(lambda p, w: log_prob(first_logits(actor, p), w[None])[0])
    each = jax.vmap(score, (None, 0))(params, jnp.arange(words))
    chances = jax.nn.softmax(first_logits(actor, params)[0])
    exact = jax.tree.map(lambda g: jnp.tensordot(chances, jnp.square(g), 1), each)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(exact), strict=True):
        np.testing.assert_allclose(jnp.sum(a), jnp.sum(b), rtol=0.15, atol=1e-6)


def test_divergence_is_the_exact_one_where_the_policy_goes():
    suite = make_suite(["one-action/easy"], PROBES)
    policy = Policy(
        ModelConfig(width=8, layers=1, heads=1, hidden=8), len(suite.language.vocabulary)
    )
    actor = Actor(policy, suite)
    window = Window(64, 1, 16, action_tokens=1)
    params, base = policy.init(jax.random.key(3)), policy.init(jax.random.key(4))
    params = jax.tree.map(lambda x: 3 * x, params)
    _, scripts = evaluate(actor, params, 0, 64, 1, window, recorded=64)
    found = divergence(actor, window, params, base, scripts, 0)
    exact = kl(first_logits(actor, params), first_logits(actor, base))
    assert exact[0] > 1e-4
    np.testing.assert_allclose(found, exact[0], rtol=1e-4)
    assert divergence(actor, window, base, base, scripts, 0) == 0.0


@pytest.mark.slow  # plain passes, one by one
def test_divergence_counts_every_word_of_every_turn_once():
    suite = make_suite(["read/easy", "remember/easy"], PROBES)
    words = len(suite.language.vocabulary)
    actor = Actor(Policy(ModelConfig(width=8, layers=2, heads=2, hidden=8), words), suite)
    window = Window(8, 1, 40, action_tokens=3)
    params, base = (actor.policy.init(jax.random.key(n)) for n in (3, 4))
    params = jax.tree.map(lambda x: 4 * x, params)
    _, scripts = evaluate(actor, params, 1, 8, 2, window, recorded=5)
    assert scripts.outcome.turns.shape == (5,) and scripts.outcome.turns.max() > 1
    place, task = jnp.arange(window.context), jnp.ones(window.context, jnp.int32)

    @jax.jit
    def distances_behind(context: jax.Array) -> jax.Array:
        hidden = (actor.policy.encode(each, context, place, 0 * place) for each in (params, base))
        logits = (
            actor.logits(each, states, task)
            for each, states in zip((params, base), hidden, strict=True)
        )
        return kl(*logits)

    distances = []
    for row in range(5):
        script = jax.tree.map(lambda x, row=row: x[row], scripts)
        context = script.opening.tokens[: script.opening.length].tolist()
        spoken = []
        for turn in range(int(script.outcome.turns)):
            heard, said = (
                each.tokens[turn, : each.length[turn]].tolist()
                for each in (script.messages, script.actions)
            )
            context += heard
            spoken += range(len(context) - 1, len(context) - 1 + len(said))
            context += said[:-1]  # the last word is read with the next message
        padded = jnp.zeros(window.context, jnp.int32).at[: len(context)].set(jnp.array(context))
        distances += distances_behind(padded)[jnp.array(spoken)].tolist()
    assert len(distances) == scripts.outcome.words.sum()
    found = divergence(actor, window, params, base, scripts, 1)
    np.testing.assert_allclose(found, np.mean(distances), rtol=1e-3)


def test_consolidation_holds_what_matters(learner):
    params = learner.actor.policy.init(jax.random.key(0))
    plan = single(learner.actor.suite, "read/easy")
    weight = importance(learner, params, plan, jax.random.key(1), updates=1)
    memory = remember(Memory({}, {}), params, weight)
    moved = {}
    for strength in (0.0, 100.0):
        state = learner.start(params, jax.random.key(2), memory=memory)
        hyper = Hyper(learning_rate=3e-3, consolidation=strength)
        state, metrics = learner.advance(state, hyper, plan, 20)
        moved[strength] = float(drift(state.params, memory))
        assert np.isfinite(metrics["drift"])
    assert moved[100.0] < 0.3 * moved[0.0]


def test_average_of_stages():
    stages = [{"w": jnp.array([0.0, 3.0])}, {"w": jnp.array([2.0, 1.0])}]
    np.testing.assert_allclose(average(stages)["w"], [1.0, 2.0])
    with pytest.raises(ValueError, match="at least one stage"):
        average([])
