"""Where things are put: masked draws over cells, never a rejection loop.

An object may only be put where the passable cells around it stay connected, so that whatever
could be reached before still can, and where it does not take the last way to another object.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

_RING = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
"""The cells around a cell, clockwise from the right."""

Grid = Bool[Array, "size size"]


class Request(NamedTuple):
    """What to put, for one object: whether at all, in which cells, and whether it may block."""

    wanted: Bool[Array, ""]
    region: Grid
    blocking: Bool[Array, ""]


def place_agent(
    noise: jax.Array, region: Grid, doors: Grid
) -> tuple[Int[Array, "2"], Int[Array, ""]]:
    """A cell of `region`, and a direction in which no door is right in front.

    `noise` are 4 + S * S uniform numbers.
    """
    cell = _draw(noise[4:].reshape(region.shape), region)
    marked = jnp.stack(_around(doors)[::2])
    here = _cell(cell, region.shape[0])
    clear = ~jnp.any(marked & here, axis=(1, 2))
    return cell, jnp.argmax(jnp.where(clear, noise[:4], -1.0))


def place_objects(
    noise: jax.Array, requests: Request, floor: Grid, doors: Grid, agent: Int[Array, "2"]
) -> tuple[Int[Array, "objects 2"], Bool[Array, "objects"]]:
    """Puts the objects one after the other; their cells, and which of them found one.

    Args:
        noise: float32[objects, S, S], uniform numbers.
        requests: one row per object.
        floor: cells inside rooms.
        doors: cells with a door.
        agent: the agent's cell; nothing is put there or right beside it.
    """
    size = floor.shape[0]
    apart = jnp.abs(jnp.arange(size)[:, None] - agent[1]) + jnp.abs(jnp.arange(size) - agent[0])
    allowed = floor & (apart >= 2)
    by_door = _count(doors) > 0

    def put(taken: Grid, step: tuple[Request, jax.Array]) -> tuple[Grid, tuple]:
        request, noise = step
        passable = (floor | doors) & ~taken
        harmless = jnp.where(request.blocking, by_door, leaves_ways(taken, passable))
        choice = allowed & ~taken & request.region & harmless & request.wanted
        cell, found = _draw(noise, choice), jnp.any(choice)
        return taken | (_cell(cell, size) & found), (cell, found)

    return jax.lax.scan(put, jnp.zeros_like(floor), (requests, noise))[1]


def leaves_ways(taken: Grid, passable: Grid) -> Grid:
    """Cells where one more object would neither cut off cells nor take the last way to another.

    Args:
        taken: cells with an object.
        passable: cells that can be walked through, doors included.
    """
    return _keeps_connected(passable) & ~_blocks_access(taken, passable)


def _draw(noise: jax.Array, choice: Grid) -> Int[Array, "2"]:
    """(x, y) of a cell of `choice`, uniformly if the noise is uniform."""
    size = choice.shape[0]
    place = jnp.argmax(jnp.where(choice, noise, -1.0).reshape(-1))
    return jnp.stack([place % size, place // size])


def _cell(cell: Int[Array, "2"], size: int) -> Grid:
    """The grid with one cell marked."""
    return (jnp.arange(size)[:, None] == cell[1]) & (jnp.arange(size) == cell[0])


def _around(cells: Grid) -> list[Grid]:
    """For every cell, whether the cells of the ring around it are in `cells`."""
    size = cells.shape[0]
    padded = jnp.pad(cells, 1)
    return [padded[1 + y : 1 + y + size, 1 + x : 1 + x + size] for x, y in _RING]


def _count(cells: Grid) -> Int[Array, "size size"]:
    """For every cell, how many of its four neighbours are in `cells`."""
    return sum((side.astype(jnp.int8) for side in _around(cells)[::2]), jnp.int8(0))


def _keeps_connected(passable: Grid) -> Grid:
    """Cells whose neighbours among `passable` hang together without them.

    The number of 4-connected pieces around a cell (Yokoi's connectivity number) is one.
    """
    ring = [cells.astype(jnp.int8) for cells in _around(passable)]
    ring += ring[:2]
    pieces = [ring[i] - ring[i] * ring[i + 1] * ring[i + 2] for i in range(0, 8, 2)]
    return sum(pieces, jnp.int8(0)) == 1


def _blocks_access(taken: Grid, passable: Grid) -> Grid:
    """Cells that are the only way to an object beside them."""
    return _count(taken & (_count(passable) == 1)) > 0
