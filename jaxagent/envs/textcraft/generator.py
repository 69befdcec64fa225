"""The generator of recipes: layered, solvable by construction, drawn out of one block of noise.

Things have local numbers here: `0 … SHOWN - 1` are the outputs of the recipes, the `BASES` behind
them the base items, and `GROUP` the one group. The first four recipes are a chain, recipe r of
depth r + 1, of which the goal is the last; the next three are extras, each an ingredient of a
recipe of the chain; the others are distractors.
"""

from __future__ import annotations

from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32, Int, Int32

from jaxagent.envs.chance import choose, integers, named_blocks
from jaxagent.envs.fusion import worked_out
from jaxagent.envs.order import arranged, ordering, ranks
from jaxagent.envs.textcraft.recipes import BASES, LISTED_MEMBERS, NEEDED, SHOWN, Recipes

_CHAIN, _EXTRAS, _DISTRACTORS = 4, NEEDED - 4, SHOWN - NEEDED
SLOTS = 3
GROUP, _NO_THING = SHOWN + BASES, -1
_NEEDED_BASES = 6
"""Base items that needed recipes use; the others only occur in distractors."""

_OUTPUT_COUNTS = (1, 2, 3, 4, 6, 8)
_BASE_COUNTS = (1, 1, 2, 2, 3, 3, 4, 8)
_MOST_CRAFTED = 3
"""Most that a recipe takes of something crafted."""

_NOISE = {
    "shape": (2 + _EXTRAS,),
    "places": ((_CHAIN - 1) * (SLOTS - 1),),
    "bases": (NEEDED, 1 + SLOTS),
    "counts": (NEEDED, SLOTS + 2),
    "distractors": (_DISTRACTORS, NEEDED + SLOTS + 6),
    "family": (2,),
    "slots": (SHOWN, SLOTS),
}
"""What is drawn -> shape of the noise that it is drawn from."""


class ProceduralParams(flax.struct.PyTreeNode):
    """What an instance is drawn from.

    Attributes:
        least_depth, most_depth: int32[], crafts on the longest way to the goal, 1 to 4.
        ingredients: int32[], most ingredients of a recipe, 1 to 3.
        least_extras, most_extras: int32[], needed recipes beside the chain, 0 to 3; as many as
            there are free slots in the chain.
        distractors: int32[], recipes shown that the expert does not use, 0 to 6.
        family: float32[], chance of a group: some variants of an item of depth 1 may stand for it.
        alternative: float32[], chance that a distractor makes a needed item in another way.
        split: int32[], place in `SPLITS`: which items the names are drawn from.
    """

    least_depth: Int32[Array, ""]
    most_depth: Int32[Array, ""]
    ingredients: Int32[Array, ""]
    least_extras: Int32[Array, ""]
    most_extras: Int32[Array, ""]
    distractors: Int32[Array, ""]
    family: Float32[Array, ""]
    alternative: Float32[Array, ""]
    split: Int32[Array, ""]


class Draft(NamedTuple):
    """Recipes of local things.

    Attributes:
        recipes: Recipes[SHOWN], the needed ones on the first `NEEDED` places.
        used: bool[SHOWN], which of them are there.
        goal: int32[], the goal, which is also the place of its recipe.
        is_member: bool[SHOWN], whether the output is a member of the group; if any is, the first.
    """

    recipes: Recipes
    used: Bool[Array, "shown"]
    goal: Int32[Array, ""]
    is_member: Bool[Array, "shown"]


class _Shape(NamedTuple):
    """Which needed recipes there are, and what they are made of.

    Attributes:
        depth: int32[], depth of the goal; its recipe is number `depth - 1`.
        used: bool[NEEDED], which recipes are there.
        level: int32[NEEDED], depth of each output.
        ingredients: int32[NEEDED, SLOTS], local things or -1.
    """

    depth: Int32[Array, ""]
    used: Bool[Array, "needed"]
    level: Int32[Array, "needed"]
    ingredients: Int32[Array, "needed slots"]


def draft(key: jax.Array, params: ProceduralParams) -> Draft:
    """The recipes of a new instance."""
    noise = named_blocks(key, _NOISE)
    shape = _draw_shape(noise["shape"], noise["places"], noise["bases"], params)
    needed = _draw_counts(noise["counts"], shape)
    recipes = _join(needed, _draw_distractors(noise["distractors"], shape, params))
    recipes, is_member = _draw_family(noise["family"], recipes, shape.depth, params)
    used = jnp.concatenate([shape.used, jnp.arange(_DISTRACTORS) < params.distractors])
    recipes = _shuffle_slots(noise["slots"], only(recipes, used))
    return Draft(recipes, used, shape.depth - 1, is_member & used)


