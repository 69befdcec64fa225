"""Difficulties, and BabyAI's own levels by name as far as the generator can express them."""

from __future__ import annotations

from collections.abc import Mapping

from jaxagent.envs.babyai.holdout import unseen
from jaxagent.envs.babyai.params import Params, make_params
from jaxagent.envs.babyai.state import BALL, BOX, COLORS
from jaxagent.envs.environment import Level


def _level(params: Params, turn_limit: int, summary: str) -> Level:
    return Level(params, turn_limit, summary, unseen=unseen(params))


DIFFICULTIES: Mapping[str, Level] = {
    "easy": _level(
        make_params(room=8, objects=(1, 7), clauses=(1, 1, 0, 0)),
        turn_limit=8,
        summary="one room of 8, go to or pick up one of 1 to 7 objects",
    ),
    "medium": _level(
        make_params(
            rows=2,
            cols=2,
            room=5,
            objects=(4, 6),
            locked=0.25,
            clauses=(2, 2, 2, 1),
            forms=(1, 1, 0),
        ),
        turn_limit=20,
        summary="2 x 2 rooms of 5, also open and put next to, and, sometimes a locked door",
    ),
    "hard": _level(
        make_params(
            rows=3,
            cols=3,
            room=6,
            objects=(6, 14),
            locked=0.4,
            blocked=0.1,
            clauses=(2, 2, 2, 1),
            forms=(3, 1, 2),
            by_place=0.2,
            by_color=0.9,
        ),
        turn_limit=32,
        summary="3 x 3 rooms of 6, ordered missions, places, locked and blocked doors",
    ),
}
"""The difficulties of the registered environment."""

_GO_TO, _PICK_UP, _OPEN, _PUT_NEXT = (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)
_RED, _BLUE, _GREY = (COLORS.index(color) for color in ("red", "blue", "grey"))
_CENTRE, _ABOVE = 4, 1
_NINE = {"rows": 3, "cols": 3, "room": 8}
_OWN = {**_NINE, "start": _CENTRE, "near": True, "connected": False}
_BOSS = {"doors_meant": True, "by_color": 6 / 7, "clauses": (1, 1, 1, 1), "objects": (18, 18)}
_MIXED = {"forms": (1, 1, 1), "joined": 0.5}


def _one_room() -> dict[str, Params]:
    red_ball = {"kind": BALL, "color": (_RED, _RED)}
    levels = {
        "GoToRedBallGrey": make_params(objects=(8, 8), **red_ball, rest_color=_GREY),
        "GoToRedBall": make_params(objects=(8, 8), **red_ball),
        "GoToRedBallNoDists": make_params(objects=(1, 1), **red_ball),
        "GoToRedBlueBall": make_params(objects=(8, 8), kind=BALL, color=(_RED, _BLUE)),
        "GoToObj": make_params(objects=(1, 1)),
        "GoToObjS4": make_params(objects=(1, 1), room=4),
        "GoToObjS6": make_params(objects=(1, 1), room=6),
        "GoToLocal": make_params(objects=(8, 8)),
        "PickupLoc": make_params(objects=(8, 8), clauses=_PICK_UP, by_place=0.5, by_color=6 / 7),
        "PutNextLocal": make_params(objects=(8, 8), clauses=_PUT_NEXT, unique=True),
        "PutNextLocalS5N3": make_params(room=5, objects=(3, 3), clauses=_PUT_NEXT, unique=True),
        "PutNextLocalS6N4": make_params(room=6, objects=(4, 4), clauses=_PUT_NEXT, unique=True),
    }
    for room, count in (
        (5, 2),
        (6, 2),
        (6, 3),
        (6, 4),
        (7, 4),
        (7, 5),
        *((8, n) for n in range(2, 8)),
    ):
        levels[f"GoToLocalS{room}N{count}"] = make_params(room=room, objects=(count, count))
    for name, strict in (("PickupDist", False), ("PickupDistDebug", True)):
        levels[name] = make_params(
            room=7,
            objects=(5, 5),
            clauses=_PICK_UP,
            unique=True,
            by_kind=2 / 3,
            by_color=0.5,
            strict=strict,
        )
    return levels


def _own_doors() -> dict[str, Params]:
    """The agent's room in the middle, with some doors."""
    four = {**_OWN, "own_doors": 4, "objects": (0, 0), "unlike_doors": True, "clauses": _OPEN}
    lock = {**_OWN, "own_doors": 1, "locked": 1, "clauses": _OPEN, "by_color": 0}
    by_place = {"by_place": 1, "by_color": 0}
    levels = {
        "OpenDoorColor": make_params(**four),
        "OpenDoorLoc": make_params(**four, **by_place),
        "GoToDoor": make_params(
            **{**_OWN, "room": 7}, own_doors=4, objects=(0, 0), doors_meant=True
        ),
        "OpenTwoDoors": make_params(
            **{**four, "room": 6, "own_doors": 2}, forms=(0, 0, 1), max_steps=20 * 6**2
        ),
        "GoToObjDoor": make_params(**_OWN, own_doors=4, objects=(8, 8), doors_meant=True),
        "UnlockLocal": make_params(**lock, objects=(0, 0)),
        "UnlockLocalDist": make_params(**lock, objects=(3, 3), unique=True),
        "ActionObjDoor": make_params(
            **{**_OWN, "room": 7},
            own_doors=4,
            objects=(5, 5),
            unique=True,
            doors_meant=True,
            clauses=(9, 5, 4, 0),
        ),
    }
    for count in (2, 4):
        levels[f"OpenDoorsOrderN{count}"] = make_params(
            **{**four, "room": 6, "own_doors": count}, forms=(1, 0, 2), max_steps=20 * 6**2
        )
    return levels


