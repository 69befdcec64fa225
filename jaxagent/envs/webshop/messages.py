"""The facts that open an episode, and those of the page that a command leads to."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int32

from jaxagent.envs.webshop.rules import Outcome, found
from jaxagent.envs.webshop.state import (
    ATTRIBUTE,
    BRAND,
    CATEGORY,
    DESCRIPTION,
    DONE,
    FEATURES,
    ITEM,
    OWN_ATTRIBUTES,
    PAGE,
    RESULTS,
    START,
    VALUE,
    Goal,
    ShopParams,
    State,
)
from jaxagent.envs.webshop.words import CHOOSE, SCHEMA, TITLES
from jaxagent.text import INVALID, NONE, only_if
from jaxagent.text.vocabulary import NUMBERS

_NAMES = {START: "search", FEATURES: "features", DESCRIPTION: "description", DONE: "receipt"}
"""The pages that are stated by their names."""


def opening(goal: Goal) -> Int32[Array, "first row"]:
    """The wish, and the page to start from."""
    attributes = _rows_of("WANT_ATTRIBUTE", goal.attributes)
    options = _rows_of("WANT_OPTION", goal.options)
    return jnp.concatenate(
        [
            SCHEMA.fact("WANT", goal.category.astype(jnp.int32) + NUMBERS)[None],
            only_if(goal.attributes >= 0, attributes),
            only_if(goal.options >= 0, options),
            SCHEMA.fact("WANT_PRICE", goal.most)[None],
            SCHEMA.fact("AT", SCHEMA.concept("page", "search"))[None],
        ]
    )


def answer(
    state: State, params: ShopParams, command: Int32[Array, "row"], outcome: Outcome
) -> Int32[Array, "step row"]:
    """The page that is open now, or what was chosen, or why nothing came of the command."""
    chose = outcome.done & (command[0] == CHOOSE)
    shown = outcome.done & ~chose
    return jnp.concatenate(
        [
            only_if(~outcome.done | chose, _remark(command, chose))[None],
            only_if(shown, _heading(state))[None],
            only_if(shown, _products(state, params)),
            only_if(shown, _details(state, params)),
        ]
    )


def _remark(command: Int32[Array, "row"], chose: Bool[Array, ""]) -> Int32[Array, "row"]:
    error = jnp.where(command[0] == INVALID, SCHEMA.fact("NOT_READ"), SCHEMA.fact("NOT_HERE"))
    return jnp.where(chose, SCHEMA.fact("CHOSEN", command[1]), error)


def _heading(state: State) -> Int32[Array, "row"]:
    """Which page is open; the item page begins with the product itself."""
    names = np.zeros(DONE + 1, np.int32)
    names[list(_NAMES)] = [SCHEMA.concept("page", name) for name in _NAMES.values()]
    named = SCHEMA.fact("AT", jnp.asarray(names)[state.page])
    results = SCHEMA.fact("HITS", found(state), state.number + 1)
    heading = jnp.where(state.page == RESULTS, results, named)
    return only_if(state.page != ITEM, heading)


def _products(state: State, params: ShopParams) -> Int32[Array, "page row"]:
    """The results on the page, or the product alone on its own."""
    places = jnp.arange(PAGE)
    at_item = state.page == ITEM
    ranks = jnp.where(at_item, state.rank, PAGE * state.number + places)
    product = state.hits[ranks]
    there = (product >= 0) & ((state.page == RESULTS) | (at_item & (places == 0)))
    words = NUMBERS + state.catalogue.words[product].astype(jnp.int32)
    price = state.catalogue.prices[product].astype(jnp.int32)
    titled = jnp.arange(OWN_ATTRIBUTES) < params.in_title
    attributes = jnp.where(titled, words[:, ATTRIBUTE:VALUE], NONE)
    title = jnp.column_stack([words[:, BRAND], words[:, CATEGORY], price, attributes])
    result, item = jnp.asarray(_TITLED)[:, params.in_title]
    none = jnp.full(PAGE, NONE)
    results = jnp.column_stack([jnp.full(PAGE, result), places + 1, title])
    items = jnp.column_stack([jnp.full(PAGE, item), title, none])
    return only_if(there, jnp.where(at_item, items, results))


def _make_titled() -> np.ndarray:
    types = np.zeros((2, OWN_ATTRIBUTES + 1), np.int32)
    for row, name in zip(types, ("RESULT", "ITEM"), strict=True):
        row[list(TITLES)] = [SCHEMA.fact_id(f"{name}_{k}") for k in TITLES]
    return types


_TITLED = _make_titled()
"""int32[2, OWN_ATTRIBUTES + 1]: number of attributes in a title -> type of the fact that states a
product among the results, and on its own page."""


def _details(state: State, params: ShopParams) -> Int32[Array, "details row"]:
    """The options of the product, its features, or what its description adds to them."""
    words = state.catalogue.words[state.item]
    options, attributes = words[VALUE:], words[ATTRIBUTE:VALUE]
    in_features = jnp.arange(OWN_ATTRIBUTES) < params.in_features
    shown = ((state.page == FEATURES) & in_features) | ((state.page == DESCRIPTION) & ~in_features)
    offered = only_if((state.page == ITEM) & (options >= 0), _rows_of("OFFERS", options))
    return jnp.concatenate([offered, only_if(shown, _rows_of("IS", attributes))])


def _rows_of(name: str, words: Int[Array, "n"]) -> Int32[Array, "n row"]:
    """The fact `name` of every word."""
    return jax.vmap(partial(SCHEMA.fact, name))(words.astype(jnp.int32) + NUMBERS)
