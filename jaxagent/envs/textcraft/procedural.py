"""Recipes drawn afresh for every episode: layered, solvable by construction, nothing to memorise.

While an instance is drawn its things have local numbers: `0 … SHOWN - 1` are the outputs of the
recipes, the `BASES` behind them the base items, and `_GROUP` the one group. The first four recipes
are a chain, recipe r of depth r + 1, of which the goal is the last; the next three are extras,
each an ingredient of a recipe of the chain; the others are distractors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32, Int, Int16, Int32

from jaxagent.envs.textcraft.assemble import assemble
from jaxagent.envs.textcraft.chance import choose, integers, ordering
from jaxagent.envs.textcraft.recipes import (
    BASES,
    GROUPS,
    ITEMS,
    LISTED_MEMBERS,
    NEEDED,
    SHOWN,
    Recipes,
)
from jaxagent.envs.textcraft.splits import draw_items
from jaxagent.envs.textcraft.state import Knowledge, Order, State

_CHAIN, _EXTRAS, _DISTRACTORS = 4, NEEDED - 4, SHOWN - NEEDED
_SLOTS = 3
_GROUP, _NO_THING = SHOWN + BASES, -1
_NEEDED_BASES = 6
"""Base items that needed recipes use; the others only occur in distractors."""

_OUTPUT_COUNTS = (1, 2, 3, 4, 6, 8)
_BASE_COUNTS = (1, 1, 2, 2, 3, 3, 4, 8)
_MOST_CRAFTED = 3
"""Most that a recipe takes of something crafted."""


@flax.struct.dataclass
class ProceduralParams:
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


@flax.struct.dataclass
class Book:
    """The recipes of an episode.

    Attributes:
        recipes: Recipes[SHOWN].
        group: int16[SHOWN], the group that the output of each recipe is a member of, or -1.
    """

    recipes: Recipes
    group: Int16[Array, "shown"]


class _Shape(NamedTuple):
    """Which needed recipes there are, and what they are made of.

    Attributes:
        depth: int32[], depth of the goal; its recipe is number `depth - 1`.
        used: bool[NEEDED], which recipes are there.
        level: int32[NEEDED], depth of each output.
        ingredients: int32[NEEDED, _SLOTS], local things or -1.
    """

    depth: Int32[Array, ""]
    used: Bool[Array, "needed"]
    level: Int32[Array, "needed"]
    ingredients: Int32[Array, "needed slots"]


@dataclass(frozen=True)
class Procedural:
    """The source of recipes that are drawn with the instance (`state.Source`)."""

    ingredients: int = _SLOTS
    extra: int = 17

    def draw(self, key: Array, params: ProceduralParams) -> State:
        """Shape, counts, distractors, family and names, each from a key of its own."""
        keys = jax.random.split(key, 7)
        shape = _draw_shape(keys[0], params)
        needed = _draw_counts(keys[1], shape)
        recipes = _join(needed, _draw_distractors(keys[2], shape, params))
        recipes, is_member = _draw_family(keys[3], recipes, shape.depth, params)
        there = jnp.arange(_DISTRACTORS) < params.distractors
        used = jnp.concatenate([shape.used, there])
        recipes = _shuffle_slots(keys[4], _only(recipes, used))
        noise = jax.random.uniform(keys[5], (1 + SHOWN,))
        group = len(ITEMS) + integers(noise[0], 0, len(GROUPS))
        book, names = _name(keys[6], recipes, is_member & used, group, params.split)
        member = jnp.where(is_member[0] & used[0], names[0], -1)
        members = jnp.where(jnp.arange(len(GROUPS)) == group - len(ITEMS), member, -1)
        order = ordering(noise[1:])
        return assemble(self, names[shape.depth - 1], book, used, order, members)

    def shown(self, book: Book) -> Recipes:
        """Recipes[SHOWN]: all there are."""
        return book.recipes

    def know(self, book: Book, order: Order) -> Knowledge:
        """Only the recipes of the book count."""
        return Knowledge(
            candidates=_only(book.recipes, book.recipes.output == order.thing),
            is_base=self.are_base(book, order.thing),
            groups=self.groups_of(book, order.ingredients),
        )

    def groups_of(self, book: Book, things: Int16[Array, "*n"]) -> Int16[Array, "*n"]:
        """The group that each thing is a member of, or -1."""
        is_output = (things[..., None] == book.recipes.output) & (things[..., None] >= 0)
        return jnp.max(jnp.where(is_output, book.group, jnp.int16(-1)), axis=-1)

    def are_base(self, book: Book, things: Int16[Array, "*n"]) -> Bool[Array, "*n"]:
        """Whether each thing is an item that some recipe uses and none makes."""
        known = jnp.any(things[..., None] == book.recipes.ingredients.reshape(-1), axis=-1)
        made = jnp.any(things[..., None] == book.recipes.output, axis=-1)
        return known & ~made & (things >= 0) & (things < len(ITEMS))


def _draw_shape(key: Array, params: ProceduralParams) -> _Shape:
    """The chain, the extras, and base items in half of the slots that are left."""
    key, place_key, base_key = jax.random.split(key, 3)
    noise = jax.random.uniform(key, (2 + _EXTRAS,))
    depth = integers(noise[0], params.least_depth, params.most_depth + 1)
    parent, slot, free = _draw_places(place_key, depth, params)
    extras = integers(noise[1], params.least_extras, params.most_extras + 1)
    there = jnp.arange(_EXTRAS) < jnp.minimum(extras, free)
    rows = jnp.arange(_CHAIN)
    level = jnp.concatenate([rows + 1, integers(noise[2:], 1, parent + 1)])
    ingredients = _draw_bases(base_key, level, params)
    ingredients = ingredients.at[:, 0].set(jnp.where(level > 1, level - 2, ingredients[:, 0]))
    at = (parent[:, None, None] == jnp.arange(NEEDED)[:, None]) & (
        slot[:, None, None] == jnp.arange(_SLOTS)
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
    key: Array, depth: Int32[Array, ""], params: ProceduralParams
) -> tuple[Int[Array, "extras"], Int[Array, "extras"], Int[Array, ""]]:
    """Recipe of the chain and slot that each extra goes to, and how many there are to go to."""
    rows, slots = jnp.meshgrid(jnp.arange(1, _CHAIN), jnp.arange(1, _SLOTS), indexing="ij")
    free = ((rows < depth) & (slots < params.ingredients)).reshape(-1)
    chosen = ordering(jax.random.uniform(key, free.shape) + ~free)[:_EXTRAS]
    return rows.reshape(-1)[chosen], slots.reshape(-1)[chosen], jnp.sum(free)


def _draw_bases(
    key: Array, level: Int[Array, "needed"], params: ProceduralParams
) -> Int[Array, "needed slots"]:
    """A base item in the first slot and, by halves, in the others; distinct within a recipe."""
    noise = jax.random.uniform(key, (NEEDED, 1 + _SLOTS))
    start = integers(noise[:, :1], 0, _NEEDED_BASES)
    slots = jnp.arange(_SLOTS)
    filled = (noise[:, 1:] < 0.5) & (slots < params.ingredients)
    is_chain = (jnp.arange(NEEDED) < _CHAIN) & (level > 1)
    filled &= is_chain[:, None] | (slots < 2)
    base = SHOWN + (start + slots) % _NEEDED_BASES
    return jnp.where(filled | (slots == 0), base, _NO_THING)


def _draw_counts(key: Array, shape: _Shape) -> Recipes:
    """Counts for the needed recipes, so that few crafts will do: level by level from the goal down.

    An output count is the least in `_OUTPUT_COUNTS` with which one craft, or two, make what is
    needed, so that at most 3 crafts of any item are needed.
    """
    noise = jax.random.uniform(key, (NEEDED, _SLOTS + 2))
    counts = _amounts(noise[:, :_SLOTS], shape.ingredients)
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


def _draw_distractors(key: Array, shape: _Shape, params: ProceduralParams) -> Recipes:
    """Recipes of an ingredient that a needed recipe has too, and perhaps of another base item.

    An alternative makes a needed item out of base items that no needed recipe uses.
    """
    noise = jax.random.uniform(key, (_DISTRACTORS, NEEDED + _SLOTS + 6))
    row = jnp.argmax(noise[:, :NEEDED] * shape.used, axis=1)
    slot, other, fresh, second, third, output = noise[:, NEEDED + _SLOTS :].T
    shared = shape.ingredients[row, integers(slot, 0, _SLOTS)]
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
        _amounts(noise[:, NEEDED : NEEDED + _SLOTS], ingredients),
    )


def _draw_family(
    key: Array, recipes: Recipes, depth: Int[Array, ""], params: ProceduralParams
) -> tuple[Recipes, Bool[Array, "shown"]]:
    """Perhaps turns the first recipe's output into a member of a group.

    One to three distractors become variants of the first recipe, out of other base items, and all
    that needed its output takes any member.

    Returns:
        The recipes, and of which ones the outputs are members.
    """
    noise = jax.random.uniform(key, (2,))
    there = (noise[0] < params.family) & (depth > 1)
    variant = jnp.arange(SHOWN) - NEEDED
    number = integers(noise[1], 1, LISTED_MEMBERS)
    is_variant = there & (variant >= 0) & (variant < number)
    slots = jnp.arange(_SLOTS)
    first = recipes.ingredients[0]
    copy = jnp.where(slots == 0, SHOWN + _NEEDED_BASES + variant[:, None], first)
    generic = jnp.where(there & (recipes.ingredients == 0), _GROUP, recipes.ingredients)
    varied = Recipes(
        jnp.where(is_variant, jnp.arange(SHOWN), recipes.output),
        jnp.where(is_variant, recipes.output_count[0], recipes.output_count),
        jnp.where(is_variant[:, None], copy, generic),
        jnp.where(is_variant[:, None], recipes.counts[0], recipes.counts),
    )
    return varied, is_variant | (there & (jnp.arange(SHOWN) == 0))


def _shuffle_slots(key: Array, recipes: Recipes) -> Recipes:
    """The ingredients of every recipe in random order, without gaps."""
    noise = jax.random.uniform(key, recipes.ingredients.shape)
    order = jax.vmap(ordering)(noise + (recipes.ingredients < 0))
    return recipes.replace(
        ingredients=jnp.take_along_axis(recipes.ingredients, order, axis=-1),
        counts=jnp.take_along_axis(recipes.counts, order, axis=-1),
    )


def _name(
    key: Array,
    recipes: Recipes,
    is_member: Bool[Array, "shown"],
    group: Int[Array, ""],
    split: Int[Array, ""],
) -> tuple[Book, Int16[Array, "local"]]:
    """The recipes under names drawn from the split, and the name of every local thing."""
    drawn = draw_items(key, SHOWN + BASES, split)
    names = jnp.concatenate([drawn, jnp.stack([group, -1]).astype(jnp.int16)])
    named = Recipes(
        names[recipes.output],
        recipes.output_count.astype(jnp.int8),
        names[recipes.ingredients],
        recipes.counts.astype(jnp.int8),
    )
    return Book(named, jnp.where(is_member, group, -1).astype(jnp.int16)), names


def _amounts(noise: Float[Array, "*n"], ingredients: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """How many of each ingredient a recipe takes; 0 where there is none."""
    crafted = integers(noise, 1, _MOST_CRAFTED + 1)
    amounts = jnp.where(ingredients < SHOWN, crafted, choose(noise, _BASE_COUNTS))
    return jnp.where(ingredients < 0, 0, amounts)


def _join(first: Recipes, second: Recipes) -> Recipes:
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second)


def _only(recipes: Recipes, where: Bool[Array, "*n"]) -> Recipes:
    """The recipes under the mask, the others made absent."""
    return Recipes(
        jnp.where(where, recipes.output, -1),
        jnp.where(where, recipes.output_count, 0),
        jnp.where(where[..., None], recipes.ingredients, -1),
        jnp.where(where[..., None], recipes.counts, 0),
    )
