"""What may lie where, what can be done with what, and which rooms hold what, as arrays.

Inside the environment an object type is its place in `OBJECTS`, a receptacle type its place in
`RECEPTACLES`, a kind of room its place in `ROOMS`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


def load_table() -> dict[str, Any]:
    """The table that `scripts/build_affordances.py` wrote."""
    return json.loads((Path(__file__).parent / "data" / "affordances.json").read_text("utf-8"))


def _among(names: tuple[str, ...], chosen: Iterable[str]) -> np.ndarray:
    """bool[names]: which of `names` are chosen."""
    return np.isin(names, list(chosen))


TABLE = load_table()
ROOMS: tuple[str, ...] = tuple(TABLE["rooms"])
RECEPTACLES: tuple[str, ...] = tuple(TABLE["contents"])
LAMPS: tuple[str, ...] = tuple(TABLE["lamps"])
OBJECTS: tuple[str, ...] = tuple(
    sorted({thing for things in TABLE["contents"].values() for thing in things} | {*LAMPS})
)

KNIVES = ("butter_knife", "knife")
"""What slices."""

LAMP_PLACES = (
    "coffee_table", "counter_top", "desk", "dining_table", "dresser", "shelf", "side_table",
)  # fmt: skip
"""Where lamps stand. The package's table is silent, for lamps are never put anywhere."""

OPENABLE = _among(RECEPTACLES, TABLE["openable"])
"""bool[RECEPTACLES]: whether a receptacle has a door or lid; it is closed at first."""

IS_LAMP, IS_KNIFE = _among(OBJECTS, LAMPS), _among(OBJECTS, KNIVES)
HEATABLE, COOLABLE, CLEANABLE, SLICEABLE = (
    _among(OBJECTS, TABLE[name]) for name in ("heatable", "coolable", "cleanable", "sliceable")
)
"""bool[OBJECTS], each of these six."""

MICROWAVE, FRIDGE, SINK = map(RECEPTACLES.index, ("microwave", "fridge", "sink_basin"))
"""The receptacles that heat, cool and clean."""

CAN_CONTAIN = np.array(
    [
        _among(OBJECTS, TABLE["contents"][name]) | (IS_LAMP & (name in LAMP_PLACES))
        for name in RECEPTACLES
    ]
)
"""bool[RECEPTACLES, OBJECTS]: whether a thing of this type may lie in or on it."""


def _presence(room: str) -> np.ndarray:
    """float32[OBJECTS]: share of the scenes of this kind that hold each type."""
    counts = TABLE["rooms"][room]["objects"]
    return np.array([counts.get(name, 0) for name in OBJECTS], np.float32) / _scenes(room)


def _scenes(room: str) -> int:
    return TABLE["rooms"][room]["scenes"]


def _pool(room: str) -> list[tuple[int, int, float]]:
    """Type, number and frequency of every receptacle that a room of this kind may have.

    The frequency of number n of a type is the share of scenes with at least n of it.
    """
    counts = TABLE["rooms"][room]["receptacles"]
    return [
        (place, number, count / _scenes(room))
        for place, name in enumerate(RECEPTACLES)
        for number, count in enumerate(counts.get(name, ()), 1)
    ]


_POOLS = [_pool(room) for room in ROOMS]
POOL = max(map(len, _POOLS))
"""Most receptacles that a room may draw from."""

_PADDED = np.array([pool + [(-1, 0, 0.0)] * (POOL - len(pool)) for pool in _POOLS])
POOL_TYPE = _PADDED[..., 0].astype(np.int8)
"""int8[ROOMS, POOL]: type of every receptacle of a room's pool, ascending, -1 behind."""

POOL_IS_FIRST = _PADDED[..., 1] == 1
"""bool[ROOMS, POOL]: whether it is the first one of its type."""

POOL_WEIGHT = _PADDED[..., 2].astype(np.float32)
"""float32[ROOMS, POOL]: how often it is there, 0 behind."""

PRESENCE = np.stack([_presence(room) for room in ROOMS])
"""float32[ROOMS, OBJECTS]: share of the scenes of this kind that hold each type."""
