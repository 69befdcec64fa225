"""SearchQA's schema: what it can state and what it can be told."""

from __future__ import annotations

from collections.abc import Mapping

from jaxagent.envs.searchqa.names import ARTICLES, FIRST_WORDS, NICKNAMES, SECOND_WORDS
from jaxagent.envs.searchqa.ontology import NAMES
from jaxagent.text import Fact, Schema, Verb, fact

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
_OTHER = {"c": _FIRST, "d": _SECOND}
_FIRST_OR_YEAR, _SECOND_OR_YEAR = f"{_FIRST}|number", f"{_SECOND}|number"
_SAID = f"{_FIRST}|{_SECOND}|nickname|number"


def _several(name: str, words: int, categories: str) -> tuple[Verb, ...]:
    """Verbs that take 1 to `words` words."""
    args = tuple((f"w{k}", categories) for k in range(1, words + 1))
    return tuple(Verb(f"{name}_{k}", args[:k]) for k in range(1, words + 1))


def _question(name: str, args: Mapping[str, str]) -> Fact:
    """A fact that opens an episode."""
    return Fact(name, tuple(args.items()), first=1, step=0)


def _relations(number: int) -> dict[str, str]:
    return {f"r{k}": "relation" for k in range(1, number + 1)}


_ALONE = ("ASK_1", "ASK_2", "ASK_3", "ASK_NICKNAME", "COMPARE", "RIGHT", "WRONG", "FAILED")
_FOUND = ("RESULTS", "DOCUMENT", "STATES", "OUTDATED", "NICKNAMED", "RESULTS_END")

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
        *(_question(f"ASK_{n}", {**_relations(n), **_NAME}) for n in (1, 2, 3)),
        _question("ASK_NICKNAME", {**_relations(3), "nickname": "nickname"}),
        _question("COMPARE", {"order": "order", "relation": "relation", **_NAME, **_OTHER}),
        fact("RESULTS"),
        fact("DOCUMENT", step=HITS, rank="number", a=_FIRST, b=_SECOND),
        fact(
            "STATES",
            step=HITS * STATEMENTS,
            relation="relation",
            a=_FIRST_OR_YEAR,
            b=_SECOND_OR_YEAR,
        ),
        fact("OUTDATED", step=HITS, relation="relation", a=_FIRST_OR_YEAR, b=_SECOND_OR_YEAR),
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
    shapes=(*((name,) for name in _ALONE), _FOUND),
)
"""Names are a first and a second word, years two numbers; a search is of 1 to 5 words, an answer of
1 to 3."""
