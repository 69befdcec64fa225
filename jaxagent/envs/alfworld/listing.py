"""The commands that have an effect now, for interfaces that list them."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32

from jaxagent.envs.alfworld.affordances import (
    CAN_CONTAIN,
    CLEANABLE,
    COOLABLE,
    FRIDGE,
    HEATABLE,
    IS_KNIFE,
    IS_LAMP,
    MICROWAVE,
    OPENABLE,
    SINK,
    SLICEABLE,
)
from jaxagent.envs.alfworld.messages import first_things
from jaxagent.envs.alfworld.rows import place_names, rows, thing_names
from jaxagent.envs.alfworld.rules import is_exposed
from jaxagent.envs.alfworld.state import HELD, MIDDLE, PLACES, State
from jaxagent.envs.alfworld.words import (
    CLEAN,
    CLOSE,
    COOL,
    EXAMINE,
    GO,
    HEAT,
    LISTED,
    OPEN,
    PUT,
    SCHEMA,
    SLICE,
    TAKE,
    USE,
)

MAX_COMMANDS = PLACES + LISTED + 7
"""Every receptacle, every thing in sight, and seven about the place, the hand and the room."""

_TREATMENT = ((MICROWAVE, HEAT, HEATABLE), (FRIDGE, COOL, COOLABLE), (SINK, CLEAN, CLEANABLE))


def list_commands(state: State) -> tuple[Int32[Array, "commands row"], Bool[Array, "commands"]]:
    """The original's admissible commands but `help`, and which rows count."""
    parts = [_ways(state), _grips(state), _uses_of_place(state), _uses_of_held(state), _senses()]
    commands = jnp.concatenate([part for part, _ in parts])
    mask = jnp.concatenate([there for _, there in parts])
    return jnp.where(mask[:, None], commands, -1).at[:, 0].max(0), mask


def _ways(state: State) -> tuple[Int32[Array, "places row"], Bool[Array, "places"]]:
    """To go anywhere else."""
    there = (state.place_type >= 0) & (jnp.arange(PLACES) != state.agent)
    return rows(GO, place_names(state)), there


def _grips(state: State) -> tuple[Int32[Array, "listed row"], Bool[Array, "listed"]]:
    """What can be done to each thing in sight: use a lamp, take what is not, slice with a knife."""
    chosen, there = first_things(state, jnp.where(state.agent == MIDDLE, -1, state.agent))
    at = jnp.minimum(state.agent, PLACES - 1)
    kind, name = state.thing_type[chosen], thing_names(state)[chosen]
    held, is_holding = _held(state)
    has_knife = is_holding & jnp.asarray(IS_KNIFE)[state.thing_type[held]]
    is_lamp = jnp.asarray(IS_LAMP)[kind]
    take = rows(TAKE, name, jnp.broadcast_to(place_names(state)[at], name.shape))
    slice_ = rows(SLICE, name, jnp.broadcast_to(thing_names(state)[held], name.shape))
    commands = jnp.where(is_holding, slice_, take)
    can = jnp.where(is_holding, has_knife & jnp.asarray(SLICEABLE)[kind], True)
    commands = jnp.where(is_lamp[:, None], rows(USE, name), commands)
    return commands, there & is_exposed(state)[at] & (is_lamp | can)


def _uses_of_place(state: State) -> tuple[Int32[Array, "2 row"], Bool[Array, "2"]]:
    """To open or close the receptacle before the agent, and to examine it."""
    at, is_at = jnp.minimum(state.agent, PLACES - 1), state.agent != MIDDLE
    name = place_names(state)[at]
    door = rows(jnp.where(state.is_open[at], CLOSE, OPEN), name)
    openable = jnp.asarray(OPENABLE)[state.place_type[at]]
    return jnp.stack([door, rows(EXAMINE, name)]), jnp.stack([is_at & openable, is_at])


def _uses_of_held(state: State) -> tuple[Int32[Array, "3 row"], Bool[Array, "3"]]:
    """To put the held thing down, to treat it, and to examine it."""
    at, is_at = jnp.minimum(state.agent, PLACES - 1), state.agent != MIDDLE
    held, is_holding = _held(state)
    kind, place_kind = state.thing_type[held], state.place_type[at]
    thing, place = thing_names(state)[held], place_names(state)[at]
    verb = sum(jnp.where(place_kind == where, verb, 0) for where, verb, _ in _TREATMENT)
    fits = [(place_kind == where) & jnp.asarray(able)[kind] for where, _, able in _TREATMENT]
    put = is_exposed(state)[at] & jnp.asarray(CAN_CONTAIN)[place_kind, kind]
    commands = [rows(PUT, thing, place), rows(verb, thing, place), rows(EXAMINE, thing)]
    can = jnp.stack([is_at & put, is_at & jnp.any(jnp.stack(fits)), jnp.bool_(True)])
    return jnp.stack(commands), is_holding & can


def _senses() -> tuple[Int32[Array, "2 row"], Bool[Array, "2"]]:
    """To look and to ask what is carried."""
    return jnp.stack([SCHEMA.command("look"), SCHEMA.command("inventory")]), jnp.ones(2, bool)


def _held(state: State) -> tuple[Int32[Array, ""], Bool[Array, ""]]:
    """The held thing, and whether there is one."""
    is_held = state.where == HELD
    return jnp.argmax(is_held), jnp.any(is_held)
