"""The facts that open an episode, and those that answer a command."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int32

from jaxagent.envs.alfworld.affordances import OPENABLE
from jaxagent.envs.alfworld.rows import place_names, rows, thing_names
from jaxagent.envs.alfworld.rules import Order, is_exposed
from jaxagent.envs.alfworld.state import (
    HELD,
    IS_CLEAN,
    IS_COOL,
    IS_HOT,
    IS_SLICED,
    LIGHT,
    MIDDLE,
    PLACES,
    TASKS,
    State,
)
from jaxagent.envs.alfworld.words import (
    DEEDS,
    ERRORS,
    EXAMINE,
    EXAMINE_PLACE,
    FIRST_OBJECT,
    FIRST_RECEPTACLE,
    GO,
    INVENTORY,
    LISTED,
    LOOK,
    OPEN,
    SCHEMA,
)
from jaxagent.envs.order import first_where
from jaxagent.text import NONE, only_if

_WIDTH = 1 + SCHEMA.max_args

_DONE = np.zeros(DEEDS, np.int32)
for _verb, _name in {
    "go": "ARRIVED",
    "open": "OPENED",
    "close": "CLOSED",
    "take": "TOOK",
    "put": "PUT",
    "use": "TURNED_ON",
    "heat": "HEATED",
    "cool": "COOLED",
    "clean": "CLEANED",
    "slice": "CUT",
}.items():
    _DONE[SCHEMA.verb_id(_verb)] = SCHEMA.fact_id(_name)
"""int32[DEEDS]: the fact that says that a deed was done, with the command's arguments."""

_FAILED = np.array([SCHEMA.fact_id(name) for name in ERRORS], np.int32)
_ARITY = np.array([len(fact.args) for fact in SCHEMA.facts], np.int32)
_ABOUT_SECOND = np.array(
    [fact.args[:1] != () and fact.args[0][0] in ("receptacle", "tool") for fact in SCHEMA.facts]
)
"""bool[facts]: whether a fact tells of a command's second pair of arguments, if it has one."""

_MARKS = (
    (IS_CLEAN, "IS_CLEAN"),
    (IS_HOT, "IS_HOT"),
    (IS_COOL, "IS_COOL"),
    (IS_SLICED, "IS_SLICED"),
)


def opening(state: State) -> Int32[Array, "first row"]:
    """The receptacles of the room, and the task."""
    there = state.place_type >= 0
    last = jnp.arange(PLACES) == jnp.sum(there) - 1
    kinds = jnp.where(last, SCHEMA.fact_id("LAST_PLACE"), SCHEMA.fact_id("PLACE"))
    places = rows(kinds, place_names(state))
    return jnp.concatenate([SCHEMA.fact("ROOM")[None], only_if(there, places), _asked(state)[None]])


def _asked(state: State) -> Int32[Array, "row"]:
    """The task."""
    target, goal = state.target.astype(jnp.int32), state.goal.astype(jnp.int32)
    first = jnp.where(state.task == LIGHT, FIRST_OBJECT, FIRST_RECEPTACLE)
    task = SCHEMA.fact_id(f"TASK_{TASKS[0].upper()}") + state.task
    return rows(task, jnp.stack([FIRST_OBJECT + target, first + goal]))


def answer(
    state: State, order: Order, command: Int32[Array, "row"], error: Int[Array, ""]
) -> Int32[Array, "step row"]:
    """What came of a command: what was done or is wrong, then what is seen.

    Args:
        state: the state after it.
        order: the command taken apart.
        command: its row.
        error: what is wrong with it, a place in `ERRORS`, or -1.
    """
    deed = jnp.where(error < 0, order.deed, 0)
    kind = jnp.where(error < 0, jnp.asarray(_DONE)[deed], jnp.asarray(_FAILED)[error])
    looks = (deed == GO) | (deed == OPEN) | (deed == EXAMINE_PLACE)
    described = only_if(looks, _described(state, order.place))
    things = only_if(looks & is_exposed(state)[order.place], _listed(state, order.place))
    marks = _examined(state, order.thing)
    more = jnp.where(deed == EXAMINE, marks, things[: len(marks)])
    head = jnp.where(deed >= LOOK, _reported(state, deed), _told(kind, command))
    return jnp.concatenate([head[None], described[None], more, things[len(marks) :]])


