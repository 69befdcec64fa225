"""WebShop against the original's own text environment, with our catalogues in its shop.

Needs a checkout of it that Python finds (`PYTHONPATH`), with all that it imports; its products and
its index are not needed. What a search finds is ours: the original's ranking is Lucene's.
"""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from webshop_strings import GOOD_WORDS, Command, Player, Product, Turn, Wish, stock

from jaxagent.envs.webshop import WebShop, webshop, webshop_procedural
from jaxagent.envs.webshop.goods import ATTRIBUTES, CATEGORIES
from jaxagent.envs.webshop.reward import score
from jaxagent.envs.webshop.state import VALUE

pytestmark = [pytest.mark.oracle, pytest.mark.slow]
site = pytest.importorskip(
    "web_agent_site.envs.web_agent_text_env", reason="no checkout of WebShop is on PYTHONPATH"
)
engine = pytest.importorskip("web_agent_site.engine.engine")
goals = pytest.importorskip("web_agent_site.engine.goal")

ENVIRONMENTS = (webshop(), webshop_procedural())
AXES = ("color", "size")
HITS, PAGE = 20, 5
CLICKS = {"prev": "< prev", "next": "next >", "back": "back to search", "buy": "buy now"}
VERBS = {click: verb for verb, click in CLICKS.items()}
OTHERS = {"search", "reviews"}
"""Buttons of the original that are no clicks of ours."""
SPARED = [("next", []), ("description", [])]
"""The original turns on behind the last result, and has a description even if it is empty."""
UNSAID = {"AT", "CHOSEN", "NOT_HERE"}
"""Facts that the original does not tell in so many words."""


def parse(title: str) -> list[Any]:
    """Sixteen nouns of a title (`Product.nouns`), in place of spaCy's model of English."""
    nouns = [word for word in title.split() if word not in ATTRIBUTES + CATEGORIES]
    return [SimpleNamespace(text=noun, pos_="NOUN") for noun in nouns]


class Hits:
    """A search engine that finds what it is told to find."""

    def __init__(self) -> None:
        self.found: list[int] = []

    def search(self, keywords: str, k: int) -> list[Any]:
        """The products found, by their places in the catalogue."""
        return [SimpleNamespace(docid=place) for place in self.found[:k]]

    def doc(self, place: int) -> Any:
        """What the index keeps of a product."""
        return SimpleNamespace(raw=lambda: json.dumps({"id": _identifier(place)}))


class Original:
    """A session of the original in a shop of ours."""

    def __init__(self, state: Any, params: Any, patch: pytest.MonkeyPatch) -> None:
        items, goal = _shop(state, params)
        by_id = {item["asin"]: item for item in items}
        prices = {name: item["pricing"][0] for name, item in by_id.items()}
        self.engine = Hits()
        patch.setattr(site, "load_products", lambda **_: (items, by_id, prices, {}))
        patch.setattr(site, "init_search_engine", lambda **_: self.engine)
        patch.setattr(site, "get_goals", lambda *_: [goal])
        self.env = site.WebAgentTextEnv("text", server=site.SimServer("", ""))
        self.reward, self.done = 0.0, False

    @property
    def buttons(self) -> list[str]:
        """What can be clicked, in the original's words."""
        return self.env.get_available_actions()["clickables"]

    @property
    def page(self) -> str:
        """The page as it stands."""
        return self.env.observation

    def do(self, command: Command, hits: list[int]) -> None:
        """Sends a command; `hits` is what a search is to find."""
        verb, words = command
        self.engine.found = hits
        is_search = verb == "search"
        text = f"search[{' '.join(words)}]" if is_search else f"click[{self._click(*command)}]"
        _, self.reward, self.done, _ = self.env.step(text)

    def _click(self, verb: str, words: list[str]) -> str:
        if verb == "open":
            shown = _products(self.buttons)
            place = int(words[0]) - 1
            return shown[place] if 0 <= place < len(shown) else "nothing"
        return words[0] if verb == "choose" else CLICKS.get(verb, verb)


