"""One batch on two devices: the parameters stay one, the learning and the measuring the same."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import PROBES

from jaxagent.envs import make_suite
from jaxagent.models import SIZES, ModelConfig, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.curriculum import mixture, single
from jaxagent.rl.devices import devices_for, spread
from jaxagent.rl.evaluation import _play_batch, evaluate
from jaxagent.rl.imitation import Expert, Imitator
from jaxagent.rl.learner import Learner
from jaxagent.rl.loss import Weights
from jaxagent.rl.window import Window
from jaxagent.study.checkpoint import Checkpoints
from jaxagent.sweep.memory import must_split

TASK = "read/easy"
KEY = jax.random.key(3)
REFERRED = Algorithm(minibatch=8, kl="exact")
REINFORCE = Algorithm(advantage="return", objective="reinforce", minibatch=8, epochs=1)
WINDOW = Window(rows=64, turns=6, context=32)
HYPER = Hyper(learning_rate=2e-3, weights=Weights(entropy=0.01))
THOROUGH = HYPER.replace(final_rate=0.1, invalid_penalty=0.0)
"""Settings with which a policy learns a probe to the end."""


@pytest.fixture(scope="module")
def actor():
    suite = make_suite([TASK], PROBES)
    model = ModelConfig(width=32, layers=2, heads=2, hidden=64)
    return Actor(Policy(model, len(suite.language.vocabulary)), suite)


def copies(array):
    """What every device holds."""
    return [np.asarray(shard.data) for shard in array.addressable_shards]


def trained_on_two(actor, run, updates, hyper=HYPER):
    """Parameters after training on two devices, which have to agree on them."""
    state = run.start(actor.policy.init(jax.random.key(0)), jax.random.key(1), updates)
    state, _ = run.advance(state, hyper, single(actor.suite, TASK), updates)
    for leaf in jax.tree.leaves(state.params):
        first, second = copies(leaf)
        np.testing.assert_array_equal(first, second)
    return state


def operands_of_shard_maps(jaxpr):
    """Abstract values of all operands of `shard_map` in a program, at any depth."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "shard_map":
            yield from (operand.aval for operand in equation.invars)
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=has_equations):
            if has_equations(value):
                yield from operands_of_shard_maps(getattr(value, "jaxpr", value))


def has_equations(value):
    return hasattr(getattr(value, "jaxpr", value), "eqns")


@pytest.mark.parametrize("joined", [False, True])
def test_constants_without_elements_stay_inside_of_what_is_spread(joined):
    """jaxlib 0.11 dies of a segmentation fault at an operand without elements."""
    filled = spread(lambda x: x.at[:].set(2), 2, joined)
    before = np.zeros(3, np.float32)
    operands = list(operands_of_shard_maps(jax.make_jaxpr(filled)(before).jaxpr))
    assert [operand.shape for operand in operands] == [(3,)]
    expected = np.full(6 if joined else 3, 2, np.float32)
    np.testing.assert_array_equal(jax.jit(filled)(before), expected)


def test_no_program_has_an_operand_without_elements(actor):
    params = actor.policy.init(jax.random.key(0))
    expert, key, tasks = Expert(actor.suite, 0.2, 0.1), jax.random.key(1), single(actor.suite, TASK)
    traced = [
        _play_batch.trace(
            player, WINDOW, 2, 1, jnp.zeros((2, WINDOW.rows), jnp.uint32), given, 0, key, 1.0
        )
        for player, given in ((expert, {}), (actor, params))
    ]
    for run in (
        Imitator(actor, WINDOW, slips=0.1, minibatch=8, devices=2),
        Learner(actor, WINDOW, REFERRED, devices=2),
    ):
        state = run.start(params, key)
        traced.append(type(run)._advance.trace(run, state, Hyper(), tasks, 1))
    for program in traced:
        operands = list(operands_of_shard_maps(program.jaxpr.jaxpr))
        assert operands and all(operand.size > 0 for operand in operands)


