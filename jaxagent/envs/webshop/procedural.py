"""A catalogue drawn afresh for every episode, with near misses of the product wished for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int32

from jaxagent.envs.bm25 import average_idf
from jaxagent.envs.chance import choose, integers, named_blocks
from jaxagent.envs.webshop.goods import (
    ATTRIBUTES,
    AXES,
    BRANDS,
    DEPARTMENTS,
    FIRST_ATTRIBUTE,
    FIRST_BRAND,
    FIRST_VALUES,
    KINDS,
    PER_DEPARTMENT,
    UNSEEN_BRANDS,
    UNSEEN_DEPARTMENTS,
    VALUES,
    WORDS,
)
from jaxagent.envs.webshop.state import (
    BRAND,
    OWN_VALUES,
    PRODUCTS,
    Catalogue,
    Goal,
    ShopParams,
)
from jaxagent.envs.webshop.wishes import DEAREST, WISH_NOISE, draw_wish

NEAR = 6
"""Most near misses."""

OPEN_BRANDS, OPEN_DEPARTMENTS = UNSEEN_BRANDS, UNSEEN_DEPARTMENTS
"""How many brands and departments a catalogue has, the same in both splits."""

CHEAPEST, DEAREST_OF_ALL = 5, 99

_STRIDES = (1, 5, 7, 11)
"""Steps that meet no number twice on their way around 8, 12 or 24."""

_NOISE = {
    "shop": (4,),
    "products": (PRODUCTS, 4),
    "places": (2,),
    "wish": (WISH_NOISE,),
    "near": (NEAR, 3),
}
"""What is drawn -> shape of the noise that it is drawn from."""


class ProceduralParams(ShopParams):
    """What an instance is drawn from, and what its pages show.

    Attributes:
        near: int32[], products that miss the wish in one thing alone, 0 to `NEAR`.
    """

    near: Int32[Array, ""]


@dataclass(frozen=True)
class Procedural:
    """The source of catalogues that are drawn with the instance (`state.Source`)."""

    def draw(self, key: jax.Array, params: ProceduralParams) -> tuple[Catalogue, Goal]:
        """Products of some departments and brands, a wish, and near misses of it.

        Near misses take the places of products drawn before, whose brands they keep.
        """
        noise = named_blocks(key, _NOISE)
        words, prices = _draw_products(noise["shop"], noise["products"], params)
        target = integers(noise["places"][0], 0, params.products)
        price = prices[target] * (DEAREST - CHEAPEST) // DEAREST_OF_ALL + CHEAPEST
        goal = draw_wish(noise["wish"], target, words[target], price, params)
        near_words, near_prices = jax.vmap(partial(_miss, words[target], goal))(noise["near"])
        steps = jnp.arange(1, NEAR + 1) * (2 * integers(noise["places"][1], 0, PRODUCTS // 2) + 1)
        places = (target + steps) % params.products
        near_words = near_words.at[:, BRAND].set(words[places, BRAND])
        places = jnp.where(jnp.arange(NEAR) < params.near, places, PRODUCTS)
        words = words.at[places].set(near_words, mode="drop")
        prices = prices.at[places].set(near_prices, mode="drop").at[target].set(price)
        return shelved(words, prices, params), goal


def shelved(
    words: Int[Array, "products columns"], prices: Int[Array, "products"], params: ShopParams
) -> Catalogue:
    """The catalogue of the first `params.products` of these products."""
    there = jnp.arange(PRODUCTS) < params.products
    words = jnp.where(there[:, None], words, -1).astype(jnp.int8)
    prices = jnp.where(there, prices, 0).astype(jnp.int8)
    return Catalogue(words, prices, average_idf(words, there, WORDS))


def open_departments(
    noise: Float[Array, "2"], split: Int32[Array, ""]
) -> Int[Array, "open_departments"]:
    """Different departments of a split."""
    first, number = _part(DEPARTMENTS, UNSEEN_DEPARTMENTS, split)
    one = integers(noise[0], 0, number)
    other = (one + integers(noise[1], 1, number)) % number
    return first + jnp.stack([one, other])


def _draw_products(
    shop: Float[Array, "4"], noise: Float[Array, "products 4"], params: ShopParams
) -> tuple[Int32[Array, "products columns"], Int32[Array, "products"]]:
    """Words and prices of products, all drawn on their own."""
    departments = open_departments(shop[:2], params.split)
    bases = (OPEN_DEPARTMENTS, PER_DEPARTMENT, OPEN_BRANDS, DEAREST_OF_ALL + 1 - CHEAPEST)
    which, kind, brand, price = _digits(noise[:, 0], bases)
    category = departments[which] * PER_DEPARTMENT + kind
    first, number = _part(len(BRANDS), UNSEEN_BRANDS, params.split)
    step = choose(shop[2], _STRIDES) * brand
    brands = FIRST_BRAND + first + (integers(shop[3], 0, number) + step) % number
    attributes = _draw_attributes(noise[:, 1:3])
    columns = [brands[:, None], category[:, None], attributes, _draw_values(noise[:, 3])]
    return jnp.concatenate(columns, axis=1), CHEAPEST + price


def _draw_attributes(noise: Float[Array, "products 2"]) -> Int32[Array, "products own"]:
    """One of every kind; which kind comes first follows from the first number."""
    rank = jnp.concatenate(_digits(noise, (len(ATTRIBUTES), len(ATTRIBUTES))), axis=1)
    kind = (rank[:, :1] + jnp.arange(KINDS)) % KINDS
    return FIRST_ATTRIBUTE + rank // KINDS * KINDS + kind


def _draw_values(noise: Float[Array, "products"]) -> Int32[Array, "products values"]:
    """Two to four different values on each axis, -1 behind."""
    bases = [(number, len(_STRIDES), OWN_VALUES - 1) for number in VALUES.tolist()]
    digits = jnp.stack(_digits(noise, sum(bases, ())), axis=1).reshape(-1, AXES, 3, 1)
    start, stride, count = jnp.moveaxis(digits, 2, 0)
    places = jnp.arange(OWN_VALUES)
    steps = start + jnp.asarray(_STRIDES)[stride] * places
    values = FIRST_VALUES[:, None] + steps % VALUES[:, None]
    return jnp.where(places < 2 + count, values, -1).reshape(len(noise), -1)


def _digits(noise: Float[Array, "*n"], bases: tuple[int, ...]) -> list[Int32[Array, "*n"]]:
    """Independent numbers below `bases` out of one, for random numbers are dear.

    The product of the bases should stay well below the 2 ** 23 values of the noise.
    """
    number, digits = integers(noise, 0, math.prod(bases)), []
    for base in bases:
        digits.append(number % base)
        number //= base
    return digits


def _miss(
    words: Int32[Array, "columns"], goal: Goal, noise: Float[Array, "3"]
) -> tuple[Int32[Array, "columns"], Int32[Array, ""]]:
    """Words and price of a product that misses the wish in one thing alone.

    It is an attribute, an option or the price, each as likely as every other.
    """
    wanted = jnp.concatenate([goal.attributes, goal.options])
    asked = jnp.append(wanted >= 0, True)
    number = integers(noise[0], 0, jnp.sum(asked))
    fault = jnp.argmax(asked & (jnp.cumsum(asked) - 1 == number))
    is_price = fault == len(wanted)
    lost, instead = wanted[fault], _others(noise[1], words, goal)[fault]
    words = jnp.where((words == lost) & ~is_price, instead, words)
    low = jnp.where(is_price, goal.most + 1, CHEAPEST)
    high = jnp.where(is_price, DEAREST_OF_ALL, goal.most)
    return words, integers(noise[2], low, high + 1)


def _others(
    noise: Float[Array, ""], words: Int32[Array, "columns"], goal: Goal
) -> Int32[Array, "wanted"]:
    """For every attribute and option of the wish, one that the product does not have.

    Another attribute of the same kind, and the next value that there is not.
    """
    other = goal.attributes - FIRST_ATTRIBUTE + KINDS * integers(noise, 1, len(ATTRIBUTES) // KINDS)
    attributes = FIRST_ATTRIBUTE + other % len(ATTRIBUTES)
    steps = (goal.options - FIRST_VALUES)[:, None] + jnp.arange(1, OWN_VALUES + 1)
    values = FIRST_VALUES[:, None] + steps % VALUES[:, None]
    free = jnp.all(values[..., None] != words, axis=-1)
    options = jnp.take_along_axis(values, jnp.argmax(free, axis=1)[:, None], axis=1)[:, 0]
    return jnp.concatenate([attributes, options])


def _part(
    everything: int, unseen: int, split: Int32[Array, ""]
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """First and number of what belongs to a split, the last `unseen` of all being held out."""
    seen = everything - unseen
    return jnp.where(split == 1, seen, 0), jnp.where(split == 1, unseen, seen)
