"""The path search of the text version: breadth first over poses, inside the view.

The text version expands poses (cell, direction) from a queue in the order forward, left, right,
lets a later pose overwrite the parent that an earlier one gave to a common successor, and takes
the first pose from its queue that reaches the goal. Seen from the agent's pose this amounts to:
of the goal poses at the least distance, the one whose lexicographically smallest shortest
sequence of moves is smallest; and as path to it, the lexicographically largest shortest
sequence (moves ordered forward < left < right). Two searches backwards from the goal and two
walks down the distances find both, without a queue.

Distances are kept modulo 8 in three bit planes: the distance of a pose and that of its successor
differ by -1 to +5, so that -1 can still be told from the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt8

from jaxagent.envs.babyai.board import ASIDE, BACK, DOWN, UP, flood, neighbours, shift
from jaxagent.envs.babyai.state import FORWARD, LEFT, RIGHT
from jaxagent.envs.babyai.view import COLUMN, ROW, View

LONGEST = 48
"""Moves of the longest path that is looked for."""

Poses = UInt8[Array, "4 8"]
"""A set of poses: one board for each direction relative to the agent's, clockwise."""

Pose = tuple[jax.Array, jax.Array, jax.Array]
"""A pose: direction relative to the agent's, row and column of the view, int32[] each."""

_UNREACHED = 255


class Field(NamedTuple):
    """Distances to a goal.

    Attributes:
        distance: uint8[4, 8, 8], modulo 8, by direction, row and column; `_UNREACHED` if there
            is none, or none smaller than the start's.
        length: int32[], the start's distance, or -1.
    """

    distance: UInt8[Array, "4 8 8"]
    length: Int[Array, ""]


class Path(NamedTuple):
    """int8[LONGEST] primitive actions, of which the first int32[] `length` count; -1: no path."""

    actions: Int[Array, "longest"]
    length: Int[Array, ""]


def window(direction: jax.Array) -> UInt8[Array, "8"]:
    """The cells in which the text version searches from a pose that faces `direction`.

    The view and, by an off-by-one of the original, one more line: the column to its right
    facing down or left, the row behind the agent facing right or down.
    """
    wide, deep = (direction == 1) | (direction == 2), direction <= 1
    row = jnp.where(wide, 0xFF, 0x7F).astype(jnp.uint8)
    return jnp.where((jnp.arange(8) < 7) | deep, row, 0).astype(jnp.uint8)


def free_cells(view: View, direction: jax.Array) -> UInt8[Array, "8"]:
    """The cells of the window that are not seen to be blocked; doors never block the search."""
    return window(direction) & ~view.obstacles


def reachable(free: UInt8[Array, "8"]) -> UInt8[Array, "8"]:
    """The cells that can be walked to inside `free`."""
    return flood(_start()[0], free)


def path_facing(free: UInt8[Array, "8"], row: jax.Array, column: jax.Array) -> Path:
    """The text version's path to a pose that faces the cell."""
    cell = _cell(row, column)
    goals = [shift(cell, (direction + 2) % 4) & free for direction in range(4)]
    return _path(free, jnp.stack(goals))


def path_onto(free: UInt8[Array, "8"], row: jax.Array, column: jax.Array) -> Path:
    """The text version's path onto the cell."""
    return _path(free, jnp.broadcast_to(_cell(row, column) & free, (4, 8)))


def path_to(free: UInt8[Array, "8"], row: jax.Array, column: jax.Array, onto: jax.Array) -> Path:
    """`path_onto` where `onto` holds, else `path_facing`."""
    cell = _cell(row, column)
    facing = jnp.stack([shift(cell, (direction + 2) % 4) for direction in range(4)])
    return _path(free, jnp.where(onto, cell[None], facing) & free)


def _path(free: UInt8[Array, "8"], goals: Poses) -> Path:
    def search(goals: Poses, order: jax.Array) -> tuple[Poses, Path]:
        field = _search(free, goals)
        pose, actions = _walk(field, order)
        return _poses(pose), Path(actions, field.length)

    # A loop of two: a search takes long to compile.
    orders = jnp.array([(FORWARD, LEFT, RIGHT), (RIGHT, LEFT, FORWARD)])
    _, paths = jax.lax.scan(search, goals, orders)
    return Path(paths.actions[1], paths.length[0])


def _cell(row: jax.Array, column: jax.Array) -> UInt8[Array, "8"]:
    bit = jnp.left_shift(1, jnp.clip(column, 0, 7)).astype(jnp.uint8)
    return jnp.where(jnp.arange(8) == row, bit, 0).astype(jnp.uint8)


