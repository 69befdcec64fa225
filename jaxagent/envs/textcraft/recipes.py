"""What a recipe is, and the 613 recipes of Minecraft as arrays.

Inside the environment an item is its place in `ITEMS` and a group `len(ITEMS)` plus its place in
`GROUPS`; both together are called things, and -1 is no thing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flax.struct
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int8, Int16

SHOWN, NEEDED, BASES = 13, 7, 10
"""Most recipes shown in an episode, most that its goal needs, most base items offered by `get`."""

HOLDINGS, LISTED_HOLDINGS, LISTED_MEMBERS = 32, 16, 4
"""Most kinds of items held at once, and most entries of the inventory and of groups that are said.
An episode of at most 31 turns cannot hold more kinds than `HOLDINGS`."""

INGREDIENTS = 5
"""Most ingredients of a recipe of Minecraft."""


class Recipes(flax.struct.PyTreeNode):
    """Recipes on any leading axes; an absent one has no output and no ingredients.

    Attributes:
        output: the item made, or -1.
        output_count: how many of it.
        ingredients: the things needed, the first ones at the front, -1 behind.
        counts: how many of each; 0 where there is none.
    """

    output: Int16[Array, "*n"]
    output_count: Int8[Array, "*n"]
    ingredients: Int16[Array, "*n m"]
    counts: Int8[Array, "*n m"]


def load_table() -> dict[str, Any]:
    """The table that `scripts/build_recipes.py` wrote."""
    return json.loads((Path(__file__).parent / "data" / "recipes.json").read_text("utf-8"))


TABLE = load_table()
ITEMS: tuple[str, ...] = tuple(TABLE["items"])
GROUPS: dict[str, tuple[str, ...]] = {name: tuple(m) for name, m in TABLE["groups"].items()}
THINGS = (*ITEMS, *GROUPS)
_PLACE = {name: place for place, name in enumerate(THINGS)}


def thing(name: str) -> int:
    """Number of the item or group called `name`; raises `ValueError` for a stranger."""
    if name not in _PLACE:
        raise ValueError(f"thing {name!r} is not one of the {len(THINGS)} items and groups")
    return _PLACE[name]


def _minecraft() -> Recipes:
    """The recipes in the order of the table, and an absent one behind them."""
    rows = TABLE["recipes"]
    ingredients = np.full((len(rows) + 1, INGREDIENTS), -1, np.int16)
    counts = np.zeros((len(rows) + 1, INGREDIENTS), np.int8)
    for r, (_, _, used) in enumerate(rows):
        ingredients[r, : len(used)] = [thing(name) for _, name in used]
        counts[r, : len(used)] = [n for n, _ in used]
    outputs = np.array([*(thing(name) for name, _, _ in rows), -1], np.int16)
    output_counts = np.array([*(n for _, n, _ in rows), 0], np.int8)
    columns: Any = (outputs, output_counts, ingredients, counts)
    return Recipes(*columns)


MINECRAFT = _minecraft()
"""The recipes of Minecraft; number `ABSENT` is no recipe."""

ABSENT = len(MINECRAFT.output) - 1


def _group_of() -> np.ndarray:
    groups = np.full(len(THINGS), -1, np.int16)
    for name, members in GROUPS.items():
        groups[[thing(member) for member in members]] = thing(name)
    return groups


GROUP_OF = _group_of()
"""int16[things]: the group that a thing is a member of, or -1."""

IS_BASE = ~np.isin(np.arange(len(THINGS)), MINECRAFT.output)
IS_BASE[len(ITEMS) :] = False
"""bool[things]: whether a thing is an item that no recipe makes, so that one can get it."""


def are_used(recipes: Recipes, things: Int[Array | np.ndarray, "*n"]) -> Bool[Array, "*n"]:
    """Whether any of the recipes[n] uses each thing."""
    # Slots first: of more than 32 comparisons XLA makes an array before it reduces them.
    by_recipe = jnp.any(recipes.ingredients == jnp.asarray(things)[..., None, None], axis=-1)
    return jnp.any(by_recipe, axis=-1)


def recipes_by(lists: list[list[int]]) -> np.ndarray:
    """int16[len(lists), longest]: the lists of recipe numbers, padded with `ABSENT`."""
    table = np.full((len(lists), max(map(len, lists))), ABSENT, np.int16)
    for row, numbers in zip(table, lists, strict=True):
        row[: len(numbers)] = numbers
    return table