def _draw_shape(
    noise: Float[Array, "2+extras"],
    places: Float[Array, "places"],
    bases: Float[Array, "needed 1+slots"],
    params: ProceduralParams,
) -> _Shape:
    """The chain, the extras, and base items in half of the slots that are left."""
    depth = integers(noise[0], params.least_depth, params.most_depth + 1)
    parent, slot, free = _draw_places(places, depth, params)
    extras = integers(noise[1], params.least_extras, params.most_extras + 1)
    there = jnp.arange(_EXTRAS) < jnp.minimum(extras, free)
    rows = jnp.arange(_CHAIN)
    level = jnp.concatenate([rows + 1, integers(noise[2:], 1, parent + 1)])
    ingredients = _draw_bases(bases, level, params)
    ingredients = ingredients.at[:, 0].set(jnp.where(level > 1, level - 2, ingredients[:, 0]))
    at = (parent[:, None, None] == jnp.arange(NEEDED)[:, None]) & (
        slot[:, None, None] == jnp.arange(SLOTS)
    )
    number = _CHAIN + jnp.arange(_EXTRAS)
    extra = jnp.max(jnp.where(at & there[:, None, None], number[:, None, None], -1), axis=0)
    return _Shape(
        depth=depth,
        used=jnp.concatenate([rows < depth, there]),
        level=level,
        ingredients=jnp.where(extra >= 0, extra, ingredients),
    )


def _draw_places(
    noise: Float[Array, "places"], depth: Int32[Array, ""], params: ProceduralParams
) -> tuple[Int[Array, "extras"], Int[Array, "extras"], Int[Array, ""]]:
    """Recipe of the chain and slot that each extra goes to, and how many there are to go to."""
    rows, slots = jnp.meshgrid(jnp.arange(1, _CHAIN), jnp.arange(1, SLOTS), indexing="ij")
    free = ((rows < depth) & (slots < params.ingredients)).reshape(-1)
    chosen = ordering(noise + ~free)[:_EXTRAS]
    return rows.reshape(-1)[chosen], slots.reshape(-1)[chosen], jnp.sum(free)


def _draw_bases(
    noise: Float[Array, "needed 1+slots"], level: Int[Array, "needed"], params: ProceduralParams
) -> Int[Array, "needed slots"]:
    """A base item in the first slot and, by halves, in the others; distinct within a recipe."""
    start = integers(noise[:, :1], 0, _NEEDED_BASES)
    slots = jnp.arange(SLOTS)
    filled = (noise[:, 1:] < 0.5) & (slots < params.ingredients)
    is_chain = (jnp.arange(NEEDED) < _CHAIN) & (level > 1)
    filled &= is_chain[:, None] | (slots < 2)
    base = SHOWN + (start + slots) % _NEEDED_BASES
    return jnp.where(filled | (slots == 0), base, _NO_THING)


