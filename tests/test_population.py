"""Populations: members that are what they would be alone, and deaths that harm nobody."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import PROBES

from jaxagent.envs import make_suite
from jaxagent.models import SIZES, ModelConfig, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.curriculum import single
from jaxagent.rl.learner import Learner
from jaxagent.rl.window import Window
from jaxagent.sweep.memory import lanes_that_fit, member_bytes, peak_bytes
from jaxagent.sweep.population import Population, stack

UPDATES = 3
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def learner():
    suite = make_suite(["read/easy", "delayed/easy"], PROBES)
    model = ModelConfig(width=32, layers=1, heads=2, hidden=32)
    policy = Policy(model, len(suite.language.vocabulary))
    algorithm = Algorithm(epochs=1, minibatch=4)
    return Learner(Actor(policy, suite), Window(8, 4, 32), algorithm, updates=UPDATES)


def members_of(learner, rates, tasks):
    hyper = stack([Hyper(learning_rate=np.asarray(rate)) for rate in rates])
    curricula = stack([single(learner.actor.suite, task) for task in tasks])
    return hyper, curricula


def train(learner, rates, tasks, seeds, **sizes):
    params = learner.actor.policy.init(jax.random.key(0))
    population = Population(learner, **sizes)
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    state = population.start(params, keys)
    return population.advance(state, *members_of(learner, rates, tasks), UPDATES)


def member(tree, number):
    return [np.asarray(x[number]) for x in jax.tree.leaves(tree)]


RATES, TASKS, SEEDS = [1e-3, 3e-3, 0.0, 1e-2], ["read/easy", "delayed/easy"] * 2, [1, 2, 3, 4]


@pytest.fixture(scope="module")
def together(learner):
    return train(learner, RATES, TASKS, SEEDS)


def test_a_member_is_what_it_is_alone_bit_for_bit(learner, together):
    for number in range(4):
        each = (RATES[number : number + 1], TASKS[number : number + 1], SEEDS[number : number + 1])
        alone, metrics = train(learner, *each)
        for a, b in zip(
            member(together[0].members.params, number), member(alone.members.params, 0), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        for name, value in metrics.items():
            np.testing.assert_array_equal(value[0], together[1][name][number])


def test_run_gives_the_curves_of_all_members_and_any_can_be_cut_out(learner, together):
    population = Population(learner)
    keys = jnp.stack([jax.random.key(seed) for seed in SEEDS])
    state = population.start(learner.actor.policy.init(jax.random.key(0)), keys)
    hyper, curricula = members_of(learner, RATES, TASKS)
    after, curves = population.run(state, hyper, curricula)
    assert curves["success"].shape == (UPDATES, 4)
    np.testing.assert_allclose(
        curves["policy_loss"].mean(axis=0), together[1]["policy_loss"], rtol=1e-4, atol=1e-6
    )
    alone = population.member(after, 1)
    assert type(alone) is type(learner.start(learner.actor.policy.init(KEY), KEY))
    for a, b in zip(
        jax.tree.leaves(alone.params), member(together[0].members.params, 1), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert int(alone.update) == UPDATES == int(alone.updates)
    assert (
        jax.random.key_data(alone.key).tolist()
        == jax.random.key_data(after.members.key[1]).tolist()
    )
    same, _ = population.run(state, hyper, curricula, 1)  # the state may be used again
    assert int(same.update) == 1


@pytest.mark.slow  # a program of its own
def test_a_member_is_a_run_of_the_learner(learner, together):
    params = learner.actor.policy.init(jax.random.key(0))
    state = learner.start(params, jax.random.key(SEEDS[1]))
    curriculum = single(learner.actor.suite, TASKS[1])
    state, _ = learner.advance(state, Hyper(learning_rate=RATES[1]), curriculum, UPDATES)
    for a, b in zip(
        member(together[0].members.params, 1), jax.tree.leaves(state.params), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({"lanes": 2}, marks=pytest.mark.slow),
        pytest.param({"devices": 2}, marks=pytest.mark.slow),
        {"lanes": 2, "devices": 2},
    ],
)
def test_lanes_and_devices_change_no_result(learner, together, sizes):
    if sizes.get("devices", 1) > len(jax.devices()):
        pytest.skip("needs two devices")
    other, _ = train(learner, RATES, TASKS, SEEDS, **sizes)
    for a, b in zip(
        jax.tree.leaves(together[0].members.params),
        jax.tree.leaves(other.members.params),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-5 if sizes.get("lanes", 1) > 1 else 1e-6)


@pytest.mark.slow  # a program of its own
def test_members_on_several_devices_say_nothing_to_each_other(learner):
    """The compiled program holds no collective operation."""
    devices = len(jax.devices())
    if devices < 2:
        pytest.skip("needs two devices")
    population = Population(learner, devices=devices)
    keys = jnp.stack([jax.random.key(seed) for seed in range(devices)])
    state = population.start(learner.actor.policy.init(jax.random.key(0)), keys)
    members = members_of(learner, [1e-3] * devices, [TASKS[0]] * devices)
    text = population.compile(state, *members).as_text()
    assert "while" in text  # it is the program itself
    for name in ("all-reduce", "all-gather", "all-to-all", "reduce-scatter", "collective-permute"):
        assert name not in text, name


@pytest.mark.slow  # three programs
def test_members_that_share_devices_are_runs_of_their_learner(learner):
    """On the devices of a member, and on one that does the work of both."""
    if len(jax.devices()) < 2:
        pytest.skip("needs two devices")
    shared = dataclasses.replace(learner, devices=2)
    state = shared.start(learner.actor.policy.init(jax.random.key(0)), jax.random.key(SEEDS[1]))
    curriculum = single(learner.actor.suite, TASKS[1])
    alone, _ = shared.advance(state, Hyper(learning_rate=RATES[1]), curriculum, UPDATES)
    for sizes in ({"devices": 1}, {"devices": 2}):  # two members on two devices leave each one
        members, _ = train(shared, RATES[:2], TASKS[:2], SEEDS[:2], **sizes)
        for a, b in zip(
            member(members.members.params, 1), jax.tree.leaves(alone.params), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_members_may_start_from_parameters_of_their_own(learner):
    own = [learner.actor.policy.init(jax.random.key(seed)) for seed in range(2)]
    keys = np.asarray([0, 1])
    members = members_of(learner, RATES[:2], TASKS[:2])
    population = Population(learner)
    both, _ = population.advance(
        population.start(stack(own), jax.vmap(jax.random.key)(keys), own=True), *members, UPDATES
    )
    assert int(both.update) == UPDATES == int(both.updates)
    one = jax.tree.map(lambda x: x[1:], members)
    alone, _ = population.advance(
        population.start(own[1], jax.vmap(jax.random.key)(keys[1:])), *one, UPDATES
    )
    for a, b in zip(member(both.members.params, 1), member(alone.members.params, 0), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_member_that_diverges_is_frozen_and_the_others_go_on(learner, together):
    rates = [*RATES[:2], np.nan, RATES[3]]
    state, metrics = train(learner, rates, TASKS, SEEDS)
    assert state.alive.tolist() == [True, True, False, True]
    assert state.members.update.tolist() == [UPDATES, UPDATES, 0, UPDATES]
    assert np.isnan(metrics["policy_loss"]).tolist() == [False, False, True, False]
    start = learner.actor.policy.init(jax.random.key(0))
    for a, b in zip(member(state.members.params, 2), jax.tree.leaves(start), strict=True):
        np.testing.assert_array_equal(a, b)
    for number in (0, 1, 3):
        for a, b in zip(
            member(state.members.params, number),
            member(together[0].members.params, number),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)


def test_memory_is_predicted_and_members_are_cut_into_lanes(learner):
    """Against what the compiler plans for one member."""
    suite = learner.actor.suite
    policy = Policy(SIZES["tiny"], len(suite.language.vocabulary))
    large = Learner(Actor(policy, suite), Window(256, 4, 96), Algorithm(epochs=1))
    population = Population(large)
    state = population.start(policy.init(KEY), jax.random.split(KEY, 1))
    each = members_of(large, [1e-3], TASKS[:1])
    plan = population.compile(state, *each).memory_analysis()
    parts = member_bytes(large)
    predicted = peak_bytes(parts)
    needed = plan.temp_size_in_bytes + plan.output_size_in_bytes
    assert 0.6 < predicted / needed < 1.7
    room = predicted * 8
    lanes, told = lanes_that_fit(large, 8, room)
    assert lanes == 4 and "4 of 8 members side by side" in told
    assert lanes_that_fit(large, 8, 10 * room)[0] == 8
    assert lanes_that_fit(large, 7, room)[0] == 1
    with pytest.raises(ValueError, match="memory: a member takes about .* play fewer rows"):
        lanes_that_fit(large, 8, predicted // 2)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"lanes": 0}, "lanes=0: expected at least 1"),
        ({"devices": 99}, "devices=99: expected 1 to"),
        ({"lanes": 3}, "members=4: expected a multiple of lanes=3"),
    ],
)
def test_bad_sizes_are_named(learner, sizes, message):
    with pytest.raises(ValueError, match=message):
        train(learner, RATES, TASKS, SEEDS, **sizes)
