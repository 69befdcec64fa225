"""ALFWorld's facts and verbs."""

from __future__ import annotations

from jaxagent.envs.alfworld.affordances import OBJECTS, RECEPTACLES
from jaxagent.envs.alfworld.state import PLACES, TASKS
from jaxagent.text import Fact, Schema, fact, verb

LISTED = 8
"""Most things that are said to lie in or on one receptacle."""

_THING = {"object": "object", "number": "number"}
_PLACE = {"receptacle": "receptacle", "place": "number"}
_TOOL = {"tool": "object", "which": "number"}

VERBS = (
    verb("go", **_PLACE),
    verb("open", **_PLACE),
    verb("close", **_PLACE),
    verb("take", **_THING, **_PLACE),
    verb("put", **_THING, **_PLACE),
    verb("examine", thing="object|receptacle", number="number"),
    verb("use", **_THING),
    verb("heat", **_THING, **_PLACE),
    verb("cool", **_THING, **_PLACE),
    verb("clean", **_THING, **_PLACE),
    verb("slice", **_THING, **_TOOL),
    verb("look"),
    verb("inventory"),
)

UNREAD = 0
GO, OPEN, CLOSE, TAKE, PUT, EXAMINE, USE, HEAT, COOL, CLEAN, SLICE, LOOK, INVENTORY = range(1, 14)
"""Ids of the verbs."""

EXAMINE_PLACE, DEEDS = 14, 15
"""To examine a receptacle is a deed of its own; a deed is a verb's id or this."""

ERRORS = (
    "NOT_UNDERSTOOD",
    "NO_PLACE",
    "ALREADY_AT",
    "NOT_AT",
    "NOT_OPENABLE",
    "ALREADY_OPEN",
    "ALREADY_CLOSED",
    "SHUT",
    "HANDS_FULL",
    "NOT_FOUND",
    "NO_TOOL",
    "NOT_HELD",
    "USELESS",
    "NOT_FITTING",
)
"""Why a command was not carried out; of several reasons the first is told."""


def _error(name: str) -> Fact:
    if name in ("NOT_UNDERSTOOD", "HANDS_FULL"):
        return fact(name, error=True)
    if name in ("NOT_FOUND", "NOT_HELD", "USELESS"):
        return fact(name, error=True, **_EITHER)
    if name == "NO_TOOL":
        return fact(name, error=True, **_TOOL)
    if name == "NOT_FITTING":
        return fact(name, error=True, **_THING, **_PLACE)
    return fact(name, error=True, **_PLACE)


_EITHER = {"object": "object|receptacle", "number": "number"}

SCHEMA = Schema(
    {"object": OBJECTS, "receptacle": RECEPTACLES},
    (
        fact("ROOM", first=1, step=0),
        fact("PLACE", first=PLACES - 1, step=0, **_PLACE),
        fact("LAST_PLACE", first=1, step=0, **_PLACE),
        *(
            fact(
                f"TASK_{task.upper()}",
                first=1,
                step=0,
                object="object",
                goal="object" if task == "light" else "receptacle",
            )
            for task in TASKS
        ),
        fact("ARRIVED", **_PLACE),
        fact("OPENED", **_PLACE),
        fact("CLOSED", **_PLACE),
        fact("TOOK", **_THING, **_PLACE),
        fact("PUT", **_THING, **_PLACE),
        fact("TURNED_ON", **_THING),
        fact("HEATED", **_THING, **_PLACE),
        fact("COOLED", **_THING, **_PLACE),
        fact("CLEANED", **_THING, **_PLACE),
        fact("CUT", **_THING, **_TOOL),
        fact("FACING", **_PLACE),
        fact("MIDDLE"),
        fact("CARRYING", **_THING),
        fact("EMPTY_HANDED"),
        fact("IS_CLOSED", **_PLACE),
        fact("INSIDE", **_PLACE),
        fact("UPON", **_PLACE),
        fact("NOTHING_SEEN"),
        fact("SEES", step=LISTED - 1, **_THING),
        fact("LAST_SEEN", **_THING),
        fact("ONLY_SEEN", **_THING),
        fact("PLAIN", **_THING),
        fact("IS_CLEAN", **_THING),
        fact("IS_HOT", **_THING),
        fact("IS_COOL", **_THING),
        fact("IS_SLICED", **_THING),
        *map(_error, ERRORS),
    ),
    VERBS,
)
"""Concepts, facts and verbs."""

FIRST_OBJECT, FIRST_RECEPTACLE = SCHEMA.first_of("object"), SCHEMA.first_of("receptacle")
"""Concepts of the first type of object and of receptacle."""