def _draw_counts(noise: Float[Array, "needed slots+2"], shape: _Shape) -> Recipes:
    """Counts for the needed recipes, so that few crafts will do: level by level from the goal down.

    An output count is the least in `_OUTPUT_COUNTS` with which one craft, or two, make what is
    needed, so that at most 3 crafts of any item are needed.
    """
    counts = _amounts(noise[:, :SLOTS], shape.ingredients)
    is_part = shape.ingredients[..., None] == jnp.arange(NEEDED)
    uses = jnp.sum(jnp.where(is_part, counts[..., None], 0), axis=1) * shape.used[:, None]
    crafts = (jnp.arange(NEEDED) == shape.depth - 1).astype(jnp.int32)
    output_counts = choose(noise[:, -1], _OUTPUT_COUNTS[:4])
    batches = integers(noise[:, -2], 1, 3)
    options = jnp.array(_OUTPUT_COUNTS)
    for level in range(_CHAIN - 1, 0, -1):
        need = crafts @ uses
        enough = options * batches[:, None] >= need[:, None]
        least = jnp.min(jnp.where(enough, options, options[-1]), axis=1)
        here = (shape.level == level) & (level < shape.depth)
        output_counts = jnp.where(here, least, output_counts)
        crafts = jnp.where(here, -(-need // least), crafts)
    return Recipes(jnp.arange(NEEDED), output_counts, shape.ingredients, counts)


def _draw_distractors(
    noise: Float[Array, "distractors columns"], shape: _Shape, params: ProceduralParams
) -> Recipes:
    """Recipes of an ingredient that a needed recipe has too, and perhaps of another base item.

    An alternative makes a needed item out of base items that no needed recipe uses.
    """
    row = jnp.argmax(noise[:, :NEEDED] * shape.used, axis=1)
    slot, other, fresh, second, third, output = noise[:, NEEDED + SLOTS :].T
    shared = shape.ingredients[row, integers(slot, 0, SLOTS)]
    shared = jnp.where(shared < 0, shape.ingredients[row, 0], shared)
    is_other = (other < params.alternative) & (row != shape.depth - 1)
    first = jnp.where(is_other, SHOWN + integers(fresh, _NEEDED_BASES, BASES), shared)
    base = SHOWN + integers(second, 0, BASES)
    base = jnp.where(base == first, SHOWN + (base - SHOWN + 1) % BASES, base)
    base = jnp.where((third < 0.5) & (params.ingredients > 1), base, _NO_THING)
    ingredients = jnp.stack([first, base, jnp.full_like(base, _NO_THING)], axis=1)
    return Recipes(
        jnp.where(is_other, row, NEEDED + jnp.arange(_DISTRACTORS)),
        choose(output, _OUTPUT_COUNTS),
        ingredients,
        _amounts(noise[:, NEEDED : NEEDED + SLOTS], ingredients),
    )


def _draw_family(
    noise: Float[Array, "2"], recipes: Recipes, depth: Int[Array, ""], params: ProceduralParams
) -> tuple[Recipes, Bool[Array, "shown"]]:
    """Perhaps turns the first recipe's output into a member of a group.

    One to three distractors become variants of the first recipe, out of other base items, and all
    that needed its output takes any member.

    Returns:
        The recipes, and of which ones the outputs are members.
    """
    there = (noise[0] < params.family) & (depth > 1)
    variant = jnp.arange(SHOWN) - NEEDED
    number = integers(noise[1], 1, LISTED_MEMBERS)
    is_variant = there & (variant >= 0) & (variant < number)
    slots = jnp.arange(SLOTS)
    first = recipes.ingredients[0]
    copy = jnp.where(slots == 0, SHOWN + _NEEDED_BASES + variant[:, None], first)
    generic = jnp.where(there & (recipes.ingredients == 0), GROUP, recipes.ingredients)
    varied = Recipes(
        jnp.where(is_variant, jnp.arange(SHOWN), recipes.output),
        jnp.where(is_variant, recipes.output_count[0], recipes.output_count),
        jnp.where(is_variant[:, None], copy, generic),
        jnp.where(is_variant[:, None], recipes.counts[0], recipes.counts),
    )
    return varied, is_variant | (there & (jnp.arange(SHOWN) == 0))


def _shuffle_slots(noise: Float[Array, "shown slots"], recipes: Recipes) -> Recipes:
    """The ingredients of every recipe in random order, without gaps."""
    ingredients, counts = worked_out(recipes.ingredients.T), worked_out(recipes.counts.T)
    places = ranks(noise.T + (ingredients < 0))
    return recipes.replace(
        ingredients=arranged(ingredients, places).T, counts=arranged(counts, places).T
    )


def _amounts(noise: Float[Array, "*n"], ingredients: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """How many of each ingredient a recipe takes; 0 where there is none."""
    crafted = integers(noise, 1, _MOST_CRAFTED + 1)
    amounts = jnp.where(ingredients < SHOWN, crafted, choose(noise, _BASE_COUNTS))
    return jnp.where(ingredients < 0, 0, amounts)


def only(recipes: Recipes, where: Bool[Array, "*n"]) -> Recipes:
    """The recipes under the mask, the others made absent."""
    return Recipes(
        jnp.where(where, recipes.output, -1),
        jnp.where(where, recipes.output_count, 0),
        jnp.where(where[..., None], recipes.ingredients, -1),
        jnp.where(where[..., None], recipes.counts, 0),
    )


def _join(first: Recipes, second: Recipes) -> Recipes:
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second)
