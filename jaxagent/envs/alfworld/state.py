"""An instance of ALFWorld, and the tasks that there are."""

from __future__ import annotations

import flax.struct
import numpy as np
from jaxtyping import Array, Bool, Int8

PLACES, THINGS = 18, 30
"""Most receptacles and most objects of a room."""

HELD, MIDDLE, ABSENT = PLACES, PLACES + 1, -1
"""Where a thing is that the agent holds; where the agent is at first; where nothing is."""

IS_CLEAN, IS_HOT, IS_COOL, IS_SLICED, IS_ON = 1, 2, 4, 8, 16
"""Bits of what has been done to a thing."""

TASKS = ("place", "light", "clean", "heat", "cool", "two")
PLACE, LIGHT, WASH, WARM, CHILL, TWO = range(len(TASKS))
"""Put one thing somewhere; look at one under a lamp; the first with a thing that is clean, hot,
or cool; put two things into the same receptacle."""

WANTED = np.array([0, 0, IS_CLEAN, IS_HOT, IS_COOL, 0], np.int8)
"""int8[TASKS]: the bit that the thing of each task has to have."""


class State(flax.struct.PyTreeNode):
    """An instance. Receptacles come first in their arrays, -1 behind; things anywhere.

    Attributes:
        place_type: type of every receptacle, ascending, or -1.
        place_number: its number among those of its type, from 1; 0 where there is none.
        is_open: whether it has been opened.
        seen: whether the agent has seen what lies in it.
        thing_type: type of every thing, or -1.
        thing_number: its number among those of its type, from 1; 0 where there is none.
        where: the receptacle that it lies in, `HELD`, or `ABSENT`.
        marks: what has been done to it, a sum of the bits above.
        agent: the receptacle that the agent is at, or `MIDDLE`.
        task: place in `TASKS`.
        target: type of the things that the task is about.
        goal: type of the receptacle that they belong in; for `LIGHT`, type of the lamp.
    """

    place_type: Int8[Array, "places"]
    place_number: Int8[Array, "places"]
    is_open: Bool[Array, "places"]
    seen: Bool[Array, "places"]
    thing_type: Int8[Array, "things"]
    thing_number: Int8[Array, "things"]
    where: Int8[Array, "things"]
    marks: Int8[Array, "things"]
    agent: Int8[Array, ""]
    task: Int8[Array, ""]
    target: Int8[Array, ""]
    goal: Int8[Array, ""]
