"""A maze as arrays: which cells are free, where one stands, and how far it is to the goal.

The grid has `SIZE` x `SIZE` cells. Rooms are the cells with two odd coordinates, `ROOMS` x `ROOMS`
of them at most; a free cell between two rooms is a passage. Positions are (row, column).
"""

from __future__ import annotations

import flax.struct
import numpy as np
from jaxtyping import Array, Bool, Int8

ROOMS = 7
"""Most rooms along a side."""

SIZE = 2 * ROOMS + 1
"""Cells along a side, walls included."""

FAR = 127
"""Distance of a cell from which there is no way."""

DIRECTIONS = ("up", "down", "left", "right")
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)], np.int8)
"""Row and column steps of `DIRECTIONS`."""


class State(flax.struct.PyTreeNode):
    """An instance.

    Attributes:
        free: bool[SIZE, SIZE], cells that can be entered.
        position: int8[2], row and column.
        goal: int8[2], row and column.
        distance: int8[SIZE, SIZE], steps from each cell to the goal, `FAR` where none lead there.
    """

    free: Bool[Array, "size size"]
    position: Int8[Array, "2"]
    goal: Int8[Array, "2"]
    distance: Int8[Array, "size size"]
