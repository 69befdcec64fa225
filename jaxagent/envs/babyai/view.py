"""What the agent sees: the occluded view of 7 x 7 cells in front of it, and the objects in it.

Rows and columns of the view are MiniGrid's: row 6 is the agent's own, row 0 six steps ahead,
column 3 straight ahead, column 6 three steps to the right. Boards have eight rows and columns
of eight bits: the path search looks one line further (`planner.window`).
"""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, UInt8

from jaxagent.envs.babyai.board import board_of, holds, pack
from jaxagent.envs.babyai.state import BOX, DOOR, OPEN, Agent, State, settled, vector

SIDE = 7
ROW, COLUMN = 6, 3
"""Where the agent stands in its view."""

_NONE = 1 << 20


class View(flax.struct.PyTreeNode):
    """The visible objects, nearest first, at most `K` of them.

    Attributes:
        there: bool[K], whether an entry is an object.
        index: int32[K], its row in the state.
        color: int32[K].
        thing: int32[K], kind of a movable object, or `DOOR` plus the state of a door.
        number: int32[K], 1 for the first with this colour and thing, 2 for the second, ...
        ahead: int32[K], steps in front of the agent.
        side: int32[K], steps to its right, negative to its left.
        obstacles: uint8[8], visible walls, keys, balls and boxes.
        visible: uint8[8], visible cells.
        wall: int32[], distance of the nearest visible wall straight ahead, or 0.
        box: int32[], the same of boxes.
    """

    there: Bool[Array, "seen"]
    index: Int[Array, "seen"]
    color: Int[Array, "seen"]
    thing: Int[Array, "seen"]
    number: Int[Array, "seen"]
    ahead: Int[Array, "seen"]
    side: Int[Array, "seen"]
    obstacles: UInt8[Array, "8"]
    visible: UInt8[Array, "8"]
    wall: Int[Array, ""]
    box: Int[Array, ""]


def relative(position: Int[Array, "*n 2"], agent: Agent) -> tuple[jax.Array, jax.Array]:
    """Steps ahead of and to the right of `agent`, int32[*n] each."""
    offset = (position - agent.position).astype(jnp.int32)
    forward = vector(agent.direction).astype(jnp.int32)
    dx, dy = offset[..., 0], offset[..., 1]
    return dx * forward[0] + dy * forward[1], dy * forward[0] - dx * forward[1]


def look(state: State, seen: int) -> View:
    """What the agent of `state` sees, the `seen` nearest objects of it."""
    ahead, side = relative(state.position, state.agent)
    row, column = ROW - ahead, COLUMN + side
    near = (state.kind >= 0) & (state.position[:, 0] >= 0) & ((ahead > 0) | (side != 0))
    near &= (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)
    row, column, near = settled((row, column, near))
    shut = near & (state.kind == DOOR) & (state.door != OPEN)
    walls = _walls_in_view(state)
    visible = occlude(walls | board_of(row, column, shut))
    solid = board_of(row, column, near & (state.kind != DOOR))
    boxes = board_of(row, column, near & (state.kind == BOX))
    there, index = _nearest(near & holds_each(visible, row, column), row, column, seen)
    there, index = settled((there, index))
    pick = lambda values: jnp.where(there, values[index].astype(jnp.int32), -1)  # noqa: E731
    color, thing = pick(state.color), pick(thing_of(state))
    return View(
        there=there,
        index=index,
        color=color,
        thing=thing,
        number=_number(color, thing, there),
        ahead=pick(ahead),
        side=jnp.where(there, side[index], 0),
        obstacles=visible & (walls | solid),
        visible=visible,
        wall=_distance(visible & walls),
        box=_distance(visible & boxes),
    )


def thing_of(state: State) -> Int[Array, "objects"]:
    """int8[N]: what the objects are called: their kind, doors by their state."""
    return jnp.where(state.kind == DOOR, DOOR + state.door, state.kind)


def occlude(opaque: UInt8[Array, "8"]) -> UInt8[Array, "8"]:
    """The visible cells of a view whose `opaque` cells hide what is behind them.

    MiniGrid's rule: row by row from the agent outwards, visible transparent cells show their
    neighbours to the right, then to the left, and those above and diagonally above.
    """
    lit = jnp.uint8(1 << COLUMN)
    _, rows = jax.lax.scan(_light_row, lit, opaque[:SIDE], reverse=True)
    return jnp.concatenate([rows, jnp.zeros(1, jnp.uint8)])


def _light_row(lit: jax.Array, opaque: jax.Array) -> tuple[jax.Array, jax.Array]:
    """From the cells of a row that are lit from below: those lit in the next, and in this one."""
    clear = ~opaque & jnp.uint8(0x7F)
    right, left = clear & 0x3F, clear & 0x7E
    rightward = lit & right
    for step in (1, 2, 4):
        rightward, right = rightward | (right & (rightward << step)), right & (right << step)
    lit = lit | (rightward << 1)
    leftward = lit & left
    for step in (1, 2, 4):
        leftward, left = leftward | (left & (leftward >> step)), left & (left >> step)
    lit = lit | (leftward >> 1)
    return rightward | (rightward << 1) | leftward | (leftward >> 1), lit


def holds_each(board: jax.Array, row: jax.Array, column: jax.Array) -> jax.Array:
    """`board.holds` for many cells at once."""
    return jax.vmap(holds, in_axes=(None, 0, 0))(board, row, column)


def _walls_in_view(state: State) -> UInt8[Array, "8"]:
    """The walls of the 7 x 7 view; cells outside the grid count as walls."""
    size = state.walls.shape[0]
    forward = vector(state.agent.direction).astype(jnp.int32)
    ahead, side = ROW - jnp.arange(SIDE)[:, None], jnp.arange(SIDE)[None, :] - COLUMN
    x = state.agent.position[0] + ahead * forward[0] - side * forward[1]
    y = state.agent.position[1] + ahead * forward[1] + side * forward[0]
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    place = jnp.clip(y, 0, size - 1) * size + jnp.clip(x, 0, size - 1)
    walls = pack(state.walls.reshape(-1)[place] | ~inside, jnp.uint8)
    return jnp.concatenate([walls, jnp.zeros(1, jnp.uint8)])


def _nearest(
    visible: jax.Array, row: jax.Array, column: jax.Array, seen: int
) -> tuple[Bool[Array, "seen"], Int[Array, "seen"]]:
    """The `seen` nearest visible objects: Manhattan distance, ties by row and then by column."""
    distance = jnp.abs(ROW - row) + jnp.abs(column - COLUMN)
    key = jnp.where(visible, distance * 64 + row * 8 + column, _NONE)
    rank = jnp.sum(key[None, :] < key[:, None], axis=1)
    chosen = (rank[None, :] == jnp.arange(seen)[:, None]) & visible
    index = jnp.sum(jnp.where(chosen, jnp.arange(len(key)), 0), axis=1)
    return jnp.arange(seen) < jnp.sum(visible), index


def _number(color: jax.Array, thing: jax.Array, counted: jax.Array) -> Int[Array, "seen"]:
    """For every entry, how many counted entries up to it have its name."""
    same = (color[:, None] == color[None, :]) & (thing[:, None] == thing[None, :])
    return jnp.sum(jnp.tril(same & counted[None, :]), axis=1)


def _distance(cells: UInt8[Array, "8"]) -> Int[Array, ""]:
    """Distance of the nearest of `cells` straight ahead, 0 if there is none."""
    ahead = (cells[:ROW] >> COLUMN) & 1
    distances = jnp.where(ahead == 1, ROW - jnp.arange(ROW), SIDE)
    return jnp.min(distances) % SIDE
