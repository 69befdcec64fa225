"""The kinds of things, the relations between them, and how things are numbered.

The things of a graph are numbered `0 … ENTITIES - 1`, kind by kind; behind them come the years.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

KINDS: Mapping[str, int] = {
    "person": 16,
    "city": 8,
    "country": 4,
    "film": 6,
    "book": 4,
    "company": 5,
    "team": 5,
}
"""Kind -> how many things of it are in a graph."""

PEOPLE = KINDS["person"]
"""People are the first things."""

ENTITIES = sum(KINDS.values())

YEARS = 3 * ENTITIES
"""Years of a graph: three for every thing, so that no two things share theirs."""

RELATIONS: Mapping[str, tuple[str, str]] = {
    "birthplace": ("person", "city"),
    "spouse": ("person", "person"),
    "employer": ("person", "company"),
    "club": ("person", "team"),
    "birthyear": ("person", "year"),
    "nation": ("city", "country"),
    "mayor": ("city", "person"),
    "foundation": ("city", "year"),
    "capital": ("country", "city"),
    "president": ("country", "person"),
    "titleholder": ("country", "team"),
    "director": ("film", "person"),
    "setting": ("film", "city"),
    "source": ("film", "book"),
    "premiere": ("film", "year"),
    "author": ("book", "person"),
    "publisher": ("book", "company"),
    "publication": ("book", "year"),
    "founder": ("company", "person"),
    "headquarters": ("company", "city"),
    "incorporation": ("company", "year"),
    "coach": ("team", "person"),
    "home": ("team", "city"),
    "sponsor": ("team", "company"),
}
"""Relation -> kind of what has it, and kind of what it leads to."""

NAMES = tuple(RELATIONS)
"""The relations by number."""


def _slots() -> tuple[tuple[int, ...], ...]:
    """The relations of every kind."""
    own = {kind: [] for kind in KINDS}
    for number, (kind, _) in enumerate(RELATIONS.values()):
        own[kind].append(number)
    return tuple(tuple(numbers) for numbers in own.values())


_OWN = _slots()
SLOTS = max(map(len, _OWN))
"""Most relations of a kind."""

FIRST_OF = {kind: sum(list(KINDS.values())[:i]) for i, kind in enumerate((*KINDS, "year"))}
"""Kind -> its first thing."""

_SIZE_OF = {**KINDS, "year": YEARS}

KIND_OF = np.repeat(np.arange(len(KINDS)), list(KINDS.values()))
"""int[ENTITIES]: kind of every thing."""

BASE_OF = np.array([FIRST_OF[list(KINDS)[kind]] for kind in KIND_OF])
"""int[ENTITIES]: the first thing of its kind."""

SLOT_OF = np.array(
    [_OWN[list(KINDS).index(kind)].index(r) for r, (kind, _) in enumerate(RELATIONS.values())]
)
"""int[relations]: place of a relation among those of its kind."""

RELATION_OF = np.array([[*_OWN[k], *[-1] * (SLOTS - len(_OWN[k]))] for k in KIND_OF])
"""int[ENTITIES, SLOTS]: the relations of every thing, -1 behind."""

_TARGETS = [kind for _, kind in RELATIONS.values()]
TARGET_BASE = np.array([FIRST_OF[kind] for kind in _TARGETS])[RELATION_OF]
"""int[ENTITIES, SLOTS]: the first thing that a relation may lead to."""

TARGET_SIZE = np.array([_SIZE_OF[kind] for kind in _TARGETS])[RELATION_OF]
"""int[ENTITIES, SLOTS]: how many things it may lead to."""

IS_YEAR = TARGET_BASE == ENTITIES
"""bool[ENTITIES, SLOTS]: whether it leads to a year."""

IS_OWN = BASE_OF[:, None] == TARGET_BASE
"""bool[ENTITIES, SLOTS]: whether it leads to a thing of the same kind."""

DOMAIN_BASE = np.array([FIRST_OF[kind] for kind, _ in RELATIONS.values()])
"""int[relations]: the first thing that has a relation."""

DOMAIN_SIZE = np.array([_SIZE_OF[kind] for kind, _ in RELATIONS.values()])
"""int[relations]: how many things have it."""
