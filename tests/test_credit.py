"""Group-relative advantages, penalties and weights against plain loops over episodes."""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import PROBES

from jaxagent.envs import Message, make_suite
from jaxagent.rl.algorithm import ALGORITHMS, Algorithm, Hyper
from jaxagent.rl.credit import assign_credit, word_rewards, word_weights
from jaxagent.rl.episodes import episodes_of
from jaxagent.rl.group import anchor_advantage, group_advantage, undecided
from jaxagent.rl.trajectory import Trajectory, Turn

SUITE = make_suite(["delayed/easy", "read/easy"], PROBES)
GROUP, ROWS, TURNS, ACTION = 4, 8, 9, 3
LONGEST = 30


def make_turns(seed: int = 0) -> Turn:
    """Whole episodes of one to three turns; the last of a row may be cut off, or the row rests."""
    rng = np.random.default_rng(seed)
    fresh, ended = np.zeros((2, ROWS, TURNS), bool)
    acts = np.ones((ROWS, TURNS), bool)
    for row in range(ROWS):
        t = 0
        while t < TURNS:
            fresh[row, t] = True
            t += rng.integers(1, 4)
            if t <= TURNS:
                ended[row, t - 1] = True
        if rng.random() < 0.5:
            acts[row, -1], fresh[row, -1], ended[row, -1] = False, False, False
            ended[row, -2] = True
    by_truncation = ended & (rng.random(ended.shape) < 0.3)
    zeros = np.zeros((ROWS, TURNS), np.int32)
    grid = np.zeros((ROWS, TURNS, ACTION), np.float32)
    record = Turn(
        task=zeros,
        fresh=fresh,
        entry=zeros,
        message=Message(np.zeros((ROWS, TURNS, 2), np.int32), zeros + 2),
        action=grid.astype(np.int32),
        action_length=np.where(acts, rng.integers(1, ACTION + 1, (ROWS, TURNS)), 0),
        log_prob=grid,
        value=rng.normal(size=grid.shape).astype(np.float32),
        reward=np.where(acts, rng.integers(0, 3, (ROWS, TURNS)), 0).astype(np.float32),
        terminated=ended & ~by_truncation,
        truncated=by_truncation,
        out_of_context=zeros > 0,
        closing=zeros > 0,
        success=zeros > 0,
        invalid=acts & (rng.random(acts.shape) < 0.3),
        misstep=zeros.astype(np.int8),
        expert=zeros > 0,
        anchor=rng.integers(0, 2, (ROWS, TURNS)).astype(np.uint32),
    )
    return jax.tree.map(jnp.asarray, record)


def plain_episodes(turns: Turn) -> list[list[list[int]]]:
    """Per row, per episode: the turns that acted. The second result tells whole ones."""
    rows = []
    for row in range(ROWS):
        rows.append([])
        for t in range(TURNS):
            if turns.fresh[row, t]:
                rows[-1].append([])
            if turns.action_length[row, t] > 0:
                rows[-1][-1].append(t)
    return rows


def is_whole(turns: Turn, row: int, episode: list[int]) -> bool:
    return bool((turns.terminated | turns.truncated)[row, episode[-1]])


