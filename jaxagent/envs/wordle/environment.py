"""Wordle as an environment: rules, expert, generator and words put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int8, Int16, Int32, UInt32

from jaxagent.envs.chance import blocks, integers
from jaxagent.envs.environment import Level, Transition
from jaxagent.envs.fingerprint import fingerprint_of
from jaxagent.envs.wordle.dictionary import (
    LENGTH,
    SPELLING,
    WORDS,
    code_table,
    guessing_order,
    mark_table,
)
from jaxagent.envs.wordle.sentences import PHRASES
from jaxagent.envs.wordle.words import LISTED, SCHEMA
from jaxagent.text import NONE, Phrases, Schema, only_if

TRIES = 6
"""Guesses of an episode."""


class Params(flax.struct.PyTreeNode):
    """What an instance is drawn from.

    Attributes:
        words: int32[], how many words of `WORDS` there are, a multiple of 4 and at least `LISTED`.
        listed: bool[], whether the first message lists the first `LISTED` of them.
        split: int32[], place in `SPLITS`: which words can be the secret.
    """

    words: Int32[Array, ""]
    listed: Bool[Array, ""]
    split: Int32[Array, ""]


class State(flax.struct.PyTreeNode):
    """An instance.

    Attributes:
        secret: int16[], number of the word that is looked for.
        size: int16[], how many words there are.
        offset: int16[], where the commands that are offered begin in the list of words.
        guesses: int16[TRIES], numbers of the words guessed, -1 where none was.
        turn: int8[], tries used up, at most `TRIES`.
    """

    secret: Int16[Array, ""]
    size: Int16[Array, ""]
    offset: Int16[Array, ""]
    guesses: Int16[Array, "tries"]
    turn: Int8[Array, ""]


def _level(words: int, listed: bool, summary: str) -> Level:
    numbers: Any = (np.int32(words), np.bool_(listed), np.int32(0))
    params = Params(*numbers)
    most = {} if listed else {"WORD": (0, 0)}
    return Level(params, TRIES, summary, most, unseen=params.replace(split=np.int32(1)))


LEVELS: Mapping[str, Level] = {
    "easy": _level(LISTED, True, f"one of {LISTED} words, all listed"),
    "medium": _level(100, False, "one of 100 words"),
    "hard": _level(len(WORDS) // 4 * 4, False, f"one of {len(WORDS) // 4 * 4} words"),
}
"""The difficulties: longer lists, which have to be known."""


@dataclass(frozen=True, eq=False)
class Wordle:
    """Wordle with a list of common words (in LMRL-Gym: Abdulhai et al., 2023).

    Attributes:
        levels: the difficulties.
    """

    levels: Mapping[str, Level] = field(default_factory=lambda: LEVELS)
    name: str = "wordle"
    schema: Schema = SCHEMA
    phrases: Mapping[str, Phrases] = field(default_factory=lambda: PHRASES)
    max_commands: int = LISTED

    def reset(self, key: jax.Array, params: Params) -> tuple[State, Int32[Array, "first row"]]:
        """A new secret."""
        (noise,) = blocks(key, (3,))
        group = 4 * integers(noise[0], 0, params.words // 4)
        secret = group + jnp.where(params.split == 1, 3, integers(noise[1], 0, 3))
        state = State(
            secret=secret.astype(jnp.int16),
            size=params.words.astype(jnp.int16),
            offset=integers(noise[2], 0, params.words).astype(jnp.int16),
            guesses=jnp.full(TRIES, -1, jnp.int16),
            turn=jnp.int8(0),
        )
        words = self._spelt(self.schema.fact_id("WORD"), jnp.arange(LISTED))
        opening = self.schema.fact("SECRET")[None]
        return state, jnp.concatenate([opening, only_if(params.listed, words)])

    def step(self, state: State, command: Int32[Array, "row"], params: Params) -> Transition:
        """One guess; what is no word is a try used up. Reward 1 and the end for the secret."""
        del params
        said = command[0] == self.schema.verb_id("guess")
        spelt = command[1 : 1 + LENGTH] - self.schema.first_of("letter")
        known = jnp.arange(len(WORDS)) < state.size
        match = said & known & jnp.all(jnp.asarray(SPELLING) == spelt, axis=1)
        is_word, word = jnp.any(match), jnp.argmax(match)
        here = jnp.arange(TRIES) == state.turn
        after = state.replace(
            guesses=jnp.where(here & is_word, word, state.guesses).astype(jnp.int16),
            turn=jnp.minimum(state.turn + 1, TRIES).astype(jnp.int8),
        )
        done = is_word & (word == state.secret)
        error = jnp.where(said, self.schema.fact("NOT_A_WORD"), self.schema.fact("NOT_A_GUESS"))
        answer = jnp.where(is_word, only_if(done, self.schema.fact("SOLVED")), error)
        told = only_if(is_word, self._marked(word, state.secret))
        facts = jnp.concatenate([told, answer[None]])
        return Transition(after, facts, done.astype(jnp.float32), terminated=done, success=done)

    def valid_commands(
        self, state: State, params: Params
    ) -> tuple[Int32[Array, "listed row"], Bool[Array, "listed"]]:
        """`LISTED` words of the list, others on every turn, whatever has been found out."""
        del params
        first = state.offset + LISTED * state.turn.astype(jnp.int32)
        numbers = (first + jnp.arange(LISTED)) % state.size
        return self._spelt(self.schema.verb_id("guess"), numbers), jnp.ones(LISTED, bool)

    def expert(self, state: State, params: Params) -> Int32[Array, "row"]:
        """Of the words that fit all marks, the one whose own marks leave the fewest on average."""
        del params
        codes = jnp.asarray(code_table())[state.guesses]
        fits = (codes == codes[:, state.secret][:, None]) | (state.guesses < 0)[:, None]
        possible = jnp.all(fits, axis=0) & (jnp.arange(len(WORDS)) < state.size)
        place = jnp.where(possible, jnp.asarray(guessing_order()), len(WORDS))
        return self._spelt(self.schema.verb_id("guess"), jnp.argmin(place)[None])[0]

    def content(self, state: State) -> Int32[Array, "1"]:
        """The secret."""
        return state.secret.astype(jnp.int32)[None]

    def fingerprint(self, state: State) -> UInt32[Array, ""]:
        """Hash of the whole state."""
        return fingerprint_of(state)

    def _spelt(self, kind: int, words: Int[Array, "n"]) -> Int32[Array, "n row"]:
        """Facts or commands of a kind whose arguments are the letters of words."""
        rows = jnp.full((len(words), 1 + self.schema.max_args), NONE).at[:, 0].set(kind)
        letters = self.schema.first_of("letter") + jnp.asarray(SPELLING)[words].astype(jnp.int32)
        return rows.at[:, 1 : 1 + LENGTH].set(letters)

    def _marked(self, word: Int[Array, ""], secret: Int[Array, ""]) -> Int32[Array, "5 row"]:
        schema = self.schema
        letters = schema.first_of("letter") + jnp.asarray(SPELLING)[word].astype(jnp.int32)
        marks = schema.first_of("mark") + jnp.asarray(mark_table())[word, secret].astype(jnp.int32)
        return jax.vmap(partial(schema.fact, "MARKED"))(letters, marks)
