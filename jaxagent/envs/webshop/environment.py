"""WebShop: find what is asked for in a shop, choose its options, and buy it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int8, Int32, UInt32

from jaxagent.envs.environment import Level, Transition
from jaxagent.envs.fingerprint import fingerprint_of
from jaxagent.envs.misstep import missteps, stated
from jaxagent.envs.webshop.expert import advise
from jaxagent.envs.webshop.levels import procedural_levels, store_levels
from jaxagent.envs.webshop.listing import MAX_COMMANDS, list_commands
from jaxagent.envs.webshop.messages import answer, opening
from jaxagent.envs.webshop.procedural import Procedural
from jaxagent.envs.webshop.rules import has_shown, obey
from jaxagent.envs.webshop.sentences import PHRASES
from jaxagent.envs.webshop.state import BRAND, ShopParams, Source, State
from jaxagent.envs.webshop.store import Store
from jaxagent.envs.webshop.words import BUY, SCHEMA
from jaxagent.text import Phrases, Schema


@dataclass(frozen=True, eq=False)
class WebShop:
    """WebShop with catalogues of one source (`jaxagent.envs.environment.Environment`).

    Attributes:
        name: the environment's name.
        source: where catalogues come from.
        levels: the difficulties.
    """

    name: str
    source: Source
    levels: Mapping[str, Level]
    max_commands: int = MAX_COMMANDS

    @property
    def schema(self) -> Schema:
        """Concepts, facts and verbs."""
        return SCHEMA

    @property
    def phrases(self) -> Mapping[str, Phrases]:
        """Sentences by interface."""
        return PHRASES

    def reset(self, key: jax.Array, params: ShopParams) -> tuple[State, Int32[Array, "first row"]]:
        """A new instance; its first message tells what is wanted."""
        state = State.opened(*self.source.draw(key, params))
        return state, opening(state.goal)

    def step(self, state: State, command: Int32[Array, "row"], params: ShopParams) -> Transition:
        """Carries out `command`; buying ends the episode and is rewarded between 0 and 1."""
        state, outcome = obey(state, command, params)
        return Transition(
            state=state,
            facts=answer(state, params, command, outcome),
            reward=outcome.reward,
            terminated=outcome.bought,
            success=outcome.bought & (outcome.reward == 1),
        )

    def valid_commands(
        self, state: State, params: ShopParams
    ) -> tuple[Int32[Array, "commands row"], Bool[Array, "commands"]]:
        """The buttons of the page, and three searches where there is a search bar."""
        return list_commands(state, params)

    def expert(self, state: State, params: ShopParams) -> Int32[Array, "row"]:
        """The next command on the way to buying what fulfils the wish."""
        return advise(state, params)

    def misstep(
        self, state: State, command: Int32[Array, "row"], move: Transition, params: ShopParams
    ) -> Int8[Array, ""]:
        """Unverified: buying without having seen every attribute that is wished for on the
        product's pages. Inconsistent: clicking on what is not on the page."""
        shown = has_shown(state, state.goal.attributes, params)
        blind = (command[0] == BUY) & move.terminated & ~jnp.all(shown)
        return missteps(command, blind, stated(SCHEMA, move.facts, "NOT_HERE"))

    def content(self, state: State) -> Int32[Array, "2"]:
        """Category and brand of the product that the wish was made for."""
        brand = state.catalogue.words[state.goal.target, BRAND]
        return jnp.stack([state.goal.category, brand]).astype(jnp.int32)

    def fingerprint(self, state: State) -> UInt32[Array, ""]:
        """Hash of the catalogue, the wish and the page."""
        catalogue = state.catalogue.replace(average_idf=jnp.int32(0))
        return fingerprint_of(state.replace(catalogue=catalogue))


def webshop() -> WebShop:
    """WebShop with one store for all episodes, whose goods training can get to know."""
    return WebShop("webshop", Store(), store_levels())


def webshop_procedural() -> WebShop:
    """WebShop with a catalogue for every episode: nothing can be known beforehand."""
    return WebShop("webshop_procedural", Procedural(), procedural_levels())