def _start() -> Poses:
    """The agent's own pose."""
    return jnp.zeros((4, 8), jnp.uint8).at[UP, ROW].set(1 << COLUMN)


def _before(poses: Poses) -> Poses:
    """From where one move leads to `poses`."""
    ahead = jnp.stack([shift(poses[d], (d + 2) % 4) for d in (UP, ASIDE, DOWN, BACK)])
    return ahead | jnp.roll(poses, 1, axis=0) | jnp.roll(poses, -1, axis=0)


def _search(free: UInt8[Array, "8"], goals: Poses) -> Field:
    """Distances to `goals`, of all poses that are not further from them than the start."""
    start = _start()

    def unfinished(carry: tuple) -> jax.Array:
        level, frontier, reached, _ = carry
        found = jnp.any(reached & start)
        return (level < LONGEST) & jnp.any(frontier) & ~found

    def widen(carry: tuple) -> tuple:
        level, frontier, reached, planes = carry
        frontier = _before(frontier) & free & ~reached
        level = level + 1
        bits = (level >> jnp.arange(3)) & 1
        planes = planes | jnp.where(bits[:, None, None] == 1, frontier, 0).astype(jnp.uint8)
        return level, frontier, reached | frontier, planes

    planes = jnp.zeros((3, 4, 8), jnp.uint8)
    carry = jax.lax.while_loop(unfinished, widen, (jnp.int32(0), goals, goals, planes))
    level, _, reached, planes = carry
    length = jnp.where(jnp.any(reached & start), level, -1)
    return Field(_unpack(planes, reached), length)


def _unpack(planes: UInt8[Array, "3 4 8"], reached: Poses) -> UInt8[Array, "4 8 8"]:
    """Numbers from their bit planes."""
    bits = (planes[..., None] >> jnp.arange(8, dtype=jnp.uint8)) & 1
    there = (reached[..., None] >> jnp.arange(8, dtype=jnp.uint8)) & 1
    number = bits[0] | (bits[1] << 1) | (bits[2] << 2)
    return jnp.where(there == 1, number, _UNREACHED).astype(jnp.uint8)


def _poses(pose: Pose) -> Poses:
    """The set of one pose."""
    direction, row, column = pose
    return jnp.where(jnp.arange(4)[:, None] == direction, _cell(row, column), 0).astype(jnp.uint8)


def _step(pose: Pose, action: jax.Array) -> Pose:
    """Where an action leads from `pose`, obstacles aside; rows and columns may leave the board."""
    direction, row, column = pose
    turn = jnp.where(action == RIGHT, 1, jnp.where(action == LEFT, 3, 0))
    sign = jnp.where((direction == UP) | (direction == BACK), -1, 1)
    sign, aside = jnp.where(action == FORWARD, sign, 0), direction % 2
    return (direction + turn) % 4, row + sign * (1 - aside), column + sign * aside


def _distance_at(field: Field, pose: Pose) -> jax.Array:
    direction, row, column = pose
    inside = (row >= 0) & (row < 8) & (column >= 0) & (column < 8)
    place = direction * 64 + jnp.clip(row, 0, 7) * 8 + jnp.clip(column, 0, 7)
    return jnp.where(inside, field.distance.reshape(-1)[place], _UNREACHED)


def _walk(field: Field, order: Int[Array, "3"]) -> tuple[Pose, Int[Array, "longest"]]:
    """Walks down the distances, trying actions in `order`; the last pose and the actions."""

    def unfinished(carry: tuple) -> jax.Array:
        return carry[0] < field.length

    def move(carry: tuple) -> tuple:
        taken, pose, actions = carry
        wanted = (field.length - taken - 1) % 8
        options = jax.vmap(_step, (None, 0))(pose, order)
        descends = jax.vmap(_distance_at, (None, 0))(field, options) == wanted
        action = order[jnp.argmax(descends.at[2].set(True))]
        actions = jnp.where(jnp.arange(LONGEST) == taken, action.astype(jnp.int8), actions)
        return taken + 1, _step(pose, action), actions

    pose = (jnp.int32(UP), jnp.int32(ROW), jnp.int32(COLUMN))
    empty = jnp.full(LONGEST, -1, jnp.int8)
    return jax.lax.while_loop(unfinished, move, (jnp.int32(0), pose, empty))[1:]


def touched(reached: UInt8[Array, "8"]) -> UInt8[Array, "8"]:
    """The cells that can be faced from `reached`."""
    return neighbours(reached)
