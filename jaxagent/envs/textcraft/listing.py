"""The commands that have an effect now, for interfaces that list them."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int16, Int32

from jaxagent.envs.textcraft.messages import craft_rows, get_rows
from jaxagent.envs.textcraft.recipes import BASES, ITEMS, SHOWN
from jaxagent.envs.textcraft.rules import amounts
from jaxagent.envs.textcraft.state import Source, State
from jaxagent.text import Schema

MAX_COMMANDS = SHOWN + BASES + 1
"""Every recipe shown, every base item of them, and `inventory`."""


def list_commands(
    schema: Schema, source: Source, state: State
) -> tuple[Int32[Array, "commands row"], Bool[Array, "commands"]]:
    """What can be crafted by the recipes shown, what can be got for them, and `inventory`.

    One of every base item is offered: how many it takes is for the recipes to tell.
    """
    recipes = source.shown(state.book)
    ingredients = stand_ins(source, state, recipes.ingredients, recipes.counts)
    enough = amounts(state, ingredients) >= recipes.counts
    craftable = jnp.all(enough, axis=-1) & (recipes.output >= 0)
    rows = [
        craft_rows(schema, recipes, ingredients),
        get_rows(schema, jnp.ones_like(state.bases), state.bases),
        schema.command("inventory")[None],
    ]
    mask = jnp.concatenate([craftable, state.bases >= 0, jnp.ones(1, bool)])
    return jnp.where(mask[:, None], jnp.concatenate(rows), -1).at[:, 0].max(0), mask


def stand_ins(
    source: Source,
    state: State,
    ingredients: Int16[Array, "*n m"],
    counts: Int16[Array, "*n m"],
) -> Int16[Array, "*n m"]:
    """The ingredients, every group replaced by a member of which enough is held, or by -1."""
    groups = source.groups_of(state.book, state.items)
    fits = (ingredients[..., None] == groups) & (state.counts >= counts[..., None])
    member = state.items[jnp.argmax(fits, axis=-1)]
    member = jnp.where(jnp.any(fits, axis=-1), member, jnp.int16(-1))
    return jnp.where(ingredients >= len(ITEMS), member, ingredients)