def attempts(turns: Turn, group: int, number: int) -> dict[int, float]:
    """Row -> reward of the whole attempts at one instance."""
    found = {}
    for row in range(group * GROUP, (group + 1) * GROUP):
        episodes = plain_episodes(turns)[row]
        if number < len(episodes) and is_whole(turns, row, episodes[number]):
            found[row] = sum(float(turns.reward[row, t]) for t in episodes[number])
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["plain", "scaled", "leave-one-out"])
def test_group_advantages_are_those_of_a_loop(seed, kind):
    turns = make_turns(seed)
    episodes = episodes_of(turns)
    reward = episodes.total(turns.reward)
    knobs = {"scaled": kind == "scaled", "leave_one_out": kind == "leave-one-out"}
    result = np.asarray(group_advantage(reward, episodes.whole, GROUP, **knobs))
    differ = np.asarray(undecided(reward, episodes.whole, GROUP))
    seen = 0
    for group in range(ROWS // GROUP):
        for number in range(TURNS):
            found = attempts(turns, group, number)
            values = np.array([*found.values()])
            for row, value in found.items():
                others = np.array([v for r, v in found.items() if r != row])
                expected = value - values.mean() if len(values) > 1 else 0.0
                if kind == "scaled" and len(values) > 1:
                    expected /= values.std(ddof=1) + 1e-6
                if kind == "leave-one-out":
                    expected = value - others.mean() if len(others) else 0.0
                np.testing.assert_allclose(result[row, number], expected, atol=1e-4)
                assert differ[row, number] == (values.max() > values.min())
                seen += 1
    assert seen > 10
    assert (result[~np.asarray(episodes.whole)] == 0).all()


@pytest.mark.parametrize("scaled", [False, True])
def test_anchor_advantages_are_those_of_a_loop(scaled):
    turns = make_turns(1)
    episodes = episodes_of(turns)
    rng = np.random.default_rng(0)
    returns = rng.normal(size=(ROWS, TURNS)).astype(np.float32)
    present = np.asarray((turns.action_length > 0) & episodes.per_turn(episodes.whole))
    each = (turns.anchor, episodes.number, jnp.asarray(returns), jnp.asarray(present))
    result = np.asarray(anchor_advantage(*each, GROUP, scaled))
    for row, t in np.ndindex(ROWS, TURNS):
        first = row // GROUP * GROUP
        same = np.zeros((ROWS, TURNS), bool)
        same[first : first + GROUP] = True
        for values in (turns.anchor, episodes.number):
            same &= np.asarray(values) == np.asarray(values)[row, t]
        own = returns[same & present]
        if not present[row, t] or len(own) == 1:
            assert result[row, t] == 0.0
            continue
        expected = returns[row, t] - own.mean()
        expected /= own.std(ddof=1) + 1e-6 if scaled else 1.0
        np.testing.assert_allclose(result[row, t], expected, atol=1e-4)


def test_one_shared_state_with_different_returns_gets_opposite_credit_there_and_only_there():
    """Two attempts meet in one state, and fare differently behind it."""
    anchor = jnp.array([[1, 2, 3], [4, 2, 5]], jnp.uint32)
    number = jnp.zeros((2, 3), jnp.int32)
    returns = jnp.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    result = anchor_advantage(anchor, number, returns, jnp.ones((2, 3), bool), 2)
    np.testing.assert_allclose(result, [[0, 0.5, 0], [0, -0.5, 0]])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_credit_is_finite_and_does_not_depend_on_the_order_of_the_episodes(name):
    algorithm, hyper = ALGORITHMS[name]
    algorithm = dataclasses.replace(algorithm, group=GROUP if algorithm.group > 1 else 1)
    trajectory = make_trajectory(make_turns(2))
    credit = assign_credit(algorithm, hyper, SUITE, trajectory, LONGEST)
    order = np.random.default_rng(0).permutation(GROUP)
    order = np.concatenate([order + GROUP, order])
    moved = make_trajectory(jax.tree.map(lambda x: x[order], trajectory.turns))
    again = assign_credit(algorithm, hyper, SUITE, moved, LONGEST)
    said = np.asarray(trajectory.turns.spoken) & (np.asarray(credit.weight) > 0)
    for a, b in zip(jax.tree.leaves(credit), jax.tree.leaves(again), strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(np.asarray(a)[order][said[order]], b[said[order]], atol=1e-4)
    assert said.any()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_rewards_and_values_of_words_that_were_not_said_do_not_matter(name):
    algorithm, hyper = ALGORITHMS[name]
    algorithm = dataclasses.replace(algorithm, group=GROUP if algorithm.group > 1 else 1)
    turns = make_turns(3)
    plain = assign_credit(algorithm, hyper, SUITE, make_trajectory(turns), LONGEST)
    first = jnp.arange(ACTION) == 0  # the value before a turn is read also where nobody acts
    silent = turns.action_length == 0
    turns = turns.replace(
        value=jnp.where(turns.spoken | first, turns.value, 1e6),
        reward=jnp.where(silent, 1e6, turns.reward),
    )
    poisoned = assign_credit(algorithm, hyper, SUITE, make_trajectory(turns), LONGEST)
    counts = np.asarray(plain.weight) > 0
    np.testing.assert_array_equal(plain.weight, poisoned.weight)
    np.testing.assert_array_equal(
        np.asarray(plain.advantage)[counts], np.asarray(poisoned.advantage)[counts]
    )


def make_trajectory(turns: Turn) -> Trajectory:
    opening = Message(jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32))
    return Trajectory(turns, opening, jnp.zeros(ROWS))


def test_every_aggregation_is_what_its_name_says():
    turns = make_turns(4)
    episodes = episodes_of(turns)
    values = np.random.default_rng(0).normal(size=turns.value.shape)
    said = np.asarray(turns.spoken)
    sums, means = [], []
    for row, each in enumerate(plain_episodes(turns)):
        for episode in each:
            own = np.concatenate([values[row, t][said[row, t]] for t in episode])
            sums.append(own.sum())
            means.append(own.mean())
    expected = {
        "token-mean": values[said].mean(),
        "seq-mean-token-mean": np.mean(means),
        "seq-mean-token-sum": np.mean(sums),
        "seq-mean-token-sum-norm": np.mean(sums) / LONGEST,
    }
    for name, value in expected.items():
        weight = word_weights(name, turns, episodes, turns.spoken, LONGEST)
        np.testing.assert_allclose(np.sum(np.asarray(weight) * values), value, rtol=1e-5)


def test_penalties_are_taken_off_the_last_word_of_the_action():
    turns = make_turns(5)
    hyper = Hyper(invalid_penalty=0.25, overlong=2.0, overlong_share=0.5)
    episodes = episodes_of(turns)
    rewards = np.asarray(word_rewards(turns, episodes, SUITE, hyper))
    limit, checked = int(SUITE.turn_limits[0]), 0
    buffer = max(limit / 2, 1.0)
    for row, each in enumerate(plain_episodes(turns)):
        for episode in each:
            for count, t in enumerate(episode, 1):
                expected = float(turns.reward[row, t]) - 0.25 * float(turns.invalid[row, t])
                if turns.terminated[row, t] | turns.truncated[row, t]:
                    expected -= 2.0 * np.clip((count - (limit - buffer)) / buffer, 0, 1)
                    checked += 1
                last = int(turns.action_length[row, t]) - 1
                np.testing.assert_allclose(rewards[row, t, last], expected, atol=1e-5)
                assert np.count_nonzero(rewards[row, t]) <= 1
    assert checked > 5


def test_what_is_cut_may_be_an_end():
    """Then no value behind it counts; where nothing is cut, both rules agree."""
    turns, hyper = make_turns(9), Hyper()
    for which in ("cut", "uncut"):
        if which == "uncut":
            ended = turns.terminated | turns.truncated
            turns = turns.replace(terminated=ended, truncated=jnp.zeros_like(ended))
        found = {}
        for cut in ("bootstrap", "end"):
            algorithm = Algorithm(cut=cut, normalisation="none")
            credit = assign_credit(algorithm, hyper, SUITE, make_trajectory(turns), LONGEST)
            found[cut] = np.asarray(credit.advantage)
        difference = (found["bootstrap"] - found["end"])[..., 0]
        if which == "uncut":
            np.testing.assert_array_equal(difference, 0.0)
            continue
        rows, places = np.nonzero(np.asarray(turns.truncated)[:, :-1])
        behind = 0.99 * np.asarray(turns.value)[rows, places + 1, 0]
        np.testing.assert_allclose(difference[rows, places], behind, atol=1e-5)
        assert len(rows) > 3


def test_divergence_in_the_reward_is_taken_off_every_word_said():
    turns = make_turns(6)
    hyper = Hyper(weights=Hyper().weights.replace(kl=0.5))
    kl = jnp.ones(turns.value.shape)
    plain = word_rewards(turns, episodes_of(turns), SUITE, hyper)
    less = word_rewards(turns, episodes_of(turns), SUITE, hyper, kl)
    np.testing.assert_allclose(plain - less, 0.5 * np.asarray(turns.spoken))


@pytest.mark.parametrize("name", ["grpo", "dapo", "rloo", "gigpo", "reinforce++-baseline"])
def test_attempts_that_all_fail_teach_nothing_and_break_nothing(name):
    algorithm, hyper = ALGORITHMS[name]
    algorithm = dataclasses.replace(algorithm, group=GROUP)
    turns = make_turns(7)
    turns = turns.replace(reward=jnp.zeros_like(turns.reward))
    penalised = name == "dapo"
    penalties = {"overlong": 1.0 * penalised, "invalid_penalty": 0.1 * penalised}
    hyper = hyper.replace(**penalties)
    credit = assign_credit(algorithm, hyper, SUITE, make_trajectory(turns), LONGEST)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(credit))
    if name == "dapo":  # whatever the penalties
        np.testing.assert_array_equal(credit.weight, 0.0)
    else:
        np.testing.assert_array_equal(credit.advantage, 0.0)


