"""The grid world as arrays: what an instance is and has become.

Coordinates are (x, y), x to the right and y downwards; directions count clockwise from right, as
in MiniGrid. An object is a row of every per-object array; there are at most `N` of them.
"""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

COLORS = ("red", "green", "blue", "purple", "yellow", "grey")
KEY, BALL, BOX, DOOR = range(4)
"""Kinds of objects; -1 is a row without an object."""

OPEN, CLOSED, LOCKED = range(3)
"""States of a door."""

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
"""Primitive actions, numbered as in MiniGrid."""

GO_TO, PICK_UP, OPEN_IT, PUT_NEXT = range(4)
"""Kinds of mission clauses; -1 is no clause."""

ALONE, BEFORE, AFTER = range(3)
"""How the two parts of a mission are ordered: there is only the first, then, after."""

RUNNING, SUCCESS, FAILURE = range(3)
"""Status of an episode."""

CLAUSES = 4
"""A mission has two parts of up to two clauses each: clauses 0 and 1, clauses 2 and 3."""

NOWHERE = -1
"""Both coordinates of an object that is carried, hidden in a box or gone."""

settled = jax.lax.optimization_barrier
"""Keeps the compiler from working a value out anew for every use, which takes it long to compile
and longer to run."""

DIRECTIONS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], np.int32)
"""Unit vectors of the directions right, down, left, up."""


class Mission(flax.struct.PyTreeNode):
    """What has to be done. Sets of objects are fixed when the episode starts.

    Attributes:
        kind: int8[4], kind of every clause or -1.
        first: bool[4, N], objects to go to, pick up, open or move.
        second: bool[4, N], objects to put the moved one next to.
        strict: bool[4], whether a wrong object ends the episode.
        order: int8[], `ALONE`, `BEFORE` or `AFTER`.
    """

    kind: Int[Array, "clauses"]
    first: Bool[Array, "clauses objects"]
    second: Bool[Array, "clauses objects"]
    strict: Bool[Array, "clauses"]
    order: Int[Array, ""]


class Progress(flax.struct.PyTreeNode):
    """What has been done.

    Attributes:
        done: bool[4], clauses that have been fulfilled while they counted.
        carried: int8[4], what was in the hands when a clause was last looked at, or -1.
        steps: int16[], primitive actions taken.
        status: int8[], `RUNNING`, `SUCCESS` or `FAILURE`.
    """

    done: Bool[Array, "clauses"]
    carried: Int[Array, "clauses"]
    steps: Int[Array, ""]
    status: Int[Array, ""]


class Agent(flax.struct.PyTreeNode):
    """Pose and hands: int8[2] position, int8[] direction, int8[] object carried or -1."""

    position: Int[Array, "2"]
    direction: Int[Array, ""]
    carries: Int[Array, ""]


class State(flax.struct.PyTreeNode):
    """An instance of at most `N` objects on a grid of side `S`.

    Attributes:
        walls: bool[S, S], indexed [y, x]; what lies outside the rooms is wall.
        kind: int8[N], `KEY`, `BALL`, `BOX`, `DOOR` or -1.
        color: int8[N], index into `COLORS`.
        content: int8[N], the object inside a box, or -1.
        door: int8[N], `OPEN`, `CLOSED` or `LOCKED`; meaningless but for doors.
        position: int8[N, 2], where the objects are.
        recorded: int8[N, 2], where the mission believes them to be: refreshed at a drop only.
        agent: the agent.
        mission: what has to be done.
        progress: what has been done.
        max_steps: int16[], the primitive actions that bring the reward down to 0.1.
    """

    walls: Bool[Array, "size size"]
    kind: Int[Array, "objects"]
    color: Int[Array, "objects"]
    content: Int[Array, "objects"]
    door: Int[Array, "objects"]
    position: Int[Array, "objects 2"]
    recorded: Int[Array, "objects 2"]
    agent: Agent
    mission: Mission
    progress: Progress
    max_steps: Int[Array, ""]


def vector(direction: jax.Array) -> Int[Array, "2"]:
    """int8[2]: the unit vector of `direction`, by arithmetic (a table look-up is slower)."""
    sign = jnp.where(direction >= 2, -1, 1)
    even = direction % 2 == 0
    return jnp.stack([jnp.where(even, sign, 0), jnp.where(even, 0, sign)]).astype(jnp.int8)


def front(agent: Agent) -> Int[Array, "2"]:
    """int8[2]: the cell that the agent faces."""
    return agent.position + vector(agent.direction)


def objects_at(position: Int[Array, "objects 2"], cell: Int[Array, "2"]) -> Bool[Array, "objects"]:
    """Which objects lie at `cell`."""
    return jnp.all(position == cell, axis=-1)


def wall_at(walls: Bool[Array, "size size"], cell: Int[Array, "2"]) -> Bool[Array, ""]:
    """Whether `cell` is a wall; all cells outside the grid are."""
    size = walls.shape[-1]
    x, y = cell[0].astype(jnp.int32), cell[1].astype(jnp.int32)
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    return walls[jnp.clip(y, 0, size - 1), jnp.clip(x, 0, size - 1)] | ~inside


def fresh_progress() -> Progress:
    """The progress of an episode that has just begun."""
    return Progress(
        done=jnp.zeros(CLAUSES, bool),
        carried=jnp.full(CLAUSES, -1, jnp.int8),
        steps=jnp.int16(0),
        status=jnp.int8(RUNNING),
    )
