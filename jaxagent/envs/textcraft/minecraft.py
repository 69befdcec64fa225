"""Recipes of Minecraft: fixed, all of them in force, some of them shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int16, Int32

from jaxagent.envs.chance import blocks, integers
from jaxagent.envs.order import first_where, ordering, repeated
from jaxagent.envs.textcraft import plans
from jaxagent.envs.textcraft.assemble import assemble
from jaxagent.envs.textcraft.recipes import (
    ABSENT,
    BASES,
    GROUP_OF,
    INGREDIENTS,
    IS_BASE,
    MINECRAFT,
    NEEDED,
    SHOWN,
    TABLE,
    THINGS,
    Recipes,
    recipes_by,
)
from jaxagent.envs.textcraft.state import Knowledge, Order, State

_KIN, _STRANGERS = 24, 12
"""How many distractors are drawn among recipes of a common ingredient, and among all."""


class MinecraftParams(flax.struct.PyTreeNode):
    """What an instance is drawn from.

    Attributes:
        least_depth, most_depth: int32[], crafts on the longest way to the goal.
        distractors: int32[], recipes shown that the expert does not use.
        split: int32[], place in `SPLITS`: which items can be goals, and, if it is that of training,
            that no recipe of another item is shown.
    """

    least_depth: Int32[Array, ""]
    most_depth: Int32[Array, ""]
    distractors: Int32[Array, ""]
    split: Int32[Array, ""]


class _Tables(NamedTuple):
    """Recipes by what they make, and the ones that can be distractors by what they use.

    Attributes:
        makers: Recipes[things, recipes of one output].
        users: int16[things, most], numbers of recipes.
        uses: int32[things], how many of `users` there are.
        distractors: int16[n], all recipes that can be distractors.
    """

    makers: Recipes
    users: np.ndarray
    uses: np.ndarray
    distractors: np.ndarray


@dataclass(frozen=True)
class Minecraft:
    """The source of Minecraft's recipes (`state.Source`). Its book is the recipes' numbers."""

    ingredients: int = INGREDIENTS
    # No plan has more than 5 of them, no distractor more than 1.
    extra: int = 5 + SHOWN - NEEDED

    def draw(self, key: Array, params: MinecraftParams) -> State:
        """A goal of the depth, one of its plans, distractors, all in random order."""
        which, kin, strangers, order = blocks(key, (2,), (3, _KIN), (_STRANGERS,), (SHOWN,))
        goal, plan = _draw_plan(which, params)
        needed = jnp.asarray(plans.all_plans().recipes)[plan]
        distractors = _draw_distractors(kin, strangers, needed, params)
        numbers = jnp.concatenate([needed, distractors])
        members = jnp.asarray(plans.all_plans().members)[plan]
        bases = _base_items(self.shown(numbers))
        return assemble(goal, numbers, numbers != ABSENT, ordering(order), members, bases)

    def shown(self, book: Int16[Array, "shown"]) -> Recipes:
        """Recipes[SHOWN] of their numbers."""
        return jax.tree.map(lambda column: jnp.asarray(column)[book], MINECRAFT)

    def know(self, book: Int16[Array, "shown"], order: Order) -> Knowledge:
        """All recipes count, shown or not."""
        del book
        return Knowledge(
            candidates=jax.tree.map(lambda c: jnp.asarray(c)[order.thing], _tables().makers),
            is_base=_are_base(order.thing),
            groups=self.groups_of(None, order.ingredients),
        )

    def groups_of(self, book: object, things: Int16[Array, "*n"]) -> Int16[Array, "*n"]:
        """The group that each thing is a member of, or -1."""
        del book
        return jnp.where(things < 0, -1, jnp.asarray(GROUP_OF)[things]).astype(jnp.int16)


def _are_base(things: Int16[Array, "*n"]) -> Bool[Array, "*n"]:
    """Whether each thing is one of the 132 items that no recipe makes."""
    return (things >= 0) & jnp.asarray(IS_BASE)[things]


def _base_items(recipes: Recipes) -> Int16[Array, "bases"]:
    """The first base items of the recipes, -1 behind."""
    things = recipes.ingredients.reshape(-1)
    first = _are_base(things) & ~repeated(things)
    return first_where(things, first, BASES, -1)


@cache
def _tables() -> _Tables:
    sizes = np.sum(MINECRAFT.ingredients >= 0, axis=1)
    rows = TABLE["recipes"]
    short = [r for r in range(ABSENT) if sizes[r] <= 2 and rows[r] not in rows[:r]]
    things = range(len(THINGS))
    makers = recipes_by([np.flatnonzero(MINECRAFT.output == t).tolist() for t in things])
    used = {r: set(MINECRAFT.ingredients[r].tolist()) for r in short}
    users = [[r for r in short if t in used[r]] for t in things]
    return _Tables(
        makers=jax.tree.map(lambda column: column[makers], MINECRAFT),
        users=recipes_by(users),
        uses=np.array([len(row) for row in users], np.int32),
        distractors=np.array(short, np.int16),
    )


@cache
def _goals_by_depth() -> tuple[np.ndarray, np.ndarray]:
    """Goals of every split by depth: places in `all_plans`, and where each depth begins.

    Returns:
        int32[splits, goals], those that are not of the split behind; int32[splits, depths + 1].
    """
    table = plans.all_plans()
    unseen = plans.unseen_goals()[table.goals]
    depths = np.arange(table.depths.max() + 2)
    order = [
        np.argsort(np.where(mask, table.depths, 99), kind="stable") for mask in (~unseen, unseen)
    ]
    begin = [np.searchsorted(np.sort(table.depths[mask]), depths) for mask in (~unseen, unseen)]
    return np.stack(order).astype(np.int32), np.stack(begin).astype(np.int32)


def _draw_plan(
    noise: Float[Array, "2"], params: MinecraftParams
) -> tuple[Int16[Array, ""], Int[Array, ""]]:
    """A goal, uniform over those of the depth and the split, and one of its plans, uniform too."""
    table, (order, begin) = plans.all_plans(), _goals_by_depth()
    begin = jnp.asarray(begin)[params.split]
    place = integers(noise[0], begin[params.least_depth], begin[params.most_depth + 1])
    chosen = jnp.asarray(order)[params.split, place]
    offset = integers(noise[1], 0, jnp.asarray(table.number)[chosen])
    return jnp.asarray(table.goals)[chosen], jnp.asarray(table.first)[chosen] + offset


def _draw_distractors(
    kin: Float[Array, "3 kin"],
    strangers: Float[Array, "strangers"],
    needed: Int16[Array, "needed"],
    params: MinecraftParams,
) -> Int16[Array, "shown-needed"]:
    """Distinct recipes that are not needed, `ABSENT` behind.

    As in the original they share an ingredient with a needed one. Where too few do, any recipe
    will serve, so that the number shown tells nothing.
    """
    short = jnp.asarray(_tables().distractors)
    strangers = short[integers(strangers, 0, len(short))]
    drawn = jnp.concatenate([_kin(kin, needed), strangers])
    fresh = (drawn != ABSENT) & ~repeated(drawn)
    fresh &= ~jnp.any(drawn[:, None] == needed, axis=1)
    fresh &= (params.split == 1) | ~jnp.asarray(_of_unseen())[drawn]
    size = SHOWN - NEEDED
    chosen = first_where(drawn.astype(jnp.int16), fresh, size, ABSENT)
    return jnp.where(jnp.arange(size) < params.distractors, chosen, jnp.int16(ABSENT))


@cache
def _of_unseen() -> np.ndarray:
    """bool[recipes]: which recipes make an item that is held out as a goal."""
    return plans.unseen_goals()[MINECRAFT.output] & (MINECRAFT.output >= 0)


def _kin(noise: Float[Array, "3 kin"], needed: Int16[Array, "needed"]) -> Int16[Array, "kin"]:
    """Recipes that use an ingredient of a needed recipe, `ABSENT` where no other does."""
    tables = _tables()
    recipe = needed[integers(noise[0], 0, jnp.sum(needed != ABSENT))]
    ingredients = jnp.asarray(MINECRAFT.ingredients)[recipe]
    slot = integers(noise[1], 0, jnp.sum(ingredients >= 0, axis=1))
    thing = jnp.take_along_axis(ingredients, slot[:, None], axis=1)[:, 0]
    return jnp.asarray(tables.users)[thing, integers(noise[2], 0, jnp.asarray(tables.uses)[thing])]
