"""Schedules: what a run is given at its first update, at its last, and when it goes on beyond."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from probes import PROBES

from jaxagent.envs import make_suite
from jaxagent.models import ModelConfig, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.curriculum import (
    Curriculum,
    gated,
    mixture,
    ramp,
    sequence,
    single,
    tempered,
    with_horizon,
)
from jaxagent.rl.imitation import Imitator
from jaxagent.rl.learner import Learner
from jaxagent.rl.updates import progress_of
from jaxagent.rl.window import Window

SUITE = make_suite(["one-action/easy", "read/easy", "delayed/easy", "remember/easy"], PROBES)
ONE, READ, DELAYED, REMEMBER = SUITE.names
WINDOW = Window(16, 4, 32)


def rates(hyper: Hyper, updates: int, beyond: int = 0) -> np.ndarray:
    """Learning rates of all updates of a run, as training asks for them."""
    update = jnp.arange(updates + beyond)
    return np.asarray(hyper.rate_at(progress_of(update, updates), 1.0 / updates))


def test_learning_rates_of_four_updates():
    hyper = Hyper(learning_rate=1.0, warmup=0.0, final_rate=0.1)
    np.testing.assert_allclose(rates(hyper, 4), [1.0, 0.775, 0.55, 0.325], rtol=1e-6)


def test_learning_rates_are_those_of_optax():
    hyper = Hyper(learning_rate=1e-3, warmup=0.0, final_rate=0.2)
    theirs = optax.linear_schedule(1e-3, 2e-4, 7)
    np.testing.assert_allclose(rates(hyper, 7, 20), theirs(np.arange(27)), rtol=1e-5)


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0, 2.0])
@pytest.mark.parametrize("warmup", [0.0, 0.02, 0.5, 1.0])
def test_learning_rates_beyond_the_planned_updates_stay_at_the_last(warmup, final):
    hyper = Hyper(learning_rate=1.0, warmup=warmup, final_rate=final)
    beyond = rates(hyper, 20, 100)[20:]
    np.testing.assert_allclose(beyond, final, rtol=1e-6)
    np.testing.assert_allclose(hyper.rate_at(jnp.float32(3.5)), final, rtol=1e-6)


@pytest.mark.parametrize("updates", [1, 2, 60, 100, 300])
@pytest.mark.parametrize("warmup", [0.0, 0.001, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_every_update_of_a_warmup_takes_a_step(updates, warmup, final):
    """Update i of n, w of which warm up: min((i + 1) / w, 1) of what falls from 1 to the last."""
    found = rates(Hyper(learning_rate=1.0, warmup=warmup, final_rate=final), updates)
    i, w = np.arange(updates), warmup * updates
    rise = np.minimum((i + 1) / max(w, 1e-9), 1.0)
    np.testing.assert_allclose(found, rise * (1 - (1 - final) * i / updates), rtol=1e-4)
    assert (found > 0).all()


def test_progress_is_a_share():
    assert progress_of(jnp.int32(3), jnp.int32(4)) == 0.75
    assert progress_of(jnp.int32(9), jnp.int32(4)) == 1.0
    assert progress_of(jnp.int32(0), jnp.int32(0)) == 0.0
    assert progress_of(jnp.int32(5), jnp.int32(0)) == 1.0


UPDATES = (1, 2, 3, 4, 7, 10, 12, 60, 97, 1000, 4096)
"""Lengths of runs, divisible and not."""


@jax.jit
def given_at(plan: Curriculum, update: jax.Array, updates: int) -> tuple[jax.Array, jax.Array]:
    """Weights and horizons of all these updates of a run, as training asks for them."""
    progress = progress_of(update, updates)
    return jax.vmap(plan.weights_at)(progress), jax.vmap(plan.horizon_at)(progress)


def stages_of(updates: int, stages: int) -> np.ndarray:
    """The stage of every update: the last whose place k / n is at most i / U."""
    return np.arange(updates) * stages // updates


@pytest.mark.parametrize("stages", [1, 2, 3, 4, 6, 7, 8])
@pytest.mark.parametrize("rehearsal", [0.0, 0.2])
def test_stages_of_a_sequence_have_equal_shares_of_the_updates(stages, rehearsal):
    plan = sequence(SUITE, [[SUITE.names[k % 4]] for k in range(stages)], rehearsal)
    own = np.eye(4)[[k % 4 for k in range(stages)]]
    before = [own[:k].mean(0) if k else own[0] for k in range(stages)]
    rows = (1 - rehearsal) * own + rehearsal * np.array(before)
    for updates in UPDATES:
        found = np.asarray(given_at(plan, np.arange(4096), updates)[0])
        stage = stages_of(updates, stages)
        np.testing.assert_allclose(found[:updates], rows[stage], atol=1e-6)
        np.testing.assert_allclose(found[updates:], rows[-1:].repeat(4096 - updates, 0), atol=1e-6)
        if updates % stages == 0:
            assert (np.bincount(stage) == updates // stages).all()
    np.testing.assert_allclose(plan.weights_at(jnp.float32(7.0)), rows[-1], atol=1e-6)


@pytest.mark.parametrize("stages", [1, 2, 3, 5, 7, 16])
def test_stages_of_the_horizon_have_equal_shares_of_the_updates(stages):
    shares = np.linspace(0.25, 1.0, stages, dtype=np.float32)
    plan = with_horizon(single(SUITE, READ), shares)
    for updates in UPDATES:
        found = given_at(plan, np.arange(4096), updates)[1]
        np.testing.assert_array_equal(found[:updates], shares[stages_of(updates, stages)])
        np.testing.assert_array_equal(found[updates:], shares[-1])
    np.testing.assert_array_equal(plan.horizon_at(jnp.float32(9.0)), shares[-1])


def test_a_ramp_ends_where_it_ends():
    plan = ramp(SUITE, [ONE, READ, DELAYED], rehearsal=0.3)
    for progress, row in ((0.0, [0.8, 0.1, 0.1, 0]), (1.0, [0.1, 0.1, 0.8, 0])):
        np.testing.assert_allclose(plan.weights_at(jnp.float32(progress)), row, atol=1e-6)
    np.testing.assert_allclose(plan.weights_at(jnp.float32(2.5)), [0.1, 0.1, 0.8, 0], atol=1e-6)


@pytest.fixture(scope="module")
def actor():
    model = ModelConfig(width=16, layers=1, heads=2, hidden=32)
    return Actor(Policy(model, len(SUITE.language.vocabulary)), SUITE)


@pytest.mark.parametrize("kind", [Learner, Imitator])
def test_a_run_of_one_update_learns_and_one_that_goes_on_stays_sound(actor, kind):
    """Adam's steps have the size of the rate: a run of one update has the peak, one that goes on
    beyond its updates what is left at the end."""
    run = kind(actor, WINDOW) if kind is Imitator else kind(actor, WINDOW, Algorithm(epochs=1))
    hyper = Hyper(learning_rate=1e-3, warmup=0.0, final_rate=0.1, max_gradient=1e6)
    before = actor.policy.init(jax.random.key(0))
    state, _ = run.advance(run.start(before, jax.random.key(1), 1), hyper, single(SUITE, READ), 1)
    steps = []
    for _ in range(2):
        old = jax.tree.map(np.asarray, before if not steps else state.params)
        if steps:
            state, metrics = run.advance(state, hyper, single(SUITE, READ), 1)
            assert metrics["progress"] == 1.0
        moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), old, state.params)
        steps.append(max(jax.tree.leaves(moved)))
    assert steps[0] == pytest.approx(1e-3, rel=0.05)  # Adam's first step is one rate long
    assert steps[1] < 3e-4


@pytest.mark.parametrize("weight", [np.nan, np.inf, -np.inf, -1.0])
def test_weights_that_are_no_weights_are_refused(weight):
    for make in (
        lambda: mixture(SUITE, {ONE: weight, READ: 1.0}),
        lambda: sequence(SUITE, [[ONE], {ONE: weight, READ: 1.0}]),
        lambda: gated(SUITE, [{ONE: 1.0}, {READ: weight, DELAYED: 1.0}]),
        lambda: tempered({"a": weight, "b": 1.0}, 2.0),
    ):
        with pytest.raises(ValueError, match="at least 0"):
            make()


def test_curricula_without_stages_are_refused():
    for make in (sequence, gated):
        with pytest.raises(ValueError, match=r"stages=\[\]: expected at least one mixture"):
            make(SUITE, [])


def test_weights_of_any_size_are_shares():
    for size in (1e-300, 1e-30, 1.0, 1e300):
        weights = mixture(SUITE, {ONE: size, READ: 3 * size}).weights_at(jnp.float32(0.5))
        np.testing.assert_allclose(weights, [0.25, 0.75, 0, 0])


def test_no_temperature_brings_a_task_without_weight_back_or_overflows():
    for temperature in (1e-3, 0.5, 1.0, 1e9, np.inf):
        found = tempered({"a": 3930.0, "b": 810.0, "c": 0.0}, temperature)
        assert found["c"] == 0 and np.isfinite([*found.values()]).all() and found["a"] > 0
    assert tempered({"a": 2.0, "b": 8.0}, np.inf) == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(("noise", "slips"), [(1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (np.nan, 0.0)])
def test_demonstrations_without_a_word_to_learn_are_refused(actor, noise, slips):
    with pytest.raises(ValueError, match="noise="):
        Imitator(actor, WINDOW, noise=noise, slips=slips, clean=True)
    if noise == noise:
        Imitator(actor, WINDOW, noise=noise, slips=slips, clean=False)


def test_an_update_without_a_word_to_learn_has_a_loss(actor):
    """All of 16 rows play noise: nothing is learnt from, and nothing is divided by."""
    imitator = Imitator(actor, WINDOW, noise=1 - 1e-9, slips=0.0, clean=True)
    state = imitator.start(actor.policy.init(jax.random.key(0)), jax.random.key(1), 1)
    before = jax.tree.map(np.asarray, state.params)
    state, metrics = imitator.advance(state, Hyper(), single(SUITE, ONE), 1)
    assert all(np.isfinite(value).all() for value in metrics.values())
    jax.tree.map(np.testing.assert_array_equal, before, state.params)
