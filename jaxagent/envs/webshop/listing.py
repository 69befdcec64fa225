"""The commands that have an effect now, for interfaces that list them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32

from jaxagent.envs.webshop.expert import ask, named, plain, wished_words
from jaxagent.envs.webshop.goods import AXES
from jaxagent.envs.webshop.rules import axes_of, is_possible, leads_to
from jaxagent.envs.webshop.state import OWN_VALUES, PAGE, START, ShopParams, State
from jaxagent.envs.webshop.words import (
    BACK,
    BUY,
    CHOOSE,
    NEXT,
    OPEN,
    PREV,
    QUERY,
    READ_DESCRIPTION,
    READ_FEATURES,
)
from jaxagent.text.vocabulary import NUMBERS

_BUTTONS = (READ_FEATURES, READ_DESCRIPTION, PREV, NEXT, BACK, BUY)
_SEARCHES = 3

MAX_COMMANDS = _SEARCHES + PAGE + AXES * OWN_VALUES + len(_BUTTONS)
"""Searches, results to open, values to choose, and buttons."""


def list_commands(
    state: State, params: ShopParams
) -> tuple[Int32[Array, "commands row"], Bool[Array, "commands"]]:
    """What can be clicked on the page; where there is a search bar, three searches.

    The original takes searches on every page, but has the bar on the first alone. They are for the
    category, for it with the attributes, and for all words of the wish.
    """
    wish = state.goal
    nothing = jnp.full(QUERY, -1)
    category = nothing.at[0].set(wish.category)
    bare = wish.replace(options=jnp.full(AXES, -1, jnp.int8))
    queries = jnp.stack([category, wished_words(bare), wished_words(wish)])
    values = axes_of(state).reshape(-1).astype(jnp.int32) + NUMBERS
    rows = [
        jax.vmap(ask)(queries),
        jax.vmap(lambda place: named(OPEN, place))(jnp.arange(1, PAGE + 1)),
        jax.vmap(lambda value: named(CHOOSE, value))(values),
        jnp.stack([plain(button) for button in _BUTTONS]),
    ]
    rows = jnp.concatenate(rows)
    possible = jax.vmap(lambda row: is_possible(state, row, params))(rows)
    searches = jnp.array([True, True, jnp.any(wish.options >= 0)]) & (state.page == START)
    buttons = leads_to(rows[_SEARCHES:, 0], state.page) >= 0
    mask = possible & jnp.concatenate([searches, buttons])
    return jnp.where(mask[:, None], rows, -1).at[:, 0].max(0), mask