def test_two_devices_agree_in_training(actor):
    trained_on_two(actor, Learner(actor, WINDOW, Algorithm(minibatch=8), devices=2), 3)


@pytest.mark.slow  # two programs each
@pytest.mark.parametrize(
    "kind",
    [
        partial(Learner, algorithm=Algorithm(minibatch=8)),
        partial(Learner, algorithm=REFERRED),
        partial(Learner, algorithm=REINFORCE),
        partial(Imitator, minibatch=8),
    ],
)
def test_parameters_may_be_split_between_devices(actor, kind):
    """Each device holds half of what is worth splitting, and the same is learnt."""
    curriculum, hyper = single(actor.suite, TASK), Hyper(learning_rate=2e-3)
    ends = []
    for split in (False, True):
        run = kind(actor, WINDOW, devices=2, split=split)
        state = run.start(actor.policy.init(jax.random.key(0)), jax.random.key(1), 2)
        ends.append(run.advance(state, hyper, curriculum, 2))
    for a, b in zip(*map(jax.tree.leaves, ends), strict=True):
        if not jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)
    whole, split = (state for state, _ in ends)
    embedding = split.params["embedding"]
    assert {x.size for x in copies(embedding)} == {embedding.size // 2}
    held = [sum(copies(x)[0].size for x in jax.tree.leaves(s.optimiser)) for s in (whole, split)]
    assert held[1] < 0.6 * held[0]


def test_parameters_are_split_where_they_do_not_fit(actor):
    size = 20 * sum(x.size for x in jax.tree.leaves(actor.policy.init(KEY)))
    assert must_split(actor.policy, 2, 2 * size) and not must_split(actor.policy, 2, 3 * size)
    assert not must_split(actor.policy, 1, size) and not must_split(actor.policy, 2, None)
    with pytest.raises(ValueError, match="split=True: expected an algorithm that does not"):
        Learner(actor, WINDOW, Algorithm(consolidates=True), split=True)


@pytest.mark.slow
def test_a_split_run_goes_on_from_its_checkpoint(actor, tmp_path):
    """On two devices in parts, and on one whole."""
    learner = Learner(actor, WINDOW, Algorithm(minibatch=8), devices=2, split=True)
    state = learner.start(actor.policy.init(jax.random.key(0)), jax.random.key(1), 2)
    state, _ = learner.advance(state, Hyper(), single(actor.suite, TASK), 1)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state, actor.policy, actor.suite)
    whole = Learner(actor, WINDOW, Algorithm(minibatch=8), devices=2)
    for run in (learner, whole):
        back = checkpoints.restore(run.start(actor.policy.init(jax.random.key(5)), KEY, 2))
        for a, b in zip(jax.tree.leaves(state.params), jax.tree.leaves(back.params), strict=True):
            np.testing.assert_array_equal(a, b)
    checkpoints.close()
    assert {x.sharding.is_fully_replicated for x in jax.tree.leaves(back.params)} == {True}


@pytest.mark.slow
def test_one_device_can_do_the_work_of_two(actor, monkeypatch):
    """The same play and the same learning, but for the order of sums."""
    learner = Learner(actor, WINDOW, Algorithm(minibatch=8), devices=2)
    two = trained_on_two(actor, learner, 3)
    one_device = jax.devices()[:1]
    monkeypatch.setattr(jax, "devices", lambda *_: one_device)
    learner = Learner(actor, WINDOW, Algorithm(minibatch=8), devices=2)
    one = learner.start(actor.policy.init(jax.random.key(0)), jax.random.key(1), 3)
    one, _ = learner.advance(one, HYPER, single(actor.suite, TASK), 3)
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
    state = trained_on_two(actor, run, 120 if kind == "learner" else 40, THOROUGH)
    outcome, _ = evaluate(actor, state.params, 0, 64, 2, WINDOW, devices=2)
    assert outcome.success.mean() > 0.9


