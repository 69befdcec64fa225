"""Wordle: its marks, rules, expert and words."""

from __future__ import annotations

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from env_play import (
    assert_one_equals_many,
    assert_read_as_written,
    play,
    splits_of,
)

from jaxagent.envs.check import check_environment
from jaxagent.envs.wordle import Wordle
from jaxagent.envs.wordle.dictionary import BLACK, GREEN, WORDS, YELLOW, mark_table
from jaxagent.envs.wordle.environment import TRIES

WORDLE = Wordle()
each_level = pytest.mark.parametrize("level", WORDLE.levels)


def marked(guess: str, secret: str) -> list[int]:
    """The official rule, letter by letter."""
    result = [BLACK] * len(guess)
    left = Counter(b for a, b in zip(guess, secret, strict=True) if a != b)
    for k, letter in enumerate(guess):
        if letter == secret[k]:
            result[k] = GREEN
        elif left[letter]:
            result[k] = YELLOW
            left[letter] -= 1
    return result


def test_marks_follow_the_official_rule() -> None:
    expected = [[marked(guess, secret) for secret in WORDS] for guess in WORDS]
    np.testing.assert_array_equal(mark_table(), expected)


def test_words_are_distinct_and_of_five_letters() -> None:
    assert len(set(WORDS)) == len(WORDS) > 390
    assert {len(word) for word in WORDS} == {5} and "".join(WORDS).isalpha()


@each_level
def test_expert_finds_every_word(level: str) -> None:
    """Every secret of the level, of both splits."""
    secrets = set()
    for split in splits_of(WORDLE, level):
        played = play(WORDLE, level, split, episodes=512 if level == "hard" else 128)
        assert played.solved.all() and played.turns.max() <= TRIES
        secrets |= set(played.start.secret.tolist())
    assert len(secrets) > 0.8 * int(WORDLE.levels[level].params.words)


def test_expert_recovers_from_chance() -> None:
    assert play(WORDLE, "medium", chance=0.3, episodes=512).solved.mean() > 0.9


def test_chance_seldom_solves_medium() -> None:
    assert play(WORDLE, "medium", chance=1.0, episodes=512).solved.mean() < 0.3


def test_what_is_said_is_what_the_rule_says() -> None:
    schema, played = WORDLE.schema, play(WORDLE, "hard", chance=0.5)
    letter, mark = schema.first_of("letter"), schema.first_of("mark")
    for n, secret in enumerate(played.start.secret):
        for command, facts in zip(played.command[n], played.facts[n], strict=True):
            guess = "".join(schema.categories["letter"][a - letter] for a in command[1:6])
            told = facts[facts[:, 0] == schema.fact_id("MARKED")]
            assert [schema.categories["letter"][a - letter] for a in told[:, 1]] == list(guess)
            assert (told[:, 2] - mark).tolist() == marked(guess, WORDS[secret])
            solved = (facts[:, 0] == schema.fact_id("SOLVED")).any()
            assert solved == (guess == WORDS[secret])


def test_a_stranger_costs_a_try() -> None:
    """A word that is not of the level's list: in `easy`, the last word of the dictionary."""
    params, schema = WORDLE.levels["easy"].params, WORDLE.schema
    state, _ = WORDLE.reset(jax.random.key(0), params)
    spelt = [schema.concept("letter", letter) for letter in WORDS[-1]]
    move = jax.jit(WORDLE.step)(state, schema.command("guess", *spelt), params)
    types = np.asarray(move.facts[:, 0])
    assert schema.fact_id("NOT_A_WORD") in types and schema.fact_id("MARKED") not in types
    assert int(move.state.turn) == 1 and (move.state.guesses == -1).all()
    assert not move.terminated and move.reward == 0


def test_secrets_of_the_splits_differ() -> None:
    secrets = [
        set(play(WORDLE, "hard", split).start.secret.tolist()) for split in ("seen", "unseen")
    ]
    assert not set.intersection(*secrets) and min(map(len, secrets)) > 30


def test_easy_lists_its_words() -> None:
    params, schema = WORDLE.levels["easy"].params, WORDLE.schema
    _, first = WORDLE.reset(jax.random.key(0), params)
    rows = np.asarray(first)[np.asarray(first)[:, 0] == schema.fact_id("WORD")]
    letters = schema.categories["letter"]
    spelt = ["".join(letters[a - schema.first_of("letter")] for a in row[1:6]) for row in rows]
    assert spelt == list(WORDS[: int(params.words)])


@pytest.mark.slow
def test_words_and_shapes() -> None:
    params = WORDLE.levels["medium"].params
    commands = WORDLE.valid_commands(WORDLE.reset(jax.random.key(0), params)[0], None)[0]
    assert_read_as_written(WORDLE, np.asarray(commands))
    assert_one_equals_many(WORDLE, "medium")
    unread = jnp.full(1 + WORDLE.schema.max_args, -1).at[0].set(0)
    state, _ = WORDLE.reset(jax.random.key(1), params)
    move = WORDLE.step(state, unread, params)
    assert int(move.state.turn) == 1 and (move.state.guesses == state.guesses).all()


def test_protocol_is_kept() -> None:
    check_environment(WORDLE, episodes=16)
