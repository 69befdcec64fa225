"""One batch on two devices: the parameters stay one, the learning and the measuring the same."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from probes import PROBES

from jaxagent.envs import make_suite
from jaxagent.models import ModelConfig, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.curriculum import single
from jaxagent.rl.devices import devices_for
from jaxagent.rl.evaluation import evaluate
from jaxagent.rl.imitation import Expert, Imitator
from jaxagent.rl.learner import Learner
from jaxagent.rl.window import Window

TASK = "read/easy"
WINDOW = Window(rows=64, turns=6, context=32)


@pytest.fixture(scope="module")
def actor():
    suite = make_suite([TASK], PROBES)
    model = ModelConfig(width=32, layers=2, heads=2, hidden=64)
    return Actor(Policy(model, len(suite.language.vocabulary)), suite)


def copies(array):
    """What every device holds."""
    return [np.asarray(shard.data) for shard in array.addressable_shards]


def trained_on_two(actor, run, updates):
    """Parameters after training on two devices, which have to agree on them."""
    state = run.start(actor.policy.init(jax.random.key(0)), jax.random.key(1), updates)
    state, _ = run.run(state, Hyper(learning_rate=2e-3), single(actor.suite, TASK), updates)
    for leaf in jax.tree.leaves(state.params):
        first, second = copies(leaf)
        np.testing.assert_array_equal(first, second)
    return state


def test_two_devices_agree_in_training(actor):
    trained_on_two(actor, Learner(actor, WINDOW, Algorithm(minibatch=8), devices=2), 3)


def test_one_device_can_do_the_work_of_two(actor, monkeypatch):
    """The same play and the same learning, but for the order of sums."""
    learner = Learner(actor, WINDOW, Algorithm(minibatch=8), devices=2)
    two = trained_on_two(actor, learner, 3)
    one_device = jax.devices()[:1]
    monkeypatch.setattr(jax, "devices", lambda *_: one_device)
    learner = Learner(actor, WINDOW, Algorithm(minibatch=8), devices=2)
    one = learner.start(actor.policy.init(jax.random.key(0)), jax.random.key(1), 3)
    one, _ = learner.run(one, Hyper(learning_rate=2e-3), single(actor.suite, TASK), 3)
    assert {len(x.sharding.device_set) for x in jax.tree.leaves(one.params)} == {1}
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(two.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    played = [evaluate(Expert(actor.suite, 0.5), {}, 0, 64, 1, WINDOW, devices=2)[0]]
    monkeypatch.undo()
    played += [evaluate(Expert(actor.suite, 0.5), {}, 0, 64, 1, WINDOW, devices=2)[0]]
    for a, b in zip(*map(jax.tree.leaves, played), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["learner", "imitator"])
def test_two_devices_learn_a_probe(actor, kind):
    if kind == "learner":
        run = Learner(actor, WINDOW, Algorithm(epochs=4, minibatch=8), devices=2)
    else:
        run = Imitator(actor, WINDOW, minibatch=8, devices=2)
    state = trained_on_two(actor, run, 120 if kind == "learner" else 40)
    outcome, _ = evaluate(actor, state.params, 0, 64, 2, WINDOW, devices=2)
    assert outcome.success.mean() > 0.9


def test_two_devices_play_what_one_plays(actor):
    expert = Expert(actor.suite)
    one, two = (evaluate(expert, {}, 0, 128, 1, WINDOW, devices=n)[0] for n in (1, 2))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_devices_play_different_rows(actor):
    """With one noise for both, the second half of the rows would repeat the first."""
    outcome, _ = evaluate(Expert(actor.suite, 0.5), {}, 0, 64, 1, WINDOW, devices=2)
    halves = outcome.success.reshape(2, -1)
    assert (halves[0] != halves[1]).any()


def test_batches_that_cannot_be_shared_are_refused(actor):
    assert devices_for(64, 8) == len(jax.devices())
    assert devices_for(64, 7) == 1
    with pytest.raises(ValueError, match="minibatch=7: expected a multiple of devices=2"):
        Learner(actor, WINDOW, Algorithm(minibatch=7), devices=2)
    with pytest.raises(ValueError, match=r"devices=0: expected at least 1"):
        Learner(actor, WINDOW, devices=0)
