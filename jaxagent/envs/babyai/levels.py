"""Difficulties, and BabyAI's own levels by name."""

from __future__ import annotations

from collections.abc import Mapping

from jaxagent.envs.babyai.params import make_params
from jaxagent.envs.environment import Level

DIFFICULTIES: Mapping[str, Level] = {
    "easy": Level(
        make_params(room=8, objects=(1, 7), clauses=(1, 1, 0, 0)),
        turn_limit=8,
        summary="one room of 8, go to or pick up one of 1 to 7 objects",
    ),
    "medium": Level(
        make_params(
            rows=2,
            cols=2,
            room=5,
            objects=(4, 6),
            locked=0.25,
            clauses=(1, 1, 1, 1),
            forms=(3, 1, 0),
            doors_meant=False,
        ),
        turn_limit=20,
        summary="2 x 2 rooms of 5, also open and put next to, and, sometimes a locked door",
    ),
    "hard": Level(
        make_params(
            rows=3,
            cols=3,
            room=6,
            objects=(6, 14),
            locked=0.5,
            blocked=0.2,
            clauses=(1, 1, 1, 1),
            forms=(2, 1, 2),
            doors_meant=False,
            by_place=0.2,
            by_color=0.9,
        ),
        turn_limit=32,
        summary="3 x 3 rooms of 6, ordered missions, places, locked and blocked doors",
    ),
}
