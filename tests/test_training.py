"""Runs that are stopped and go on, and checkpoints that do not fit."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import threading
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from probes import PROBES

from jaxagent.envs import make_suite
from jaxagent.models import ModelConfig, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import ALGORITHMS, Algorithm, Hyper
from jaxagent.rl.curriculum import adaptive, mixture, with_replay
from jaxagent.rl.learner import Learner
from jaxagent.rl.updates import Diverged
from jaxagent.rl.window import Window
from jaxagent.study.ahead import Ahead
from jaxagent.study.checkpoint import Checkpoints
from jaxagent.study.files import Unwritable
from jaxagent.study.saved_policy import load_policy
from jaxagent.study.stop import Stopped
from jaxagent.study.training import Log, train


@pytest.fixture(scope="module")
def actor():
    suite = make_suite(["read/easy", "remember/easy"], PROBES)
    model = ModelConfig(width=16, layers=1, heads=2, hidden=16)
    return Actor(Policy(model, len(suite.language.vocabulary)), suite)


@pytest.fixture(scope="module")
def run(actor):
    algorithm = Algorithm(epochs=1, minibatch=4)
    learner = Learner(actor, Window(8, 5, 32), algorithm, updates=5, devices=2)
    curriculum = mixture(actor.suite, actor.suite.names)
    return learner, curriculum, actor.policy.init(jax.random.key(0))


@pytest.fixture(scope="module")
def elaborate_run(actor):
    """Everything that a state may hold: groups, reference, memory, standing, replayed levels."""
    algorithm = dataclasses.replace(
        ALGORITHMS["grpo"][0], group=2, kl="k1", consolidates=True, epochs=1, minibatch=4
    )
    learner = Learner(actor, Window(8, 5, 32), algorithm, updates=5, replay=32)
    curriculum = adaptive(mixture(actor.suite, actor.suite.names), "learnability")
    return learner, with_replay(curriculum, 0.5), actor.policy.init(jax.random.key(0))


@pytest.mark.parametrize("kind", ["run", pytest.param("elaborate_run", marks=pytest.mark.slow)])
def test_a_stopped_run_that_goes_on_equals_one_that_was_not(kind, request, tmp_path):
    learner, curriculum, params = request.getfixturevalue(kind)
    hyper = Hyper(reference_decay=0.9)

    def stop_at_two(update, metrics):
        if update == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    def start():
        return learner.start(params, jax.random.key(1))

    whole, log = train(learner, start(), hyper, curriculum, tmp_path / "whole")
    with pytest.raises(Stopped, match="signal 15"):
        train(learner, start(), hyper, curriculum, tmp_path / "parts", stop_at_two)
    rest, again = train(learner, start(), hyper, curriculum, tmp_path / "parts")
    assert int(rest.update) == 5 and again[-1]["update"] == 5 == log[-1]["update"]
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(rest), strict=True):
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_array_equal(a, b)

    policy, loaded = load_policy(tmp_path / "parts" / "checkpoints", learner.actor.suite)
    assert policy.config == learner.actor.policy.config
    for a, b in zip(jax.tree.leaves(loaded), jax.tree.leaves(rest.params), strict=True):
        np.testing.assert_array_equal(a, b)

    other = make_suite(["textcraft/easy"])
    with pytest.warns(UserWarning, match="has never met [0-9]+ of the words that textcraft/easy"):
        load_policy(tmp_path / "parts" / "checkpoints", other)


def test_a_run_that_diverges_says_when_and_saves_nothing_broken(run, tmp_path):
    learner, curriculum, params = run
    state = learner.start(params, jax.random.key(1))
    with pytest.raises(Diverged, match="policy_loss.* not finite in updates 1 to 1"):
        train(learner, state, Hyper(learning_rate=np.asarray(np.nan)), curriculum, tmp_path)
    assert not any((tmp_path / "checkpoints").iterdir())


def test_what_cannot_be_written_is_not_begun(run, tmp_path, monkeypatch):
    learner, _, params = run
    policy, suite = learner.actor.policy, learner.actor.suite
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    state = learner.start(params, jax.random.key(1))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(Unwritable, match=r"No space left on device: 0\.0 MB are free"):
        checkpoints.save(1, state, policy, suite)
    assert not list((tmp_path / "checkpoints").iterdir())
    (tmp_path / "checkpoints").rmdir()
    with pytest.raises(Unwritable, match="the folder has vanished"):
        checkpoints.save(1, state, policy, suite)
    with pytest.raises(Unwritable, match="log.jsonl: cannot be written"):
        Log(tmp_path / "gone" / "log.jsonl").add({"update": 1})
    checkpoints.close()


def test_a_broken_checkpoint_gives_way_to_the_one_before(run, tmp_path):
    learner, curriculum, params = run
    policy, suite = learner.actor.policy, learner.actor.suite
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    state = learner.start(params, jax.random.key(1))
    for step in (1, 2):
        state, _ = learner.advance(state, Hyper(), curriculum)
        checkpoints.save(step, state, policy, suite)
    checkpoints.close()
    largest = max((tmp_path / "checkpoints" / "2").rglob("*"), key=lambda p: p.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:100])
    with pytest.warns(UserWarning, match="checkpoints/2: removed, cannot be read"):
        state, _ = train(learner, state, Hyper(), curriculum, tmp_path)
    assert int(state.update) == 5

    for path in (tmp_path / "checkpoints").rglob("*"):
        if path.is_file() and path.stat().st_size > 1000:
            path.write_bytes(b"")
    before = sorted((tmp_path / "checkpoints").iterdir())
    with pytest.raises(ValueError, match="none that can be read"):
        train(learner, state, Hyper(), curriculum, tmp_path)
    assert sorted((tmp_path / "checkpoints").iterdir()) == before


def test_what_is_no_checkpoint_is_named(tmp_path, run):
    suite = run[0].actor.suite
    with pytest.raises(ValueError, match="no such folder"):
        load_policy(tmp_path / "nothing", suite)
    with pytest.raises(ValueError, match="holds no checkpoint"):
        load_policy(tmp_path, suite)


def test_programs_ahead_are_called_in_order_and_fail_where_they_are_needed():
    called = []

    def fail():
        raise ValueError("no such program")

    ahead = Ahead()
    ahead.wait("first")  # nothing to wait for
    ahead.start({"first": lambda: called.append(1), "bad": fail, "last": lambda: called.append(2)})
    ahead.wait("last")
    assert called == [1, 2]
    with pytest.raises(ValueError, match="no such program"):
        ahead.wait("bad")
    ahead.stop()


def test_programs_ahead_are_not_begun_once_stopped():
    called, begun, going_on = [], threading.Event(), threading.Event()

    def first():
        begun.set()
        assert going_on.wait(10)
        called.append(1)

    ahead = Ahead()
    ahead.start({"first": first, "second": lambda: called.append(2)})
    assert begun.wait(10)
    threading.Timer(0.1, going_on.set).start()
    ahead.stop()
    assert called == [1]