def _shop(state: Any, params: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The products and the goal of a state as the original has them."""
    products, wish = stock(state)
    items = [_item(n, product, params) for n, product in enumerate(products)]
    return items, _goal(wish, items[int(state.goal.target)])


def _item(n: int, product: Product, params: Any) -> dict[str, Any]:
    """A product as `load_products` makes it of the original's files."""
    own, cut = product.attributes, int(params.in_features)
    title = " ".join([*sorted(product.nouns), product.category, *own[: int(params.in_title)]])
    department, category = sorted(product.nodes)
    return {
        "asin": _identifier(n),
        "name": title,
        "Title": title,
        "query": product.category,
        "category": department,
        "product_category": f"{department} › {category}",
        "Attributes": own,
        "BulletPoints": own[:cut],
        "Description": " ".join(own[cut:]),
        "Reviews": [],
        "Rating": "N.A.",
        "pricing": [float(product.price)],
        "Price": f"${product.price}",
        "options": dict(zip(AXES, product.options, strict=True)),
        "option_to_image": {},
        "MainImage": "",
    }


def _identifier(place: int) -> str:
    return f"P{place:03d}"


def _goal(wish: Wish, item: dict[str, Any]) -> dict[str, Any]:
    """A wish as `get_goals` makes it of a product."""
    return {
        **{name: item[name] for name in ("asin", "name", "query", "category", "product_category")},
        "instruction_text": "buy",
        "attributes": wish.attributes,
        "goal_options": wish.options,
        "price_upper": float(wish.most),
        "weight": 1,
    }


def _products(buttons: list[str]) -> list[str]:
    return [button for button in buttons if re.fullmatch(r"p\d+", button)]


def _as_ours(buttons: list[str]) -> list[Command]:
    """The original's buttons as commands of ours."""
    shown = _products(buttons)
    opens = [("open", [str(n)]) for n in range(1, 1 + len(shown))]
    values = [("choose", [button]) for button in buttons if button in GOOD_WORDS]
    others = set(buttons) - set(shown) - set(GOOD_WORDS) - OTHERS
    return opens + values + [(VERBS.get(button, button), []) for button in others]


def _check(original: Original, turn: Turn) -> None:
    """The buttons before a command; the reward, the end and what is shown after it."""
    clicks = [command for command in turn.listed if command[0] != "search"]
    theirs = [each for each in _as_ours(original.buttons) if each in clicks or each not in SPARED]
    assert sorted(clicks) == sorted(theirs)
    refused = turn.told == [["NOT_HERE"]]
    if refused and turn.command in SPARED:
        return
    before = original.page
    original.do(turn.command, turn.hits)
    assert original.page == before or not refused
    assert original.reward == pytest.approx(turn.reward, abs=1e-6)
    assert original.done == turn.terminated
    shown = set(re.findall(r"\w+", original.page))
    for name, *words in turn.told:
        if name.startswith("RESULT"):
            del words[0]  # the place on the page
        assert name in UNSAID or set(words) <= shown, (name, words)


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)
@pytest.mark.parametrize("level", ENVIRONMENTS[0].levels)
def test_pages_rewards_and_ends(env: WebShop, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SEARCH_RETURN_N", HITS)
    monkeypatch.setattr(engine, "PRODUCT_WINDOW", PAGE)
    monkeypatch.setattr(goals, "nlp", parse)
    player = Player(env, level, episodes=50)
    originals = [Original(state, player.params, monkeypatch) for state in player.start()]
    rewards = []
    for turns in player.play(np.random.default_rng(5)):
        for original, turn in zip(originals, turns, strict=True):
            if not original.done:
                _check(original, turn)
                rewards += [original.reward] if original.done else []
    assert len(rewards) > 10 and min(rewards) < 1 == max(rewards)


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)
def test_rewards_of_all_products(env: WebShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goals, "nlp", parse)
    player, rng = Player(env, "medium", episodes=20), np.random.default_rng(3)
    worth = jax.jit(jax.vmap(score, (None, None, 0, 0)))
    seen = set()
    for state in player.start():
        items, goal = _shop(state, player.params)
        places = np.repeat(np.arange(len(items)), 4)
        chosen = np.array([_choice(rng, axes) for axes in _offers(state, places)])
        rewards = np.asarray(worth(state.catalogue, state.goal, places, chosen))
        for place, words, reward in zip(places, chosen, rewards, strict=True):
            item = items[place]
            options = {axis: GOOD_WORDS[w] for axis, w in zip(AXES, words, strict=True) if w >= 0}
            if not any(value in other for value in options.values() for other in _words(item)):
                theirs = goals.get_reward(item, goal, item["pricing"][0], options)
                assert reward == pytest.approx(theirs, abs=1e-6)
                seen.add(round(theirs, 3))
    assert len(seen) > 8 and {0.0, 1.0} <= seen


def _offers(state: Any, places: np.ndarray) -> np.ndarray:
    """int[products, axes, values]: the options of products."""
    return state.catalogue.words[places, VALUE:].reshape(len(places), len(AXES), -1)


def _choice(rng: np.random.Generator, axes: np.ndarray) -> list[int]:
    """Of every axis a value or, as behind the last of them, none."""
    return [int(rng.choice(values)) for values in axes]


def _words(item: dict[str, Any]) -> list[str]:
    """Where the original looks for options, too, be it inside of words."""
    return [*item["Title"].split(), *item["BulletPoints"], *item["Description"].split()]
