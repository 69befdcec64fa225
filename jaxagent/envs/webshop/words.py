"""WebShop's schema: what it can state and what it can be told."""

from __future__ import annotations

from functools import cache

from jaxagent.envs.webshop.goods import AXES, GOODS
from jaxagent.envs.webshop.state import OWN_VALUES, PAGE
from jaxagent.text import Fact, Schema, Verb, fact, verb

QUERY = 6
"""Most words of a query: category, three attributes, two options."""

PAGES = ("search", "features", "description", "receipt")
"""The pages that are stated by their names."""

TITLES = (1, 2, 4)
"""Attributes that a title may have; `RESULT_k` states a product with `k` of them."""

OPEN, CHOOSE, READ_FEATURES, READ_DESCRIPTION, PREV, NEXT, BACK, BUY = range(QUERY + 1, QUERY + 9)
"""Ids of the verbs behind the searches; `k` itself is to search for `k` words."""

VERBS = BUY + 1

_ANY_WORD = "|".join(GOODS)
_VALUE = "colour|size"


@cache
def make_schema() -> Schema:
    """The schema of every WebShop."""
    facts = (
        fact("WANT", first=1, step=0, category="category"),
        fact("WANT_ATTRIBUTE", first=3, step=0, attribute="attribute"),
        fact("WANT_OPTION", first=AXES, step=0, value=_VALUE),
        fact("WANT_PRICE", first=1, step=0, price="number"),
        fact("AT", first=1, page="page"),
        fact("HITS", count="number", page="number"),
        *(_result(k) for k in TITLES),
        fact("ENTRY", step=AXES * OWN_VALUES, word=f"attribute|{_VALUE}"),
        fact("CHOSEN", value=_VALUE),
        fact("NOT_HERE", error=True),
        fact("NOT_READ", error=True),
    )
    verbs = (
        *(_search(k) for k in range(1, QUERY + 1)),
        verb("open", place="number"),
        verb("choose", value=_VALUE),
        verb("features"),
        verb("description"),
        verb("prev"),
        verb("next"),
        verb("back"),
        verb("buy"),
    )
    return Schema({**GOODS, "page": PAGES}, facts, verbs, literal=("page",))


def _result(attributes: int) -> Fact:
    """A product: its place on the page of results, its title and its price."""
    own = {f"a{k}": "attribute" for k in range(1, attributes + 1)}
    args = {"place": "number", "brand": "brand", "category": "category", "price": "number"}
    return fact(f"RESULT_{attributes}", step=PAGE, **args, **own)


def _search(words: int) -> Verb:
    return verb(f"search_{words}", **{f"w{k}": _ANY_WORD for k in range(1, words + 1)})
