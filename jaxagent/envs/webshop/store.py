"""The store: one catalogue for all episodes, part of which is in stock in each of them.

What brand makes what, and what its goods are like, can be learnt and made use of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxagent.envs.chance import blocks, choose, integers
from jaxagent.envs.webshop.goods import (
    ATTRIBUTES,
    AXES,
    BRANDS,
    CATEGORIES,
    FIRST_ATTRIBUTE,
    FIRST_BRAND,
    FIRST_VALUES,
    KINDS,
    PER_DEPARTMENT,
    UNSEEN_BRANDS,
    UNSEEN_DEPARTMENTS,
    VALUES,
)
from jaxagent.envs.webshop.procedural import (
    CHEAPEST,
    OPEN_DEPARTMENTS,
    open_departments,
    shelved,
)
from jaxagent.envs.webshop.state import (
    ATTRIBUTE,
    BRAND,
    CATEGORY,
    COLUMNS,
    OWN_ATTRIBUTES,
    OWN_VALUES,
    PRODUCTS,
    VALUE,
    Catalogue,
    Goal,
    ShopParams,
)
from jaxagent.envs.webshop.wishes import DEAREST, WISH_NOISE, draw_wish

LINES, MODELS = 8, 8
"""Brands that make goods of a category, and how many each of them makes, all much alike."""

_OPEN = OPEN_DEPARTMENTS * PER_DEPARTMENT * LINES * MODELS
"""Products of the open departments."""

_STRIDES = (5, 7, 11, 13, 17, 19, 23, 25)
"""Steps that meet no number twice on their way around `_OPEN`."""


@dataclass(frozen=True)
class Store:
    """The source of catalogues that are parts of the store (`state.Source`)."""

    def draw(self, key: jax.Array, params: ShopParams) -> tuple[Catalogue, Goal]:
        """Some of the goods of some departments, and a wish that one of them fulfils."""
        shop, order, place, wish = blocks(key, (2,), (2,), (), (WISH_NOISE,))
        departments = open_departments(shop, params.split)
        steps = choose(order[0], _STRIDES) * jnp.arange(PRODUCTS)
        local = (integers(order[1], 0, _OPEN) + steps) % _OPEN
        size = _OPEN // OPEN_DEPARTMENTS
        numbers = departments[local // size] * size + local % size
        goods = jnp.asarray(make_goods())[numbers]
        words, prices = goods[:, :COLUMNS], goods[:, COLUMNS]
        target = integers(place, 0, params.products)
        goal = draw_wish(wish, target, words[target], prices[target], params)
        return shelved(words, prices, params), goal


@cache
def make_goods() -> np.ndarray:
    """int8[categories * LINES * MODELS, COLUMNS + 1]: words and price of all goods of the store.

    Categories one behind the other, in each the lines of its brands; the models of a line differ
    from its first in one thing: an attribute, the colours, the sizes, or only the price.
    """
    rng = np.random.default_rng(0)
    return np.concatenate(
        [_line(rng, c, b) for c in range(len(CATEGORIES)) for b in _brands(rng, c)]
    ).astype(np.int8)


def _brands(rng: np.random.Generator, category: int) -> np.ndarray:
    """The brands that make goods of a category, of the category's split."""
    seen = len(BRANDS) - UNSEEN_BRANDS
    is_unseen = category >= len(CATEGORIES) - UNSEEN_DEPARTMENTS * PER_DEPARTMENT
    return rng.choice(np.arange(seen, len(BRANDS)) if is_unseen else seen, LINES, replace=False)


def _line(rng: np.random.Generator, category: int, brand: int) -> np.ndarray:
    """int[MODELS, COLUMNS + 1]: the models of a line."""
    kinds = rng.permutation(KINDS)
    ranks = rng.integers(len(ATTRIBUTES) // KINDS, size=OWN_ATTRIBUTES)
    models = np.zeros((MODELS, COLUMNS + 1), np.int64)
    models[:, BRAND], models[:, CATEGORY] = FIRST_BRAND + brand, category
    models[:, ATTRIBUTE:VALUE] = FIRST_ATTRIBUTE + KINDS * ranks + kinds
    models[:, VALUE:COLUMNS] = _values(rng).reshape(-1)
    models[:, COLUMNS] = rng.integers(CHEAPEST, DEAREST + 1, size=MODELS)
    for k in range(OWN_ATTRIBUTES):
        other = (ranks[k] + rng.integers(1, len(ATTRIBUTES) // KINDS)) * KINDS + kinds[k]
        models[1 + k, ATTRIBUTE + k] = FIRST_ATTRIBUTE + other % len(ATTRIBUTES)
    for axis, values in enumerate(_values(rng)):
        first = VALUE + axis * OWN_VALUES
        models[1 + OWN_ATTRIBUTES + axis, first : first + OWN_VALUES] = values
    return models


def _values(rng: np.random.Generator) -> np.ndarray:
    """int[AXES, OWN_VALUES]: two to four different values on each axis, -1 behind."""
    values = np.full((AXES, OWN_VALUES), -1)
    for row, first, number in zip(values, FIRST_VALUES, VALUES, strict=True):
        count = rng.integers(2, OWN_VALUES + 1)
        row[:count] = first + rng.choice(number, count, replace=False)
    return values
