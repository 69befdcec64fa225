"""The expert: asks for all that is wanted, makes sure of what a title does not say, and buys."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32

from jaxagent.envs.order import ordering
from jaxagent.envs.webshop.reward import fulfils
from jaxagent.envs.webshop.state import (
    ATTRIBUTE,
    DESCRIPTION,
    FEATURES,
    ITEM,
    PAGE,
    RESULTS,
    VALUE,
    Goal,
    ShopParams,
    State,
)
from jaxagent.envs.webshop.words import (
    BUY,
    CHOOSE,
    NEXT,
    OPEN,
    PREV,
    READ_DESCRIPTION,
    READ_FEATURES,
    SCHEMA,
)
from jaxagent.text import NONE
from jaxagent.text.vocabulary import NUMBERS


def advise(state: State, params: ShopParams) -> Int32[Array, "row"]:
    """The expert's command.

    It searches for all words of the wish, turns to the first hit that fulfils it (this it knows
    without having seen it), reads what the title leaves open, chooses the options, and buys.
    """
    fits = jax.vmap(fulfils, (0, 0, None))(
        state.catalogue.words[state.hits], state.catalogue.prices[state.hits], state.goal
    ) & (state.hits >= 0)
    at_results = _at_results(state, jnp.argmax(fits))
    at_item = jnp.where(fits[state.rank], _at_item(state, params), plain(PREV))
    conditions = [
        ((state.page == FEATURES) | (state.page == DESCRIPTION)),
        state.page == ITEM,
        (state.page == RESULTS) & jnp.any(fits),
    ]
    choices = [plain(PREV), at_item, at_results]
    command = ask(wished_words(state.goal))
    for condition, choice in zip(conditions, choices, strict=True):
        command = jnp.where(condition, choice, command)
    return command


def _at_results(state: State, rank: Int[Array, ""]) -> Int32[Array, "row"]:
    """Opens the hit, or turns the pages towards it."""
    page = rank // PAGE
    turn = jnp.where(page > state.number, plain(NEXT), plain(PREV))
    return jnp.where(page == state.number, named(OPEN, rank % PAGE + 1), turn)


def _at_item(state: State, params: ShopParams) -> Int32[Array, "row"]:
    """Reads, chooses or buys."""
    goal, words = state.goal, state.catalogue.words[state.item]
    wanted = jnp.any(words[ATTRIBUTE:VALUE] == goal.attributes[:, None], axis=0)
    place = jnp.arange(VALUE - ATTRIBUTE)
    featured = (place >= params.in_title) & (place < params.in_features)
    described = (place >= params.in_title) & (place >= params.in_features)
    missing = (state.chosen != goal.options) & (goal.options >= 0)
    option = goal.options[jnp.argmax(missing)].astype(jnp.int32) + NUMBERS
    command = jnp.where(jnp.any(missing), named(CHOOSE, option), plain(BUY))
    look = jnp.any(wanted & described) & ~state.read[1]
    command = jnp.where(look, plain(READ_DESCRIPTION), command)
    look = jnp.any(wanted & featured) & ~state.read[0]
    return jnp.where(look, plain(READ_FEATURES), command)


def wished_words(goal: Goal) -> Int32[Array, "query"]:
    """The words of a wish, -1 behind."""
    words = jnp.concatenate([goal.category[None], goal.attributes, goal.options])
    return words[ordering(words < 0)].astype(jnp.int32)


def ask(words: Int32[Array, "query"]) -> Int32[Array, "row"]:
    """The command to search for these words, -1 behind."""
    row = jnp.concatenate([jnp.sum(words >= 0)[None], jnp.where(words >= 0, words + NUMBERS, NONE)])
    return SCHEMA.widen(row)


def plain(verb: int) -> Int32[Array, "row"]:
    """The command of a verb without arguments."""
    return named(verb, NONE)


def named(verb: int, argument: Int[Array, ""] | int) -> Int32[Array, "row"]:
    """The command of a verb with one argument."""
    row = jnp.full(1 + SCHEMA.max_args, NONE, jnp.int32)
    return row.at[0].set(verb).at[1].set(argument)
