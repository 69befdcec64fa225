"""ALFWorld's facts and verbs."""

from __future__ import annotations

from jaxagent.envs.alfworld.affordances import OBJECTS, RECEPTACLES
from jaxagent.envs.alfworld.state import PLACES, TASKS
from jaxagent.text import Fact, Schema, Verb

LISTED = 8
"""Most things that are said to lie in or on one receptacle."""

_Args = tuple[tuple[str, str], ...]
_THING: _Args = (("object", "object"), ("number", "number"))
_PLACE: _Args = (("receptacle", "receptacle"), ("place", "number"))
_TOOL: _Args = (("tool", "object"), ("which", "number"))

_VERBS = (
    Verb("go", _PLACE),
    Verb("open", _PLACE),
    Verb("close", _PLACE),
    Verb("take", _THING + _PLACE),
    Verb("put", _THING + _PLACE),
    Verb("examine", (("thing", "object|receptacle"), ("number", "number"))),
    Verb("use", _THING),
    Verb("heat", _THING + _PLACE),
    Verb("cool", _THING + _PLACE),
    Verb("clean", _THING + _PLACE),
    Verb("slice", _THING + _TOOL),
    Verb("look"),
    Verb("inventory"),
)

UNREAD = 0
GO, OPEN, CLOSE, TAKE, PUT, EXAMINE, USE, HEAT, COOL, CLEAN, SLICE, LOOK, INVENTORY = range(1, 14)
"""Ids of the verbs."""

EXAMINE_PLACE, DEEDS = 14, 15
"""To examine a receptacle is a deed of its own; a deed is a verb's id or this."""

_COMPLAINTS: dict[str, _Args] = {
    "NOT_UNDERSTOOD": (),
    "NO_PLACE": _PLACE,
    "ALREADY_AT": _PLACE,
    "NOT_AT": _PLACE,
    "NOT_OPENABLE": _PLACE,
    "ALREADY_OPEN": _PLACE,
    "ALREADY_CLOSED": _PLACE,
    "SHUT": _PLACE,
    "HANDS_FULL": (),
    "NOT_FOUND": _THING,
    "NO_TOOL": _TOOL,
    "NOT_HELD": _THING,
    "USELESS": _THING,
    "NOT_FITTING": _THING + _PLACE,
}

ERRORS = tuple(_COMPLAINTS)
"""Why a command was not carried out; of several reasons the first is told."""


def _opens(name: str, args: _Args = (), most: int = 1) -> Fact:
    """A fact of the first message."""
    return Fact(name, args, first=most, step=0)


def _asks(task: str) -> Fact:
    """The fact that sets a task."""
    goal = "object" if task == "light" else "receptacle"
    return _opens(f"TASK_{task.upper()}", (("object", "object"), ("goal", goal)))


_LISTS = (("SEES", "LAST_SEEN"), ("ONLY_SEEN",), ("NOTHING_SEEN",))

_SHAPES = (
    *(("ROOM", "PLACE", "LAST_PLACE", f"TASK_{task.upper()}") for task in TASKS),
    *(("ARRIVED", seen, *listed) for seen in ("INSIDE", "UPON") for listed in _LISTS),
    *(("OPENED", "INSIDE", *listed) for listed in _LISTS),
    ("ARRIVED", "IS_CLOSED"),
    *(("IS_CLEAN", warmth, "IS_SLICED") for warmth in ("IS_HOT", "IS_COOL")),
    *((name,) for name in ("CLOSED", "TOOK", "PUT", "TURNED_ON", "HEATED", "COOLED", "CLEANED")),
    *((name,) for name in ("CUT", "FACING", "MIDDLE", "CARRYING", "EMPTY_HANDED", "PLAIN")),
)

SCHEMA = Schema(
    {"object": OBJECTS, "receptacle": RECEPTACLES},
    (
        _opens("ROOM"),
        _opens("PLACE", _PLACE, PLACES - 1),
        _opens("LAST_PLACE", _PLACE),
        *map(_asks, TASKS),
        Fact("ARRIVED", _PLACE),
        Fact("OPENED", _PLACE),
        Fact("CLOSED", _PLACE),
        Fact("TOOK", _THING + _PLACE),
        Fact("PUT", _THING + _PLACE),
        Fact("TURNED_ON", _THING),
        Fact("HEATED", _THING + _PLACE),
        Fact("COOLED", _THING + _PLACE),
        Fact("CLEANED", _THING + _PLACE),
        Fact("CUT", _THING + _TOOL),
        Fact("FACING", _PLACE),
        Fact("MIDDLE"),
        Fact("CARRYING", _THING),
        Fact("EMPTY_HANDED"),
        Fact("IS_CLOSED", _PLACE),
        Fact("INSIDE", _PLACE),
        Fact("UPON", _PLACE),
        Fact("NOTHING_SEEN"),
        Fact("SEES", _THING, step=LISTED - 1),
        Fact("LAST_SEEN", _THING),
        Fact("ONLY_SEEN", _THING),
        Fact("PLAIN", _THING),
        Fact("IS_CLEAN", _THING),
        Fact("IS_HOT", _THING),
        Fact("IS_COOL", _THING),
        Fact("IS_SLICED", _THING),
        *(Fact(name, args, error=True) for name, args in _COMPLAINTS.items()),
    ),
    _VERBS,
    shapes=_SHAPES,
)
"""Concepts, facts and verbs."""

FIRST_OBJECT, FIRST_RECEPTACLE = SCHEMA.first_of("object"), SCHEMA.first_of("receptacle")
"""Concepts of the first type of object and of receptacle."""
