"""The rules of ALFWorld: what a command does to a room, and why it does nothing.

They are those of the PDDL domain in the package `alfworld` 0.4.2 (`data/alfred.pddl`), checked
against the original's engine by test.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int32

from jaxagent.envs.alfworld.affordances import (
    CAN_CONTAIN,
    CLEANABLE,
    COOLABLE,
    FRIDGE,
    HEATABLE,
    IS_KNIFE,
    IS_LAMP,
    MICROWAVE,
    OBJECTS,
    OPENABLE,
    RECEPTACLES,
    SINK,
    SLICEABLE,
)
from jaxagent.envs.alfworld.rows import place_names, thing_names
from jaxagent.envs.alfworld.state import (
    HELD,
    IS_CLEAN,
    IS_COOL,
    IS_HOT,
    IS_ON,
    IS_SLICED,
    LIGHT,
    MIDDLE,
    PLACES,
    THINGS,
    TWO,
    WANTED,
    State,
)
from jaxagent.envs.alfworld.words import (
    CLEAN,
    CLOSE,
    COOL,
    DEEDS,
    ERRORS,
    EXAMINE,
    EXAMINE_PLACE,
    FIRST_RECEPTACLE,
    GO,
    HEAT,
    OPEN,
    PUT,
    SLICE,
    TAKE,
    UNREAD,
    USE,
)

_TREATS = (HEAT, COOL, CLEAN)

_ASKED: dict[str, tuple[int, ...]] = {
    "NOT_UNDERSTOOD": (UNREAD,),
    "NO_PLACE": (GO, OPEN, CLOSE, TAKE, PUT, *_TREATS, EXAMINE_PLACE),
    "ALREADY_AT": (GO,),
    "NOT_AT": (OPEN, CLOSE, TAKE, PUT, *_TREATS, EXAMINE_PLACE),
    "NOT_OPENABLE": (OPEN, CLOSE),
    "ALREADY_OPEN": (OPEN,),
    "ALREADY_CLOSED": (CLOSE,),
    "SHUT": (TAKE, PUT),
    "HANDS_FULL": (TAKE,),
    "NOT_FOUND": (TAKE, USE, SLICE),
    "NO_TOOL": (SLICE,),
    "NOT_HELD": (PUT, EXAMINE, *_TREATS),
    "USELESS": (TAKE, USE, SLICE, *_TREATS),
    "NOT_FITTING": (PUT,),
}
"""Error -> the deeds that it may befall."""

_MAY_FAIL = np.array([[deed in _ASKED[name] for name in ERRORS] for deed in range(DEEDS)])

_SETS, _CLEARS = np.zeros((2, DEEDS), np.int8)
_SETS[[HEAT, COOL, CLEAN, SLICE, USE]] = IS_HOT, IS_COOL, IS_CLEAN, IS_SLICED, IS_ON
_CLEARS[[HEAT, COOL]] = IS_COOL, IS_HOT
"""What every deed does to the marks of its thing."""

_SUITS = np.ones((DEEDS, len(OBJECTS)), bool)
_SUITS[[TAKE, USE, SLICE, HEAT, COOL, CLEAN]] = (
    ~IS_LAMP, IS_LAMP, SLICEABLE, HEATABLE, COOLABLE, CLEANABLE,
)  # fmt: skip
_SERVES = np.ones((DEEDS, len(RECEPTACLES)), bool)
for _deed, _place in ((HEAT, MICROWAVE), (COOL, FRIDGE), (CLEAN, SINK)):
    _SERVES[_deed] = np.arange(len(RECEPTACLES)) == _place
"""Whether each deed can be done to a type of object, and at a type of receptacle."""


class Order(NamedTuple):
    """A command taken apart; what does not exist in the room is -1.

    Attributes:
        deed: its verb, or `EXAMINE_PLACE`.
        place, thing, tool: the receptacle and the things that it names.
    """

    deed: Int32[Array, ""]
    place: Int32[Array, ""]
    thing: Int32[Array, ""]
    tool: Int32[Array, ""]


def take_apart(state: State, command: Int32[Array, "row"]) -> Order:
    """The parts of a command row."""
    verb, first, second = command[0], command[1:3], command[3:5]
    named = first[0] - FIRST_RECEPTACLE
    is_place = (named >= 0) & (named < len(RECEPTACLES))
    things = thing_names(state)
    return Order(
        deed=jnp.where((verb == EXAMINE) & is_place, EXAMINE_PLACE, verb),
        place=_find(place_names(state), jnp.where(is_place, first, second)),
        thing=_find(things, first),
        tool=_find(things, second),
    )


def _find(names: Int32[Array, "n 2"], name: Int32[Array, "2"]) -> Int32[Array, ""]:
    """Index of what is called by this concept and number, or -1; absent ones have no number."""
    match = jnp.all(names == name, axis=1) & (names[:, 1] > 0)
    return jnp.where(jnp.any(match), jnp.argmax(match), -1)


def obey(state: State, order: Order) -> tuple[State, Int32[Array, ""]]:
    """The state after `order`, and what is wrong with it: a place in `ERRORS`, or -1."""
    wrong = _wrong(state, order) & jnp.asarray(_MAY_FAIL)[order.deed]
    error = jnp.where(jnp.any(wrong), jnp.argmax(wrong), -1)
    deed = jnp.where(error < 0, order.deed, UNREAD)
    return _carry_out(state, order, deed), error


def _wrong(state: State, order: Order) -> Bool[Array, "errors"]:
    """Which of `ERRORS` hold, whether or not they matter to the deed."""
    deed, place, thing, tool = order
    kind, at = state.thing_type[thing], state.where[thing]
    place_kind, is_open = state.place_type[place], state.is_open[place]
    openable = jnp.asarray(OPENABLE)[place_kind]
    near = jnp.where(deed == TAKE, at == place, is_near(state, at))
    is_tool = (tool >= 0) & (state.where[tool] == HELD)
    suits = jnp.asarray(_SUITS)[deed, kind] & jnp.asarray(_SERVES)[deed, place_kind]
    suits &= (deed != SLICE) | jnp.asarray(IS_KNIFE)[state.thing_type[tool]]
    holds = {
        "NOT_UNDERSTOOD": jnp.bool_(True),
        "NO_PLACE": place < 0,
        "ALREADY_AT": place == state.agent,
        "NOT_AT": place != state.agent,
        "NOT_OPENABLE": ~openable,
        "ALREADY_OPEN": is_open,
        "ALREADY_CLOSED": ~is_open,
        "SHUT": openable & ~is_open,
        "HANDS_FULL": jnp.any(state.where == HELD),
        "NOT_FOUND": (thing < 0) | ~near,
        "NO_TOOL": ~is_tool,
        "NOT_HELD": (thing < 0) | (at != HELD),
        "USELESS": ~suits,
        "NOT_FITTING": ~jnp.asarray(CAN_CONTAIN)[place_kind, kind],
    }
    return jnp.stack([holds[name] for name in ERRORS])


def is_near(state: State, where: Int[Array, "*n"]) -> Bool[Array, "*n"]:
    """Whether things that lie there are before the agent's eyes."""
    return (where == state.agent) & is_exposed(state)[jnp.minimum(state.agent, PLACES - 1)]


