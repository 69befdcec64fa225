"""TextCraft's words: what it can state, what it can be told, and the sentences for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from jaxagent.envs.textcraft.recipes import (
    GROUPS,
    ITEMS,
    LISTED_HOLDINGS,
    LISTED_MEMBERS,
    SHOWN,
)
from jaxagent.text import Phrases, Schema, Verb, fact, verb

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


@cache
def make_phrases(ingredients: int) -> Mapping[str, Phrases]:
    """The sentences of a TextCraft whose recipes have at most `ingredients`."""
    return {
        "terse": Phrases(_TERSE, _commands("get {count} {item}", ingredients, _terse_craft)),
        "prose": Phrases(_PROSE, _commands("get {count} {item}", ingredients, _prose_craft)),
        "call": Phrases(
            _CALL, _commands("get ( {item} , count = {count} )", ingredients, _call_craft)
        ),
    }


_TERSE = {
    "RECIPE": "craft {output_count} {output} {count} {ingredient}",
    "AND": "{count} {ingredient}",
    "MEMBER": "{item} is {group}",
    "GOAL": "goal {item}",
    "CRAFTED": "crafted {count} {item}",
    "GOT": "got {count} {item}",
    "CARRYING": "have",
    "HOLDS": "{count} {item}",
    "EMPTY": "have nothing",
    "NOT_FOUND": "no {item}",
    "NOT_ENOUGH": "short for {item}",
    "NO_RECIPE": "no recipe {item}",
    "NOT_EXECUTED": "what",
}

_PROSE = {
    "RECIPE": ". craft {output_count} {output} using {count} {ingredient}",
    "AND": ", {count} {ingredient}",
    "MEMBER": ". any {item} counts as {group}",
    "GOAL": ". goal : craft {item} .",
    "CRAFTED": "crafted {count} {item} .",
    "GOT": "got {count} {item} .",
    "CARRYING": "inventory :",
    "HOLDS": "{count} {item} ,",
    "EMPTY": "inventory : you are not carrying anything .",
    "NOT_FOUND": "could not find {item} .",
    "NOT_ENOUGH": "could not find enough items to craft {item} .",
    "NO_RECIPE": "could not find a valid recipe for {item} .",
    "NOT_EXECUTED": "could not execute that .",
}

_CALL = {
    "RECIPE": "recipe = {output_count} {output} <- {count} {ingredient}",
    "AND": "+ {count} {ingredient}",
    "MEMBER": "{group} = {item}",
    "GOAL": "goal = {item} ;",
    "CRAFTED": "crafted = {count} {item} ;",
    "GOT": "got = {count} {item} ;",
    "CARRYING": "inventory =",
    "HOLDS": "{count} {item} ;",
    "EMPTY": "inventory = none ;",
    "NOT_FOUND": "error = no item {item} ;",
    "NOT_ENOUGH": "error = too few for {item} ;",
    "NO_RECIPE": "error = no recipe {item} ;",
    "NOT_EXECUTED": "error = no command ;",
}


def _craft_verb(ingredients: int) -> Verb:
    """To craft: count and item of the output, then of every ingredient."""
    args = {"count": "number", "item": _THING}
    for k in range(1, ingredients + 1):
        args |= {f"n{k}": "number", f"a{k}": _THING}
    return verb(f"craft_{ingredients}", **args)


def _commands(get: str, ingredients: int, craft: Callable[[list[str]], str]) -> dict[str, str]:
    pairs = [f"{{n{k}}} {{a{k}}}" for k in range(1, ingredients + 1)]
    crafts = {f"craft_{k}": craft(pairs[:k]) for k in range(1, ingredients + 1)}
    return {"get": get, "inventory": "inventory", **crafts}


def _terse_craft(pairs: list[str]) -> str:
    return "craft {count} {item} " + " ".join(pairs)


def _prose_craft(pairs: list[str]) -> str:
    return "craft {count} {item} using " + " , ".join(pairs)


def _call_craft(pairs: list[str]) -> str:
    return "craft ( {item} , count = {count} , using = " + " + ".join(pairs) + " )"
