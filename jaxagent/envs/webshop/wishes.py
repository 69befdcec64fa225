"""Wishes: what is asked for, drawn so that a given product fulfils it."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int8

from jaxagent.envs.chance import choose, integers
from jaxagent.envs.order import ordering
from jaxagent.envs.webshop.goods import AXES
from jaxagent.envs.webshop.reward import axes
from jaxagent.envs.webshop.state import (
    ATTRIBUTE,
    CATEGORY,
    OWN_ATTRIBUTES,
    Goal,
    ShopParams,
)

WISH_NOISE = OWN_ATTRIBUTES + AXES + 3
"""Numbers that a wish is drawn from."""

DEAREST = 59
"""Highest price of a product that can be wished for, so that every price bound can be said."""

_RUNGS = (2, 3, 3, 4, 4, 4)
"""The larger of two of the next four multiples of ten, by their six pairs."""


def draw_wish(
    noise: Float[Array, "wish_noise"],
    target: Int[Array, ""],
    words: Int8[Array, "columns"],
    price: Int8[Array, ""],
    params: ShopParams,
) -> Goal:
    """Some attributes and options of the product `target`, and a price bound above its own.

    The bound is the original's: the larger of two that are drawn from the next four multiples of
    ten above the price.
    """
    orders, picks, others = jnp.split(noise, [OWN_ATTRIBUTES, OWN_ATTRIBUTES + AXES])
    columns = ATTRIBUTE + ordering(orders)[: OWN_ATTRIBUTES - 1]
    asked = jnp.arange(OWN_ATTRIBUTES - 1) < params.attributes
    options = integers(others[0], params.least_options, params.most_options + 1)
    values = axes(words)
    picked = integers(picks, 0, jnp.sum(values >= 0, axis=1))
    first = integers(others[1], 0, AXES)
    wished = (jnp.arange(AXES) - first) % AXES < options
    value = jnp.take_along_axis(values, picked[:, None], axis=1)[:, 0]
    most = 10 * (price // 10 + choose(others[2], _RUNGS))
    return Goal(
        target=target.astype(jnp.int16),
        category=words[CATEGORY],
        attributes=jnp.where(asked, words[columns], jnp.int8(-1)),
        options=jnp.where(wished, value, jnp.int8(-1)),
        most=most.astype(jnp.int8),
    )
