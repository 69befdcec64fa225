"""Advantages against plain loops, and the two rules that others have broken."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs import Message
from jaxagent.rl.advantage import (
    bilevel_advantage,
    generalised_advantage,
    normalise,
    return_advantage,
    token_advantage,
    turn_advantage,
)
from jaxagent.rl.trajectory import Turn

GAMMA, LAM = 0.9, 0.8


def make_turns(seed: int = 0, turns: int = 12, action: int = 4) -> tuple[Turn, np.ndarray]:
    """A row of random turns with every kind of end, and the value behind the last."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["go", "go", "terminated", "truncated"], turns)
    closing = np.zeros(turns, bool)
    for t in range(1, turns):
        if kind[t - 1] == "truncated" and not closing[t - 1]:
            closing[t], kind[t] = True, "go"
    length = np.where(closing, 0, rng.integers(1, action + 1, turns))
    zeros = np.zeros(turns, np.int32)
    record = Turn(
        task=zeros,
        fresh=zeros > 0,
        entry=zeros,
        message=Message(np.zeros((turns, 3), np.int32), zeros + 3),
        action=np.zeros((turns, action), np.int32),
        action_length=length.astype(np.int32),
        log_prob=np.zeros((turns, action), np.float32),
        value=rng.normal(size=(turns, action)).astype(np.float32),
        reward=np.where(closing, 0, rng.normal(size=turns)).astype(np.float32),
        terminated=kind == "terminated",
        truncated=kind == "truncated",
        out_of_context=zeros > 0,
        closing=closing,
        success=zeros > 0,
        invalid=zeros > 0,
        misstep=zeros.astype(np.int8),
        expert=zeros > 0,
        anchor=zeros.astype(np.uint32),
    )
    return jax.tree.map(jnp.asarray, record), np.float32(rng.normal())


def on_last_words(turns: Turn) -> jax.Array:
    """The reward of every turn on the last word of its action."""
    last = jnp.arange(turns.action.shape[1]) == turns.action_length[:, None] - 1
    return jnp.where(last, turns.reward[:, None], 0.0)


def reference_turns(turns: Turn, final: float) -> np.ndarray:
    """Advantage per turn by a plain backward loop over episodes."""
    count = len(turns.reward)
    result, following = np.zeros(count), 0.0
    for t in reversed(range(count)):
        if turns.closing[t]:
            continue
        value_after = final if t == count - 1 else float(turns.value[t + 1, 0])
        ended = bool(turns.terminated[t])
        delta = float(turns.reward[t]) - float(turns.value[t, 0])
        delta += 0.0 if ended else GAMMA * value_after
        chained = not ended and not bool(turns.truncated[t]) and t < count - 1
        result[t] = delta + (GAMMA * LAM * following if chained else 0.0)
        following = result[t]
    return result


def reference_words(turns: Turn, final: float) -> np.ndarray:
    """Advantage per word, over the list of the words said."""
    result = np.zeros(turns.value.shape)
    words = [(t, i) for t in range(len(turns.reward)) for i in range(int(turns.action_length[t]))]
    following = None
    for t, i in reversed(words):
        value = float(turns.value[t, i])
        if i < int(turns.action_length[t]) - 1:
            result[t, i] = float(turns.value[t, i + 1]) - value + result[t, i + 1]
        else:
            last = t == len(turns.reward) - 1
            after = final if last else float(turns.value[t + 1, 0])
            result[t, i] = float(turns.reward[t]) - value
            if not turns.terminated[t]:
                result[t, i] += GAMMA * after
            if not turns.terminated[t] and not turns.truncated[t] and following is not None:
                result[t, i] += GAMMA * LAM * result[following]
        following = (t, i)
    return result


