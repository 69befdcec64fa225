"""Sets of cells as bit boards: one unsigned integer per row, bit i for column i.

A few bytes hold a whole view, so that floods and searches are a handful of bitwise operations
per step for all cells at once. A step out of the board leaves it.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, UInt, UInt32

UP, ASIDE, DOWN, BACK = range(4)
"""Directions on a board, clockwise: to lower rows, higher columns, higher rows, lower columns."""

Board = UInt[Array, "rows"]


def shift(board: Board, direction: int) -> Board:
    """All cells moved by one in `direction`."""
    edge = jnp.zeros_like(board[:1])
    if direction == UP:
        return jnp.concatenate([board[1:], edge])
    if direction == DOWN:
        return jnp.concatenate([edge, board[:-1]])
    return board << 1 if direction == ASIDE else board >> 1


def neighbours(board: Board) -> Board:
    """All cells that have one of `board` beside them."""
    return shift(board, UP) | shift(board, ASIDE) | shift(board, DOWN) | shift(board, BACK)


def board_of(rows: jax.Array, columns: jax.Array, present: jax.Array) -> Board:
    """uint8[8]: the cells at `rows`, `columns` (one per object) that are `present`."""
    bits = jnp.where(present, jnp.left_shift(1, jnp.clip(columns, 0, 7)), 0).astype(jnp.uint8)
    here = rows[None, :] == jnp.arange(8)[:, None]
    return jax.lax.reduce_or(jnp.where(here, bits[None, :], 0).astype(jnp.uint8), (1,))


def pack(
    cells: Bool[Array, "*n rows columns"], dtype: jax.typing.DTypeLike
) -> UInt[Array, "*n rows"]:
    """The boards of boolean arrays."""
    bits = jnp.left_shift(1, jnp.arange(cells.shape[-1])).astype(dtype)
    return jax.lax.reduce_or(jnp.where(cells, bits, 0).astype(dtype), (cells.ndim - 1,))


def unpack(board: Board) -> Bool[Array, "rows rows"]:
    """A square board as a boolean array."""
    columns = jnp.arange(len(board), dtype=board.dtype)
    return (board[:, None] >> columns) & 1 == 1


def holds(board: Board, row: jax.Array, column: jax.Array) -> Bool[Array, ""]:
    """Whether the cell is in `board`; rows and columns outside hold nothing."""
    words = jnp.where(jnp.arange(board.shape[0]) == row, board, 0)
    word = jax.lax.reduce_or(words.astype(board.dtype), (0,))
    inside = (column >= 0) & (column < 8 * board.dtype.itemsize)
    shifted = word >> jnp.clip(column, 0, 31).astype(board.dtype)
    return ((shifted & 1) == 1) & inside


def flood(start: Board, free: Board, until: Callable[[Board], jax.Array] | None = None) -> Board:
    """All cells of `free` that can be walked to from `start`, which is among them.

    With `until`, a test of the cells reached so far, the flood ends as soon as it holds.
    """

    def unfinished(carry: tuple[Board, Board]) -> jax.Array:
        reached, before = carry
        growing = jnp.any(reached != before)
        return growing if until is None else growing & ~until(reached)

    def grow(carry: tuple[Board, Board]) -> tuple[Board, Board]:
        reached, _ = carry
        return reached | (neighbours(reached) & free), reached

    return jax.lax.while_loop(unfinished, grow, (start, jnp.zeros_like(start)))[0]


def cell_board(cell: Int[Array, "2"], size: int) -> UInt32[Array, "rows"]:
    """The board on which one cell (x, y) is marked."""
    bit = jnp.uint32(1) << cell[0].astype(jnp.uint32)
    return jnp.where(jnp.arange(size) == cell[1], bit, jnp.uint32(0))


def around(board: Board) -> list[Board]:
    """For every cell, whether the cells of the ring around it are in `board`.

    The ring runs clockwise from the one in the next column: its even places are the four sides.
    """
    above, below = shift(board, DOWN), shift(board, UP)
    return [
        shift(board, BACK),
        shift(below, BACK),
        below,
        shift(below, ASIDE),
        shift(board, ASIDE),
        shift(above, ASIDE),
        above,
        shift(above, BACK),
    ]


def exactly_one(a: Board, b: Board, c: Board, d: Board) -> Board:
    """Cells marked on one of four boards and on no other."""
    return (a ^ b ^ c ^ d) & ~((a & b) | (c & d))


def draw_cell(noise: jax.Array, board: UInt32[Array, "rows"]) -> Int[Array, "2"]:
    """(x, y) of a marked cell, uniformly if `noise` is so in [0, 1); any cell if none is marked.

    The board is square, of at most 31 columns.
    """
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