EQUAL = (0.575, 0.1, 1 / 3, -0.7, 12.3, 1e-4, 0.0)
"""What all attempts get; most are no float32."""


@pytest.mark.parametrize("group", [2, 3, 5, 6, 7, 8, 11, 12, 16])
def test_equal_rewards_have_no_advantage(group):
    """Exactly 0, however many attempts there are and whichever of them are whole."""
    rng = np.random.default_rng(group)
    wholes = [np.ones((group, 1), bool), rng.random((group, 1)) < 0.6, np.eye(group, 1) > 0]
    for value, whole in itertools.product(EQUAL, wholes):
        reward = np.where(whole, np.float32(value), 99.0).astype(np.float32)
        for scaled, leave_one_out in itertools.product([False, True], repeat=2):
            found = group_advantage(reward, whole, group, leave_one_out, scaled)
            np.testing.assert_array_equal(found, 0.0)
        assert not np.asarray(undecided(reward, whole, group)).any()
        anchor, number = np.ones((group, 1), np.uint32), np.zeros((group, 1), np.int32)
        for scaled in (False, True):
            found = anchor_advantage(anchor, number, jnp.asarray(reward), whole, group, scaled)
            np.testing.assert_array_equal(found, 0.0)


@pytest.mark.parametrize("name", [n for n, (a, _) in ALGORITHMS.items() if not a.bootstraps])
def test_equal_episodes_have_no_advantage_in_any_algorithm_that_compares(name):
    """Seven rows play the same single turn and get the same, 0.575 each."""
    count, (algorithm, hyper) = 7, ALGORITHMS[name]
    if algorithm.group == 1 and algorithm.normalisation == "none":
        pytest.skip("compares nothing")
    algorithm = dataclasses.replace(algorithm, group=count if algorithm.group > 1 else 1)
    turns = jax.tree.map(lambda x: jnp.repeat(x[:1, :1], count, 0), make_turns(0))
    yes = jnp.ones((count, 1), bool)
    turns = turns.replace(
        fresh=yes,
        terminated=yes,
        truncated=~yes,
        reward=jnp.full((count, 1), 0.575),
        action_length=jnp.full((count, 1), 2),
        anchor=jnp.ones((count, 1), jnp.uint32),
    )
    opening = Message(jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32))
    trajectory = Trajectory(turns, opening, jnp.zeros(count))
    credit = assign_credit(algorithm, hyper, SUITE, trajectory, LONGEST)
    np.testing.assert_array_equal(credit.advantage, 0.0)


