"""Instances: rooms and doors, objects and the agent among them, and a mission about them.

Everything is drawn by masks, one pass, no rejection. The distributions are those of BabyAI's
levels in spirit, not number by number: see docs/babyai.md.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxagent.envs.babyai.assignment import (
    Clause,
    Things,
    assign,
    assignment_noise,
    navigations,
)
from jaxagent.envs.babyai.board import Board, cell_board, pack, unpack
from jaxagent.envs.babyai.holdout import IS_HELD_OUT, NAMES, held_out, name_of
from jaxagent.envs.babyai.layout import DOORS, LAYOUT_NOISE, Layout, draw_layout, inside_room
from jaxagent.envs.babyai.params import ANY, Params
from jaxagent.envs.babyai.placement import Request, place_agent, place_objects
from jaxagent.envs.babyai.state import (
    CLAUSES,
    CLOSED,
    COLORS,
    DOOR,
    KEY,
    LOCKED,
    NOWHERE,
    OPEN,
    Agent,
    State,
    fresh_progress,
)
from jaxagent.envs.chance import named_blocks
from jaxagent.envs.order import ordering


def generate(key: jax.Array, params: Params, size: int, objects: int) -> tuple[State, Clause]:
    """An instance on a grid of side `size` with `objects` rows of objects, and its clauses."""
    noise = _draw_noise(key, objects)
    layout = draw_layout(noise.layout, params, size)
    floor, doors = pack(layout.floor, jnp.uint32), _door_board(layout, size)
    cell, direction = place_agent(noise.agent, _room_board(layout, layout.start), doors)
    agent = Agent(cell.astype(jnp.int8), direction.astype(jnp.int8), jnp.int8(-1))
    door_color, door_state = _draw_doors(noise.doors, params, layout)
    lock_color = jnp.max(jnp.where(layout.locked, door_color, -1))
    kind, color = _draw_objects(noise.names, params, lock_color, objects - DOORS)
    requests = _requests(noise.requests, params, layout, floor, lock_color, objects - DOORS)
    cells, found = place_objects(noise.cells, requests, floor, doors, cell)
    first = jnp.arange(objects - DOORS) == 2
    agent = agent.replace(carries=jnp.where(params.carrying, jnp.int8(DOORS + 2), jnp.int8(-1)))
    cells = jnp.where((params.carrying & first)[:, None], NOWHERE, cells)
    things = Things(
        kind=_join(jnp.where(layout.there, DOOR, -1), jnp.where(found, kind, -1)),
        color=_join(door_color, color),
        door=_join(door_state, jnp.zeros(objects - DOORS, jnp.int8)),
        position=_join(*_places(layout, cells, found)),
        agent=agent,
    )
    is_chosen = (params.kind != ANY) | (params.color[0] != ANY) | (params.split == 1)
    is_chosen |= (params.first_room != ANY) | params.behind | params.carrying
    hidden = inside_room(things.position, layout.closed_room, params) & (layout.closed_room >= 0)
    meant = ~hidden | params.unlocking
    meant &= (params.split == 1) | ~held_out(name_of(things.kind, things.color))
    mission, clauses = assign(
        noise.mission, params, things, jnp.where(is_chosen, DOORS + 2, ANY), meant
    )
    ways = navigations(mission.kind)
    limit = ways * params.room**2 * params.rows * params.cols
    state = State(
        walls=~unpack(floor | doors),
        content=jnp.full(objects, -1, jnp.int8),
        recorded=things.position,
        mission=mission,
        progress=fresh_progress(),
        max_steps=jnp.where(params.max_steps > 0, params.max_steps, limit).astype(jnp.int16),
        **things._asdict(),
    )
    return state, clauses


class _Noise(NamedTuple):
    """Uniform numbers for every stage: one draw, for compiling a generator per draw is slow."""

    layout: jax.Array
    agent: jax.Array
    doors: jax.Array
    names: jax.Array
    requests: jax.Array
    cells: jax.Array
    mission: jax.Array


def _draw_noise(key: jax.Array, objects: int) -> _Noise:
    count = objects - DOORS
    shapes: dict[str, tuple[int, ...]] = {
        "layout": (LAYOUT_NOISE,),
        "agent": (5,),
        "doors": (2, DOORS),
        "names": (NAMES + count + 1,),
        "requests": (2,),
        "cells": (count,),
        "mission": (CLAUSES + 1, assignment_noise(objects)),
    }
    return _Noise(**named_blocks(key, shapes))


def _join(doors: jax.Array, others: jax.Array) -> jax.Array:
    return jnp.concatenate([doors, others]).astype(jnp.int8)


def _places(layout: Layout, cells: jax.Array, found: jax.Array) -> tuple[jax.Array, jax.Array]:
    doors = jnp.where(layout.there[:, None], layout.place, NOWHERE)
    return doors, jnp.where(found[:, None], cells, NOWHERE)


def _door_board(layout: Layout, size: int) -> Board:
    """The cells with doors."""
    marked = jax.vmap(lambda cell: cell_board(cell, size))(layout.place)
    return jax.lax.reduce_or(jnp.where(layout.there[:, None], marked, jnp.uint32(0)), (0,))


def _room_board(layout: Layout, room: jax.typing.ArrayLike) -> Board:
    """The cells of a room; the walls of all are "room" -1."""
    return pack(layout.room == room, jnp.uint32)


def _draw_doors(noise: jax.Array, params: Params, layout: Layout) -> tuple[jax.Array, jax.Array]:
    """Colours and states of the doors."""
    color = (noise[0] * len(COLORS)).astype(jnp.int32)
    shuffled = ordering(noise[0, : len(COLORS)])
    place = jnp.cumsum(layout.there) - 1
    color = jnp.where(params.unlike_doors, shuffled[place % len(COLORS)], color)
    color = jnp.where(params.door_color == ANY, color, params.door_color)
    ajar = noise[1] < params.ajar
    state = jnp.where(layout.locked, LOCKED, jnp.where(ajar, OPEN, CLOSED))
    return color, state


def _draw_objects(
    noise: jax.Array, params: Params, lock_color: jax.Array, count: int
) -> tuple[Int[Array, "count"], Int[Array, "count"]]:
    """Kinds and colours: the key of the lock, one that may block a door, the target, the rest."""
    names = _order_of_names(noise[:NAMES], params)
    index = jnp.arange(count)
    other = (noise[NAMES:-1] * NAMES).astype(jnp.int32)
    name = jnp.where(params.unique | (index == 2), names[(index - 2) % NAMES], other)
    kind, color = name // len(COLORS), name % len(COLORS)
    color = jnp.where((params.rest_color != ANY) & (index > 2), params.rest_color, color)
    kind = jnp.where((params.kind != ANY) & (index == 2), params.kind, kind)
    own = jnp.where(noise[-1] < 0.5, params.color[0], params.color[1])
    color = jnp.where((own != ANY) & (index == 2), own, color)
    # A kind that the level decides on may have made a name that is held out.
    barred = (params.split == 0) & (index == 2) & held_out(name_of(kind, color))
    color = jnp.where(barred, (color + 1) % len(COLORS), color)
    lock = (index == 0) & (lock_color >= 0)
    return jnp.where(lock, KEY, kind), jnp.where(lock, lock_color, color)


def _order_of_names(noise: Float[Array, "names"], params: Params) -> Int[Array, "names"]:
    """All names in random order; the first is the first object's, one that its split is about."""
    fits = (params.split == 1) == jnp.asarray(IS_HELD_OUT[:NAMES])
    first = jnp.argmin(jnp.where(fits, noise, 1.0))
    return ordering(jnp.where(jnp.arange(NAMES) == first, -1.0, noise))


def _requests(
    noise: jax.Array,
    params: Params,
    layout: Layout,
    floor: Board,
    lock_color: jax.Array,
    count: int,
) -> Request:
    """Which objects are to be put where."""
    index = jnp.arange(count)
    low, high = params.objects[0], params.objects[1]
    number = low + (noise[0] * (high + 1 - low)).astype(jnp.int32)
    blocks = noise[1] < params.blocked
    wanted = (index >= 2) & (index < number + 2)
    wanted |= ((index == 0) & (lock_color >= 0)) | ((index == 1) & blocks)
    near = jnp.where(params.near, _room_board(layout, layout.start), floor)
    closed = _room_board(layout, layout.closed_room)
    open_only = (index <= 1) | ((index == 2) & ~params.unlocking)
    region = jnp.where(open_only[:, None], near & ~closed, near)
    hidden = params.behind & (index == 2)
    region = jnp.where(hidden[:, None], closed, region)
    placed = (params.first_room != ANY) & (index == 2)
    first_room = _room_board(layout, params.first_room)
    return Request(wanted, jnp.where(placed[:, None], first_room, region), index == 1)
