"""The one maze of LMRL-Gym: two Ts whose stems meet above the goal."""

from __future__ import annotations

import numpy as np

from jaxagent.envs.maze.state import SIZE

_PICTURE = """
#############
#.....#.....#
###.#####.###
###.#####.###
###.#####.###
###.......###
######.######
######.######
######.######
#############
"""

_DRAWN = np.array([list(line) for line in _PICTURE.split()]) == "."

FREE = np.pad(_DRAWN, [(0, SIZE - side) for side in _DRAWN.shape])
"""bool[SIZE, SIZE]: its cells that can be entered, at the original's coordinates."""

GOAL = np.array([8, 6])
"""int[2]: its goal, the foot of the lower stem; the other 25 free cells are starts."""
