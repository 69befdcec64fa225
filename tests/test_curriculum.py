"""Curricula that look at success: rules, gates, and levels that are played again."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import PROBES

from jaxagent.envs import make_suite
from jaxagent.envs.pool import Levels
from jaxagent.models import ModelConfig, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.curriculum import (
    RULES,
    adaptive,
    gated,
    mixture,
    sequence,
    single,
    tempered,
    with_replay,
)
from jaxagent.rl.learner import Learner
from jaxagent.rl.replay import Drawn, Replay, draw, no_replay, renew, replay_chances
from jaxagent.rl.standing import Standing, no_standing, record, weights_by
from jaxagent.rl.window import Window
from jaxagent.sweep.population import stack

SUITE = make_suite(["one-action/easy", "read/easy", "delayed/easy", "remember/easy"], PROBES)
ONE, READ, DELAYED, REMEMBER = SUITE.names
HALF = jnp.float32(0.5)


def standing_of(fast, slow=None, gain=None, seen=None, stage=0) -> Standing:
    fast = jnp.asarray(fast, jnp.float32)
    slow = fast if slow is None else jnp.asarray(slow, jnp.float32)
    gain = jnp.zeros(len(fast)) if gain is None else jnp.asarray(gain, jnp.float32)
    seen = jnp.ones(len(fast), bool) if seen is None else jnp.asarray(seen)
    return Standing(fast, slow, gain, seen, jnp.int32(stage))


EVEN = mixture(SUITE, SUITE.names)


@pytest.mark.parametrize(
    ("rule", "standing", "scores"),
    [
        ("static", standing_of([0, 0.5, 0.9, 1]), [1, 1, 1, 1]),
        ("balance", standing_of([0, 0.5, 0.9, 1]), [1, 0.5, 0.1, 0]),
        ("learnability", standing_of([0, 0.5, 0.9, 1]), [0, 0.25, 0.09, 0]),
        ("progress", standing_of([0.5, 0.5, 0.9, 1], [0.5, 0.3, 0.8, 1]), [0, 0.2, 0.1, 0]),
        ("bandit", standing_of([0] * 4, gain=[0, 1, 2, 0]), np.exp([0, 1, 2, 0])),
    ],
)
@pytest.mark.parametrize("explore", [0.0, 0.2])
def test_rules_are_their_formulas(rule, standing, scores, explore):
    weights = weights_by(adaptive(EVEN, rule, explore=explore), HALF, standing)
    expected = np.array(scores) / np.sum(scores)
    np.testing.assert_allclose(weights, (1 - explore) * expected + explore / 4, atol=1e-4)


def test_temperature_flattens_and_base_weights_bind():
    standing = standing_of([0.5, 0.9, 0.5, 0.5])
    cold = weights_by(adaptive(EVEN, "learnability", 1.0, 0.0), HALF, standing)
    warm = weights_by(adaptive(EVEN, "learnability", 2.0, 0.0), HALF, standing)
    np.testing.assert_allclose(cold[1] / cold[0], 0.36, rtol=1e-3)
    np.testing.assert_allclose(warm[1] / warm[0], 0.6, rtol=1e-3)
    bound = adaptive(mixture(SUITE, {READ: 3.0, DELAYED: 1.0}), "learnability", 1.0, 0.0)
    np.testing.assert_allclose(
        weights_by(bound, HALF, standing_of([0.5] * 4)), [0, 0.75, 0.25, 0], atol=1e-5
    )


def test_tasks_without_a_score_count_as_the_most_promising():
    standing = standing_of([0.9, 0.9, 0, 0], seen=[True, True, False, False])
    weights = weights_by(adaptive(EVEN, "learnability", 1.0, 0.0), HALF, standing)
    np.testing.assert_allclose(weights, 0.25, atol=1e-5)
    nothing = weights_by(adaptive(EVEN, "progress"), HALF, no_standing(4))
    np.testing.assert_allclose(nothing, 0.25, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_tasks_without_weight_have_no_say(rule):
    """However much they promise, and however cold the rule is."""
    standing = standing_of([0.5, 1.0, 1.0, 1.0], [0, 1, 1, 1], [9, 0, 0, 0])
    plan = mixture(SUITE, {READ: 3.0, DELAYED: 1.0})
    plan = plan.replace(rule=np.int32(RULES.index(rule)), rank=np.zeros(4, np.int32))
    plan = plan.replace(temperature=np.float32(0.01))
    weights = weights_by(plan, HALF, standing)
    np.testing.assert_allclose(weights, [0, 0.75, 0.25, 0], atol=1e-6)


def test_running_means_start_at_the_first_value_and_skip_what_was_not_played():
    finished, solved = jnp.array([10.0, 4.0, 0.0, 0.0]), jnp.array([5.0, 4.0, 0.0, 0.0])
    first = record(no_standing(4), EVEN, finished, solved, jnp.ones(4))
    np.testing.assert_allclose(first.fast, [0.5, 1, 0, 0])
    assert first.seen.tolist() == [True, True, False, False]
    second = record(first, EVEN, finished, jnp.array([10.0, 4, 0, 0]), jnp.ones(4))
    np.testing.assert_allclose(second.fast, [0.65, 1, 0, 0])
    np.testing.assert_allclose(second.slow, [0.525, 1, 0, 0])


def test_gates_open_by_success_on_all_tasks_of_a_stage_and_never_close():
    plan = gated(SUITE, [[ONE, READ], [DELAYED]], threshold=0.8, rehearsal=0.2)
    none = no_standing(4)
    np.testing.assert_allclose(weights_by(plan, HALF, none), [0.5, 0.5, 0, 0])
    played = jnp.array([10.0, 10.0, 0.0, 0.0])
    partly = record(none, plan, played, jnp.array([9.0, 7.0, 0, 0]), jnp.ones(4))
    assert int(partly.stage) == 0
    opened = record(none, plan, played, jnp.array([9.0, 9.0, 0, 0]), jnp.ones(4))
    assert int(opened.stage) == 1
    np.testing.assert_allclose(weights_by(plan, HALF, opened), [0.1, 0.1, 0.8, 0], atol=1e-6)
    worse = record(opened, plan, played, jnp.zeros(4), jnp.ones(4))
    assert int(worse.stage) == 1
    last = record(opened, plan, played + 10, played + 10, jnp.ones(4))
    assert int(last.stage) == 1


def test_sequences_may_rehearse_what_came_before():
    plan = sequence(SUITE, [[ONE], [READ], [DELAYED]], rehearsal=0.2)
    np.testing.assert_allclose(plan.weights_at(jnp.float32(0.1)), [1, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(plan.weights_at(HALF), [0.2, 0.8, 0, 0], atol=1e-5)
    np.testing.assert_allclose(plan.weights_at(jnp.float32(0.9)), [0.1, 0.1, 0.8, 0], atol=1e-5)


def test_tempered_weights():
    assert tempered({"a": 16.0, "b": 1.0}, 2.0) == {"a": 4.0, "b": 1.0}
    with pytest.raises(ValueError, match="temperature=0"):
        tempered({"a": 1.0}, 0)


def test_all_curricula_are_of_one_shape():
    plans = [EVEN, gated(SUITE, [[ONE], [READ]]), with_replay(single(SUITE, ONE), 0.5)]
    plans += [adaptive(EVEN, rule) for rule in RULES if rule != "gate"]
    weights = jax.vmap(weights_by, (0, None, None))(stack(plans), HALF, no_standing(4))
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-6)


def buffer_of(scores, played, tasks) -> Replay:
    keys = jnp.arange(2 * len(scores), dtype=jnp.uint32).reshape(-1, 2)
    levels = Levels(keys, jnp.asarray(tasks, jnp.int32))
    return Replay(levels, jnp.asarray(scores, jnp.float32), jnp.asarray(played, jnp.int32))


def test_levels_are_replayed_by_rank_and_staleness():
    replay = buffer_of([0.1, 0.4, 0.2, -np.inf, 0.9], [9, 7, 8, 0, 0], [0, 0, 0, 0, 1])
    weights = jnp.array([1.0, 0, 0, 0])
    chances = np.asarray(replay_chances(replay, weights, jnp.int32(10)))
    by_rank = np.array([1 / 3, 1, 1 / 2]) ** (1 / 0.3)
    by_age = np.array([1, 3, 2])
    expected = 0.7 * by_rank / by_rank.sum() + 0.3 * by_age / by_age.sum()
    np.testing.assert_allclose(chances[:3], expected, rtol=1e-5)
    np.testing.assert_array_equal(chances[3:], 0.0)


def test_drawn_levels_are_distinct_and_the_share_of_old_ones_is_kept():
    replay = buffer_of(np.linspace(1, 2, 32), np.zeros(32), np.zeros(32))
    weights = jnp.array([1.0, 0, 0, 0])
    drawn = draw(jax.random.key(0), replay, weights, 0.5, jnp.int32(3), 16)
    place = np.asarray(drawn.place)
    assert (place >= 0).sum() == 8 and len(set(place[place >= 0])) == 8
    for key, at in zip(np.asarray(drawn.levels.key), place, strict=True):
        assert at < 0 or (key == replay.levels.key[at]).all()
    for other in (no_replay(32), buffer_of(np.ones(32), np.zeros(32), np.ones(32))):
        place = draw(jax.random.key(0), other, weights, 0.5, jnp.int32(3), 16).place
        np.testing.assert_array_equal(place, -1)


def test_the_buffer_keeps_the_best_and_renews_what_was_played():
    replay = buffer_of([0.5, 0.4, -np.inf], [1, 1, 0], [0, 0, 0])
    new = Levels(jnp.full((3, 2), 77, jnp.uint32), jnp.array([2, 3, 3]))
    drawn = Drawn(new, jnp.array([0, -1, -1]))
    after = renew(replay, drawn, jnp.array([0.1, 0.7, 0.9]), jnp.array([True, True, False]), 5)
    order = np.argsort(-np.asarray(after.score))
    np.testing.assert_allclose(np.asarray(after.score)[order], [0.7, 0.4, 0.1])
    assert np.asarray(after.levels.task)[order].tolist() == [3, 0, 0]
    assert np.asarray(after.played)[order].tolist() == [5, 1, 5]


@pytest.fixture(scope="module")
def learner():
    model = ModelConfig(width=32, layers=1, heads=2, hidden=32)
    policy = Policy(model, len(SUITE.language.vocabulary))
    window = Window(16, 6, 32)
    return Learner(Actor(policy, SUITE), window, Algorithm(epochs=2, minibatch=4), replay=64)


def test_a_learner_keeps_its_standing_and_its_levels(learner):
    params = learner.actor.policy.init(jax.random.key(0))
    plan = with_replay(adaptive(mixture(SUITE, [ONE, REMEMBER]), "balance", explore=0.0), 0.5)
    state = learner.start(params, jax.random.key(1), 40)
    state, metrics = learner.advance(state, Hyper(learning_rate=3e-3), plan, 40)
    standing, weights = state.standing, weights_by(plan, HALF, state.standing)
    assert standing.seen.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(metrics["task_finished"][1:3], 0.0)
    success = np.asarray(metrics["task_solved"] / np.maximum(metrics["task_finished"], 1))
    np.testing.assert_allclose(standing.slow, success, atol=0.3)
    failing = np.asarray(jnp.where(standing.seen, 1 - standing.fast, 0))
    np.testing.assert_allclose(weights, failing / failing.sum(), atol=1e-4)
    assert np.isfinite(state.replay.score).all()
    assert set(np.asarray(state.replay.levels.task)) <= {0, 3}
    assert 0 < (np.asarray(state.replay.played) < 39).sum() < 64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: adaptive(EVEN, "hope"), "rule='hope': expected one of static, balance"),
        (lambda: adaptive(EVEN, "gate"), "rule='gate'"),
        (lambda: adaptive(EVEN, "balance", 0.0), "temperature=0"),
        (lambda: adaptive(EVEN, "balance", explore=2.0), "explore=2"),
        (lambda: gated(SUITE, [[ONE], [ONE]]), "one-action/easy in more than one"),
        (lambda: gated(SUITE, [[ONE]], threshold=3.0), "threshold=3"),
        (lambda: with_replay(EVEN, 1.5), "share=1.5"),
        (lambda: sequence(SUITE, [[ONE]], rehearsal=-1.0), "rehearsal=-1"),
    ],
)
def test_bad_values_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
