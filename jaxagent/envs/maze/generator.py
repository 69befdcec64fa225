"""Mazes by random spanning trees, a goal of the split, and a start at the right distance."""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int8, Int32

from jaxagent.envs.chance import blocks
from jaxagent.envs.maze import double_t
from jaxagent.envs.maze.state import FAR, ROOMS, SIZE, State
from jaxagent.envs.order import inverse, ranks

_COUNT = ROOMS * ROOMS
_ROUNDS = 6
"""Components at least halve in every round of Borůvka's algorithm, and 2 ** 6 > 49."""

_GRID = np.arange(_COUNT).reshape(ROOMS, ROOMS)
_ENDS = np.concatenate(
    [
        np.stack([_GRID[:, :-1].ravel(), _GRID[:, 1:].ravel()]),
        np.stack([_GRID[:-1].ravel(), _GRID[1:].ravel()]),
    ],
    axis=1,
)
"""int[2, passages]: the rooms that every possible passage joins."""

_ROWS, _COLUMNS = np.divmod(np.arange(_COUNT), ROOMS)
_PASSAGE_ROWS = _ROWS[_ENDS].sum(0) + 1
_PASSAGE_COLUMNS = _COLUMNS[_ENDS].sum(0) + 1
_UNSEEN = np.arange(_COUNT) % 5 == 2
"""Rooms that are goals in the unseen split, and nowhere else."""


class Params(flax.struct.PyTreeNode):
    """What an instance is drawn from.

    Attributes:
        rooms: int32[], rooms along a side, 2 to `ROOMS`.
        loops: float32[], chance of a passage that the spanning tree does without.
        nearest, farthest: int32[], steps from the start to the goal; a start as far as the maze has
            one serves where none is within these bounds.
        split: int32[], place in `SPLITS`: which rooms can be the goal.
        double_t: bool[], the maze and goal of LMRL-Gym, whatever `rooms`, `loops` and `split` are.
    """

    rooms: Int32[Array, ""]
    loops: Float32[Array, ""]
    nearest: Int32[Array, ""]
    farthest: Int32[Array, ""]
    split: Int32[Array, ""]
    double_t: Bool[Array, ""]


def generate(key: jax.Array, params: Params) -> State:
    """An instance whose start is `nearest` to `farthest` steps from the goal."""
    weights, loops, goals, starts = blocks(
        key, (_ENDS.shape[1],), (_ENDS.shape[1],), (_COUNT,), (SIZE, SIZE)
    )
    inside = (params.rooms > _ROWS) & (params.rooms > _COLUMNS)
    possible = inside[_ENDS[0]] & inside[_ENDS[1]]
    passages = possible & (spanning_tree(weights, possible) | (loops < params.loops))
    free = jnp.where(params.double_t, double_t.FREE, _carve(inside, passages))
    goal = jnp.argmax(jnp.where(inside & ((params.split == 1) == _UNSEEN), goals, -1.0))
    room = 2 * jnp.stack([goal // ROOMS, goal % ROOMS]) + 1
    goal = jnp.where(params.double_t, double_t.GOAL, room)
    distance = distances(free, goal)
    start = _draw_start(starts, distance, params)
    return State(free, start.astype(jnp.int8), goal.astype(jnp.int8), distance)


def spanning_tree(
    weights: Float[Array, "passages"], possible: Bool[Array, "passages"]
) -> Bool[Array, "passages"]:
    """The passages of least weight that connect all rooms, by Borůvka's algorithm (1926).

    Args:
        weights: numbers; of equal ones the first counts as the least.
        possible: passages that may be used; they connect all rooms that have any.
    """
    places = ranks(weights)
    cheapest = inverse(places)

    def join(_: int, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        label, chosen = carry
        ends = label[_ENDS]
        costs = jnp.where((ends[0] != ends[1]) & possible, places, len(weights))
        least = jnp.full(_COUNT, len(weights)).at[ends].min(costs)
        moves, best = least < len(weights), cheapest[least]
        chosen = chosen.at[best].max(moves)
        own = jnp.arange(_COUNT)
        other = jnp.where(moves, ends[0, best] + ends[1, best] - own, own)
        # Two components that chose one passage would lead to each other for ever.
        other = jnp.where((other[other] == own) & (own < other), own, other)
        for _ in range(_ROUNDS):
            other = other[other]
        return other[label], chosen

    start = (jnp.arange(_COUNT), jnp.zeros(len(weights), bool))
    return jax.lax.fori_loop(0, _ROUNDS, join, start)[1]


def distances(free: Bool[Array, "size size"], goal: Int[Array, "2"]) -> Int8[Array, "size size"]:
    """Steps from every cell to the goal, `FAR` where no free way leads there."""
    rows, columns = jnp.indices(free.shape)
    begin = jnp.where((rows == goal[0]) & (columns == goal[1]), 0, FAR).astype(jnp.int8)

    def spread(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        _, distance = carry
        padded = jnp.pad(distance, 1, constant_values=FAR)
        least = jnp.minimum(
            jnp.minimum(padded[:-2, 1:-1], padded[2:, 1:-1]),
            jnp.minimum(padded[1:-1, :-2], padded[1:-1, 2:]),
        )
        nearer = jnp.minimum(distance, jnp.minimum(least, FAR - 1) + 1)
        return distance, jnp.where(free, nearer, jnp.int8(FAR))

    def changed(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        return jnp.any(carry[0] != carry[1])

    return jax.lax.while_loop(changed, spread, spread((begin, begin)))[1]


def _carve(
    inside: Bool[Array, "rooms"], passages: Bool[Array, "passages"]
) -> Bool[Array, "size size"]:
    free = jnp.zeros((SIZE, SIZE), bool)
    free = free.at[2 * _ROWS + 1, 2 * _COLUMNS + 1].set(inside)
    return free.at[_PASSAGE_ROWS, _PASSAGE_COLUMNS].set(passages)


def _draw_start(
    noise: Float[Array, "size size"], distance: Int8[Array, "size size"], params: Params
) -> Int[Array, "2"]:
    there = (distance > 0) & (distance < FAR) & (distance <= params.farthest)
    near = jnp.minimum(params.nearest, jnp.max(jnp.where(there, distance, 0)))
    chosen = jnp.argmax(jnp.where(there & (distance >= near), noise, -1.0))
    return jnp.stack([chosen // SIZE, chosen % SIZE])
