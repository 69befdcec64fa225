"""Grids of yes and no as bitboards: an integer for every row, a bit for every cell.

What asks for the neighbours of all cells at once are a few shifts of these integers.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, UInt32

Board = UInt32[Array, "size"]
"""Row y holds cell (x, y) in its bit x. Bits from `size` on mean nothing."""

MAX_SIZE = 31
"""Cells of a side, at most."""


def pack(grid: Bool[Array, "*n size size"]) -> UInt32[Array, "*n size"]:
    """Grids [y, x] as boards."""
    bits = np.uint32(1) << np.arange(grid.shape[-1], dtype=np.uint32)
    return jnp.sum(jnp.where(grid, jnp.asarray(bits), jnp.uint32(0)), axis=-1, dtype=jnp.uint32)


def unpack(board: Board) -> Bool[Array, "size size"]:
    """A board as a grid [y, x]."""
    columns = jnp.arange(len(board), dtype=jnp.uint32)
    return (board[:, None] >> columns) & 1 == 1


def cell_board(cell: Int[Array, "2"], size: int) -> Board:
    """The board on which one cell (x, y) is marked."""
    bit = jnp.uint32(1) << cell[0].astype(jnp.uint32)
    return jnp.where(jnp.arange(size) == cell[1], bit, jnp.uint32(0))


def around(board: Board) -> list[Board]:
    """For every cell, whether the cells of the ring around it are marked.

    The ring runs clockwise from the right: its even places are the four sides.
    """
    none = jnp.zeros(1, jnp.uint32)
    above, below = jnp.concatenate([none, board[:-1]]), jnp.concatenate([board[1:], none])
    right, left = board >> 1, board << 1
    return [right, below >> 1, below, below << 1, left, above << 1, above, above >> 1]


def beside(board: Board) -> Board:
    """Cells with a marked one on at least one of their four sides."""
    right, below, left, above = around(board)[::2]
    return right | below | left | above


def exactly_one(a: Board, b: Board, c: Board, d: Board) -> Board:
    """Cells marked on one of four boards and on no other."""
    return (a ^ b ^ c ^ d) & ~((a & b) | (c & d))


def draw_cell(noise: jax.Array, board: Board) -> Int[Array, "2"]:
    """(x, y) of a marked cell, uniformly if `noise` is so in [0, 1); any cell if none is marked."""
    size = len(board)
    inside = board & jnp.uint32((1 << size) - 1)
    counts = jax.lax.population_count(inside).astype(jnp.int32)
    ends = jnp.sum(jnp.where(np.tri(size, dtype=bool), counts, 0), axis=1)
    place = jnp.floor(noise * ends[-1]).astype(jnp.int32)
    y = jnp.sum(ends <= place)
    is_row = jnp.arange(size) == y
    row = jnp.sum(jnp.where(is_row, inside, 0), dtype=jnp.uint32)
    place -= jnp.sum(jnp.where(is_row, ends - counts, 0))
    up_to = np.array([(2 << x) - 1 for x in range(size)], np.uint32)
    x = jnp.sum(jax.lax.population_count(row & up_to).astype(jnp.int32) <= place)
    return jnp.minimum(jnp.stack([x, y]), size - 1)
