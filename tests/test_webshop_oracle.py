"""WebShop against a transcription of the original's rules in plain Python, on strings.

The rules are those of WebShop's text environment (Yao et al., 2022: `web_agent_text_env.py`,
`engine/goal.py`): which page a click leads to, what stands on it, and what a purchase is worth.
What a search finds is compared with `rank_bm25`, what words match with `thefuzz`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pytest
from webshop_strings import GOOD_WORDS, Command, Player, Product, Wish, stock

from jaxagent.envs.webshop import WebShop, webshop, webshop_procedural
from jaxagent.envs.webshop.words import QUERY

pytestmark = pytest.mark.oracle
fuzz = pytest.importorskip("thefuzz.fuzz", reason="the package thefuzz is not installed")
rank_bm25 = pytest.importorskip("rank_bm25", reason="the package rank_bm25 is not installed")

ENVIRONMENTS = (webshop(), webshop_procedural())
HITS, PAGE = 20, 5
FUZZY = 85


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


def _compare(env: WebShop, level: str, episodes: int) -> tuple[int, int]:
    """Plays and compares; how many purchases there were, and how many errors."""
    player = Player(env, level, episodes)
    in_title, in_features = int(player.params.in_title), int(player.params.in_features)
    shops = [Shop(*stock(state), in_title, in_features) for state in player.start()]
    bought = refused = 0
    for turns in player.play(np.random.default_rng(5)):
        for shop, turn in zip(shops, turns, strict=True):
            _check_listed(shop, turn.listed)
            verb, words = turn.command
            if verb == "search" and not shop.is_done:
                _check_ranking(shop, words, turn.hits)
            before = shop.reward
            possible = shop.do(verb, words, turn.hits)
            expected = shop.text() if possible else [["NOT_HERE"]]
            if possible and verb == "choose":
                expected = [["CHOSEN", *words]]
            assert turn.told == expected
            assert turn.reward == pytest.approx(shop.reward - before, abs=1e-6)
            assert turn.terminated == (possible and shop.is_done)
            assert turn.success == (turn.terminated and shop.reward == 1)
            bought += turn.terminated
            refused += not possible
    return bought, refused


def _check_listed(shop: Shop, listed: list[Command]) -> None:
    """The listed clicks are the buttons; searches are listed where there is a search bar."""
    clicks = [[verb, *words] for verb, words in listed if verb != "search"]
    assert sorted(clicks) == sorted(shop.buttons())
    assert any(verb == "search" for verb, _ in listed) == (shop.page == "search")


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
