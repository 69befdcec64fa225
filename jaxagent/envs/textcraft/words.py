"""TextCraft's schema: what it can state and what it can be told."""

from __future__ import annotations

from functools import cache

from jaxagent.envs.textcraft.recipes import (
    GROUPS,
    ITEMS,
    LISTED_HOLDINGS,
    LISTED_MEMBERS,
    SHOWN,
)
from jaxagent.text import Schema, Verb, fact, verb

GET, INVENTORY, CRAFT = 1, 2, 3
"""Ids of the verbs; `CRAFT - 1 + k` is to craft out of `k` ingredients."""

_THING = "item|group"


@cache
def make_schema(ingredients: int, extra: int) -> Schema:
    """The schema of a TextCraft whose recipes have at most `ingredients`.

    Args:
        ingredients: most ingredients of a recipe, and of a command to craft.
        extra: most ingredients behind the first ones of all recipes shown at once.
    """
    facts = (
        fact(
            "RECIPE",
            first=SHOWN,
            step=0,
            output_count="number",
            output="item",
            count="number",
            ingredient=_THING,
        ),
        fact("AND", first=extra, step=0, count="number", ingredient=_THING),
        fact("MEMBER", first=LISTED_MEMBERS, step=0, item="item", group="group"),
        fact("GOAL", first=1, step=0, item="item"),
        fact("CRAFTED", count="number", item="item"),
        fact("GOT", count="number", item="item"),
        fact("CARRYING"),
        fact("HOLDS", step=LISTED_HOLDINGS, count="number", item="item"),
        fact("EMPTY"),
        fact("NOT_FOUND", error=True, item=_THING),
        fact("NOT_ENOUGH", error=True, item=_THING),
        fact("NO_RECIPE", error=True, item=_THING),
        fact("NOT_EXECUTED", error=True),
    )
    verbs = (
        verb("get", count="number", item=_THING),
        verb("inventory"),
        *(_craft_verb(k) for k in range(1, ingredients + 1)),
    )
    return Schema({"item": ITEMS, "group": tuple(GROUPS)}, facts, verbs)


def _craft_verb(ingredients: int) -> Verb:
    """To craft: count and item of the output, then of every ingredient."""
    args = {"count": "number", "item": _THING}
    for k in range(1, ingredients + 1):
        args |= {f"n{k}": "number", f"a{k}": _THING}
    return verb(f"craft_{ingredients}", **args)
