"""What can be asked: every task with its room, target and goal, and which of them are held out."""

from __future__ import annotations

from itertools import product

import numpy as np

from jaxagent.envs.alfworld.affordances import (
    CAN_CONTAIN,
    CLEANABLE,
    COOLABLE,
    FRIDGE,
    HEATABLE,
    IS_LAMP,
    MICROWAVE,
    OBJECTS,
    OPENABLE,
    POOL_TYPE,
    PRESENCE,
    RECEPTACLES,
    ROOMS,
    SINK,
)
from jaxagent.envs.alfworld.state import CHILL, LIGHT, TASKS, WARM, WASH
from jaxagent.envs.environment import SPLITS

APPLIANCE = np.full(len(TASKS), -1, np.int8)
"""int8[TASKS]: type of the receptacle that does what the task asks for, or -1."""
APPLIANCE[[WASH, WARM, CHILL]] = SINK, MICROWAVE, FRIDGE

_ABLE = {WASH: CLEANABLE, WARM: HEATABLE, CHILL: COOLABLE}
_HELD_TYPES = np.arange(len(OBJECTS)) % 8 == 5


def is_held_out(target: int, goal: int) -> bool:
    """Whether things of type `target` belong at `goal` in the unseen split alone.

    Every eighth type of object is held out altogether, and one pair in five of the others.
    """
    return bool(_HELD_TYPES[target]) or (3 * target + 2 * goal) % 5 == 0


def _goals(task: int, room: int, target: int) -> list[int]:
    """Goals of a task in a kind of room; none where the task cannot be set there."""
    places = set(POOL_TYPE[room].tolist()) - {-1}
    surfaces = {r for r in places if CAN_CONTAIN[r, target] and not OPENABLE[r]}
    able = _ABLE.get(task, ~IS_LAMP)[target] and not IS_LAMP[target]
    if not (able and PRESENCE[room, target] > 0):
        return []
    if task == LIGHT:
        lit = ROOMS[room] in ("living_room", "bedroom") and surfaces
        return np.flatnonzero(IS_LAMP & (PRESENCE[room] > 0)).tolist() if lit else []
    if APPLIANCE[task] >= 0 and APPLIANCE[task] not in places:
        return []
    return [
        goal
        for goal in sorted(places - {APPLIANCE[task]})
        if CAN_CONTAIN[goal, target] and surfaces - {goal}
    ]


def _all_quests() -> np.ndarray:
    """int16[quests, 5]: split, task, room, target and goal of every quest, in this order."""
    every = product(range(len(TASKS)), range(len(ROOMS)), range(len(OBJECTS)))
    rows = [
        (int(is_held_out(target, _numbered(task, goal))), task, room, target, goal)
        for task, room, target in every
        for goal in _goals(task, room, target)
    ]
    return np.array(sorted(rows), np.int16)


def _numbered(task: int, goal: int) -> int:
    """One number for a goal, be it a receptacle or a lamp."""
    return goal + len(RECEPTACLES) * (task == LIGHT)


QUESTS = _all_quests()
"""int16[quests, 5]: split, task, room, target and goal, sorted."""

_KEYS = QUESTS[:, :3].astype(int) @ (len(TASKS) * len(ROOMS), len(ROOMS), 1)
_SHAPE = (len(SPLITS), len(TASKS), len(ROOMS))
QUEST_COUNT = np.bincount(_KEYS, minlength=int(np.prod(_SHAPE))).reshape(_SHAPE).astype(np.int32)
"""int32[SPLITS, TASKS, ROOMS]: how many quests there are."""

QUEST_START = (np.cumsum(QUEST_COUNT) - QUEST_COUNT.ravel()).reshape(_SHAPE).astype(np.int32)
"""int32[SPLITS, TASKS, ROOMS]: where in `QUESTS` they start."""

if ((QUEST_COUNT[0] > 0) != (QUEST_COUNT[1] > 0)).any():
    raise ValueError("quests: a task can be set in a room in one split only")

_IS_SET = QUEST_COUNT[0] > 0
TASK_ROOMS = np.argsort(~_IS_SET, axis=1, kind="stable").astype(np.int8)
"""int8[TASKS, ROOMS]: the rooms that each task can be set in, the others behind."""

TASK_ROOM_COUNT = _IS_SET.sum(1).astype(np.int32)
"""int32[TASKS]: how many rooms each task can be set in."""

HELD_TYPE = np.where(_HELD_TYPES, np.arange(len(OBJECTS)), -1).astype(np.int32)
"""int32[OBJECTS]: the type itself where it is held out, else -1."""
