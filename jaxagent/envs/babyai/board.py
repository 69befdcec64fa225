"""Sets of cells as bit boards: one unsigned integer per row, bit i for column i.

A few bytes hold a whole view, so that floods and searches are a handful of bitwise operations
per step for all cells at once. A step out of the board leaves it.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, UInt

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


def pack(cells: Bool[Array, "rows columns"], dtype: jax.typing.DTypeLike) -> Board:
    """The board of a boolean array."""
    bits = jnp.left_shift(1, jnp.arange(cells.shape[1])).astype(dtype)
    return jax.lax.reduce_or(jnp.where(cells, bits, 0).astype(dtype), (1,))


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
