"""The facts that open an episode, and those that answer a command."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Int16, Int32

from jaxagent.envs.order import ordering, repeated
from jaxagent.envs.textcraft.recipes import (
    GROUPS,
    ITEMS,
    LISTED_HOLDINGS,
    LISTED_MEMBERS,
    Recipes,
    are_used,
)
from jaxagent.envs.textcraft.rules import Outcome
from jaxagent.envs.textcraft.state import State
from jaxagent.text import NONE, Schema, only_if
from jaxagent.text.vocabulary import NUMBERS


def opening(
    schema: Schema,
    recipes: Recipes,
    groups: Int16[Array, "shown"],
    goal: Int16[Array, ""],
    extra: int,
) -> Int32[Array, "first row"]:
    """The recipes shown, the members of the groups they need, and the goal.

    Args:
        schema: the words' schema.
        recipes: the recipes shown.
        groups: the group that each recipe's output is a member of, or -1.
        goal: the item to craft.
        extra: most ingredients behind the first ones of all recipes.
    """
    lines = recipe_rows(schema, recipes)
    size = recipes.output.shape[0] + extra
    there = ordering(lines[:, 0] == 0)[:size]
    members = member_rows(schema, recipes, groups)
    ending = schema.fact("GOAL", schema.first_of("item") + goal)[None]
    return jnp.concatenate([schema.widen(lines[there]), members, ending])


def recipe_rows(schema: Schema, recipes: Recipes) -> Int32[Array, "rows 5"]:
    """`RECIPE` for every recipe and its first ingredient, followed by `AND` for the others; to be
    widened."""
    first = schema.first_of("item")
    shape = recipes.ingredients.shape
    ingredient = first + recipes.ingredients.astype(jnp.int32)
    columns = jnp.stack([recipes.counts.astype(jnp.int32), ingredient], axis=-1)
    output = jnp.stack([recipes.output_count, first + recipes.output], axis=-1).astype(jnp.int32)
    heads = jnp.concatenate(
        [jnp.full((shape[0], 1), schema.fact_id("RECIPE")), output, columns[:, 0]], axis=-1
    )
    tails = jnp.concatenate(
        [
            jnp.full((shape[0], shape[1] - 1, 1), schema.fact_id("AND")),
            columns[:, 1:],
            jnp.full((shape[0], shape[1] - 1, 2), NONE),
        ],
        axis=-1,
    )
    rows = jnp.concatenate([heads[:, None], tails], axis=1)
    return only_if(recipes.ingredients >= 0, rows).reshape(-1, rows.shape[-1])


def member_rows(
    schema: Schema, recipes: Recipes, groups: Int16[Array, "shown"]
) -> Int32[Array, "members row"]:
    """`MEMBER` for what is made of the groups needed, by item, at most `LISTED_MEMBERS`."""
    every = len(ITEMS) + np.arange(len(GROUPS))
    needed = jnp.any((groups[:, None] == every) & are_used(recipes, every), axis=1)
    again = repeated(recipes.output)
    items = jnp.where(needed & ~again, recipes.output, jnp.iinfo(jnp.int16).max)
    chosen = ordering(items)[:LISTED_MEMBERS]
    first = schema.first_of("item")
    types = jnp.full(LISTED_MEMBERS, schema.fact_id("MEMBER"))
    rows = jnp.stack([types, first + recipes.output[chosen], first + groups[chosen]], axis=-1)
    return only_if((needed & ~again)[chosen], schema.widen(rows))


def answer(
    schema: Schema, state: State, thing: Int16[Array, ""], outcome: Outcome
) -> Int32[Array, "step row"]:
    """One fact about what came of a command on `thing`, and the inventory if it was asked for."""
    is_empty = jnp.all(state.items < 0)
    kind = jnp.select(
        [
            outcome.crafted,
            outcome.got,
            outcome.listed & ~is_empty,
            outcome.listed,
            outcome.not_found,
            outcome.not_enough,
            outcome.no_recipe,
        ],
        [schema.fact_id(name) for name in _ANSWERS],
        schema.fact_id("NOT_EXECUTED"),
    )
    named = (schema.first_of("item") + thing).astype(jnp.int32)
    counted = outcome.crafted | outcome.got
    failed = outcome.not_found | outcome.not_enough | outcome.no_recipe
    count = jnp.clip(outcome.count, 0, NUMBERS - 1).astype(jnp.int32)
    first = jnp.where(counted, count, jnp.where(failed, named, NONE))
    head = schema.widen(jnp.stack([kind, first, jnp.where(counted, named, NONE)])[None])
    return jnp.concatenate([head, only_if(outcome.listed, holdings(schema, state))])


_ANSWERS = ("CRAFTED", "GOT", "CARRYING", "EMPTY", "NOT_FOUND", "NOT_ENOUGH", "NO_RECIPE")


def holdings(schema: Schema, state: State) -> Int32[Array, "listed row"]:
    """`HOLDS` for the first `LISTED_HOLDINGS` places of the inventory that are taken."""
    items = state.items[:LISTED_HOLDINGS].astype(jnp.int32)
    counts = jnp.minimum(state.counts[:LISTED_HOLDINGS], NUMBERS - 1).astype(jnp.int32)
    types = jnp.full(LISTED_HOLDINGS, schema.fact_id("HOLDS"))
    rows = jnp.stack([types, counts, schema.first_of("item") + items], axis=-1)
    return only_if(items >= 0, schema.widen(rows))


def craft_rows(
    schema: Schema, recipes: Recipes, ingredients: Int16[Array, "*n m"]
) -> Int32[Array, "*n row"]:
    """The commands to craft by `recipes`, with these items for their ingredients."""
    first = schema.first_of("item")
    number = jnp.sum(recipes.ingredients >= 0, axis=-1)
    pairs = jnp.stack([recipes.counts, first + ingredients], axis=-1).astype(jnp.int32)
    pairs = jnp.where(recipes.ingredients[..., None] >= 0, pairs, NONE)
    head = jnp.stack(
        [schema.verb_id("craft_1") - 1 + number, recipes.output_count, first + recipes.output],
        axis=-1,
    ).astype(jnp.int32)
    return schema.widen(jnp.concatenate([head, pairs.reshape(*number.shape, -1)], axis=-1))


def get_rows(
    schema: Schema, counts: Int[Array, "*n"], items: Int[Array, "*n"]
) -> Int32[Array, "*n row"]:
    """The commands to get `counts` of `items`."""
    counts = jnp.clip(counts, 0, NUMBERS - 1)
    verbs = jnp.full(items.shape, schema.verb_id("get"))
    row = jnp.stack([verbs, counts, schema.first_of("item") + items], axis=-1)
    return schema.widen(row.astype(jnp.int32))
