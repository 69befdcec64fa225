"""WebShop against a transcription of the original's rules in plain Python, on strings.

The rules are those of WebShop's text environment (Yao et al., 2022: `web_agent_text_env.py`,
`engine/goal.py`): which page a click leads to, what stands on it, and what a purchase is worth.
What a search finds is compared with `rank_bm25`, what words match with `thefuzz`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import jax
import numpy as np
import pytest

from jaxagent.envs.webshop import WebShop, webshop, webshop_procedural
from jaxagent.envs.webshop.goods import CATEGORIES, GOODS, PER_DEPARTMENT
from jaxagent.envs.webshop.words import QUERY, SCHEMA
from jaxagent.text.vocabulary import NUMBERS

pytestmark = pytest.mark.oracle
fuzz = pytest.importorskip("thefuzz.fuzz", reason="the package thefuzz is not installed")
rank_bm25 = pytest.importorskip("rank_bm25", reason="the package rank_bm25 is not installed")

ENVIRONMENTS = (webshop(), webshop_procedural())
GOOD_WORDS = [word for words in GOODS.values() for word in words]
HITS, PAGE = 20, 5
FUZZY = 85


@dataclass
class Product:
    """A product as a page of the original has it."""

    brand: str
    category: str
    attributes: list[str]
    options: list[list[str]]
    price: int

    @property
    def nouns(self) -> set[str]:
        """Sixteen nouns of the title: one of the brand, two of the department, the rest."""
        department = f"department{CATEGORIES.index(self.category) // PER_DEPARTMENT}"
        own = {f"{self.category}{n}" for n in range(13)}
        return {self.brand, f"{department}a", f"{department}b"} | own

    @property
    def nodes(self) -> set[str]:
        """The path of the category: department and category."""
        return {str(CATEGORIES.index(self.category) // PER_DEPARTMENT), self.category}

    @property
    def words(self) -> list[str]:
        """All that a search looks through."""
        options = [value for axis in self.options for value in axis]
        return [self.brand, self.category, *self.attributes, *options]


@dataclass
class Wish:
    target: Product
    attributes: list[str]
    options: list[str]
    most: int


@dataclass
class Shop:
    """The session of one episode: `command` is words as in `search[…]` and `click[…]`."""

    products: list[Product]
    wish: Wish
    in_title: int
    in_features: int
    page: str = "search"
    hits: list[int] = field(default_factory=list)
    number: int = 1
    item: int = -1
    chosen: dict[int, str] = field(default_factory=dict)
    reward: float = 0.0
    is_done: bool = False

    def do(self, verb: str, words: list[str], found: list[int]) -> bool:
        """Carries a command out; whether it was possible. `found` is what a search finds."""
        if self.is_done:
            return False
        if verb == "search":
            self.page, self.hits, self.number = "results", found, 1
            self._leave()
            return True
        if [verb, *words] not in self.buttons():
            return False
        self._click(verb, *words)
        return True

    def _click(self, verb: str, word: str = "") -> None:
        shown = self.hits[PAGE * (self.number - 1) :]
        if verb == "open":
            self.page, self.item = "item", shown[int(word) - 1]
        elif verb == "choose":
            axis = next(a for a, values in enumerate(self.at.options) if word in values)
            self.chosen[axis] = word
        elif verb in ("features", "description"):
            self.page = verb
        elif verb == "next":
            self.number += 1
        elif verb == "prev" and self.page == "results":
            self.number -= 1
        elif verb == "prev" and self.page == "item":
            self.page = "results"
            self._leave()
        elif verb == "prev":
            self.page = "item"
        elif verb == "back":
            self.page, self.hits, self.number = "search", [], 1
            self._leave()
        elif verb == "buy":
            self.page, self.is_done, self.reward = "receipt", True, self._worth()

    def _leave(self) -> None:
        self.item, self.chosen = -1, {}

    @property
    def at(self) -> Product:
        return self.products[self.item]

    def buttons(self) -> list[list[str]]:
        """All that can be clicked on the page."""
        shown = self.hits[PAGE * (self.number - 1) :]
        described = [["description"]] if self.in_features < 4 else []
        values = [["choose", value] for axis in self.at.options for value in axis]
        return {
            "search": [],
            "results": [
                *(["open", str(n)] for n in range(1, min(len(shown), PAGE) + 1)),
                *([["prev"]] if self.number > 1 else []),
                *([["next"]] if len(shown) > PAGE else []),
                ["back"],
            ],
            "item": [*values, ["features"], *described, ["prev"], ["back"], ["buy"]],
            "features": [["prev"], ["back"]],
            "description": [["prev"], ["back"]],
            "receipt": [],
        }[self.page]

    def text(self) -> list[list[str]]:
        """What stands on the page, in order."""
        if self.page == "results":
            shown = self.hits[PAGE * (self.number - 1) :][:PAGE]
            head = [["HITS", str(len(self.hits)), str(self.number)]]
            return head + [
                [f"RESULT_{self.in_title}", str(n), *self._title(self.products[hit])]
                for n, hit in enumerate(shown, 1)
            ]
        if self.page == "item":
            values = [["OFFERS", value] for axis in self.at.options for value in axis]
            return [[f"ITEM_{self.in_title}", *self._title(self.at)], *values]
        told = self.at.attributes if self.page in ("features", "description") else []
        cut = self.in_features
        told = told[:cut] if self.page == "features" else told[cut:]
        return [["AT", self.page], *(["IS", attribute] for attribute in told)]

    def _title(self, product: Product) -> list[str]:
        own = product.attributes[: self.in_title]
        return [product.brand, product.category, str(product.price), *own]

    def _worth(self) -> float:
        bought, wish = self.at, self.wish
        matched = sum(_is_among(word, bought.attributes) for word in wish.attributes)
        matched += sum(_is_among(word, list(self.chosen.values())) for word in wish.options)
        matched += bought.price <= wish.most
        share = matched / (len(wish.attributes) + len(wish.options) + 1)
        return share * _type_factor(bought, wish.target)


def _is_among(word: str, words: list[str]) -> bool:
    return any(fuzz.token_set_ratio(word, other) > FUZZY for other in words)


def _type_factor(bought: Product, wanted: Product) -> float:
    overlap = len(bought.nouns & wanted.nouns) / len(wanted.nouns)
    same_query = bought.category == wanted.category
    same_nodes = len(bought.nodes & wanted.nodes) >= 2
    factor = 1.0 if same_query or same_nodes or overlap > 0.2 else 0.5
    if overlap < 0.1:
        factor = 0.1
    return 0.0 if overlap == 0 else factor


# Our states and facts as strings


def _shop(state: Any, params: Any) -> Shop:
    words, prices = state.catalogue.words, state.catalogue.prices
    products = [_product(row, price) for row, price in zip(words, prices, strict=True) if price > 0]
    goal = state.goal
    wish = Wish(
        target=products[goal.target],
        attributes=_named(goal.attributes),
        options=_named(goal.options),
        most=int(goal.most),
    )
    assert products[goal.target].category == GOOD_WORDS[goal.category]
    return Shop(products, wish, int(params.in_title), int(params.in_features))


def _product(row: np.ndarray, price: np.ndarray) -> Product:
    brand, category, *attributes = _named(row[:6])
    return Product(brand, category, attributes, [_named(row[6:10]), _named(row[10:])], int(price))


def _named(words: np.ndarray) -> list[str]:
    return [GOOD_WORDS[word] for word in words if word >= 0]


def _say(concept: int) -> str:
    if concept < NUMBERS:
        return str(concept)
    place = concept - NUMBERS
    pages = SCHEMA.categories["page"]
    return GOOD_WORDS[place] if place < len(GOOD_WORDS) else pages[place - len(GOOD_WORDS)]


def _told(facts: np.ndarray) -> list[list[str]]:
    return [
        [SCHEMA.facts[row[0]].name, *(_say(concept) for concept in row[1:] if concept >= 0)]
        for row in facts.tolist()
        if row[0] > 0
    ]


def _command(row: np.ndarray) -> tuple[str, list[str]]:
    verb = SCHEMA.verbs[row[0]].name.partition("_")[0]
    return verb, [_say(concept) for concept in row[1:] if concept >= 0]


def _any_command(rng: np.random.Generator) -> np.ndarray:
    """Any verb with any words it takes, seldom of any use."""
    verb = int(rng.integers(1, len(SCHEMA.verbs)))
    row = np.full(1 + SCHEMA.max_args, -1)
    row[0] = verb
    for n, (_, categories) in enumerate(SCHEMA.verbs[verb].args, 1):
        low, high = SCHEMA.spans[str(rng.choice(categories.split("|")))]
        row[n] = rng.integers(low, min(high, low + 8))
    return row


class _Player:
    """Plays a level batch by batch, on the host turn by turn."""

    def __init__(self, env: WebShop, level: str, episodes: int) -> None:
        self.params = env.levels[level].params
        self.limit = env.levels[level].turn_limit
        self.keys = jax.random.split(jax.random.key(11), episodes)
        shared = (0, None)
        self.reset = jax.jit(jax.vmap(env.reset, shared))
        self.step = jax.jit(jax.vmap(env.step, (0, 0, None)))
        self.expert = jax.jit(jax.vmap(env.expert, shared))
        self.listed = jax.jit(jax.vmap(env.valid_commands, shared))

    def commands(self, states: Any, rng: np.random.Generator) -> tuple[np.ndarray, list]:
        """Of the expert, of those listed, or any; and all that are listed."""
        listed, mask = map(np.asarray, self.listed(states, self.params))
        rows = np.array(self.expert(states, self.params))
        for n, chance in enumerate(rng.random(len(rows))):
            if chance < 0.35 and mask[n].any():
                rows[n] = rng.choice(listed[n][mask[n]])
            elif chance < 0.5:
                rows[n] = _any_command(rng)
        return rows, [rows_n[m] for rows_n, m in zip(listed, mask, strict=True)]


def _compare(env: WebShop, level: str, episodes: int) -> tuple[int, int]:
    """Plays and compares; how many purchases there were, and how many errors."""
    player, rng = _Player(env, level, episodes), np.random.default_rng(5)
    states, _ = player.reset(player.keys, player.params)
    host = jax.tree.map(np.asarray, states)
    shops = [_shop(jax.tree.map(lambda x, n=n: x[n], host), player.params) for n in range(episodes)]
    bought = refused = 0
    for _ in range(player.limit):
        rows, listed = player.commands(states, rng)
        move = player.step(states, rows, player.params)
        hits = np.asarray(move.state.hits)
        result = jax.tree.map(np.asarray, (move.facts, move.reward, move.terminated, move.success))
        for n, shop in enumerate(shops):
            _check_listed(shop, listed[n])
            verb, words = _command(rows[n])
            found = [int(hit) for hit in hits[n] if hit >= 0]
            if verb == "search" and not shop.is_done:
                _check_ranking(shop, words, found)
            before = shop.reward
            possible = shop.do(verb, words, found)
            facts, reward, terminated, success = (part[n] for part in result)
            expected = shop.text() if possible else [["NOT_HERE"]]
            if possible and verb == "choose":
                expected = [["CHOSEN", *words]]
            assert _told(facts) == expected
            assert reward == pytest.approx(shop.reward - before, abs=1e-6)
            assert terminated == (possible and shop.is_done)
            assert success == (terminated and shop.reward == 1)
            bought += int(terminated)
            refused += int(not possible)
        states = move.state
    return bought, refused


def _check_listed(shop: Shop, listed: np.ndarray) -> None:
    """The listed clicks are the buttons; searches are listed where there is a search bar."""
    commands = [_command(row) for row in listed]
    clicks = [[verb, *words] for verb, words in commands if verb != "search"]
    assert sorted(clicks) == sorted(shop.buttons())
    assert any(verb == "search" for verb, _ in commands) == (shop.page == "search")


def _check_ranking(shop: Shop, words: list[str], found: list[int]) -> None:
    corpus = [product.words for product in shop.products]
    scores = rank_bm25.BM25Okapi(corpus).get_scores(words)
    fits = np.array([bool(set(words) & set(product)) for product in corpus])
    order = np.argsort(-np.round(np.where(fits, scores, -np.inf), 4), kind="stable")
    assert found == [int(place) for place in order if fits[place]][:HITS]


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)
@pytest.mark.parametrize("level", ENVIRONMENTS[0].levels)
def test_pages_rewards_and_ends_are_the_originals(env: WebShop, level: str) -> None:
    bought, refused = _compare(env, level, episodes=12)
    assert bought > 0 and refused > 0


@pytest.mark.slow
@pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)
@pytest.mark.parametrize("level", ENVIRONMENTS[0].levels)
def test_many_episodes_are_the_originals(env: WebShop, level: str) -> None:
    bought, refused = _compare(env, level, episodes=100)
    assert bought > 10 and refused > 10


def test_words_match_as_in_the_original() -> None:
    """Token-set scores above 85 are equality for words such as these."""
    for one, other in combinations(GOOD_WORDS, 2):
        assert fuzz.token_set_ratio(one, other) <= FUZZY, (one, other)
    assert all(fuzz.token_set_ratio(word, word) > FUZZY for word in GOOD_WORDS)


def test_query_length_is_that_of_a_wish() -> None:
    assert QUERY == 1 + 3 + 2
