"""Rooms, walls and doors: a random spanning tree of doors, and some more of them.

Rooms stand in a lattice of at most 3 x 3 and are numbered row by row; the doors between them
have fixed places among the objects, the first `DOORS` rows.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxagent.envs.babyai.params import ANY, Params

LATTICE = 3
ROOMS = LATTICE * LATTICE
_PAIRS = [(j * 3 + i, j * 3 + i + 1) for j in range(3) for i in range(2)]
_PAIRS += [(j * 3 + i, j * 3 + i + 3) for j in range(2) for i in range(3)]
PAIRS = np.array(_PAIRS)
"""int[DOORS, 2]: the rooms on both sides of every possible door."""

DOORS = len(PAIRS)
LAYOUT_NOISE = 1 + 2 * ROOMS + 4 * DOORS
_SIDEWAYS = PAIRS[:, 1] - PAIRS[:, 0] == 1


class Layout(NamedTuple):
    """Rooms and doors of an instance.

    Attributes:
        floor: bool[S, S], cells inside rooms, indexed [y, x].
        room: int32[S, S], the room of every such cell, else -1.
        start: int32[], the agent's room.
        there: bool[DOORS], the doors that exist.
        place: int32[DOORS, 2], where they are.
        locked: bool[DOORS], the one that is locked, if any.
        closed_room: int32[], the room behind it, or -1.
    """

    floor: Bool[Array, "size size"]
    room: Int[Array, "size size"]
    start: Int[Array, ""]
    there: Bool[Array, "doors"]
    place: Int[Array, "doors 2"]
    locked: Bool[Array, "doors"]
    closed_room: Int[Array, ""]


def draw_layout(noise: jax.Array, params: Params, size: int) -> Layout:
    """Rooms and doors on a grid of side `size`, by `LAYOUT_NOISE` uniform numbers."""
    chance, start_noise, shut_noise, *door_noise = jnp.split(
        noise, np.cumsum([1, ROOMS, ROOMS, DOORS, DOORS, DOORS])
    )
    rooms = _rooms(params)
    start = jnp.where(params.start == ANY, _best(start_noise, rooms), params.start)
    shuttable = _lockable(params) & (jnp.arange(ROOMS) != start)
    use_lock = (chance[0] < params.locked) & jnp.any(shuttable)
    shut = jnp.where(use_lock, _best(shut_noise, shuttable), -1)
    there, locked = _connect(door_noise[0], door_noise[1], params, rooms, start, shut)
    own, own_locked = _own_doors(door_noise[2], params, rooms, start, chance[0] < params.locked)
    floor, room = _floor(params, size)
    locked = jnp.where(params.connected, locked, own_locked)
    beyond = jnp.max(jnp.where(locked, jnp.sum(PAIRS, axis=1) - start, -1))
    return Layout(
        floor=floor,
        room=room,
        start=start,
        there=jnp.where(params.connected, there, own),
        place=_door_places(door_noise[3], params),
        locked=locked,
        closed_room=jnp.where(params.connected, shut, beyond),
    )


def room_of(cell: Int[Array, "*n 2"], params: Params) -> Int[Array, "*n"]:
    """The room that BabyAI takes a position to be in: walls belong to the room behind them."""
    lattice = cell.astype(jnp.int32) // (params.room - 1)
    return lattice[..., 1] * LATTICE + lattice[..., 0]


def inside_room(cell: Int[Array, "n 2"], room: jax.Array, params: Params) -> Bool[Array, "n"]:
    """Whether the cells lie in `room`, its walls and doors included."""
    top = jnp.stack([room % LATTICE, room // LATTICE]) * (params.room - 1)
    offset = cell.astype(jnp.int32) - top
    return jnp.all((offset >= 0) & (offset < params.room), axis=-1)


def _rooms(params: Params) -> Bool[Array, "rooms"]:
    index = jnp.arange(ROOMS)
    return (index % LATTICE < params.cols) & (index // LATTICE < params.rows)


def _lockable(params: Params) -> Bool[Array, "rooms"]:
    """Rooms without which the others still hang together."""
    index = jnp.arange(ROOMS)
    column, row = index % LATTICE, index // LATTICE
    ends = ((column == 0) | (column == params.cols - 1)) & ((row == 0) | (row == params.rows - 1))
    return _rooms(params) & (ends | ((params.rows > 1) & (params.cols > 1)))


def _connect(
    weights: jax.Array,
    more: jax.Array,
    params: Params,
    rooms: jax.Array,
    start: jax.Array,
    shut: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Doors that connect all rooms, and the locked one, the only door of the room `shut`.

    Prim's algorithm with the random `weights`, then every other door with a chance.
    """
    valid = rooms[PAIRS[:, 0]] & rooms[PAIRS[:, 1]]
    at_shut = jnp.any(jnp.asarray(PAIRS) == shut, axis=1)
    ends = jnp.asarray(np.eye(ROOMS, dtype=bool)[PAIRS])

    def extend(_: int, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        reached, there = carry
        touches = jnp.any(ends & reached, axis=2)
        crossing = (touches[:, 0] != touches[:, 1]) & valid & ~at_shut
        chosen = (jnp.arange(DOORS) == _best(weights, crossing)) & crossing
        joined = jnp.any(chosen[:, None, None] & ends, axis=(0, 1))
        return reached | joined, there | chosen

    carry = (jnp.arange(ROOMS) == start, jnp.zeros(DOORS, bool))
    _, there = jax.lax.fori_loop(0, ROOMS - 1, extend, carry)
    there |= valid & ~at_shut & (more < params.doors)
    locked = (jnp.arange(DOORS) == _best(weights, valid & at_shut)) & valid & at_shut
    return there | locked, locked


def _own_doors(
    weights: jax.Array, params: Params, rooms: jax.Array, start: jax.Array, lock: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Some doors of the agent's room only, and the locked one among them."""
    beside = jnp.any(jnp.asarray(PAIRS) == start, axis=1)
    beside &= rooms[PAIRS[:, 0]] & rooms[PAIRS[:, 1]]
    weights = jnp.where(beside, weights, -1.0)
    rank = jnp.sum(weights[None, :] > weights[:, None], axis=1)
    there = beside & (rank < params.own_doors)
    return there, there & (rank == 0) & lock


def _best(weights: jax.Array, mask: jax.Array) -> jax.Array:
    """The index under `mask` of the greatest weight; uniform if the weights are."""
    return jnp.argmax(jnp.where(mask, weights, -1.0))


def _floor(params: Params, size: int) -> tuple[jax.Array, jax.Array]:
    """The cells inside rooms, and which room."""
    step = params.room - 1
    cell = jnp.arange(size)
    inner = (cell % step != 0) | (params.open_plan & (cell > 0))
    column_end, row_end = params.cols * step, params.rows * step
    column = jnp.where(inner & (cell < column_end), cell // step, -1)
    row = jnp.where(inner & (cell < row_end), cell // step, -1)
    floor = (row >= 0)[:, None] & (column >= 0)[None, :]
    return floor, jnp.where(floor, row[:, None] * LATTICE + column[None, :], -1)


def _door_places(noise: jax.Array, params: Params) -> Int[Array, "doors 2"]:
    """A random place in the wall for every possible door."""
    step = params.room - 1
    along = 1 + (noise * (params.room - 2)).astype(jnp.int32)
    first = jnp.asarray(PAIRS[:, 0])
    x, y = first % LATTICE * step, first // LATTICE * step
    sideways = jnp.asarray(_SIDEWAYS)
    return jnp.stack(
        [jnp.where(sideways, x + step, x + along), jnp.where(sideways, y + along, y + step)], axis=1
    )
