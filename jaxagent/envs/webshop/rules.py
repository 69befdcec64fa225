"""The rules of WebShop's pages: what a command does to them.

They are those of the original's text environment (`web_agent_text_env.py`), checked by test.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Int8, Int32

from jaxagent.envs.webshop.reward import axes, score
from jaxagent.envs.webshop.search import find
from jaxagent.envs.webshop.state import (
    ATTRIBUTE,
    DESCRIPTION,
    DONE,
    FEATURES,
    ITEM,
    OWN_ATTRIBUTES,
    PAGE,
    RESULTS,
    START,
    VALUE,
    ShopParams,
    State,
)
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
    VERBS,
)
from jaxagent.text.vocabulary import NUMBERS

_NOWHERE = -1


class Outcome(NamedTuple):
    """What came of a command.

    Attributes:
        done: whether it was carried out.
        reward: the score of a purchase, else 0.
        bought: whether it was one.
    """

    done: Bool[Array, ""]
    reward: Float32[Array, ""]
    bought: Bool[Array, ""]


def _make_leads() -> np.ndarray:
    """int8[verbs, pages]: the page that a verb leads to from another, or `_NOWHERE`."""
    leads = np.full((VERBS, DONE + 1), _NOWHERE, np.int8)
    leads[1 : QUERY + 1, :DONE] = RESULTS
    leads[OPEN, RESULTS] = ITEM
    leads[CHOOSE, ITEM] = ITEM
    leads[READ_FEATURES, ITEM] = FEATURES
    leads[READ_DESCRIPTION, ITEM] = DESCRIPTION
    leads[PREV, [RESULTS, ITEM, FEATURES, DESCRIPTION]] = [RESULTS, RESULTS, ITEM, ITEM]
    leads[NEXT, RESULTS] = RESULTS
    leads[BACK, RESULTS:DONE] = START
    leads[BUY, ITEM] = DONE
    return leads


_LEADS = _make_leads()


def obey(state: State, command: Int32[Array, "row"], params: ShopParams) -> tuple[State, Outcome]:
    """The state after `command`, and what came of it."""
    verb, words = command[0], command[1 : QUERY + 1] - NUMBERS
    page = leads_to(verb, state.page)
    done = (page != _NOWHERE) & is_possible(state, command, params)
    page = jnp.where(done, page, state.page)
    searched = done & (verb <= QUERY)
    turned = done & (state.page == RESULTS)
    number = state.number + (turned & (verb == NEXT)) - (turned & (verb == PREV))
    found = find(state.catalogue, jnp.where(words >= 0, words, -1))
    hits = jnp.where(searched, found, jnp.where(page == START, jnp.int16(-1), state.hits))
    rank = jnp.where(done & (verb == OPEN), PAGE * state.number + command[1] - 1, state.rank)
    within = page >= ITEM
    picks = done & (verb == CHOOSE) & jnp.any(axes_of(state) == words[0], axis=-1)
    chosen = jnp.where(picks, words[0], state.chosen)
    read = state.read | (page == jnp.array([FEATURES, DESCRIPTION]))
    bought = done & (verb == BUY)
    reward = jnp.where(bought, score(state.catalogue, state.goal, state.item, state.chosen), 0)
    state = state.replace(
        page=page,
        hits=hits,
        number=jnp.where(searched | (page == START), 0, number).astype(jnp.int8),
        rank=jnp.where(within, rank, -1).astype(jnp.int8),
        chosen=jnp.where(within, chosen, -1).astype(jnp.int8),
        read=read & within,
    )
    return state, Outcome(done, reward, bought)


def leads_to(verb: Int[Array, "*n"], page: Int8[Array, ""]) -> Int8[Array, "*n"]:
    """The page that each verb leads to from `page`, or -1 where there is no such button."""
    return jnp.asarray(_LEADS)[verb, page]


def is_possible(state: State, command: Int32[Array, "row"], params: ShopParams) -> Bool[Array, ""]:
    """Whether what the command names is there; that the page has the button is asked elsewhere."""
    verb, place = command[0], command[1]
    left = found(state) - PAGE * state.number
    conditions = {
        OPEN: (place >= 1) & (place <= jnp.minimum(left, PAGE)),
        CHOOSE: (place >= NUMBERS) & jnp.any(axes_of(state) == place - NUMBERS),
        READ_DESCRIPTION: params.in_features < OWN_ATTRIBUTES,
        PREV: (state.page != RESULTS) | (state.number > 0),
        NEXT: left > PAGE,
    }
    return jnp.all(jnp.stack([(verb != name) | holds for name, holds in conditions.items()]))


def found(state: State) -> Int32[Array, ""]:
    """How many products the last search found."""
    return jnp.sum(state.hits >= 0, dtype=jnp.int32)


def has_shown(state: State, attributes: Int8[Array, "n"], params: ShopParams) -> Bool[Array, "n"]:
    """Which attributes stand on those pages of the open product that have been looked at, its
    title, its features and its description; `True` for none (-1)."""
    own = state.catalogue.words[state.item][ATTRIBUTE:VALUE]
    place = jnp.arange(OWN_ATTRIBUTES)
    in_features = place < params.in_features
    told = (place < params.in_title) | jnp.where(in_features, state.read[0], state.read[1])
    return jnp.any((own == attributes[:, None]) & told, axis=1) | (attributes < 0)


def axes_of(state: State) -> Int8[Array, "axes values"]:
    """int8[axes, values]: the values of the product that is open; -1 behind."""
    return axes(state.catalogue.words[state.item])
