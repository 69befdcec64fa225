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

_AHEAD, _TURN_LEFT, _TURN_RIGHT = range(3)
_ACTIONS = (FORWARD, LEFT, RIGHT)


class Field(NamedTuple):
    """Distances to a goal: uint8[3, 4, 8] bit planes, the poses that have one, the start's."""

    planes: UInt8[Array, "3 4 8"]
    reached: Poses
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


def path_to(
    free: UInt8[Array, "8"], row: jax.Array, column: jax.Array, onto: jax.Array
) -> Path:
    """`path_onto` where `onto` holds, else `path_facing`."""
    cell = _cell(row, column)
    facing = jnp.stack([shift(cell, (direction + 2) % 4) for direction in range(4)])
    return _path(free, jnp.where(onto, cell[None], facing) & free)


def _path(free: UInt8[Array, "8"], goals: Poses) -> Path:
    field = _search(free, goals)
    goal, _ = _walk(field, (_AHEAD, _TURN_LEFT, _TURN_RIGHT))
    _, actions = _walk(_search(free, goal), (_TURN_RIGHT, _TURN_LEFT, _AHEAD))
    return Path(actions, field.length)


def _cell(row: jax.Array, column: jax.Array) -> UInt8[Array, "8"]:
    bit = jnp.left_shift(1, jnp.clip(column, 0, 7)).astype(jnp.uint8)
    return jnp.where(jnp.arange(8) == row, bit, 0).astype(jnp.uint8)


def _start() -> Poses:
    """The agent's own pose."""
    return jnp.zeros((4, 8), jnp.uint8).at[UP, ROW].set(1 << COLUMN)


def _after(poses: Poses, move: int) -> Poses:
    """Where `move` leads from `poses`."""
    if move == _AHEAD:
        return jnp.stack([shift(poses[d], d) for d in (UP, ASIDE, DOWN, BACK)])
    return jnp.roll(poses, -1 if move == _TURN_LEFT else 1, axis=0)


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
    return Field(planes, reached, jnp.where(jnp.any(reached & start), level, -1))


def _at(field: Field, distance: jax.Array) -> Poses:
    """The poses at `distance` modulo 8."""
    bits = (distance >> jnp.arange(3)) & 1
    same = jnp.where(bits[:, None, None] == 1, field.planes, ~field.planes)
    return field.reached & same[0] & same[1] & same[2]


def _walk(field: Field, order: tuple[int, int, int]) -> tuple[Poses, Int[Array, "longest"]]:
    """Walks down the distances, trying moves in `order`; the last pose and the actions."""

    def unfinished(carry: tuple) -> jax.Array:
        return carry[0] < field.length

    def move(carry: tuple) -> tuple:
        taken, pose, actions = carry
        nearer = _at(field, field.length - taken - 1)
        options = [_after(pose, option) & nearer for option in order]
        first, second = jnp.any(options[0]), jnp.any(options[1])
        pose = jnp.where(first, options[0], jnp.where(second, options[1], options[2]))
        codes = [_ACTIONS[option] for option in order]
        action = jnp.where(first, codes[0], jnp.where(second, codes[1], codes[2]))
        actions = jnp.where(jnp.arange(LONGEST) == taken, action.astype(jnp.int8), actions)
        return taken + 1, pose, actions

    empty = jnp.full(LONGEST, -1, jnp.int8)
    _, pose, actions = jax.lax.while_loop(unfinished, move, (jnp.int32(0), _start(), empty))
    return pose, actions


def touched(reached: UInt8[Array, "8"]) -> UInt8[Array, "8"]:
    """The cells that can be faced from `reached`."""
    return neighbours(reached)