def test_rewards_that_differ_only_by_the_order_of_a_sum_are_equal():
    one, other = np.float32(0.1) + np.float32(0.2) + np.float32(0.7), np.float32(0.7)
    other = other + np.float32(0.2) + np.float32(0.1)
    reward = jnp.array([[one], [other], [np.nextafter(one, np.float32(2))]], jnp.float32)
    whole = jnp.ones((3, 1), bool)
    np.testing.assert_array_equal(group_advantage(reward, whole, 3, scaled=True), 0.0)
    assert not np.asarray(undecided(reward, whole, 3)).any()


@pytest.mark.parametrize("scale", [1e-5, 1.0, 100.0])
@pytest.mark.parametrize("difference", [1.0, 0.0028, 1e-4, 1e-5])
def test_attempts_differ_however_little(scale, difference):
    """One of eight takes a step less of a long walk: its reward is 0.0028 higher."""
    reward = np.full((8, 1), 0.5, np.float32)
    reward[3] += difference
    reward = (reward * scale).astype(np.float32)
    whole = np.ones((8, 1), bool)
    assert np.asarray(undecided(reward, whole, 8)).all()
    assert float(group_advantage(reward, whole, 8)[3, 0]) > 0
    whole[3] = False
    assert not np.asarray(undecided(reward, whole, 8)).any()


