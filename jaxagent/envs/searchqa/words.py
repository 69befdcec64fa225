"""SearchQA's words and schema: names, relations, what it can state and what it can be told."""

from __future__ import annotations

from functools import cache

from jaxagent.envs.searchqa.relations import RELATIONS, TYPES
from jaxagent.text import Schema, Verb, fact, verb
from jaxagent.text.vocabulary import NUMBERS

MAX_TERMS = 4
"""Most words of a query."""

SEARCH, ANSWER = 1, 1 + MAX_TERMS
"""Ids of the verbs of one word; those of more words follow."""

GIVEN = tuple(
    "ada alan anna boris carla cora daria david elena emil erik felix flora georg gina hanna hugo "
    "ida igor irma ivan jonas julia kira leon linda lucas maria mark mona nina oscar paula peter "
    "rosa simon tara thomas vera wanda".split()
)
"""First words of people's names."""

ADJECTIVES = tuple(
    "northern southern eastern western upper lower inner outer old new great little grand royal "
    "golden silver crimson scarlet white black free united first last".split()
)
"""First words of all other names."""


def _compounds(stems: str, endings: str) -> tuple[str, ...]:
    return tuple(stem + ending for stem in stems.split() for ending in endings.split())


_HEADS = {
    "person": _compounds(
        "ader bram carl dal eld fen gar hart lind mor ost wil", "son man berg well wood"
    ),
    "city": _compounds(
        "ash bren cald dun elm far gran hol kel mar nor wes", "ton ford burg ham port"
    ),
    "country": _compounds(
        "al bor cam dor est gal lor mer nav ser tar vel", "avia onia istan land umbra"
    ),
    "film": _compounds(
        "moon star sun night snow rain fire wind sea stone cloud dawn", "fall rise light song gate"
    ),
    "book": _compounds(
        "glass river winter clock bone paper thorn salt shadow lantern raven iron",
        "keeper maker garden house road",
    ),
    "company": _compounds(
        "agro alti bio cora data ever flexi gene hydro inter micro omni",
        "corp tek works soft link",
    ),
    "team": _compounds(
        "sky storm thunder city bay hill lake wood steel east dust frost",
        "hawks wolves bears lions kings",
    ),
}
"""Type -> last words of its names, as many for each."""

HEADS_PER_TYPE = len(_HEADS["person"])
HEADS = HEADS_PER_TYPE * len(_HEADS)
"""Last words of names; entity `e < HEADS` is the one called by head `e`, the others are years."""

if tuple(_HEADS) != TYPES[:-1] or {*map(len, _HEADS.values())} != {HEADS_PER_TYPE}:
    raise ValueError("_HEADS: expected as many last words for every type, in the order of TYPES")

ALIAS = len(RELATIONS)
"""The relation behind the others: another name of the same."""

ORDERS = ("earlier", "later")
"""What a comparison may ask for."""

CATEGORIES = {
    "given": GIVEN,
    "adjective": ADJECTIVES,
    **_HEADS,
    "relation": (*(relation.name for relation in RELATIONS), "alias"),
    "order": ORDERS,
}

FIRST_GIVEN = NUMBERS
FIRST_ADJECTIVE = FIRST_GIVEN + len(GIVEN)
FIRST_HEAD = FIRST_ADJECTIVE + len(ADJECTIVES)
FIRST_RELATION = FIRST_HEAD + HEADS
FIRST_ORDER = FIRST_RELATION + ALIAS + 1
"""Concept ids of the first concepts of the categories."""

_FIRST = "given|adjective"
_LAST = "|".join(_HEADS)
_TERM = f"{_FIRST}|{_LAST}|relation|number"

HITS, FACTS, HOPS = 3, 3, 3
"""Most documents that a search finds, facts of a document, and relations of a question."""

LISTED_FACTS = 6
"""Most facts that the documents of one search state."""


@cache
def make_schema() -> Schema:
    """The schema of SearchQA."""
    name = {"m": _FIRST, "h": _LAST}
    facts = (
        *(
            fact(f"QUESTION_{n}", first=1, step=0, **_relations(n), **name)
            for n in range(1, HOPS + 1)
        ),
        fact(
            "COMPARISON",
            first=1,
            step=0,
            order="order",
            relation="relation",
            **name,
            other_m=_FIRST,
            other_h=_LAST,
        ),
        fact("ATTEMPTS", first=1, step=0, count="number"),
        fact("RESULTS"),
        fact("DOCUMENT", step=HITS, rank="number", **name),
        fact("STATES", step=LISTED_FACTS, relation="relation", **name),
        fact("STATES_YEAR", step=HITS, relation="relation", year="number"),
        fact("ONCE", step=HITS - 1, relation="relation", **name),
        fact("ONCE_YEAR", step=HITS - 1, relation="relation", year="number"),
        fact("RESULTS_END"),
        fact("RIGHT"),
        fact("WRONG"),
        fact("LOST"),
        fact("NO_DOCUMENT", error=True),
        fact("NOT_EXECUTED", error=True),
    )
    searches = (_of_terms("search", n) for n in range(1, MAX_TERMS + 1))
    verbs = (*searches, *(_of_terms("answer", n) for n in (1, 2)))
    return Schema(CATEGORIES, facts, verbs, literal=("order",))


def _relations(number: int) -> dict[str, str]:
    return {f"r{k}": "relation" for k in range(1, number + 1)}


def _of_terms(name: str, number: int) -> Verb:
    return verb(f"{name}_{number}", **{f"w{k}": _TERM for k in range(1, number + 1)})
