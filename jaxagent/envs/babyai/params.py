"""The knobs of the instance generator: one structure for all levels, its values traced."""

from __future__ import annotations

import flax.struct
import numpy as np

ANY = -1
"""No restriction."""


class Params(flax.struct.PyTreeNode):
    """What kind of instances to draw. All fields are NumPy scalars or arrays.

    Attributes:
        rows, cols: int32, rooms of the grid, 1 to 3 each.
        room: int32, side of a room with its walls; neighbours share a wall.
        start: int32, the room the agent starts in (row by row), or `ANY`.
        objects: int32[2], least and greatest number of keys, balls and boxes.
        near: bool, whether they all lie in the agent's room.
        unique: bool, whether no two of them agree in colour and kind.
        kind: int32, of the first of them, or `ANY`.
        color: int32[2], of the first of them, one or the other, or `ANY`. The first is the
            mission's if its kind, its colour or its place is set.
        rest_color: int32, of the others, or `ANY`.
        behind: bool, whether the first of them lies behind the locked door.
        first_room: int32, the room that the first of them lies in, or `ANY`.
        carrying: bool, whether the agent carries the first of them at the start.
        open_plan: bool, whether there are no walls between rooms; nor should there be doors.
        connected: bool, whether doors connect all rooms (else only the agent's room has doors).
        doors: float32, probability of a door that is not needed to connect the rooms.
        own_doors: int32, doors of the agent's room if the rooms are not connected.
        ajar: float32, probability that a door is open at the start.
        locked: float32, probability of a locked door, with its key somewhere else.
        door_color: int32, of the doors, or `ANY`.
        unlike_doors: bool, whether (at most six) doors all have different colours.
        blocked: float32, probability that an object lies right in front of a door.
        clauses: float32[4], weights of the clauses go to, pick up, open, put next to.
        forms: float32[3], weights of missions of one clause, of two joined by "and", and of two
            parts in order.
        joined: float32, probability that a part of an ordered mission has two clauses.
        doors_meant: bool, whether doors may be gone to or have things put next to them.
        locked_meant: bool, whether "open" means the locked door.
        unlocking: bool, whether a mission may be about what the locked door hides.
        by_color, by_kind, by_place: float32, probability that a description tells the colour, the
            kind, and (in the agent's room) the place.
        strict: bool, whether a wrong object ends the episode.
        max_steps: int32, primitive actions behind the reward's decay, 0 for BabyAI's formula.
        split: int32, place in `SPLITS`: whether missions are about names held out (`holdout`).
    """

    rows: np.ndarray
    cols: np.ndarray
    room: np.ndarray
    start: np.ndarray
    objects: np.ndarray
    near: np.ndarray
    unique: np.ndarray
    kind: np.ndarray
    color: np.ndarray
    rest_color: np.ndarray
    behind: np.ndarray
    first_room: np.ndarray
    carrying: np.ndarray
    open_plan: np.ndarray
    connected: np.ndarray
    doors: np.ndarray
    own_doors: np.ndarray
    ajar: np.ndarray
    locked: np.ndarray
    door_color: np.ndarray
    unlike_doors: np.ndarray
    blocked: np.ndarray
    clauses: np.ndarray
    forms: np.ndarray
    joined: np.ndarray
    doors_meant: np.ndarray
    locked_meant: np.ndarray
    unlocking: np.ndarray
    by_color: np.ndarray
    by_kind: np.ndarray
    by_place: np.ndarray
    strict: np.ndarray
    max_steps: np.ndarray
    split: np.ndarray


_INTEGERS = ("rows", "cols", "room", "start", "objects", "kind", "color", "rest_color")
_INTEGERS += ("own_doors", "door_color", "max_steps", "split", "first_room")
_FLAGS = ("near", "unique", "behind", "connected", "unlike_doors", "doors_meant")
_FLAGS += ("locked_meant", "unlocking", "strict", "carrying", "open_plan")
_DEFAULTS = {
    "rows": 1,
    "cols": 1,
    "room": 8,
    "start": ANY,
    "objects": (1, 7),
    "near": False,
    "unique": False,
    "kind": ANY,
    "color": (ANY, ANY),
    "rest_color": ANY,
    "behind": False,
    "first_room": ANY,
    "carrying": False,
    "open_plan": False,
    "connected": True,
    "doors": 0.3,
    "own_doors": 0,
    "ajar": 0.0,
    "locked": 0.0,
    "door_color": ANY,
    "unlike_doors": False,
    "blocked": 0.0,
    "clauses": (1, 0, 0, 0),
    "forms": (1, 0, 0),
    "joined": 0.0,
    "doors_meant": False,
    "locked_meant": False,
    "unlocking": True,
    "by_color": 1.0,
    "by_kind": 1.0,
    "by_place": 0.0,
    "strict": False,
    "max_steps": 0,
    "split": 0,
}


def make_params(**knobs: object) -> Params:
    """Params with defaults (one room of 8, one to seven objects, "go to") but for `knobs`.

    Raises:
        ValueError: a knob does not exist, or rows, cols, room or objects are out of range.
    """
    unknown = set(knobs) - set(_DEFAULTS)
    if unknown:
        raise ValueError(f"knobs {sorted(unknown)} are not among {sorted(_DEFAULTS)}")
    values = {**_DEFAULTS, **knobs}
    for name in ("rows", "cols"):
        if not 1 <= values[name] <= 3:
            raise ValueError(f"{name}={values[name]}: expected 1 to 3")
    if values["room"] < 4:
        raise ValueError(f"room={values['room']}: expected at least 4")
    return Params(**{name: _typed(name, value) for name, value in values.items()})


def _typed(name: str, value: object) -> np.ndarray:
    if name in _INTEGERS:
        return np.asarray(value, np.int32)
    return np.asarray(value, bool if name in _FLAGS else np.float32)
