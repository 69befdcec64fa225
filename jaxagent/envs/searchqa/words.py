"""SearchQA's schema: what it can state and what it can be told."""

from __future__ import annotations

from jaxagent.envs.searchqa.names import ARTICLES, FIRST_WORDS, NICKNAMES, SECOND_WORDS
from jaxagent.envs.searchqa.ontology import NAMES
from jaxagent.text import Schema, Verb, fact, verb

HITS = 3
"""Most documents that a search finds."""

STATEMENTS = 3
"""Most statements of a document."""

QUERY_WORDS, ANSWER_WORDS = 5, 3
"""Most words of a search and of an answer."""

SEARCH, ANSWER = 1, 1 + QUERY_WORDS
"""Ids of the verbs; `SEARCH - 1 + k` and `ANSWER - 1 + k` take `k` words."""

_FIRST = "|".join(f"{kind}_first" for kind in FIRST_WORDS)
_SECOND = "|".join(f"{kind}_second" for kind in SECOND_WORDS)
_NAME = {"a": _FIRST, "b": _SECOND}
_THING = {"a": f"{_FIRST}|number", "b": f"{_SECOND}|number"}
_SAID = f"{_FIRST}|{_SECOND}|nickname|number"


def _several(name: str, words: int, categories: str) -> tuple[Verb, ...]:
    """Verbs that take 1 to `words` words."""
    args = {f"w{k}": categories for k in range(1, words + 1)}
    return tuple(verb(f"{name}_{k}", **dict(list(args.items())[:k])) for k in range(1, words + 1))


SCHEMA = Schema(
    categories={
        **{f"{kind}_first": words for kind, words in FIRST_WORDS.items()},
        **{f"{kind}_second": words for kind, words in SECOND_WORDS.items()},
        "nickname": NICKNAMES,
        "relation": NAMES,
        "order": ("earlier", "later"),
        "article": ARTICLES,
    },
    own_facts=(
        fact("ASK_1", first=1, step=0, r1="relation", **_NAME),
        fact("ASK_2", first=1, step=0, r1="relation", r2="relation", **_NAME),
        fact(
            "ASK_3",
            first=1,
            step=0,
            r1="relation",
            r2="relation",
            r3="relation",
            **_NAME,
        ),
        fact(
            "ASK_NICKNAME",
            first=1,
            step=0,
            r1="relation",
            r2="relation",
            r3="relation",
            nickname="nickname",
        ),
        fact(
            "COMPARE",
            first=1,
            step=0,
            order="order",
            relation="relation",
            **_NAME,
            c=_FIRST,
            d=_SECOND,
        ),
        fact("RESULTS"),
        fact("DOCUMENT", step=HITS, rank="number", **_NAME),
        fact("STATES", step=HITS * STATEMENTS, relation="relation", **_THING),
        fact("OUTDATED", step=HITS, relation="relation", **_THING),
        fact("NICKNAMED", step=HITS, nickname="nickname"),
        fact("RESULTS_END"),
        fact("RIGHT"),
        fact("WRONG"),
        fact("FAILED"),
        fact("NO_DOCUMENTS", error=True),
        fact("NOT_EXECUTED", error=True),
    ),
    own_verbs=(
        *_several("search", QUERY_WORDS, f"{_SAID}|relation"),
        *_several("answer", ANSWER_WORDS, f"{_SAID}|article"),
    ),
    literal=("order", "article"),
)
"""Names are a first and a second word, years two numbers; a search is of 1 to 5 words, an answer of
1 to 3."""
