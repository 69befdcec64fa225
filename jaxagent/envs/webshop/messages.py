"""The facts that open an episode, and those of the page that a command leads to."""

from __future__ import annotations

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
from jaxagent.envs.webshop.words import CHOOSE, TITLES
from jaxagent.text import INVALID, NONE, Schema, only_if
from jaxagent.text.vocabulary import NUMBERS

_NAMES = {START: "search", FEATURES: "features", DESCRIPTION: "description", DONE: "receipt"}
"""The pages that are stated by their names."""


def opening(schema: Schema, goal: Goal) -> Int32[Array, "first row"]:
    """The wish, and the page to start from."""
    attributes = rows_of(schema, "WANT_ATTRIBUTE", goal.attributes)
    options = rows_of(schema, "WANT_OPTION", goal.options)
    return jnp.concatenate(
        [
            schema.fact("WANT", goal.category + NUMBERS)[None],
            only_if(goal.attributes >= 0, attributes),
            only_if(goal.options >= 0, options),
            schema.fact("WANT_PRICE", goal.most)[None],
            schema.fact("AT", schema.concept("page", "search"))[None],
        ]
    )


def answer(
    schema: Schema,
    state: State,
    params: ShopParams,
    command: Int32[Array, "row"],
    outcome: Outcome,
) -> Int32[Array, "step row"]:
    """The page that is open now, or what was chosen, or why nothing came of the command."""
    chose = outcome.done & (command[0] == CHOOSE)
    shown = outcome.done & ~chose
    return jnp.concatenate(
        [
            only_if(~outcome.done | chose, _remark(schema, command, chose))[None],
            only_if(shown, _heading(schema, state))[None],
            only_if(shown, _products(schema, state, params)),
            only_if(shown, _entries(schema, state, params)),
        ]
    )


def _remark(
    schema: Schema, command: Int32[Array, "row"], chose: Bool[Array, ""]
) -> Int32[Array, "row"]:
    error = jnp.where(command[0] == INVALID, schema.fact("NOT_READ"), schema.fact("NOT_HERE"))
    return jnp.where(chose, schema.fact("CHOSEN", command[1]), error)


def _heading(schema: Schema, state: State) -> Int32[Array, "row"]:
    """Which page is open; the item page begins with the product itself."""
    names = np.zeros(DONE + 1, np.int32)
    names[list(_NAMES)] = [schema.concept("page", name) for name in _NAMES.values()]
    named = schema.fact("AT", jnp.asarray(names)[state.page])
    results = schema.fact("HITS", found(state), state.number + 1)
    heading = jnp.where(state.page == RESULTS, results, named)
    return only_if(state.page != ITEM, heading)


def _products(schema: Schema, state: State, params: ShopParams) -> Int32[Array, "page row"]:
    """The results on the page, or the product alone on its own."""
    places = jnp.arange(PAGE)
    ranks = jnp.where(state.page == RESULTS, PAGE * state.number + places, state.rank)
    product = state.hits[ranks]
    there = (product >= 0) & ((state.page == RESULTS) | (state.page == ITEM) & (places == 0))
    words = NUMBERS + state.catalogue.words[product].astype(jnp.int32)
    types = jnp.asarray(_title_types(schema))[params.in_title]
    columns = [
        jnp.broadcast_to(types, PAGE),
        ranks % PAGE + 1,
        words[:, BRAND],
        words[:, CATEGORY],
        state.catalogue.prices[product].astype(jnp.int32),
    ]
    titled = jnp.arange(OWN_ATTRIBUTES) < params.in_title
    attributes = jnp.where(titled, words[:, ATTRIBUTE:VALUE], NONE)
    return only_if(there, jnp.concatenate([jnp.stack(columns, axis=1), attributes], axis=1))


def _title_types(schema: Schema) -> np.ndarray:
    """int32[OWN_ATTRIBUTES + 1]: number of attributes in a title -> type of the fact."""
    types = np.zeros(OWN_ATTRIBUTES + 1, np.int32)
    types[list(TITLES)] = [schema.fact_id(f"RESULT_{k}") for k in TITLES]
    return types


def _entries(schema: Schema, state: State, params: ShopParams) -> Int32[Array, "entries row"]:
    """The options of the product, its features, or what its description adds to them."""
    words = state.catalogue.words[state.item]
    options, attributes = words[VALUE:], words[ATTRIBUTE:VALUE]
    in_features = jnp.arange(OWN_ATTRIBUTES) < params.in_features
    is_described = jnp.where(state.page == FEATURES, in_features, ~in_features)
    is_described &= (state.page == FEATURES) | (state.page == DESCRIPTION)
    attributes = jnp.pad(attributes, (0, len(options) - OWN_ATTRIBUTES))
    is_described = jnp.pad(is_described, (0, len(options) - OWN_ATTRIBUTES))
    at_item = state.page == ITEM
    there = jnp.where(at_item, options >= 0, is_described)
    return only_if(there, rows_of(schema, "ENTRY", jnp.where(at_item, options, attributes)))


def rows_of(schema: Schema, name: str, words: Int[Array, "n"]) -> Int32[Array, "n row"]:
    """The fact `name` of every word."""
    return jax.vmap(lambda word: schema.fact(name, word))(words.astype(jnp.int32) + NUMBERS)