def is_exposed(state: State) -> Bool[Array, "places"]:
    """Whether what lies in each receptacle can be seen and taken by who stands before it."""
    return (~jnp.asarray(OPENABLE)[state.place_type] | state.is_open) & (state.place_type >= 0)


def _carry_out(state: State, order: Order, deed: Int[Array, ""]) -> State:
    """The state after a deed that nothing is wrong with."""
    is_place = jnp.arange(PLACES) == order.place
    is_thing = jnp.arange(THINGS) == order.thing
    agent = jnp.where(deed == GO, order.place, state.agent).astype(jnp.int8)
    is_open = (state.is_open | (is_place & (deed == OPEN))) & ~(is_place & (deed == CLOSE))
    moved = jnp.where(deed == TAKE, HELD, order.place).astype(jnp.int8)
    moves = is_thing & ((deed == TAKE) | (deed == PUT))
    marks = (state.marks & ~jnp.asarray(_CLEARS)[deed]) | jnp.asarray(_SETS)[deed]
    after = state.replace(
        agent=agent,
        is_open=is_open,
        where=jnp.where(moves, moved, state.where),
        marks=jnp.where(is_thing, marks, state.marks),
    )
    is_here = jnp.arange(PLACES) == agent
    return after.replace(seen=state.seen | (is_here & is_exposed(after)))


def is_solved(state: State) -> Bool[Array, ""]:
    """Whether the task is done.

    Two things count only in one and the same receptacle. A lamp that was turned on counts as long
    as the agent stands before it with the thing in hand.
    """
    is_target = state.thing_type == state.target
    is_lit = (state.thing_type == state.goal) & (state.marks & IS_ON > 0)
    looked = jnp.any(is_lit & (state.where == state.agent)) & (state.agent != MIDDLE)
    looked &= jnp.any(is_target & (state.where == HELD))
    placed = jnp.any(delivered(state) >= jnp.where(state.task == TWO, 2, 1))
    return jnp.where(state.task == LIGHT, looked, placed)


def delivered(state: State) -> Int32[Array, "places"]:
    """How many things lie in each receptacle of the goal's type as the task wants them."""
    lies = state.where == jnp.arange(PLACES)[:, None]
    is_wanted = (state.thing_type == state.target) & has_mark(state)
    counts = jnp.sum(lies & is_wanted, axis=1, dtype=jnp.int32)
    is_goal = (state.place_type == state.goal) & (state.task != LIGHT)
    return jnp.where(is_goal, counts, 0)


def has_mark(state: State) -> Bool[Array, "things"]:
    """Whether each thing is as clean, hot or cool as the task wants it."""
    wanted = jnp.asarray(WANTED)[state.task]
    return state.marks & wanted == wanted
