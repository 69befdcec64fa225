"""TextCraft: craft a goal item out of base items by the recipes shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int8, Int32, UInt32

from jaxagent.envs.environment import Level, Transition
from jaxagent.envs.fingerprint import fingerprint_of, mix
from jaxagent.envs.misstep import missteps, stated
from jaxagent.envs.textcraft.expert import advise
from jaxagent.envs.textcraft.generator import ProceduralParams
from jaxagent.envs.textcraft.listing import MAX_COMMANDS, list_commands
from jaxagent.envs.textcraft.messages import answer, opening
from jaxagent.envs.textcraft.minecraft import Minecraft, MinecraftParams
from jaxagent.envs.textcraft.procedural import Procedural
from jaxagent.envs.textcraft.recipes import LISTED_HOLDINGS
from jaxagent.envs.textcraft.rules import obey, take_apart
from jaxagent.envs.textcraft.sentences import make_phrases
from jaxagent.envs.textcraft.state import Source, State
from jaxagent.envs.textcraft.words import make_schema
from jaxagent.text import Phrases, Schema


@dataclass(frozen=True, eq=False)
class TextCraft:
    """TextCraft with the recipes of a source (`jaxagent.envs.environment.Environment`).

    Attributes:
        name: the environment's name.
        source: where recipes come from.
        levels: the difficulties.
    """

    name: str
    source: Source
    levels: Mapping[str, Level]
    max_commands: int = MAX_COMMANDS

    @property
    def schema(self) -> Schema:
        """Concepts, facts and verbs."""
        return make_schema(self.source.ingredients, self.source.extra)

    @property
    def phrases(self) -> Mapping[str, Phrases]:
        """Sentences by interface."""
        return make_phrases(self.source.ingredients)

    def reset(self, key: jax.Array, params: Any) -> tuple[State, Int32[Array, "first row"]]:
        """A new instance; its first message shows the recipes and the goal."""
        state = self.source.draw(key, params)
        recipes = self.source.shown(state.book)
        groups = self.source.groups_of(state.book, recipes.output)
        return state, opening(self.schema, recipes, groups, state.goal, self.source.extra)

    def step(self, state: State, command: Int32[Array, "row"], params: Any) -> Transition:
        """Carries out `command`; reward 1 and the end when the goal is crafted."""
        del params
        order = take_apart(command, self.schema.first_of("item"), self.source.ingredients)
        state, outcome = obey(state, order, self.source.know(state.book, order))
        terminated = outcome.crafted & (order.thing == state.goal)
        facts = answer(self.schema, state, order.thing, outcome)
        reward = terminated.astype(jnp.float32)
        return Transition(state, facts, reward, terminated, success=terminated)

    def valid_commands(
        self, state: State, params: Any
    ) -> tuple[Int32[Array, "commands row"], Bool[Array, "commands"]]:
        """What can be crafted now by the recipes shown, the base items they use, `inventory`."""
        del params
        return list_commands(self.schema, self.source, state)

    def expert(self, state: State, params: Any) -> Int32[Array, "row"]:
        """The next command of a plan made from the present inventory."""
        del params
        return advise(self.schema, state, self.source.shown(state.book))

    def misstep(
        self, state: State, command: Int32[Array, "row"], move: Transition, params: Any
    ) -> Int8[Array, ""]:
        """Unverified: getting what cannot be got, or crafting by no recipe there is. Inconsistent:
        crafting from what is not held."""
        del state, params
        believed = stated(self.schema, move.facts, "NOT_FOUND", "NO_RECIPE")
        return missteps(command, believed, stated(self.schema, move.facts, "NOT_ENOUGH"))

    def content(self, state: State) -> Int32[Array, "1"]:
        """The goal."""
        return state.goal.astype(jnp.int32)[None]

    def fingerprint(self, state: State) -> UInt32[Array, ""]:
        """Hash of recipes, goal and inventory, whatever the order in which items came."""
        held = mix(state.items.astype(jnp.uint32) * 65536 + state.counts.astype(jnp.uint32))
        inventory = jnp.sum(jnp.where(state.items >= 0, held, 0), dtype=jnp.uint32)
        return fingerprint_of((state.book, state.goal, inventory))


def _minecraft_level(least: int, most: int, distractors: int, limit: int, summary: str) -> Level:
    numbers: Any = map(np.int32, (least, most, distractors, 0))
    params = MinecraftParams(*numbers)
    unseen = params.replace(split=np.int32(1))
    return Level(params, limit, summary, _most(most, limit), unseen)


def _most(depth: int, limit: int) -> Mapping[str, tuple[int, int]]:
    """Bounds that hold where depth 1 leaves one needed recipe and two distractors of two."""
    if depth > 1:
        return {}
    return {"RECIPE": (3, 0), "AND": (4 + 2, 0), "HOLDS": (0, min(limit, LISTED_HOLDINGS))}


def _procedural_level(
    values: tuple[int, ...], family: float, alternative: float, limit: int, summary: str
) -> Level:
    numbers: Any = (
        *map(np.int32, values),
        np.float32(family),
        np.float32(alternative),
        np.int32(0),
    )
    params = ProceduralParams(*numbers)
    unseen = params.replace(split=np.int32(1))
    return Level(params, limit, summary, _most(values[1], limit), unseen)


MINECRAFT_LEVELS: Mapping[str, Level] = {
    "easy": _minecraft_level(1, 1, 2, 10, "depth 1, 1 recipe and 2 distractors"),
    "medium": _minecraft_level(2, 2, 4, 20, "depth 2, 2-4 recipes and 4 distractors"),
    "hard": _minecraft_level(3, 4, 6, 30, "depth 3-4, 3-7 recipes and 6 distractors"),
}

PROCEDURAL_LEVELS: Mapping[str, Level] = {
    "easy": _procedural_level(
        (1, 1, 2, 0, 0, 2), 0, 0, 10, "depth 1, 1-2 ingredients, 1 recipe and 2 distractors"
    ),
    "medium": _procedural_level(
        (2, 2, 2, 0, 1, 4), 0.5, 0.1, 20, "depth 2, 1-2 ingredients, 2-3 recipes and 4 distractors"
    ),
    "hard": _procedural_level(
        (3, 4, 3, 1, 3, 6), 1, 0.1, 30, "depth 3-4, 1-3 ingredients, 4-7 recipes and 6 distractors"
    ),
}


def minecraft() -> TextCraft:
    """TextCraft with Minecraft's recipes: 542 goals, stable meanings."""
    return TextCraft("textcraft", Minecraft(), MINECRAFT_LEVELS)


def procedural() -> TextCraft:
    """TextCraft with recipes drawn for every episode: nothing can be known beforehand."""
    return TextCraft("textcraft_procedural", Procedural(), PROCEDURAL_LEVELS)
