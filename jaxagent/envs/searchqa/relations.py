"""The types of entities, the relations between them, and the questions that can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

TYPES = ("person", "city", "country", "film", "book", "company", "team", "year")
"""Types of entities; years are numbers, and no relation starts from them."""

YEAR = TYPES.index("year")

SLOTS = 4
"""Relations of every other type."""


class Relation(NamedTuple):
    """A relation, read as "the `name` of a `subject` is a `target`"; it has one value."""

    name: str
    subject: str
    target: str


_TARGETS = {
    "person": "birthplace:city employer:company club:team birth_year:year",
    "city": "country:country mayor:person architect:person twin_town:city",
    "country": "capital:city president:person epic:book neighbour:country",
    "film": "director:person setting:city studio:company release_year:year",
    "book": "author:person publisher:company adaptation:film print_year:year",
    "company": "founder:person headquarters:city rival:company founding_year:year",
    "team": "coach:person home:city sponsor:company captain:person",
}

RELATIONS = tuple(
    Relation(name, subject, target)
    for subject, entries in _TARGETS.items()
    for name, target in (entry.split(":") for entry in entries.split())
)
"""All relations; number `SLOTS * t + k` is slot `k` of type `t`."""

TARGET = np.array([TYPES.index(relation.target) for relation in RELATIONS], np.int8)
"""int8[relations]: the type that each relation leads to."""


def _subject(relation: int) -> int:
    return relation // SLOTS


def _chains(hops: int) -> list[tuple[int, ...]]:
    """Chains of `hops` relations, no two of which start from the same type."""
    if hops == 1:
        return [(relation,) for relation in range(len(RELATIONS))]
    return [
        (*chain, relation)
        for chain in _chains(hops - 1)
        for relation in range(len(RELATIONS))
        if TARGET[chain[-1]] == _subject(relation)
        and _subject(relation) not in map(_subject, chain)
    ]


_COMPARED = [relation for relation, target in enumerate(TARGET) if target == YEAR]


class Questions(NamedTuple):
    """All questions that can be asked, by kind and split.

    Attributes:
        relations: int8[questions, 3], the relations in the order in which they are followed, -1
            behind; a comparison has one.
        order: int8[questions], place in `ORDERS` of what a comparison asks for, -1 for a chain.
        ranges: int32[kinds, 2, 2], half-open ranges of questions by kind (chains of one, two and
            three relations, comparisons) and place in `SPLITS`.
    """

    relations: np.ndarray
    order: np.ndarray
    ranges: np.ndarray


def _all_questions() -> Questions:
    """Questions of a kind stand together, those held out behind the others: about every fourth."""
    kinds = [[(chain, -1) for chain in _chains(hops)] for hops in (1, 2, 3)]
    kinds.append([((relation,), order) for relation in _COMPARED for order in (0, 1)])
    parts = [
        [question for question in kind if _is_unseen(*question) == unseen]
        for kind in kinds
        for unseen in (False, True)
    ]
    ends = np.cumsum([len(part) for part in parts])
    starts = np.concatenate([[0], ends[:-1]])
    every = [question for part in parts for question in part]
    return Questions(
        relations=np.array([_padded(chain) for chain, _ in every], np.int8),
        order=np.array([order for _, order in every], np.int8),
        ranges=np.stack([starts, ends], axis=-1).reshape(len(kinds), 2, 2).astype(np.int32),
    )


def _is_unseen(chain: tuple[int, ...], order: int) -> bool:
    """Whether a question is held out; of the chains of one relation, one of every type."""
    if order >= 0:
        return (2 * _COMPARED.index(chain[0]) + order) % 3 == 0
    if len(chain) == 1:
        return chain[0] % SLOTS == _subject(chain[0]) % SLOTS
    return sum(chain) % SLOTS == 0


def _padded(chain: Iterable[int]) -> tuple[int, ...]:
    return (*chain, -1, -1)[:3]


QUESTIONS = _all_questions()
COMPARISONS = len(QUESTIONS.ranges) - 1
"""The kind of the comparisons; kind `k` below asks for `k + 1` relations."""
