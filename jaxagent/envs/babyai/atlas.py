"""The whole grid as the expert knows it: what every object costs to get to, and what is in the way.

One relaxation over cells from the agent outwards. A value packs the cost of the cheapest way,
the first problem on it (a locked door, an object in the way) and the first
door on it, so that a minimum over neighbours carries all three along.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxagent.envs.babyai.state import DOOR, KEY, LOCKED, OPEN, State

NOTHING = 63
"""Label for no problem and no door on the way."""

FAR = 1 << 30
"""Value of what cannot be reached at all."""

_BITS = 6
_STEP = 1 << (2 * _BITS)
_SHUT_COST, _LOCK_COST, _OBJECT_COST, _LIMIT = 1, 60, 25, 1 << 16


class Atlas(NamedTuple):
    """Ways from the agent to every object.

    Attributes:
        cost: int32[N], cost of the way to a cell beside it, `FAR` if there is none.
        problem: int32[N], the first object or locked door in the way, or `NOTHING`.
        gate: int32[N], the first door on the way, or `NOTHING`.
        spot: bool[N], whether something could be put beside it with no problem on the way.
        at: int32[S, S], the object in every cell or -1, indexed [y, x].
    """

    cost: Int[Array, "objects"]
    problem: Int[Array, "objects"]
    gate: Int[Array, "objects"]
    spot: Bool[Array, "objects"]
    at: Int[Array, "size size"]


def draw_atlas(state: State) -> Atlas:
    """The ways from where the agent stands, with what it carries."""
    at = object_grid(state)
    extra, problem, gate = _toll(state)
    cost = 1 + _spread(at, extra, 0)
    problem, gate = _spread(at, problem, NOTHING), _spread(at, gate, NOTHING)
    values = _relax(state, cost, problem, gate)
    x, y = state.position[:, 0].astype(jnp.int32), state.position[:, 1].astype(jnp.int32)
    x, y = jnp.maximum(x, 0), jnp.maximum(y, 0)
    side = _nearest_side(values)[y, x]
    known = (state.position[:, 0] >= 0) & (side < _LIMIT * _STEP) & (state.kind >= 0)
    clear = (values >> _BITS & NOTHING == NOTHING) & (values < _LIMIT * _STEP)
    return Atlas(
        cost=jnp.where(known, side // _STEP, FAR),
        problem=jnp.where(known, side >> _BITS & NOTHING, NOTHING),
        gate=jnp.where(known, side & NOTHING, NOTHING),
        spot=known & beside(~state.walls & (at < 0) & clear)[y, x],
        at=at,
    )


def object_grid(state: State) -> Int[Array, "size size"]:
    """int32[S, S]: the object in every cell, or -1."""
    cells = jnp.arange(state.walls.shape[0])
    column = (state.position[:, :1] == cells).astype(jnp.float32)
    row = (state.position[:, 1:] == cells) & (state.kind >= 0)[:, None]
    number = jnp.arange(1, len(state.kind) + 1, dtype=jnp.float32)
    return ((row * number[:, None]).T @ column).astype(jnp.int32) - 1


def opens(state: State) -> Bool[Array, "objects"]:
    """Locked doors that the key in the agent's hands opens."""
    carried = jnp.arange(len(state.kind)) == state.agent.carries
    color = jnp.sum(jnp.where(carried & (state.kind == KEY), state.color + 1, 0)) - 1
    return (state.kind == DOOR) & (state.door == LOCKED) & (state.color == color)


def _toll(state: State) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Per object, what it adds to the cost of its cell, and the labels it puts on the way."""
    index = jnp.arange(len(state.kind))
    is_door = state.kind == DOOR
    locked = is_door & (state.door == LOCKED)
    extra = jnp.where(is_door & (state.door != OPEN), _SHUT_COST, 0)
    extra = jnp.where(locked & ~opens(state), _LOCK_COST, extra)
    extra = jnp.where(is_door, extra, _OBJECT_COST)
    problem = jnp.where(locked | ~is_door, index, NOTHING)
    return extra, problem, jnp.where(is_door, index, NOTHING)


def _spread(at: jax.Array, values: jax.Array, empty: int) -> Int[Array, "size size"]:
    """A value per object as a value per cell."""
    return jnp.where(at >= 0, values[jnp.maximum(at, 0)], empty)


def _relax(
    state: State, cost: jax.Array, problem: jax.Array, gate: jax.Array
) -> Int[Array, "size size"]:
    """Values of all cells; walls stay at the limit."""
    cells = jnp.arange(state.walls.shape[0])
    here = (cells[:, None] == state.agent.position[1]) & (cells == state.agent.position[0])
    start = jnp.where(here, (NOTHING << _BITS) | NOTHING, _LIMIT * _STEP).astype(jnp.int32)

    def improve(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        values, _ = carry
        best = _nearest_side(values)
        none = best >> _BITS & NOTHING
        label = jnp.where(none == NOTHING, problem, none)
        door = jnp.where(best & NOTHING == NOTHING, gate, best & NOTHING)
        entered = (best // _STEP + cost) * _STEP + (label << _BITS) + door
        reachable = ~state.walls & (best < _LIMIT * _STEP)
        better = jnp.where(reachable, jnp.minimum(values, entered), values)
        return better, jnp.any(better != values)

    return jax.lax.while_loop(lambda carry: carry[1], improve, (start, jnp.bool_(True)))[0]


def _nearest_side(values: jax.Array) -> jax.Array:
    """The least value among the four neighbours of every cell."""
    padded = jnp.pad(values, 1, constant_values=_LIMIT * _STEP)
    sides = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    return jnp.minimum(jnp.minimum(sides[0], sides[1]), jnp.minimum(sides[2], sides[3]))


def walkable(state: State, at: Int[Array, "size size"]) -> Bool[Array, "size size"]:
    """Cells the agent can step on as things are: floor without objects, and open doors."""
    open_door = (state.kind == DOOR) & (state.door == OPEN)
    return ~state.walls & ((at < 0) | (_spread(at, open_door.astype(jnp.int32), 0) == 1))


def droppable(state: State, at: Int[Array, "size size"]) -> Bool[Array, "size size"]:
    """Empty floor cells without the agent on them."""
    cells = jnp.arange(state.walls.shape[0])
    here = (cells[:, None] == state.agent.position[1]) & (cells == state.agent.position[0])
    return ~state.walls & (at < 0) & ~here


def beside(marked: Bool[Array, "size size"]) -> Bool[Array, "size size"]:
    """Cells with a marked neighbour."""
    padded = jnp.pad(marked, 1)
    return padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def cells_of(state: State, mask: Bool[Array, "objects"]) -> Bool[Array, "size size"]:
    """The cells of the objects under `mask`."""
    cells = jnp.arange(state.walls.shape[0])
    columns = (state.position[:, :1] == cells) & mask[:, None]
    rows = state.position[:, 1:] == cells
    return jnp.any(rows[:, :, None] & columns[:, None, :], axis=0)
