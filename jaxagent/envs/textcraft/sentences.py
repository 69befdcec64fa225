"""TextCraft's sentences, by interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from jaxagent.text import Phrases


@cache
def make_phrases(ingredients: int) -> Mapping[str, Phrases]:
    """The sentences of a TextCraft whose recipes have at most `ingredients`."""
    return {
        name: Phrases(facts, _commands(get, inventory, ingredients, craft))
        for name, (facts, get, inventory, craft) in _MANNERS.items()
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
    "RECIPE": "* craft {output_count} {output} using {count} {ingredient}",
    "AND": ", {count} {ingredient}",
    "MEMBER": "* any {item} counts as {group}",
    "GOAL": "* goal : craft {item} .",
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

_PARAPHRASE = {
    "RECIPE": "* to obtain {output_count} {output} combine {count} {ingredient}",
    "AND": "with {count} {ingredient}",
    "MEMBER": "* for {group} one may take {item}",
    "GOAL": "* your task is to obtain {item} !",
    "CRAFTED": "{item} obtained , {count} of it .",
    "GOT": "{item} taken , {count} of it .",
    "CARRYING": "in the bag there are",
    "HOLDS": "{item} times {count} ;",
    "EMPTY": "there is nothing in the bag .",
    "NOT_FOUND": "{item} is nowhere to be taken .",
    "NOT_ENOUGH": "for {item} you lack the parts .",
    "NO_RECIPE": "{item} does not come about like this .",
    "NOT_EXECUTED": "that makes no sense .",
}

_TAGS = {
    "RECIPE": "<recipe> {output_count} {output} </recipe> <part> {count} {ingredient} </part>",
    "AND": "<part> {count} {ingredient} </part>",
    "MEMBER": "<group> {group} </group> <member> {item} </member>",
    "GOAL": "<goal> {item} </goal>",
    "CRAFTED": "<crafted> {count} {item} </crafted>",
    "GOT": "<got> {count} {item} </got>",
    "CARRYING": "<inventory/>",
    "HOLDS": "<item> {count} {item} </item>",
    "EMPTY": "<inventory/> <empty/>",
    "NOT_FOUND": "<missing> {item} </missing>",
    "NOT_ENOUGH": "<short> {item} </short>",
    "NO_RECIPE": "<wrong> {item} </wrong>",
    "NOT_EXECUTED": "<unread/>",
}


def _commands(
    get: str, inventory: str, ingredients: int, craft: Callable[[list[str]], str]
) -> dict[str, str]:
    pairs = [f"{{n{k}}} {{a{k}}}" for k in range(1, ingredients + 1)]
    crafts = {f"craft_{k}": craft(pairs[:k]) for k in range(1, ingredients + 1)}
    return {"get": get, "inventory": inventory, **crafts}


def _terse_craft(pairs: list[str]) -> str:
    return "craft {count} {item} " + " ".join(pairs)


def _prose_craft(pairs: list[str]) -> str:
    return "craft {count} {item} using " + " , ".join(pairs)


def _call_craft(pairs: list[str]) -> str:
    return "craft ( {item} , count = {count} , using = " + " + ".join(pairs) + " )"


def _paraphrase_craft(pairs: list[str]) -> str:
    return "combine " + " with ".join(pairs) + " to obtain {item} times {count}"


def _tags_craft(pairs: list[str]) -> str:
    parts = " ".join(f"<part> {pair} </part>" for pair in pairs)
    return "<craft> {count} {item} </craft> " + parts


_MANNERS = {
    "terse": (_TERSE, "get {count} {item}", "inventory", _terse_craft),
    "prose": (_PROSE, "get {count} {item}", "inventory", _prose_craft),
    "call": (_CALL, "get ( {item} , count = {count} )", "inventory", _call_craft),
    "paraphrase": (
        _PARAPHRASE,
        "take {item} times {count}",
        "look into the bag",
        _paraphrase_craft,
    ),
    "tags": (_TAGS, "<get> {count} {item} </get>", "<inventory/>", _tags_craft),
}
"""Interface -> its facts, and its ways to say "get", "inventory" and "craft"."""
