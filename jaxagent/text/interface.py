"""Interfaces: the sentences in which facts and commands are put. The interface knob of the study.

An environment brings, for every interface, one template per fact type and per verb: words and
argument names in braces, split at spaces, e.g. `"got {count} {item}"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxagent.text.schema import Fact, Schema, Verb

INTERFACES = ("terse", "prose", "call", "paraphrase", "tags")
"""`terse`: as few words as possible. `prose`: full sentences in the manner of the originals.
`call`: function-call syntax for commands, key-value observations. Two are for evaluation alone,
`HELD_OUT`. `paraphrase`: full sentences in other words and another order. `tags`: fields between
tags."""

HELD_OUT = ("paraphrase", "tags")
"""The interfaces that no study trains on, so that every policy meets them for the first time."""

LISTINGS = ("never", "first", "on_error", "every_turn")
"""When the valid commands are listed."""

ERRORS = ("reason", "fixed", "silent")
"""What is said of a command that has no effect: the reason, a fixed sentence, or nothing."""

ASIDE_COUNTS = (0, 1, 2, 4)
"""How many remarks that have nothing to do with the goal are added to every message."""

SEPARATOR = ","
"""The word behind each entry of a list of commands."""


@dataclass(frozen=True)
class Phrases:
    """An environment's templates under one interface: fact name and verb name -> template."""

    facts: Mapping[str, str]
    verbs: Mapping[str, str]


COMMON_PHRASES: Mapping[str, Mapping[str, str]] = {
    "terse": {
        "NOTHING": "",
        "NO_EFFECT": "nothing happens",
        "COMMANDS": "can :",
        "ASIDE": "{aside_thing} {aside_state}",
    },
    "prose": {
        "NOTHING": "",
        "NO_EFFECT": "nothing happens .",
        "COMMANDS": "available actions :",
        "ASIDE": "the {aside_thing} is {aside_state} .",
    },
    "call": {
        "NOTHING": "",
        "NO_EFFECT": "result = nothing ;",
        "COMMANDS": "commands = [",
        "ASIDE": "{aside_thing} = {aside_state} ;",
    },
    "paraphrase": {
        "NOTHING": "",
        "NO_EFFECT": "that changes nothing at all .",
        "COMMANDS": "you may now :",
        "ASIDE": "how {aside_state} the {aside_thing} is !",
    },
    "tags": {
        "NOTHING": "",
        "NO_EFFECT": "<nothing/>",
        "COMMANDS": "<commands/>",
        "ASIDE": "<aside> {aside_thing} {aside_state} </aside>",
    },
}
"""Templates of the facts that every environment has."""


def fact_template(schema: Schema, phrases: Phrases, interface: str, fact: Fact) -> list[str]:
    """The words and slots of `fact` under `interface`."""
    return _template(fact, {**phrases.facts, **COMMON_PHRASES[interface]}, f"{interface} facts")


def verb_template(schema: Schema, phrases: Phrases, interface: str, verb: Verb) -> list[str]:
    """The words and slots of `verb` under `interface`; nothing for `INVALID`."""
    return _template(verb, {"INVALID": "", **phrases.verbs}, f"{interface} verbs")


def slot_of(word: str, args: tuple[tuple[str, str], ...]) -> int | None:
    """Index of the argument that `word` stands for, or None if it is a plain word."""
    if "{" not in word and "}" not in word:
        return None
    names = [name for name, _ in args]
    if word not in [f"{{{name}}}" for name in names]:
        raise ValueError(f"slot {word} is not an argument; expected one of {names} in braces")
    return names.index(word[1:-1])


def _template(item: Fact | Verb, templates: Mapping[str, str], where: str) -> list[str]:
    if item.name not in templates:
        raise ValueError(f"{where}: no template for {item.name}")
    words = templates[item.name].split()
    try:
        for word in words:
            slot_of(word, item.args)
    except ValueError as error:
        raise ValueError(f"{where}, {item.name}: {error}") from None
    return words