def _mazes() -> dict[str, Params]:
    """What takes a longer way: several rooms, or one that is larger than the view."""
    levels = {
        "GoTo": make_params(**_NINE, objects=(18, 18)),
        "GoToOpen": make_params(**_NINE, objects=(18, 18), ajar=1),
        "GoToObjMaze": make_params(**_NINE, objects=(1, 1)),
        "GoToObjMazeOpen": make_params(**_NINE, objects=(1, 1), ajar=1),
        "GoToObjMazeS4R2": make_params(rows=2, cols=2, room=4, objects=(1, 1)),
        "Open": make_params(**_NINE, objects=(18, 18), clauses=_OPEN),
        "OpenRedDoor": make_params(
            cols=2, room=5, start=0, objects=(0, 0), door_color=_RED, clauses=_OPEN
        ),
        "Pickup": make_params(**_NINE, objects=(18, 18), clauses=_PICK_UP),
        "PickupAbove": make_params(
            **{**_NINE, "room": 6},
            start=_CENTRE,
            first_room=_ABOVE,
            objects=(1, 1),
            clauses=_PICK_UP,
            max_steps=8 * 6**2,
        ),
    }
    for room in (4, 5, 6, 7):
        levels[f"GoToObjMazeS{room}"] = make_params(**{**_NINE, "room": room}, objects=(1, 1))
    for room in (8, 12, 16, 20):
        levels[f"OneRoomS{room}"] = make_params(
            room=room, objects=(1, 1), kind=BALL, clauses=_PICK_UP, by_color=0
        )
    for room in (5, 6, 7):
        levels[f"FindObjS{room}"] = make_params(
            **{**_NINE, "room": room},
            start=_CENTRE,
            objects=(1, 1),
            clauses=_PICK_UP,
            by_color=0,
            max_steps=20 * room**2,
        )
    return levels


def _barred() -> dict[str, Params]:
    """What has to be unlocked, or what stands in the way."""
    box = {"cols": 2, "room": 6, "start": 0, "kind": BOX, "behind": True, "locked": 1}
    box = {**box, "clauses": _PICK_UP}
    return {
        "UnlockPickup": make_params(**box, objects=(1, 1), max_steps=8 * 6**2),
        "UnlockPickupDist": make_params(**box, objects=(5, 5), max_steps=8 * 6**2),
        "BlockedUnlockPickup": make_params(
            **box, objects=(1, 1), by_color=0, blocked=1, max_steps=16 * 6**2
        ),
        "UnblockPickup": make_params(
            **{**_NINE, "room": 6}, objects=(20, 20), blocked=1, clauses=_PICK_UP
        ),
        "Unlock": make_params(
            **_NINE, objects=(24, 24), locked=1, clauses=_OPEN, locked_meant=True
        ),
        "GoToImpUnlock": make_params(**_NINE, objects=(17, 17), behind=True, locked=1),
    }


def _without_walls() -> dict[str, Params]:
    """Two rooms whose wall has been taken away."""
    two = {"cols": 2, "start": 0, "connected": False, "open_plan": True, "unique": True}
    two = {**two, "clauses": _PUT_NEXT}
    levels = {}
    for room, count, carrying in (
        *((room, count, False) for room, count in ((4, 1), (5, 1), (5, 2), (6, 3), (7, 4))),
        *((room, count, True) for room, count in ((5, 2), (6, 3), (7, 4))),
    ):
        levels[f"PutNextS{room}N{count}{'Carrying' if carrying else ''}"] = make_params(
            **two,
            room=room,
            objects=(2 * count, 2 * count),
            carrying=carrying,
            max_steps=8 * room**2,
        )
    for room, count in ((5, 2), (8, 9)):
        levels[f"MoveTwoAcrossS{room}N{count}"] = make_params(
            **two,
            room=room,
            objects=(2 * count, 2 * count),
            forms=(0, 0, 1),
            max_steps=16 * room**2,
        )
    return levels


def _generated() -> dict[str, Params]:
    """The levels of BabyAI's own generator of missions."""
    small = {"rows": 2, "cols": 2, "room": 5}
    go_to = {**_BOSS, **_MIXED, "clauses": _GO_TO}
    bounded = {**_BOSS, "locked": 0.5, "unlocking": False}
    return {
        "GoToSeq": make_params(**_NINE, **go_to),
        "GoToSeqS5R2": make_params(**small, **{**go_to, "objects": (4, 4)}),
        "Synth": make_params(**_NINE, **bounded),
        "SynthS5R2": make_params(rows=2, cols=3, room=5, **bounded),
        "SynthLoc": make_params(**_NINE, **bounded, by_place=0.5),
        "SynthSeq": make_params(**_NINE, **bounded, **_MIXED, by_place=0.5),
        "MiniBossLevel": make_params(
            **small, **{**_BOSS, "objects": (7, 7)}, **_MIXED, by_place=0.5, locked=0.25
        ),
        "BossLevel": make_params(**_NINE, **_BOSS, **_MIXED, by_place=0.5, locked=0.5),
        "BossLevelNoUnlock": make_params(
            **_NINE, **{**_BOSS, "unlocking": False}, **_MIXED, by_place=0.5
        ),
    }


def original_levels() -> dict[str, Level]:
    """BabyAI's levels by their names; they need a grid of 22, 40 objects and four clauses."""
    groups = (
        (_one_room(), 20),
        (_own_doors(), 20),
        (_without_walls(), 64),
        (_mazes(), 64),
        (_barred(), 64),
        (_generated(), 128),
    )
    return {
        name: _level(params, limit, f"BabyAI-{name}")
        for levels, limit in groups
        for name, params in levels.items()
    }
