"""The reward of a purchase, by WebShop's formula (Yao et al., 2022, section 3; `engine/goal.py`).

It is the share of what was asked for (attributes, options and the price) that was fulfilled,
times a factor for the type of the product. Words are single tokens here, so that the original's
fuzzy comparison (token-set ratio above 85) is equality.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Int8

from jaxagent.envs.webshop.goods import PER_DEPARTMENT
from jaxagent.envs.webshop.state import ATTRIBUTE, BRAND, CATEGORY, VALUE, Catalogue, Goal

BRAND_NOUNS, DEPARTMENT_NOUNS, CATEGORY_NOUNS = 1, 2, 13
"""A title counts as 16 nouns, as many as real ones have: this many tell of its brand, of its
department and of its category."""


def score(
    catalogue: Catalogue, goal: Goal, product: Int[Array, ""], chosen: Int8[Array, "axes"]
) -> Float32[Array, ""]:
    """The reward, from 0 to 1, for buying `product` with these options."""
    words = catalogue.words[product]
    met = jnp.sum(have(words, goal.attributes)) + jnp.sum((chosen == goal.options) & (chosen >= 0))
    met += catalogue.prices[product] <= goal.most
    parts = jnp.sum(goal.attributes >= 0) + jnp.sum(goal.options >= 0) + 1
    return type_factor(words, catalogue.words[goal.target]) * (met / parts)


def type_factor(
    bought: Int8[Array, "columns"], wanted: Int8[Array, "columns"]
) -> Float32[Array, ""]:
    """1 for the category wanted, else by the share of the wanted title's nouns that are bought.

    0.5 up to a share of 0.2, 0.1 below 0.1, 0 for none at all.
    """
    brand = bought[BRAND] == wanted[BRAND]
    category = bought[CATEGORY] == wanted[CATEGORY]
    department = bought[CATEGORY] // PER_DEPARTMENT == wanted[CATEGORY] // PER_DEPARTMENT
    nouns = BRAND_NOUNS * brand + DEPARTMENT_NOUNS * department + CATEGORY_NOUNS * category
    share = nouns / (BRAND_NOUNS + DEPARTMENT_NOUNS + CATEGORY_NOUNS)
    conditions = [share == 0, share < 0.1, ~category & (share <= 0.2)]
    return jnp.select(conditions, [0.0, 0.1, 0.5], 1.0).astype(jnp.float32)


def fulfils(words: Int8[Array, "columns"], price: Int8[Array, ""], goal: Goal) -> Bool[Array, ""]:
    """Whether the product, its options well chosen, is all that was asked for."""
    wanted = jnp.concatenate([goal.attributes, goal.options])
    offered = jnp.all(have(words, wanted) | (wanted < 0))
    return offered & (words[CATEGORY] == goal.category) & (price <= goal.most)


def have(words: Int8[Array, "columns"], wanted: Int8[Array, "n"]) -> Bool[Array, "n"]:
    """Which of the attributes and options wanted the product has."""
    return jnp.any(words[ATTRIBUTE:] == wanted[:, None], axis=-1) & (wanted >= 0)


def axes(words: Int8[Array, "columns"]) -> Int8[Array, "axes values"]:
    """The values that a product comes in, by axis, -1 behind."""
    return words[VALUE:].reshape(2, -1)
