"""Bitboards against grids in plain NumPy, and the draw of a cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs.babyai.board import (
    around,
    cell_board,
    draw_cell,
    exactly_one,
    neighbours,
    pack,
    unpack,
)
from jaxagent.envs.babyai.placement import leaves_ways

RING = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
MAX_SIZE = 31
each_size = pytest.mark.parametrize("size", (5, 16, 22, MAX_SIZE))


def _packed(grid: np.ndarray) -> jax.Array:
    return pack(jnp.asarray(grid), jnp.uint32)


def _grids(size: int, number: int = 8) -> np.ndarray:
    rng = np.random.default_rng(size)
    return rng.random((number, size, size)) < rng.random((number, 1, 1))


def _at(grid: np.ndarray, x: int, y: int) -> bool:
    size = len(grid)
    return bool(0 <= x < size and 0 <= y < size and grid[y, x])


def _every(grid: np.ndarray, holds: Callable[[int, int], bool]) -> np.ndarray:
    size = len(grid)
    return np.array([[holds(x, y) for x in range(size)] for y in range(size)])


def _unpacked(boards: jax.Array) -> np.ndarray:
    return np.asarray(jax.vmap(unpack)(boards))


@each_size
def test_packing_is_undone(size: int) -> None:
    grids = _grids(size)
    np.testing.assert_array_equal(_unpacked(_packed(grids)), grids)


@each_size
def test_neighbours_are_those_of_the_grid(size: int) -> None:
    for grid in _grids(size, 3):
        boards = [*around(_packed(grid)), neighbours(_packed(grid))]
        for (dx, dy), board in zip(RING, boards, strict=False):
            expected = _every(grid, lambda x, y, dx=dx, dy=dy, g=grid: _at(g, x + dx, y + dy))
            np.testing.assert_array_equal(unpack(board), expected)
        sides = _every(
            grid, lambda x, y, g=grid: any(_at(g, x + dx, y + dy) for dx, dy in RING[::2])
        )
        np.testing.assert_array_equal(unpack(boards[-1]), sides)


def test_exactly_one_counts() -> None:
    grids = _grids(16, 4)
    boards = exactly_one(*_packed(grids))
    np.testing.assert_array_equal(unpack(boards), grids.sum(0) == 1)


def _pieces(grid: np.ndarray, x: int, y: int) -> int:
    """Pieces of the ring around a cell that hang together over sides and touch the cell's sides."""
    ring = [_at(grid, x + dx, y + dy) for dx, dy in RING]
    starts = [i for i in range(8) if ring[i] and not ring[i - 1]]
    if all(ring):
        return 1
    pieces = []
    for start in starts:
        length = next(n for n in range(8) if not ring[(start + n) % 8])
        pieces.append({(start + n) % 8 for n in range(length)})
    return sum(any(place % 2 == 0 for place in piece) for piece in pieces)


def _is_harmless(taken: np.ndarray, passable: np.ndarray, x: int, y: int) -> bool:
    """The rule, cell by cell: one piece around, and every object beside keeps another way to it."""
    sides = [(x + dx, y + dy) for dx, dy in RING[::2]]
    for a, b in sides:
        ways = sum(_at(passable, a + dx, b + dy) for dx, dy in RING[::2])
        if _at(taken, a, b) and ways == 1:
            return False
    return _pieces(passable, x, y) == 1


@each_size
def test_cells_that_leave_ways_are_those_of_the_rule(size: int) -> None:
    for floor, objects in zip(_grids(size, 3), _grids(size + 100, 3)[:, :size, :size], strict=True):
        taken, passable = floor & objects, floor & ~objects
        ours = unpack(leaves_ways(_packed(taken), _packed(passable)))
        expected = _every(floor, lambda x, y, t=taken, p=passable: _is_harmless(t, p, x, y))
        np.testing.assert_array_equal(ours, expected)


@each_size
def test_every_marked_cell_is_drawn_equally_often(size: int) -> None:
    """Evenly spaced noise meets every cell the same number of times."""
    draw = jax.jit(jax.vmap(draw_cell, in_axes=(0, None)))
    for grid in _grids(size, 4):
        marked = int(grid.sum())
        noise = (jnp.arange(8 * marked) + 0.5) / (8 * marked)
        drawn = Counter(map(tuple, np.asarray(draw(noise, _packed(grid))).tolist()))
        assert drawn == {(int(x), int(y)): 8 for y, x in np.argwhere(grid)}


def test_the_highest_noise_draws_a_marked_cell() -> None:
    board = _packed(np.eye(MAX_SIZE, dtype=bool))
    highest = np.nextafter(np.float32(1), np.float32(0))
    assert draw_cell(jnp.float32(highest), board).tolist() == [MAX_SIZE - 1] * 2


def test_a_cell_is_marked_alone() -> None:
    grid = np.asarray(unpack(cell_board(jnp.array([3, 7]), 16)))
    assert np.argwhere(grid).tolist() == [[7, 3]]