@pytest.mark.parametrize("horizon", [1.0, 0.5, 1 / 3, 0.01])
def test_long_episodes_are_those_of_the_horizon_in_force(horizon):
    """The penalty rises over the last share of the turns given, and is full at the last."""
    suite = make_suite(["maze/easy"])
    full = int(suite.turn_limits[0])
    limit = max(round(full * horizon), 1)
    turns = jax.tree.map(lambda x: jnp.repeat(x[:1, :1], full, 1), make_turns(0))
    ends = jnp.arange(full)[None] == limit - 1
    zeros = jnp.zeros((1, full))
    turns = turns.replace(
        fresh=(jnp.arange(full)[None] % limit) == 0,
        truncated=(jnp.arange(full)[None] % limit) == limit - 1,
        terminated=zeros > 0,
        reward=zeros,
        invalid=zeros > 0,
        action_length=jnp.ones((1, full), jnp.int32),
    )
    hyper = Hyper(overlong=2.0, overlong_share=0.25)
    rewards = word_rewards(turns, episodes_of(turns), suite, hyper, 0.0, horizon)
    np.testing.assert_allclose(np.asarray(rewards)[ends, 0], -2.0, rtol=1e-6)
    episodes = dataclasses.replace(episodes_of(turns), turn=jnp.full((1, full), max(limit - 1, 1)))
    buffer = max(limit * 0.25, 1.0)
    expected = -2.0 * np.clip((max(limit - 1, 1) - (limit - buffer)) / buffer, 0, 1)
    rewards = word_rewards(turns, episodes, suite, hyper, 0.0, horizon)
    np.testing.assert_allclose(np.asarray(rewards)[ends, 0], expected, atol=1e-5)


def test_rows_in_which_no_episode_ends_have_no_weight_without_a_critic():
    turns = make_turns(8)
    no = jnp.zeros_like(turns.terminated)
    turns = turns.replace(terminated=no, truncated=no)
    for name in ("grpo", "reinforce", "rloo"):
        algorithm, hyper = ALGORITHMS[name]
        algorithm = dataclasses.replace(algorithm, group=GROUP if algorithm.group > 1 else 1)
        credit = assign_credit(algorithm, hyper, SUITE, make_trajectory(turns), LONGEST)
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(credit))
        np.testing.assert_array_equal(credit.weight, 0.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"advantage": "group"}, "group=1: expected at least 2"),
        ({"drop_decided": True}, "group=1: expected at least 2"),
        ({"normalisation": "group"}, "normalisation='group': expected an advantage among group"),
        ({"cut": "mask"}, "cut='mask': expected one of end, bootstrap"),
        ({"ratio": "word"}, "ratio='word': expected one of token, turn, sequence"),
        ({"objective": "ppo"}, "objective='ppo': expected one of clip, cispo, reinforce"),
        ({"aggregation": "mean"}, "aggregation='mean': expected one of token-mean"),
        ({"kl": "k4"}, "kl='k4': expected one of none, exact, k1"),
    ],
)
def test_bad_combinations_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        Algorithm(**fields)