@pytest.mark.parametrize("seed", range(8))
def test_turn_advantage_is_the_plain_loop(seed):
    turns, final = make_turns(seed)
    advantage, target = turn_advantage(turns, on_last_words(turns), final, GAMMA, LAM)
    expected = reference_turns(turns, float(final))
    acted = np.asarray(turns.action_length) > 0
    np.testing.assert_allclose(np.asarray(advantage[:, 0])[acted], expected[acted], atol=1e-5)
    np.testing.assert_allclose(target - turns.value[:, :1], advantage, atol=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_bilevel_advantage_is_the_plain_loop(seed):
    turns, final = make_turns(seed)
    advantage, target = bilevel_advantage(turns, on_last_words(turns), final, GAMMA, LAM)
    returns = reference_turns(turns, float(final)) + np.asarray(turns.value)[:, 0]
    expected, value = np.zeros(turns.value.shape), np.asarray(turns.value)
    for t, length in enumerate(np.asarray(turns.action_length)):
        following = 0.0
        for i in reversed(range(length)):
            after = returns[t] if i == length - 1 else value[t, i + 1]
            following = after - value[t, i] + LAM * following * (i < length - 1)
            expected[t, i] = following
    said = np.asarray(turns.spoken)
    np.testing.assert_allclose(np.asarray(advantage)[said], expected[said], atol=1e-5)
    np.testing.assert_allclose(target - turns.value, advantage, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_return_advantage_is_the_discounted_sum_to_the_end_of_the_episode(seed):
    turns, final = make_turns(seed)
    advantage, _ = return_advantage(turns, on_last_words(turns), final, GAMMA, LAM)
    total = 0.0
    for t in reversed(range(len(turns.reward))):
        if turns.closing[t]:
            continue
        ends = bool(turns.terminated[t] | turns.truncated[t])
        total = float(turns.reward[t]) + (0.0 if ends else GAMMA * total)
        np.testing.assert_allclose(advantage[t, : int(turns.action_length[t])], total, atol=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_token_advantage_is_the_plain_loop(seed):
    turns, final = make_turns(seed)
    advantage, target = token_advantage(turns, on_last_words(turns), final, GAMMA, LAM)
    said = np.asarray(turns.spoken)
    expected = reference_words(turns, float(final))
    np.testing.assert_allclose(np.asarray(advantage)[said], expected[said], atol=1e-5)
    np.testing.assert_allclose(target - turns.value, advantage, atol=1e-5)


def test_no_discount_no_value_gives_the_sum_of_rewards():
    turns, _ = make_turns(3)
    turns = turns.replace(value=jnp.zeros_like(turns.value))
    advantage, _ = token_advantage(turns, on_last_words(turns), jnp.float32(0), 1.0, 1.0)
    total = 0.0
    for t in reversed(range(len(turns.reward))):
        if turns.closing[t]:
            continue
        ends = bool(turns.terminated[t] | turns.truncated[t])
        total = float(turns.reward[t]) + (0.0 if ends else total)
        np.testing.assert_allclose(advantage[t, : int(turns.action_length[t])], total, atol=1e-5)


def test_values_of_unsaid_words_do_not_matter():
    turns, final = make_turns(5)
    said = turns.spoken | (jnp.arange(turns.value.shape[1]) == 0)
    poisoned = turns.replace(value=jnp.where(said, turns.value, 1e6))
    for estimate in (turn_advantage, token_advantage, bilevel_advantage, return_advantage):
        plain = estimate(turns, on_last_words(turns), final, GAMMA, LAM)[0]
        other = estimate(poisoned, on_last_words(turns), final, GAMMA, LAM)[0]
        np.testing.assert_array_equal(
            np.where(turns.spoken, other, 0), np.where(turns.spoken, plain, 0)
        )


def test_truncation_is_bootstrapped_and_termination_is_not():
    turns, final = make_turns(1)
    for t in np.flatnonzero(np.asarray(turns.truncated))[:-1]:
        moved = turns.replace(value=turns.value.at[t + 1, 0].add(1.0))
        difference = (
            turn_advantage(moved, on_last_words(moved), final, GAMMA, LAM)[0]
            - turn_advantage(turns, on_last_words(turns), final, GAMMA, LAM)[0]
        )
        np.testing.assert_allclose(difference[t, 0], GAMMA, atol=1e-5)
    for t in np.flatnonzero(np.asarray(turns.terminated))[:-1]:
        moved = turns.replace(value=turns.value.at[t + 1].add(1.0))
        difference = (
            turn_advantage(moved, on_last_words(moved), final, GAMMA, LAM)[0]
            - turn_advantage(turns, on_last_words(turns), final, GAMMA, LAM)[0]
        )
        np.testing.assert_array_equal(difference[: t + 1], 0.0)


def test_generalised_advantage_passes_over_absent_steps():
    rng = np.random.default_rng(0)
    steps = [jnp.asarray(rng.normal(size=9), jnp.float32) for _ in range(3)]
    weights = [jnp.full(9, GAMMA), jnp.full(9, LAM)]
    present = jnp.array([1, 0, 1, 1, 0, 0, 1, 1, 1], bool)
    full = generalised_advantage(*steps, *weights, present)
    dense = [x[np.asarray(present)] for x in (*steps, *weights)]
    expected = generalised_advantage(*dense, jnp.ones(6, bool))
    np.testing.assert_allclose(np.asarray(full)[np.asarray(present)], expected, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(full)[~np.asarray(present)], 0.0)


def test_normalise_is_per_group_and_ignores_what_has_no_weight():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, (20, 5))
    weight = (rng.random((20, 5)) < 0.7).astype(np.float32)
    values = rng.normal(size=(20, 5)) * 10.0**group + group
    poisoned = np.where(weight > 0, values, 1e9).astype(np.float32)
    result = np.asarray(normalise(jnp.asarray(poisoned), jnp.asarray(weight), group, 3))
    for g in range(2):
        own = values[(group == g) & (weight > 0)]
        expected = (own - own.mean()) / (own.std() + 1e-6)
        np.testing.assert_allclose(result[(group == g) & (weight > 0)], expected, atol=2e-3)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 64, 1000])
@pytest.mark.parametrize("value", [0.575, 1 / 3, -12.3, 0.0])
def test_equal_advantages_are_none(count, value):
    """Exactly 0 in the group that is equal, whatever is left out; the other keeps its own."""
    rng = np.random.default_rng(count)
    group = np.repeat([0, 1], count)
    values = np.where(group == 0, np.float32(value), rng.normal(size=2 * count))
    weight = np.ones(2 * count, np.float32)
    values, weight = np.append(values, 77.0), np.append(weight, 0.0)
    group = np.append(group, 0)
    result = np.asarray(normalise(jnp.asarray(values, jnp.float32), weight, group, 2))
    np.testing.assert_array_equal(result[:count], 0.0)
    own = values[count:-1]
    if count > 1:
        np.testing.assert_allclose(
            result[count:-1], (own - own.mean()) / (own.std() + 1e-6), atol=1e-4
        )
