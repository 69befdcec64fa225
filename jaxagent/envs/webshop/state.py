"""An instance of WebShop: a catalogue, a wish, and the page that is open."""

from __future__ import annotations

from typing import Any, Protocol

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int8, Int16, Int32

from jaxagent.envs.webshop.goods import AXES

PRODUCTS = 256
"""Most products of a catalogue."""

OWN_ATTRIBUTES, OWN_VALUES = 4, 4
"""Attributes of a product, and most values that it comes in along an axis."""

BRAND, CATEGORY, ATTRIBUTE, VALUE = 0, 1, 2, 2 + OWN_ATTRIBUTES
"""Columns of a product's words: from `ATTRIBUTE` and from `VALUE` on there are several."""

COLUMNS = VALUE + AXES * OWN_VALUES

HITS, PAGE = 20, 5
"""Most results of a search, and how many stand on a page."""

START, RESULTS, ITEM, FEATURES, DESCRIPTION, DONE = range(6)
"""The pages."""


class ShopParams(flax.struct.PyTreeNode):
    """What an instance is drawn from, and what its pages show.

    Attributes:
        products: int32[], products in the catalogue, a power of 2 up to `PRODUCTS`.
        attributes: int32[], attributes asked for, 1 to 3.
        least_options, most_options: int32[], options asked for, 0 to 2.
        in_title: int32[], attributes of a product that stand in its title: 1, 2 or 4.
        in_features: int32[], how many stand on the page of features; the description has the rest.
        split: int32[], place in `SPLITS`: which categories and brands the catalogue has.
    """

    products: Int32[Array, ""]
    attributes: Int32[Array, ""]
    least_options: Int32[Array, ""]
    most_options: Int32[Array, ""]
    in_title: Int32[Array, ""]
    in_features: Int32[Array, ""]
    split: Int32[Array, ""]


class Catalogue(flax.struct.PyTreeNode):
    """Products; words are numbered as in `goods`.

    Attributes:
        words: the words of every product by column, all different; -1 where there is none.
        prices: in dollars; 0 behind the last product.
        average_idf: of its words (`jaxagent.envs.bm25`).
    """

    words: Int8[Array, "products columns"]
    prices: Int8[Array, "products"]
    average_idf: Float32[Array, ""]

    @property
    def there(self) -> Bool[Array, "products"]:
        """Which products there are."""
        return self.prices > 0


class Goal(flax.struct.PyTreeNode):
    """A wish; -1 is none.

    Attributes:
        target: a product that fulfils it.
        category: what is wanted.
        attributes: attributes that it shall have.
        options: the value to choose on every axis.
        most: the highest price.
    """

    target: Int16[Array, ""]
    category: Int8[Array, ""]
    attributes: Int8[Array, "3"]
    options: Int8[Array, "axes"]
    most: Int8[Array, ""]


class State(flax.struct.PyTreeNode):
    """An instance and the page that is open.

    Attributes:
        catalogue: the products.
        goal: the wish.
        page: which kind of page is open.
        hits: products found by the last search, best first, -1 behind; none on the start page.
        number: which page of the results is open, or was last, from 0 on.
        rank: place among the hits of the product whose pages are open, or -1.
        chosen: values chosen of it, or -1.
        read: whether its features and its description have been open.
    """

    catalogue: Catalogue
    goal: Goal
    page: Int8[Array, ""]
    hits: Int16[Array, "hits"]
    number: Int8[Array, ""]
    rank: Int8[Array, ""]
    chosen: Int8[Array, "axes"]
    read: Bool[Array, "2"]

    @classmethod
    def opened(cls, catalogue: Catalogue, goal: Goal) -> State:
        """An instance at its start."""
        return cls(
            catalogue=catalogue,
            goal=goal,
            page=jnp.int8(START),
            hits=jnp.full(HITS, -1, jnp.int16),
            number=jnp.int8(0),
            rank=jnp.int8(-1),
            chosen=jnp.full(AXES, -1, jnp.int8),
            read=jnp.zeros(2, bool),
        )

    @property
    def item(self) -> Int16[Array, ""]:
        """The product whose pages are open; means nothing on other pages."""
        return self.hits[self.rank]


class Source(Protocol):
    """Where the catalogue of an instance comes from: the store, or the episode's own draw."""

    def draw(self, key: jax.Array, params: Any) -> tuple[Catalogue, Goal]:
        """A catalogue, and a wish that one of its products fulfils."""
        ...
