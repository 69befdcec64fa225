"""The expert: gets all that is missing, then crafts, from whatever the state has become."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Int, Int32

from jaxagent.envs.textcraft.messages import craft_rows, get_rows
from jaxagent.envs.textcraft.recipes import ITEMS, Recipes
from jaxagent.envs.textcraft.rules import amounts
from jaxagent.envs.textcraft.state import State
from jaxagent.text import Schema

_DEPTH = 4
"""Most crafts on the way to a goal."""


def advise(schema: Schema, state: State, recipes: Recipes) -> Int32[Array, "row"]:
    """The expert's command.

    Needs are added up level by level, so that siblings may share an ingredient. As long as a base
    item is short, the first one is got, all that is missing at once; then the first recipe that is
    needed and possible is crafted.

    Args:
        schema: the words' schema.
        state: the state to act in.
        recipes: the recipes shown.
    """
    plan = planned(state, recipes)
    crafts = missing_crafts(state, plan)
    missing = missing_bases(state, plan, crafts)
    possible = jnp.all(amounts(state, plan.ingredients) >= plan.counts, axis=-1) & (crafts > 0)
    craft = craft_rows(schema, plan, plan.ingredients)[jnp.argmax(possible)]
    short = missing > 0
    base = jnp.argmax(short)
    get = get_rows(schema, missing[base], state.bases[base])
    return jnp.where(jnp.any(short), get, craft)


def planned(state: State, recipes: Recipes) -> Recipes:
    """The recipes of the plan, the expert's own members in place of groups; -1 where none is."""
    there = state.plan >= 0
    output, output_count, ingredients, counts = (
        recipes.output[state.plan],
        recipes.output_count[state.plan],
        recipes.ingredients[state.plan],
        recipes.counts[state.plan],
    )
    member = state.members[jnp.maximum(ingredients - len(ITEMS), 0)]
    return Recipes(
        jnp.where(there, output, -1),
        output_count,
        jnp.where(there[:, None], jnp.where(ingredients >= len(ITEMS), member, ingredients), -1),
        jnp.where(there[:, None], counts, 0),
    )


def missing_crafts(state: State, plan: Recipes) -> Int[Array, "needed"]:
    """How often each recipe of the plan has still to be crafted."""
    held = amounts(state, plan.output)
    is_part = (plan.ingredients[..., None] == plan.output) & (plan.output >= 0)
    uses = jnp.sum(jnp.where(is_part, plan.counts[..., None], 0), axis=1, dtype=jnp.int32)
    goal = (plan.output == state.goal).astype(jnp.int32)
    crafts = goal
    for _ in range(_DEPTH - 1):
        need = jnp.sum(crafts[:, None] * uses, axis=0)
        batches = -(-(need - held) // jnp.maximum(plan.output_count, 1).astype(jnp.int32))
        crafts = jnp.where(goal > 0, 1, jnp.maximum(batches, 0))
    return crafts


def missing_bases(state: State, plan: Recipes, crafts: Int[Array, "needed"]) -> Int[Array, "bases"]:
    """How many of each of the state's base items have still to be got."""
    needs = crafts[:, None] * plan.counts
    is_base = state.bases[:, None, None] == plan.ingredients
    need = jnp.sum(jnp.where(is_base, needs, 0), axis=(1, 2))
    return jnp.where(state.bases >= 0, need - amounts(state, state.bases), 0)
