"""Every way to craft every item of Minecraft, found once in plain Python.

A plan names one recipe for each item that has to be crafted and one member for each group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from math import ceil
from typing import NamedTuple

import numpy as np

from jaxagent.envs.textcraft.recipes import (
    ABSENT,
    GROUPS,
    MINECRAFT,
    NEEDED,
    TABLE,
    THINGS,
    thing,
)

TURNS = {1: 10, 2: 20, 3: 30, 4: 30}
"""Depth -> most turns that a plan may take."""

_BY_OUTPUT: dict[str, list[int]] = {}
for _number, (_output, _, _) in enumerate(TABLE["recipes"]):
    _BY_OUTPUT.setdefault(_output, []).append(_number)

Chosen = dict[str, int]
"""Crafted item -> number of the recipe that is used for it."""

Members = dict[str, str]
"""Group -> the member that is crafted for it."""


class Plans(NamedTuple):
    """The plans of all goals as arrays.

    Attributes:
        goals: int16[goals], the items that can be goals, all that have a plan.
        depths: int8[goals], the least depth of a plan.
        first: int32[goals], the goal's first plan.
        number: int32[goals], how many it has.
        recipes: int16[plans, NEEDED], numbers of the recipes, `ABSENT` behind.
        members: int16[plans, groups], the member for each group, or -1.
    """

    goals: np.ndarray
    depths: np.ndarray
    first: np.ndarray
    number: np.ndarray
    recipes: np.ndarray
    members: np.ndarray


@cache
def all_plans() -> Plans:
    """The plans of least depth, with at most `NEEDED` recipes, that fit the turns of their depth.

    Two of the 544 items have none: an anvil takes 36 turns, a block of netherite 48.
    """
    found = {goal: plans_of(goal) for goal in _BY_OUTPUT}
    goals = sorted((goal for goal, plans in found.items() if plans), key=thing)
    plans = [plan for goal in goals for plan in found[goal]]
    number = np.array([len(found[goal]) for goal in goals], np.int32)
    return Plans(
        goals=np.array([thing(goal) for goal in goals], np.int16),
        depths=np.array([depth_of(goal) for goal in goals], np.int8),
        first=np.concatenate([[0], np.cumsum(number)[:-1]]).astype(np.int32),
        number=number,
        recipes=np.array([_padded(chosen) for chosen, _ in plans], np.int16),
        members=np.array([_members(members) for _, members in plans], np.int16),
    )


@cache
def depth_of(name: str) -> int:
    """Crafts on the longest way to `name`, by the recipe and member that make it shortest.

    The original's minimum depth: 0 for a base item.
    """
    if name in GROUPS:
        return min(depth_of(member) for member in GROUPS[name])
    return min(
        (1 + max(depth_of(part) for part in _parts(r)) for r in _BY_OUTPUT.get(name, ())),
        default=0,
    )


@cache
def unseen_goals() -> np.ndarray:
    """bool[things]: every fourth of the goals that no plan of another goal crafts.

    So the recipes that make them can be held out of training altogether.
    """
    table = all_plans()
    outputs = MINECRAFT.output[table.recipes]
    own = np.repeat(table.goals, table.number)[:, None]
    parts = np.unique(outputs[outputs != own])
    unseen = np.zeros(len(THINGS), bool)
    unseen[np.setdiff1d(table.goals, parts)[::4]] = True
    return unseen


def plans_of(goal: str) -> list[tuple[Chosen, Members]]:
    """The plans for `goal` that `all_plans` keeps."""
    depth = depth_of(goal)
    return [
        (chosen, members)
        for chosen, members in _choices({}, {}, [goal])
        if plan_depth(goal, chosen, members, NEEDED + 1) == depth
        and plan_turns(goal, chosen, members) <= TURNS[depth]
    ]


def _choices(chosen: Chosen, members: Members, todo: list[str]) -> Iterator[tuple[Chosen, Members]]:
    """All ways to complete the choices so that everything in `todo` is provided for."""
    if len(chosen) > NEEDED:
        return
    if not todo:
        yield chosen, members
        return
    name, *rest = todo
    if name in GROUPS and name not in members:
        for member in GROUPS[name]:
            yield from _choices(chosen, {**members, name: member}, todo)
        return
    item = members.get(name, name)
    if item in chosen or item not in _BY_OUTPUT:
        yield from _choices(chosen, members, rest)
        return
    for recipe in _BY_OUTPUT[item]:
        yield from _choices({**chosen, item: recipe}, members, [*rest, *_parts(recipe)])


def plan_depth(name: str, chosen: Chosen, members: Members, limit: int) -> int:
    """Crafts on the longest way to `name` in a plan, up to `limit`: a circle has no end."""
    item = members.get(name, name)
    if item not in chosen or limit <= 0:
        return 0
    return 1 + max(plan_depth(part, chosen, members, limit - 1) for part in _parts(chosen[item]))


def plan_turns(goal: str, chosen: Chosen, members: Members) -> int:
    """Turns that a plan without circles takes: one to get each base item, and all crafts."""
    order = sorted(chosen, key=lambda item: -plan_depth(item, chosen, members, NEEDED + 1))
    need, turns = Counter({goal: 1}), 0
    for item in order:
        count: int = TABLE["recipes"][chosen[item]][1]
        used: list[tuple[int, str]] = TABLE["recipes"][chosen[item]][2]
        crafts = ceil(need[item] / count)
        turns += crafts
        for n, part in used:
            need[members.get(part, part)] += crafts * n
    return turns + len(need.keys() - chosen.keys())


def _parts(recipe: int) -> list[str]:
    return [name for _, name in TABLE["recipes"][recipe][2]]


def _padded(chosen: Chosen) -> list[int]:
    return [*chosen.values(), *[ABSENT] * (NEEDED - len(chosen))]


def _members(members: Members) -> list[int]:
    return [thing(members[group]) if group in members else -1 for group in GROUPS]