@pytest.mark.parametrize("who", ["expert", "policy"])
def test_what_is_measured_depends_on_the_instance_alone(actor, who):
    """Not on the devices (four are played by fewer here), the rows of a batch, or what else a
    window says; with two of the four attempts these are the first two, and so for instances."""
    player, params = Expert(actor.suite, noise=0.5), {}
    if who == "policy":
        player, params = actor, actor.policy.init(jax.random.key(0))
    play = partial(evaluate, player, params, 0, recorded=6)
    expected, scripts = play(16, 4, WINDOW)
    assert who == "policy" or 0.2 < expected.success.mean() < 0.9
    assert len({tuple(words) for words in scripts.actions.tokens[:, 0].tolist()}) > 1
    for window, devices in (
        (WINDOW, 2),
        (WINDOW, 4),
        (replace(WINDOW, rows=8), 2),
        (replace(WINDOW, group=8, whole=True, anchors=True, turns=1), 1),
    ):
        found, said = play(16, 4, window, devices=devices)
        jax.tree.map(np.testing.assert_array_equal, found, expected)
        jax.tree.map(np.testing.assert_array_equal, said, scripts)
    part, _ = play(8, 2, WINDOW, first=8)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[8:, :2]), part, expected)
    other, _ = play(16, 4, WINDOW, seed=1)
    assert who == "policy" or (other.success != expected.success).any()


def test_a_window_of_groups_measures_every_instance():
    """With groups, an eighth of the instances was played, under wrong numbers."""
    suite = make_suite(["maze/easy"])
    plain, grouped = (
        evaluate(Expert(suite), {}, 0, 32, 1, Window(32, 20, 1024, group=group))[0]
        for group in (1, 8)
    )
    np.testing.assert_array_equal(plain.turns, grouped.turns)
    assert len(set(plain.turns[:8, 0].tolist())) > 1


@pytest.mark.slow  # two programs each
@pytest.mark.parametrize(
    "kind",
    [
        partial(Learner, algorithm=REINFORCE),
        partial(Learner, algorithm=replace(REINFORCE, advantage="group", group=4)),
        partial(Imitator, minibatch=512),
    ],
)
def test_two_devices_train_on_what_one_trains_on(actor, kind):
    """All rows are played alike; where an update is one step, so is what is learnt."""
    curriculum, hyper = single(actor.suite, TASK), Hyper(learning_rate=2e-3)
    ends = []
    for devices in (1, 2):
        run = kind(actor, WINDOW, devices=devices)
        state = run.start(actor.policy.init(jax.random.key(0)), jax.random.key(1), 2)
        state, metrics = run.advance(state, hyper, curriculum, 1)
        ends.append((state.params, {n: x for n, x in metrics.items() if n != "packed_rows"}))
    for a, b in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5)


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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["imitator", "learner"])
def test_updates_are_the_same_however_they_are_cut_into_calls(kind):
    """On all five environments: an update late in a call is what it is in a call of its own."""
    suite = make_suite("textcraft/easy,babyai/easy,alfworld/easy,webshop/easy,searchqa/easy")
    actor = Actor(Policy(SIZES["nano"], len(suite.language.vocabulary)), suite)
    window = Window(rows=8, turns=4, context=448, action_tokens=10)
    if kind == "imitator":
        run = Imitator(actor, window, 0.2, 0.0, True, minibatch=4, updates=30, devices=2)
    else:
        run = Learner(actor, window, Algorithm(minibatch=4), devices=2)
    start = partial(run.start, actor.policy.init(jax.random.key(0)), jax.random.key(1), 30)

    def train(*counts):
        state = start()
        for count in counts:
            state, _ = run.advance(state, HYPER, mixture(suite, suite.names), count)
        return jax.tree.leaves(state.params)

    one_by_one = train(*[1] * 16)
    for counts in ([16], [1, 1, 2, 4, 8]):
        for want, got in zip(one_by_one, train(*counts), strict=True):
            np.testing.assert_array_equal(want, got)
