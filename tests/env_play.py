"""Play for the tests of environments: batches of episodes by the expert and by chance."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxagent.envs import SPLITS
from jaxagent.envs.environment import Environment
from jaxagent.text import INTERFACES, LEXICONS, Voice, compile_language


class Played(NamedTuple):
    """NumPy arrays [episodes, turns, …] of what happened, played on behind the end.

    Attributes:
        start: the states at the start, [episodes, …].
        first: the messages that opened the episodes, [episodes, facts, row].
        command: the commands.
        after: the states behind them.
        facts: the answers.
        reward: the rewards.
        terminated: whether the episode ended there.
        success: whether the goal was fully reached there.
    """

    start: Any
    first: np.ndarray
    command: np.ndarray
    after: Any
    facts: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    success: np.ndarray

    @property
    def solved(self) -> np.ndarray:
        """bool[episodes]: the goal was reached before any other end."""
        over = np.cumsum(self.terminated, axis=1) - self.terminated
        return (self.success & (over == 0)).any(1)

    @property
    def turns(self) -> np.ndarray:
        """int[episodes]: turns until the end, or all of them."""
        ended = self.terminated.any(1)
        return np.where(ended, self.terminated.argmax(1) + 1, self.terminated.shape[1])


def play(
    environment: Environment,
    level: str,
    split: str = "seen",
    chance: float = 0.0,
    episodes: int = 128,
    seed: int = 0,
) -> Played:
    """Episodes of the level's turn limit; with `chance` a turn is a random valid command."""
    spec = environment.levels[level]
    keys = jax.random.split(jax.random.key(seed), episodes)
    played = _player(environment, spec.turn_limit)(keys, spec.params_of(split), chance)
    return jax.tree.map(np.asarray, played)


@cache
def _player(environment: Environment, turns: int) -> Any:
    def turn(params: Any, chance: jax.Array, state: Any, key: jax.Array) -> tuple[Any, tuple]:
        coin, choice = jax.random.split(key)
        listed, mask = environment.valid_commands(state, params)
        other = listed[jax.random.categorical(choice, jnp.where(mask, 0.0, -jnp.inf))]
        expert = environment.expert(state, params)
        command = jnp.where(jax.random.uniform(coin) < chance, other, expert)
        move = environment.step(state, command, params)
        outcome = (move.reward, move.terminated, move.success)
        return move.state, (command, move.state, move.facts, *outcome)

    def episode(key: jax.Array, params: Any, chance: jax.Array) -> Played:
        reset_key, play_key = jax.random.split(key)
        state, first = environment.reset(reset_key, params)
        keys = jax.random.split(play_key, turns)
        return Played(state, first, *jax.lax.scan(partial(turn, params, chance), state, keys)[1])

    return jax.jit(jax.vmap(episode, in_axes=(0, None, None)))


def splits_of(environment: Environment, level: str) -> list[str]:
    """The splits that a level has."""
    return [split for split in SPLITS if environment.levels[level].params_of(split) is not None]


def assert_one_equals_many(environment: Environment, level: str, rows: int = 4) -> None:
    """A batch equals its rows one by one, and compiled code equals eager code."""
    params = environment.levels[level].params
    keys = jax.random.split(jax.random.key(3), rows)

    def both(key: jax.Array) -> Any:
        state, first = environment.reset(key, params)
        command = environment.expert(state, params)
        move = environment.step(state, command, params)
        listed = environment.valid_commands(move.state, params)
        return state, first, command, move, listed, environment.fingerprint(move.state)

    batch = jax.jit(jax.vmap(both))(keys)
    alone = jax.jit(both)
    for n, key in enumerate(keys):
        row = jax.tree.map(lambda x, n=n: x[n], batch)
        jax.tree.map(np.testing.assert_array_equal, row, alone(key))
    jax.tree.map(np.testing.assert_array_equal, alone(keys[0]), both(keys[0]))


def assert_read_as_written(environment: Environment, commands: np.ndarray) -> None:
    """Every command is read back from its words, in every lexicon and interface."""
    language = compile_language([environment])
    lexicon, interface = np.indices((len(LEXICONS), len(INTERFACES))).reshape(2, -1)
    size = language.longest_command([0], range(len(INTERFACES)))

    def back(command: jax.Array, x: jax.Array, i: jax.Array) -> jax.Array:
        voice = Voice(jnp.int32(0), x, i, jnp.int32(0))
        return language.read(language.write(command, voice, size)[0], voice)

    voices = jax.vmap(back, in_axes=(None, 0, 0))
    read = jax.jit(jax.vmap(voices, in_axes=(0, None, None)))(commands, lexicon, interface)
    np.testing.assert_array_equal(read, np.broadcast_to(commands[:, None], read.shape))


def assert_unread_changes_nothing(environment: Environment, level: str) -> None:
    """`INVALID` leaves the state as it was, and is answered by an error."""
    params = environment.levels[level].params
    state, _ = jax.jit(environment.reset)(jax.random.key(5), params)
    unread = jnp.full(1 + environment.schema.max_args, -1).at[0].set(0)
    move = jax.jit(environment.step)(state, unread, params)
    jax.tree.map(np.testing.assert_array_equal, move.state, state)
    errors = [fact.error for fact in environment.schema.facts]
    assert np.array(errors)[np.asarray(move.facts[:, 0])].sum() == 1
    assert not move.terminated and not move.success and move.reward == 0
