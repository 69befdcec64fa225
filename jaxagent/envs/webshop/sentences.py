"""WebShop's sentences, by interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jaxagent.envs.webshop.words import QUERY, TITLES
from jaxagent.text import Phrases

_TERSE = {
    "WANT": "want {category}",
    "WANT_ATTRIBUTE": "{attribute}",
    "WANT_OPTION": "in {value}",
    "WANT_PRICE": "max {price}",
    "AT": "at {page}",
    "HITS": "hits {count} page {number}",
    "RESULT": "{place} {brand} {title} {category} {price}",
    "ITEM": "item {brand} {title} {category} {price}",
    "OFFERS": "{value}",
    "IS": "{attribute}",
    "CHOSEN": "chose {value}",
    "NOT_HERE": "no",
    "NOT_READ": "what",
}

_PROSE = {
    "WANT": "please find a {category} .",
    "WANT_ATTRIBUTE": "it should be {attribute} .",
    "WANT_OPTION": "it should come in {value} .",
    "WANT_PRICE": "it may cost {price} dollars at most .",
    "AT": "you are on the {page} page .",
    "HITS": "page {number} of {count} products .",
    "RESULT": "product {place} : {title} {category} by {brand} , {price} dollars .",
    "ITEM": "you look at this : {title} {category} by {brand} , {price} dollars .",
    "OFFERS": "you can choose {value} .",
    "IS": "it is {attribute} .",
    "CHOSEN": "you have chosen {value} .",
    "NOT_HERE": "this page has nothing like that .",
    "NOT_READ": "you can search , open , choose , read , turn pages and buy .",
}

_CALL = {
    "WANT": "want = {category} ;",
    "WANT_ATTRIBUTE": "attribute = {attribute} ;",
    "WANT_OPTION": "option = {value} ;",
    "WANT_PRICE": "price <= {price} ;",
    "AT": "page = {page} ;",
    "HITS": "hits = {count} ; page = {number} ;",
    "RESULT": "{place} = {brand} {title} {category} , {price} ;",
    "ITEM": "item = {brand} {title} {category} , {price} ;",
    "OFFERS": "value = {value} ;",
    "IS": "attribute = {attribute} ;",
    "CHOSEN": "chosen = {value} ;",
    "NOT_HERE": "error = not on this page ;",
    "NOT_READ": "error = no command ;",
}

_PARAPHRASE = {
    "WANT": "what about some {category} , can you get me one ?",
    "WANT_ATTRIBUTE": "{attribute} would be good !",
    "WANT_OPTION": "{value} is what i would take !",
    "WANT_PRICE": "over {price} dollars i cannot pay !",
    "AT": "here we see : {page} ;",
    "HITS": "{count} things turned up , this is sheet {number} :",
    "RESULT": "{price} dollars buy {brand} {category} {title} , see number {place} ;",
    "ITEM": "{price} dollars buy this {brand} {category} , {title} ;",
    "OFFERS": "{value} may be had ;",
    "IS": "{attribute} , they say ;",
    "CHOSEN": "{value} it will be ;",
    "NOT_HERE": "nobody could click on that !",
    "NOT_READ": "the shop does not follow you !",
}

_TAGS = {
    "WANT": "<want> {category} </want>",
    "WANT_ATTRIBUTE": "<attribute> {attribute} </attribute>",
    "WANT_OPTION": "<option> {value} </option>",
    "WANT_PRICE": "<price> {price} </price>",
    "AT": "<page> {page} </page>",
    "HITS": "<hits> {count} </hits> <page> {number} </page>",
    "RESULT": "<product> {place} <title> {brand} {title} {category} </title> {price} </product>",
    "ITEM": "<item> <title> {brand} {title} {category} </title> {price} </item>",
    "OFFERS": "<value> {value} </value>",
    "IS": "<attribute> {attribute} </attribute>",
    "CHOSEN": "<chosen> {value} </chosen>",
    "NOT_HERE": "<absent/>",
    "NOT_READ": "<unread/>",
}

_Say = Callable[[str], str]


def _phrases(facts: Mapping[str, str], search: _Say, verbs: Mapping[str, str]) -> Phrases:
    """The sentences of products for every length of title, of searches for every number of words.

    Args:
        facts: sentences, in which `{title}` stands for the attributes of a product.
        search: the command to search, from its words.
        verbs: all other commands.
    """
    titles = {k: " ".join(f"{{a{n}}}" for n in range(1, k + 1)) for k in TITLES}
    plain = {name: said for name, said in facts.items() if "{title}" not in said}
    titled = {
        f"{name}_{k}": said.replace("{title}", title)
        for name, said in facts.items()
        if "{title}" in said
        for k, title in titles.items()
    }
    words = [f"{{w{n}}}" for n in range(1, QUERY + 1)]
    searches = {f"search_{k}": search(" ".join(words[:k])) for k in range(1, QUERY + 1)}
    return Phrases({**plain, **titled}, {**searches, **verbs})


PHRASES: Mapping[str, Phrases] = {
    "terse": _phrases(
        _TERSE,
        lambda words: f"search {words}",
        {
            "open": "open {place}",
            "choose": "choose {value}",
            "features": "features",
            "description": "description",
            "prev": "prev",
            "next": "next",
            "back": "back",
            "buy": "buy",
        },
    ),
    "prose": _phrases(
        _PROSE,
        lambda words: f"search for {words}",
        {
            "open": "open product {place}",
            "choose": "choose {value}",
            "features": "read the features",
            "description": "read the description",
            "prev": "go to the previous page",
            "next": "go to the next page",
            "back": "go back to the search page",
            "buy": "buy it now",
        },
    ),
    "call": _phrases(
        _CALL,
        lambda words: f"search ( {words} )",
        {
            "open": "open ( {place} )",
            "choose": "choose ( {value} )",
            "features": "features ( )",
            "description": "description ( )",
            "prev": "prev ( )",
            "next": "next ( )",
            "back": "back ( )",
            "buy": "buy ( )",
        },
    ),
    "paraphrase": _phrases(
        _PARAPHRASE,
        lambda words: f"show me {words} please",
        {
            "open": "let me see number {place}",
            "choose": "i would take {value}",
            "features": "what can it do ?",
            "description": "tell me more about it !",
            "prev": "one sheet back please",
            "next": "one sheet on please",
            "back": "let us begin anew",
            "buy": "this one , wrap it up !",
        },
    ),
    "tags": _phrases(
        _TAGS,
        lambda words: f"<search> {words} </search>",
        {
            "open": "<open> {place} </open>",
            "choose": "<choose> {value} </choose>",
            "features": "<features/>",
            "description": "<description/>",
            "prev": "<prev/>",
            "next": "<next/>",
            "back": "<back/>",
            "buy": "<buy/>",
        },
    ),
}
"""Interface -> its sentences."""
