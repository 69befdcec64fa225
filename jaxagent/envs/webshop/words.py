"""WebShop's schema: what it can state and what it can be told."""

from __future__ import annotations

from jaxagent.envs.webshop.goods import AXES, GOODS
from jaxagent.envs.webshop.state import OWN_ATTRIBUTES, OWN_VALUES, PAGE
from jaxagent.text import Fact, Schema, Verb, fact, verb

QUERY = 6
"""Most words of a query: category, three attributes, two options."""

PAGES = ("search", "features", "description", "receipt")
"""The pages that are stated by their names."""

TITLES = (1, 2, 4)
"""Attributes that a title may have; `RESULT_k` and `ITEM_k` state products with `k` of them."""

OPEN, CHOOSE, READ_FEATURES, READ_DESCRIPTION, PREV, NEXT, BACK, BUY = range(QUERY + 1, QUERY + 9)
"""Ids of the verbs behind the searches; `k` itself is to search for `k` words."""

VERBS = BUY + 1

_ANY_WORD = "|".join(GOODS)
_VALUE = "colour|size"


_OPENING = ("WANT", "WANT_ATTRIBUTE", "WANT_OPTION", "WANT_PRICE", "AT")
_SHAPES = (
    _OPENING,
    ("HITS", *(f"RESULT_{k}" for k in TITLES)),
    (*(f"ITEM_{k}" for k in TITLES), "OFFERS"),
    ("AT", "IS"),
    ("CHOSEN",),
)


_PRODUCT = (("brand", "brand"), ("category", "category"), ("price", "number"))
_PLACE = ("place", "number")


def _titled(name: str, attributes: int, *first: tuple[str, str], most: int) -> Fact:
    """A product with `attributes` of them in its title."""
    own = tuple((f"a{k}", "attribute") for k in range(1, attributes + 1))
    return Fact(f"{name}_{attributes}", (*first, *_PRODUCT, *own), first=0, step=most)


def _search(words: int) -> Verb:
    return verb(f"search_{words}", **{f"w{k}": _ANY_WORD for k in range(1, words + 1)})


SCHEMA = Schema(
    {**GOODS, "page": PAGES},
    (
        fact("WANT", first=1, step=0, category="category"),
        fact("WANT_ATTRIBUTE", first=3, step=0, attribute="attribute"),
        fact("WANT_OPTION", first=AXES, step=0, value=_VALUE),
        fact("WANT_PRICE", first=1, step=0, price="number"),
        fact("AT", first=1, page="page"),
        fact("HITS", count="number", number="number"),
        *(_titled("RESULT", k, _PLACE, most=PAGE) for k in TITLES),
        *(_titled("ITEM", k, most=1) for k in TITLES),
        fact("OFFERS", step=AXES * OWN_VALUES, value=_VALUE),
        fact("IS", step=OWN_ATTRIBUTES, attribute="attribute"),
        fact("CHOSEN", value=_VALUE),
        fact("NOT_HERE", error=True),
        fact("NOT_READ", error=True),
    ),
    (
        *(_search(k) for k in range(1, QUERY + 1)),
        verb("open", place="number"),
        verb("choose", value=_VALUE),
        verb("features"),
        verb("description"),
        verb("prev"),
        verb("next"),
        verb("back"),
        verb("buy"),
    ),
    literal=("page",),
    shapes=_SHAPES,
)
"""The schema of every WebShop."""
