"""The difficulties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxagent.envs.environment import Level
from jaxagent.envs.searchqa.chains import SPANS
from jaxagent.envs.searchqa.documents import COPIES
from jaxagent.envs.searchqa.graph import SEEN_WORLDS, WORLDS
from jaxagent.envs.searchqa.ontology import ENTITIES
from jaxagent.envs.searchqa.state import SearchParams

GLOBAL_WORLDS = {"seen": 6, "unseen": 2}
"""Worlds that the one graph of all episodes consists of."""

_SHARE = {"easy": (0.0, 0.0), "medium": (0.2, 0.0), "hard": (0.5, 0.5)}

_COUNTS: Mapping[str, tuple[int, int, int, int, int]] = {
    "easy": (16, 0, 1, 1, 3),
    "medium": (32, 0, 2, 2, 3),
    "hard": (ENTITIES, COPIES, 2, 3, 2),
}
"""Documents, copies, least and most statements, and hits."""

_SIMILAR = {"easy": 0.0, "medium": 0.5, "hard": 0.5}
_HARD_CHANCE = 1 / 3
"""Of a nickname and of a comparison on `hard`."""

_SUMMARIES = {
    "easy": "1 hop, 16 documents of 1 statement",
    "medium": "2 hops, 32 documents of 2 statements, some shared first names",
    "hard": "3 hops or a comparison, 64 documents of 2-3 statements, many shared names, nicknames, "
    "outdated near-duplicates",
}
_LIMITS = {"easy": 5, "medium": 8, "hard": 10}


def make_levels(is_global: bool, wrong_answers: int) -> Mapping[str, Level]:
    """The levels with the graph of the episode, or with one for all episodes.

    Args:
        is_global: whether one graph is for all episodes, whose names do not depend on the level.
        wrong_answers: wrong answers with which an episode ends; 0: it never does.
    """
    return {
        name: Level(
            params=_params(name, 0, is_global, wrong_answers),
            turn_limit=_LIMITS[name],
            summary=_SUMMARIES[name],
            most=_most(name),
            unseen=_params(name, 1, is_global, wrong_answers),
        )
        for name in _LIMITS
    }


def _params(name: str, split: int, is_global: bool, wrong_answers: int) -> SearchParams:
    documents, copies, least, most, top = _COUNTS[name]
    hops = list(_LIMITS).index(name) + 1
    chance = _HARD_CHANCE if name == "hard" else 0.0
    numbers = {
        "documents": documents,
        "copies": copies,
        "least_statements": least,
        "most_statements": most,
        "forms": SPANS[str(hops), split],
        "comparisons": SPANS["compared", split],
        "worlds": _worlds(split, is_global),
        "top": top,
        "wrong_answers": wrong_answers,
    }
    chances = {
        "share": _SHARE["medium" if is_global else name],
        "similar": _SIMILAR[name],
        "nickname": chance,
        "compare": chance,
    }
    fields: Any = {name: np.array(value, np.int32) for name, value in numbers.items()}
    fields |= {name: np.array(value, np.float32) for name, value in chances.items()}
    return SearchParams(**fields)


def _worlds(split: int, is_global: bool) -> tuple[int, int]:
    """The range of the worlds of a split."""
    counts = GLOBAL_WORLDS if is_global else {"seen": SEEN_WORLDS, "unseen": len(WORLDS)}
    start = SEEN_WORLDS if split else 0
    return start, min(start + counts["unseen" if split else "seen"], len(WORLDS))


def _most(name: str) -> Mapping[str, tuple[int, int]]:
    """How often facts occur at most in the first message and in later ones."""
    _, copies, _, statements, hits = _COUNTS[name]
    hops = list(_LIMITS).index(name) + 1
    asked = {f"ASK_{n}": (int(n == hops), 0) for n in (1, 2, 3)}
    is_hard = int(name == "hard")
    return {
        **asked,
        "ASK_NICKNAME": (is_hard, 0),
        "COMPARE": (is_hard, 0),
        "DOCUMENT": (0, hits),
        "STATES": (0, hits * statements),
        "OUTDATED": (0, min(copies, hits)),
        "NICKNAMED": (0, hits * is_hard),
    }
