"""Where things are put: masked draws over cells, never a rejection loop.

An object may only be put where the passable cells around it stay connected, so that whatever
could be reached before still can, and where it does not take the last way to another object.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.babyai.board import (
    Board,
    around,
    cell_board,
    draw_cell,
    exactly_one,
    neighbours,
)


class Request(NamedTuple):
    """What to put, for one object: whether at all, in which cells, and whether it may block."""

    wanted: Bool[Array, ""]
    region: Board
    blocking: Bool[Array, ""]


def place_agent(
    noise: Float[Array, "5"], region: Board, doors: Board
) -> tuple[Int[Array, "2"], Int[Array, ""]]:
    """A cell of `region`, and a direction in which no door is right in front."""
    cell = draw_cell(noise[4], region)
    clear = jnp.all(jnp.stack(around(doors)[::2]) & cell_board(cell, len(region)) == 0, axis=1)
    return cell, jnp.argmax(jnp.where(clear, noise[:4], -1.0))


def place_objects(
    noise: Float[Array, "objects"],
    requests: Request,
    floor: Board,
    doors: Board,
    agent: Int[Array, "2"],
) -> tuple[Int[Array, "objects 2"], Bool[Array, "objects"]]:
    """Puts the objects one after the other; their cells, and which of them found one.

    Args:
        noise: float32[objects], uniform numbers.
        requests: one row per object.
        floor: cells inside rooms.
        doors: cells with a door.
        agent: the agent's cell; nothing is put there or right beside it.
    """
    size = len(floor)
    here = cell_board(agent, size)
    allowed = floor & ~(here | neighbours(here))

    def put(taken: Board, step: tuple[Request, jax.Array]) -> tuple[Board, tuple]:
        request, noise = step
        ways = leaves_ways(taken, (floor | doors) & ~taken)
        harmless = jnp.where(request.blocking, neighbours(doors), ways)
        choice = jnp.where(request.wanted, allowed & ~taken & request.region & harmless, 0)
        cell, found = draw_cell(noise, choice), jnp.any(choice > 0)
        return taken | jnp.where(found, cell_board(cell, size), 0), (cell, found)

    return jax.lax.scan(put, jnp.zeros_like(floor), (requests, noise))[1]


def leaves_ways(taken: Board, passable: Board) -> Board:
    """Cells where one more object would neither cut off cells nor take the last way to another.

    Args:
        taken: cells with an object.
        passable: cells that can be walked through, doors included.
    """
    return _keeps_connected(passable) & ~_blocks_access(taken, passable)


def _keeps_connected(passable: Board) -> Board:
    """Cells whose neighbours among `passable` hang together without them.

    The number of 4-connected pieces around a cell (Yokoi's connectivity number) is one, or none
    as all the ring is passable.
    """
    ring = around(passable)
    after = ring[1:] + ring[:2]
    is_one = exactly_one(*(ring[i] & ~(after[i] & after[i + 1]) for i in range(0, 8, 2)))
    return is_one | reduce(operator.and_, ring)


def _blocks_access(taken: Board, passable: Board) -> Board:
    """Cells that are the only way to an object beside them."""
    return neighbours(taken & exactly_one(*around(passable)[::2]))
