"""One primitive action of a shortest way over the true grid, for when no macro helps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxagent.envs.babyai.board import flood, holds, neighbours, pack
from jaxagent.envs.babyai.state import DIRECTIONS, FORWARD, LEFT, RIGHT, Agent

Grid = Bool[Array, "size size"]


def steer(
    agent: Agent, walkable: Grid, targets: Grid, towards: Int[Array, "2"]
) -> tuple[Int[Array, ""], Bool[Array, ""]]:
    """The next primitive on a way to face one of `targets`, and whether one is faced already.

    Args:
        agent: the agent.
        walkable: cells it can step on.
        targets: cells to face; if none can be, the agent steps anywhere.
        towards: where the target lies; of equally short ways the one that looks there is taken,
            so that the target comes into view soon.
    """
    position, direction = agent.position.astype(jnp.int32), agent.direction.astype(jnp.int32)
    rows, free = pack(targets, jnp.uint32), pack(walkable, jnp.uint32)
    here = _cell(position, len(rows))
    free = free | here
    stands = neighbours(rows) & free
    there = jnp.any(stands & here != 0)
    reached = flood(stands, free, until=lambda cells: jnp.any(neighbours(cells) & here != 0))
    fronts = position + jnp.asarray(DIRECTIONS)
    goals = jnp.where(there, _each(rows, fronts), _each(reached, fronts))
    goals = jnp.where(jnp.any(goals), goals, _each(free, fronts))
    score = jnp.asarray(DIRECTIONS) @ (towards.astype(jnp.int32) - position) * 4
    turns = (jnp.arange(4) - direction) % 4
    score = score * ~there - jnp.array([0, 1, 2, 1])[turns]
    wanted = jnp.argmax(jnp.where(goals, score, -(1 << 20)))
    turn = (wanted - direction) % 4
    action = jnp.where(turn == 0, FORWARD, jnp.where(turn == 3, LEFT, RIGHT))
    return action, there & (turn == 0)


def within_reach(agent: Agent, walkable: Grid) -> Grid:
    """The cells that the agent can walk to, and those beside them."""
    here = _cell(agent.position.astype(jnp.int32), len(walkable))
    reached = flood(here, pack(walkable, jnp.uint32) | here)
    columns = jnp.arange(len(walkable), dtype=jnp.uint32)
    return ((reached | neighbours(reached))[:, None] >> columns) & 1 == 1


def _cell(position: Int[Array, "2"], size: int) -> jax.Array:
    bit = jnp.left_shift(1, position[0]).astype(jnp.uint32)
    return jnp.where(jnp.arange(size) == position[1], bit, 0).astype(jnp.uint32)


def _each(rows: jax.Array, cells: Int[Array, "4 2"]) -> Bool[Array, "4"]:
    return jnp.stack([holds(rows, cell[1], cell[0]) for cell in cells])
