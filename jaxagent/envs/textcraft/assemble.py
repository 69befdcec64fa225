"""The parts of an instance that follow from its recipes, the same for every source."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int8, Int16

from jaxagent.envs.order import inverse, ordering, repeated
from jaxagent.envs.textcraft.recipes import BASES, HOLDINGS, NEEDED
from jaxagent.envs.textcraft.rules import empty_handed
from jaxagent.envs.textcraft.state import Source, State


def assemble(
    source: Source,
    goal: Int16[Array, ""],
    book: Any,
    used: Bool[Array, "shown"],
    order: Int[Array, "shown"],
    members: Int16[Array, "groups"],
) -> State:
    """The state at the start of an episode.

    Args:
        source: where the recipes come from.
        goal: the item to craft.
        book: the recipes, on a leading axis of `SHOWN`, the needed ones on its first `NEEDED`.
        used: which entries of the book are there.
        order: the permutation in which the book is to be shown.
        members: the member that the expert crafts for every group, or -1.
    """
    place = inverse(order)[:NEEDED].astype(jnp.int8)
    bases, base_counts = base_items(source, book)
    items, counts = empty_handed(HOLDINGS)
    return State(
        goal=goal.astype(jnp.int16),
        items=items,
        counts=counts,
        plan=jnp.where(used[:NEEDED], place, jnp.int8(-1)),
        members=members.astype(jnp.int16),
        bases=bases,
        base_counts=base_counts,
        book=jax.tree.map(lambda column: column[order], book),
    )


def base_items(source: Source, book: Any) -> tuple[Int16[Array, "bases"], Int8[Array, "bases"]]:
    """The first base items of a book, ascending, and the most that a recipe asks of each."""
    recipes = source.shown(book)
    things, counts = recipes.ingredients.reshape(-1), recipes.counts.reshape(-1)
    first = source.are_base(book, things) & ~repeated(things)
    at = first & (jnp.cumsum(first) - 1 == jnp.arange(BASES)[:, None])
    items = jnp.max(jnp.where(at, things, -1), axis=1)
    asked = (things == items[:, None]) & (items >= 0)[:, None]
    amounts = jnp.max(jnp.where(asked, counts, 0), axis=1)
    places = ordering(jnp.where(items < 0, jnp.iinfo(jnp.int16).max, items))
    return items[places].astype(jnp.int16), amounts[places].astype(jnp.int8)
