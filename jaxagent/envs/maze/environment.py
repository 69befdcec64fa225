"""Maze as an environment: rules, expert, generator and words put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int8, Int32, UInt32

from jaxagent.envs.environment import Level, Transition
from jaxagent.envs.fingerprint import fingerprint_of
from jaxagent.envs.maze.generator import Params, generate
from jaxagent.envs.maze.sentences import PHRASES
from jaxagent.envs.maze.state import FAR, MOVES, ROOMS, SIZE, State
from jaxagent.envs.maze.words import SCHEMA
from jaxagent.envs.misstep import missteps, stated
from jaxagent.text import Phrases, Schema, only_if

_NO: Any = np.bool_(False)
_YES: Any = np.bool_(True)


def _level(rooms: int, loops: float, steps: tuple[int, int], limit: int) -> Level:
    numbers: Any = (np.int32(rooms), np.float32(loops), *map(np.int32, steps), np.int32(0))
    params = Params(*numbers, double_t=_NO)
    side = 2 * rooms + 1
    summary = f"{side} x {side} cells, {steps[0]} to {steps[1]} steps to the goal"
    return Level(params, limit, summary, unseen=params.replace(split=np.int32(1)))


def _original() -> Level:
    """The fixed maze: any start, nothing held out."""
    params = _level(ROOMS, 0.0, (1, FAR - 1), 50).params.replace(double_t=_YES)
    return Level(params, 50, "the double T of LMRL-Gym, 1 to 12 steps to the goal")


LEVELS: Mapping[str, Level] = {
    "easy": _level(3, 0.0, (2, 12), 20),
    "medium": _level(5, 0.05, (8, 28), 40),
    "hard": _level(7, 0.1, (14, 44), 50),
    "original": _original(),
}
"""The difficulties: growing mazes, with loops in the larger ones, and the one of LMRL-Gym."""


@dataclass(frozen=True, eq=False)
class Maze:
    """A maze of rooms and passages, seen one cell at a time (LMRL-Gym, Abdulhai et al., 2023).

    Attributes:
        levels: the difficulties.
    """

    levels: Mapping[str, Level] = field(default_factory=lambda: LEVELS)
    name: str = "maze"
    schema: Schema = SCHEMA
    phrases: Mapping[str, Phrases] = field(default_factory=lambda: PHRASES)
    max_commands: int = len(MOVES)

    def reset(self, key: jax.Array, params: Params) -> tuple[State, Int32[Array, "first row"]]:
        """A new maze; its first message tells the goal, the position and the walls around it."""
        state = generate(key, params)
        goal = self.schema.fact("GOAL", state.goal[0], state.goal[1])
        return state, jnp.concatenate([goal[None], self._here(state)])

    def step(self, state: State, command: Int32[Array, "row"], params: Params) -> Transition:
        """One step; a wall stops it. Reward 1 and the end at the goal."""
        del params
        schema = self.schema
        number = command[1] - schema.first_of("direction")
        said = command[0] == schema.verb_id("move")
        opens = self._open(state)
        moves = said & jnp.any(opens & (jnp.arange(len(MOVES)) == number))
        ahead = jnp.asarray(MOVES)[jnp.clip(number, 0, len(MOVES) - 1)]
        after = state.replace(position=state.position + jnp.where(moves, ahead, 0))
        done = jnp.all(after.position == state.goal)
        blocked = schema.fact("BLOCKED", jnp.where(said, command[1], schema.first_of("direction")))
        error = jnp.where(said, blocked, schema.fact("NOT_A_MOVE"))
        answer = jnp.where(moves, only_if(done, schema.fact("REACHED")), error)
        facts = jnp.concatenate([only_if(moves, self._here(after)), answer[None]])
        return Transition(after, facts, done.astype(jnp.float32), terminated=done, success=done)

    def valid_commands(
        self, state: State, params: Params
    ) -> tuple[Int32[Array, "4 row"], Bool[Array, "4"]]:
        """The moves that no wall stops."""
        del params
        return self._commands(), self._open(state)

    def expert(self, state: State, params: Params) -> Int32[Array, "row"]:
        """The first step of a shortest way."""
        del params
        around = state.position + jnp.asarray(MOVES)
        distance = state.distance[around[:, 0], around[:, 1]]
        nearest = jnp.argmin(jnp.where(self._open(state), distance, jnp.int8(FAR)))
        return self._commands()[nearest]

    def misstep(
        self, state: State, command: Int32[Array, "row"], move: Transition, params: Params
    ) -> Int8[Array, ""]:
        """Inconsistent: walking against a wall, all of which are told at every place."""
        del state, params
        return missteps(command, False, stated(self.schema, move.facts, "BLOCKED"))

    def content(self, state: State) -> Int32[Array, "1"]:
        """The cell of the goal."""
        return (state.goal[0].astype(jnp.int32) * SIZE + state.goal[1])[None]

    def fingerprint(self, state: State) -> UInt32[Array, ""]:
        """Hash of the maze, the goal and the position."""
        return fingerprint_of((state.free, state.goal, state.position))

    def _open(self, state: State) -> Bool[Array, "4"]:
        around = state.position + jnp.asarray(MOVES)
        return state.free[around[:, 0], around[:, 1]]

    def _commands(self) -> Int32[Array, "4 row"]:
        numbers = self.schema.first_of("direction") + jnp.arange(len(MOVES))
        return jax.vmap(partial(self.schema.command, "move"))(numbers)

    def _here(self, state: State) -> Int32[Array, "5 row"]:
        """The position and the walls around it."""
        numbers = self.schema.first_of("direction") + jnp.arange(len(MOVES))
        walls = jax.vmap(partial(self.schema.fact, "WALL"))(numbers)
        at = self.schema.fact("AT", state.position[0], state.position[1])
        return jnp.concatenate([at[None], only_if(~self._open(state), walls)])
