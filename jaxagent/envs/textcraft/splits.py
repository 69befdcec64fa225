"""Splits of the names, so that evaluation can use items that training never met."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int16

from jaxagent.envs.chance import integers
from jaxagent.envs.order import ordering
from jaxagent.envs.textcraft.recipes import ITEMS

CLASSES = 26
"""The items fall into this many classes of this many neighbours in the alphabet: 26 * 26 = 676."""

if len(ITEMS) != CLASSES**2:
    raise ValueError(f"ITEMS: {len(ITEMS)} items, expected {CLASSES**2}")


def in_split(
    items: Int[Array | np.ndarray, "*n"], split: Int[Array, ""] | int
) -> Bool[Array | np.ndarray, "*n"]:
    """Whether each item belongs to the split (0 seen, 1 unseen): six of a class are unseen."""
    return ((items % CLASSES) % 5 == 0) == (split == 1)


def draw_items(
    noise: Float[Array, "classes+number"], number: int, split: Int[Array, ""]
) -> Int16[Array, "number"]:
    """Distinct items of a split, at most one of each class, which needs no sort of all items."""
    classes = ordering(noise[:CLASSES])[:number]
    drawn = integers(noise[CLASSES:], 0, jnp.where(split == 1, 6, 20))
    places = jnp.where(split == 1, 5 * drawn, drawn + drawn // 4 + 1)
    return (classes * CLASSES + places).astype(jnp.int16)
