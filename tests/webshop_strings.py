"""WebShop's states, facts and commands as strings, and episodes to compare with other shops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxagent.envs.webshop import WebShop
from jaxagent.envs.webshop.goods import CATEGORIES, GOODS, PER_DEPARTMENT
from jaxagent.envs.webshop.words import SCHEMA
from jaxagent.text.vocabulary import NUMBERS

GOOD_WORDS = [word for words in GOODS.values() for word in words]

Command = tuple[str, list[str]]
"""A verb and its words."""


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
    """What is asked for, with the product it was made of."""

    target: Product
    attributes: list[str]
    options: list[str]
    most: int


def stock(state: Any) -> tuple[list[Product], Wish]:
    """What the shop of a state sells, and what is asked for."""
    words, prices = state.catalogue.words, state.catalogue.prices
    products = [_product(row, price) for row, price in zip(words, prices, strict=True) if price > 0]
    goal = state.goal
    assert products[goal.target].category == GOOD_WORDS[goal.category]
    return products, Wish(
        target=products[goal.target],
        attributes=_named(goal.attributes),
        options=_named(goal.options),
        most=int(goal.most),
    )


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


def _command(row: np.ndarray) -> Command:
    """A command in words; all searches have one verb."""
    verb = SCHEMA.verbs[row[0]].name.partition("_")[0]
    return verb, [_say(concept) for concept in row[1:] if concept >= 0]


class Turn(NamedTuple):
    """What one episode did in a turn: `listed` before the command, all else after it."""

    listed: list[Command]
    command: Command
    hits: list[int]
    told: list[list[str]]
    reward: float
    terminated: bool
    success: bool


class Player:
    """Plays a level batch by batch, on the host turn by turn."""

    def __init__(self, env: WebShop, level: str, episodes: int) -> None:
        self.params = env.levels[level].params
        self.limit = env.levels[level].turn_limit
        shared = (0, None)
        keys = jax.random.split(jax.random.key(11), episodes)
        self._states, _ = jax.jit(jax.vmap(env.reset, shared))(keys, self.params)
        self._step = jax.jit(jax.vmap(env.step, (0, 0, None)))
        self._expert = jax.jit(jax.vmap(env.expert, shared))
        self._listed = jax.jit(jax.vmap(env.valid_commands, shared))

    def start(self) -> list[Any]:
        """The states of the episodes at their beginning."""
        return _rows(self._states)

    def play(self, rng: np.random.Generator) -> Iterator[list[Turn]]:
        """Turn by turn, one of every episode, whether it has ended or not."""
        states = self._states
        for _ in range(self.limit):
            rows, listed = self._commands(states, rng)
            move = self._step(states, rows, self.params)
            yield [
                Turn(
                    listed=[_command(each) for each in buttons],
                    command=_command(row),
                    hits=[int(hit) for hit in after.state.hits if hit >= 0],
                    told=_told(after.facts),
                    reward=float(after.reward),
                    terminated=bool(after.terminated),
                    success=bool(after.success),
                )
                for buttons, row, after in zip(listed, rows, _rows(move), strict=True)
            ]
            states = move.state

    def _commands(self, states: Any, rng: np.random.Generator) -> tuple[np.ndarray, list]:
        """Of the expert, of those listed, or any; and all that are listed."""
        listed, mask = map(np.asarray, self._listed(states, self.params))
        rows = np.array(self._expert(states, self.params))
        for n, chance in enumerate(rng.random(len(rows))):
            if chance < 0.35 and mask[n].any():
                rows[n] = rng.choice(listed[n][mask[n]])
            elif chance < 0.5:
                rows[n] = _any_command(rng)
        return rows, [rows_n[m] for rows_n, m in zip(listed, mask, strict=True)]


def _any_command(rng: np.random.Generator) -> np.ndarray:
    """Any verb with any words it takes, seldom of any use."""
    verb = int(rng.integers(1, len(SCHEMA.verbs)))
    row = np.full(1 + SCHEMA.max_args, -1)
    row[0] = verb
    for n, (_, categories) in enumerate(SCHEMA.verbs[verb].args, 1):
        low, high = SCHEMA.spans[str(rng.choice(categories.split("|")))]
        row[n] = rng.integers(low, min(high, low + 8))
    return row


def _rows(batch: Any) -> list[Any]:
    """A batch taken apart on the host."""
    host = jax.tree.map(np.asarray, batch)
    size = len(jax.tree.leaves(host)[0])
    return [jax.tree.map(lambda x, n=n: x[n], host) for n in range(size)]