def _told(kind: Int[Array, ""], command: Int32[Array, "row"]) -> Int32[Array, "row"]:
    """A fact with as many of the command's arguments as it takes."""
    has_second = (command[3] >= 0) & jnp.asarray(_ABOUT_SECOND)[kind]
    args = jnp.where(has_second, jnp.roll(command[1:5], 2), command[1:5])
    named = jnp.arange(_WIDTH - 1) < jnp.asarray(_ARITY)[kind]
    return jnp.append(kind, jnp.where(named, args, NONE)).astype(jnp.int32)


def _reported(state: State, deed: Int[Array, ""]) -> Int32[Array, "row"]:
    """What `look` and `inventory` say; nothing for a receptacle that was examined."""
    place = place_names(state)[jnp.minimum(state.agent, PLACES - 1)]
    held = state.where == HELD
    thing = thing_names(state)[jnp.argmax(held)]
    at_place, is_holding = state.agent != MIDDLE, jnp.any(held)
    look = jnp.where(at_place, SCHEMA.fact_id("FACING"), SCHEMA.fact_id("MIDDLE"))
    carry = jnp.where(is_holding, SCHEMA.fact_id("CARRYING"), SCHEMA.fact_id("EMPTY_HANDED"))
    is_look = deed == LOOK
    names = jnp.where(is_look, place, thing)
    names = jnp.where(jnp.where(is_look, at_place, is_holding), names, NONE)
    row = rows(jnp.where(is_look, look, carry), names)
    return only_if((deed == LOOK) | (deed == INVENTORY), row)


def _described(state: State, place: Int[Array, ""]) -> Int32[Array, "row"]:
    """Whether a receptacle is closed, open, or has no door."""
    openable = jnp.asarray(OPENABLE)[state.place_type[place]]
    kind = jnp.where(
        openable,
        jnp.where(state.is_open[place], SCHEMA.fact_id("INSIDE"), SCHEMA.fact_id("IS_CLOSED")),
        SCHEMA.fact_id("UPON"),
    )
    return rows(kind, place_names(state)[place])


def _listed(state: State, place: Int[Array, ""]) -> Int32[Array, "listed row"]:
    """What lies in a receptacle, the first `LISTED` things, or that nothing does."""
    chosen, there = first_things(state, place)
    count = jnp.sum(there)
    is_last = jnp.arange(LISTED) == count - 1
    last = jnp.where(count == 1, SCHEMA.fact_id("ONLY_SEEN"), SCHEMA.fact_id("LAST_SEEN"))
    kinds = jnp.where(is_last, last, SCHEMA.fact_id("SEES"))
    seen = only_if(there, rows(kinds, thing_names(state)[chosen]))
    nothing = (count == 0) & (jnp.arange(LISTED) == 0)
    return jnp.where(nothing[:, None], SCHEMA.fact("NOTHING_SEEN"), seen)


def first_things(
    state: State, place: Int[Array, ""]
) -> tuple[Int[Array, "listed"], Bool[Array, "listed"]]:
    """The first `LISTED` things in a receptacle, and which of them there are."""
    lies = (state.where == place) & (place >= 0)
    things = first_where(jnp.arange(len(lies)), lies, LISTED, -1)
    return jnp.maximum(things, 0), things >= 0


def _examined(state: State, thing: Int[Array, ""]) -> Int32[Array, "5 row"]:
    """What has been done to a thing, or that nothing has."""
    name = thing_names(state)[thing]
    marks = state.marks[thing]
    plain = only_if(marks == 0, SCHEMA.fact("PLAIN", *name))
    told = [only_if(marks & bit > 0, SCHEMA.fact(fact, *name)) for bit, fact in _MARKS]
    return jnp.stack([plain, *told])
