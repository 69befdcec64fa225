"""ALFWorld: put things where they belong, clean, hot or cool, or look at them under a lamp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int8, Int32, UInt32

from jaxagent.envs.alfworld.affordances import OBJECTS, RECEPTACLES
from jaxagent.envs.alfworld.expert import advise
from jaxagent.envs.alfworld.generator import Params, generate
from jaxagent.envs.alfworld.listing import MAX_COMMANDS, list_commands
from jaxagent.envs.alfworld.messages import answer, opening
from jaxagent.envs.alfworld.quests import HELD_TYPE
from jaxagent.envs.alfworld.rules import is_solved, obey, take_apart
from jaxagent.envs.alfworld.sentences import PHRASES
from jaxagent.envs.alfworld.state import LIGHT, TASKS, State
from jaxagent.envs.alfworld.words import LISTED, SCHEMA, TAKE
from jaxagent.envs.environment import SPLITS, Level, Transition
from jaxagent.envs.fingerprint import fingerprint_of
from jaxagent.envs.misstep import missteps, stated
from jaxagent.text import Phrases, Schema


def _level(
    places: int,
    things: int,
    tasks: Mapping[str, float],
    chances: tuple[float, float, float],
    limit: int,
    summary: str,
) -> Level:
    """A level; `chances` are those of `Params`: closed, alike, treated."""
    weights = np.array([tasks.get(task, 0) for task in TASKS], np.float32)
    values: Any = (np.int32(places), np.int32(things), weights, *map(np.float32, chances))
    splits: Any = map(np.int32, range(len(SPLITS)))
    seen, unseen = (Params(*values, split=split) for split in splits)
    most = {"PLACE": (places - 1, 0), "SEES": (0, min(things, LISTED) - 1)}
    return Level(seen, limit, summary, most, unseen)


LEVELS: Mapping[str, Level] = {
    "easy": _level(
        6,
        6,
        {"place": 2, "light": 1},
        (0, 0, 0),
        15,
        "6 receptacles, 6 things in sight: place, light",
    ),
    "medium": _level(
        10,
        14,
        {"place": 1, "light": 1, "clean": 1, "heat": 1, "cool": 1},
        (1, 0, 0),
        30,
        "10 receptacles, 14 things anywhere: also clean, heat, cool",
    ),
    "hard": _level(
        18,
        30,
        dict.fromkeys(TASKS, 1) | {"two": 2},
        (16, 0.1, 0.1),
        50,
        "18 receptacles, 30 things mostly behind doors, some alike or treated: also two",
    ),
}
"""The difficulties."""


@dataclass(frozen=True, eq=False)
class ALFWorld:
    """The text version of ALFWorld (`jaxagent.envs.environment.Environment`).

    Attributes:
        levels: the difficulties.
        name: the environment's name.
    """

    levels: Mapping[str, Level] = field(default_factory=lambda: LEVELS)
    name: str = "alfworld"
    max_commands: int = MAX_COMMANDS

    @property
    def schema(self) -> Schema:
        """Concepts, facts and verbs."""
        return SCHEMA

    @property
    def phrases(self) -> Mapping[str, Phrases]:
        """Sentences by interface."""
        return PHRASES

    def reset(self, key: jax.Array, params: Params) -> tuple[State, Int32[Array, "first row"]]:
        """A new instance; its first message names the receptacles and the task."""
        state = generate(key, params)
        return state, opening(state)

    def step(self, state: State, command: Int32[Array, "row"], params: Params) -> Transition:
        """Carries out `command`; reward 1 and the end when the task is done."""
        del params
        order = take_apart(state, command)
        state, error = obey(state, order)
        solved = is_solved(state)
        facts = answer(state, order, command, error)
        return Transition(state, facts, solved.astype(jnp.float32), solved, solved)

    def valid_commands(
        self, state: State, params: Params
    ) -> tuple[Int32[Array, "commands row"], Bool[Array, "commands"]]:
        """The original's admissible commands but `help`."""
        del params
        return list_commands(state)

    def expert(self, state: State, params: Params) -> Int32[Array, "row"]:
        """The next command of an expert that searches and knows only what it has seen."""
        del params
        return advise(state)

    def misstep(
        self, state: State, command: Int32[Array, "row"], move: Transition, params: Params
    ) -> Int8[Array, ""]:
        """Unverified: taking from a receptacle whose content was never seen. Inconsistent: acting
        where one is not, going where one is, using what is not held, taking with full hands,
        reaching into what is shut, opening what is open, closing what is closed."""
        del params
        order = take_apart(state, command)
        unseen = (order.deed == TAKE) & (order.place >= 0) & ~state.seen[order.place]
        against = (
            *("ALREADY_AT", "NOT_AT", "ALREADY_OPEN", "ALREADY_CLOSED"),
            *("SHUT", "HANDS_FULL", "NOT_HELD"),
        )
        return missteps(command, unseen, stated(SCHEMA, move.facts, *against))

    def content(self, state: State) -> Int32[Array, "2"]:
        """The pair of target and goal, and the target itself if its type is held out."""
        goal = state.goal.astype(jnp.int32) + len(RECEPTACLES) * (state.task == LIGHT)
        width = len(RECEPTACLES) + len(OBJECTS)
        pair = len(OBJECTS) + state.target.astype(jnp.int32) * width + goal
        return jnp.stack([pair, jnp.asarray(HELD_TYPE)[state.target]])

    def fingerprint(self, state: State) -> UInt32[Array, ""]:
        """Hash of the room, what has become of it, and the task; not of what was seen."""
        return fingerprint_of(state.replace(seen=jnp.zeros_like(state.seen)))
