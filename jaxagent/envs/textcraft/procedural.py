"""Recipes drawn afresh for every episode, under fresh names: nothing can be memorised."""

from __future__ import annotations

from dataclasses import dataclass

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Int16

from jaxagent.envs.chance import blocks, integers
from jaxagent.envs.order import ordering
from jaxagent.envs.textcraft.assemble import assemble
from jaxagent.envs.textcraft.generator import SLOTS, Draft, ProceduralParams, draft, only
from jaxagent.envs.textcraft.recipes import BASES, GROUPS, ITEMS, SHOWN, Recipes, are_used
from jaxagent.envs.textcraft.splits import CLASSES, draw_items
from jaxagent.envs.textcraft.state import Knowledge, Order, State


class Book(flax.struct.PyTreeNode):
    """The recipes of an episode.

    Attributes:
        recipes: Recipes[SHOWN].
        group: int16[SHOWN], the group that the output of each recipe is a member of, or -1.
    """

    recipes: Recipes
    group: Int16[Array, "shown"]


@dataclass(frozen=True)
class Procedural:
    """The source of recipes that are drawn with the instance (`state.Source`)."""

    ingredients: int = SLOTS
    # The chain has 1 and three times 2 of them, each extra and each distractor 1.
    extra: int = 1 + 3 * 2 + 3 + 6

    def draw(self, key: Array, params: ProceduralParams) -> State:
        """Recipes, names for what is in them, and the order in which they are shown."""
        draft_key, name_key = jax.random.split(key)
        drawn = draft(draft_key, params)
        which, names, order = blocks(name_key, (), (CLASSES + SHOWN + BASES,), (SHOWN,))
        group = len(ITEMS) + integers(which, 0, len(GROUPS))
        items = draw_items(names, SHOWN + BASES, params.split)
        book = _named(drawn, items, group)
        is_group = jnp.arange(len(GROUPS)) == group - len(ITEMS)
        members = jnp.where(is_group & drawn.is_member[0], items[0], -1)
        bases = _base_items(drawn, items)
        return assemble(items[drawn.goal], book, drawn.used, ordering(order), members, bases)

    def shown(self, book: Book) -> Recipes:
        """Recipes[SHOWN]: all there are."""
        return book.recipes

    def know(self, book: Book, order: Order) -> Knowledge:
        """Only the recipes of the book count."""
        is_item = (order.thing >= 0) & (order.thing < len(ITEMS))
        is_made = jnp.any(order.thing == book.recipes.output)
        return Knowledge(
            candidates=only(book.recipes, book.recipes.output == order.thing),
            is_base=are_used(book.recipes, order.thing) & is_item & ~is_made,
            groups=self.groups_of(book, order.ingredients),
        )

    def groups_of(self, book: Book, things: Int16[Array, "*n"]) -> Int16[Array, "*n"]:
        """The group that each thing is a member of, or -1."""
        is_output = (things[..., None] == book.recipes.output) & (things[..., None] >= 0)
        return jnp.max(jnp.where(is_output, book.group, jnp.int16(-1)), axis=-1)


def _base_items(drawn: Draft, items: Int16[Array, "local"]) -> Int16[Array, "bases"]:
    """The base items that a draft uses, under their names, -1 for one that it does not."""
    return jnp.where(are_used(drawn.recipes, SHOWN + np.arange(BASES)), items[SHOWN:], -1)


def _named(drawn: Draft, items: Int16[Array, "local"], group: Int[Array, ""]) -> Book:
    """The recipes of a draft, its local things under the names of `items` and `group`."""
    names = jnp.concatenate([items, jnp.stack([group, -1]).astype(jnp.int16)])
    recipes = Recipes(
        names[drawn.recipes.output],
        drawn.recipes.output_count.astype(jnp.int8),
        names[drawn.recipes.ingredients],
        drawn.recipes.counts.astype(jnp.int8),
    )
    return Book(recipes, jnp.where(drawn.is_member, group, -1).astype(jnp.int16))
