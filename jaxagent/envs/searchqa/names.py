"""Which entities an episode may name, in an order of its own, and what it calls them."""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32

from jaxagent.envs.chance import choose, integers
from jaxagent.envs.searchqa.relations import TYPES, YEAR
from jaxagent.envs.searchqa.words import (
    ADJECTIVES,
    FIRST_ADJECTIVE,
    FIRST_GIVEN,
    FIRST_HEAD,
    GIVEN,
    HEADS,
    HEADS_PER_TYPE,
)
from jaxagent.text.vocabulary import NUMBERS

ENTITIES = HEADS + NUMBERS
"""Entities `HEADS …` are the years `0 … NUMBERS - 1`."""

_UNITS = tuple(step for step in range(1, 90) if gcd(step, 30) == 1)
"""Steps through a pool that miss none of it, since the sizes of pools divide powers of 30."""


def _pool(kind: int, unseen: bool) -> list[int]:
    """The entities of a type in a split: every third name and every fifth year is unseen."""
    first, size, period = (HEADS, NUMBERS, 5) if kind == YEAR else (kind * HEADS_PER_TYPE, 60, 3)
    return [first + n for n in range(size) if (n % period == 0) == unseen]


_POOLS = [[_pool(kind, unseen) for kind in range(len(TYPES))] for unseen in (False, True)]

POOL_SIZES = np.array([[len(pool) for pool in pools] for pools in _POOLS], np.int32)
"""int32[splits, types]: how many entities of a type there are in a split."""

POOLS = np.array(
    [[pool + [-1] * (POOL_SIZES.max() - len(pool)) for pool in pools] for pools in _POOLS],
    np.int16,
)
"""int16[splits, types, size]: these entities, -1 behind."""


def type_of(entities: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """Place in `TYPES` of every entity."""
    return jnp.minimum(entities // HEADS_PER_TYPE, YEAR)


def draw_distinct(
    noise: Float[Array, "2 types"], kinds: Int[Array, "n"], split: Int[Array, ""]
) -> Int32[Array, "n"]:
    """Entities of the given types, distinct as long as there are enough of a type.

    Through every pool goes a walk of random start and step, which meets all of it once.
    """
    is_kind = kinds[:, None] == jnp.arange(len(TYPES))
    rank = jnp.sum(jnp.where(is_kind, jnp.cumsum(is_kind, axis=0) - 1, 0), axis=1)
    sizes = jnp.asarray(POOL_SIZES)[split]
    start, step = integers(noise[0], 0, sizes), choose(noise[1], _UNITS)
    places = (start[kinds] + rank * step[kinds]) % sizes[kinds]
    return jnp.asarray(POOLS)[split, kinds, places].astype(jnp.int32)


class Naming(NamedTuple):
    """How entities get the first words of their names: by a walk through those of their type.

    Attributes:
        start, step: int32[types], of the walk.
        number: int32[], how many first words of a type are in use.
    """

    start: Int[Array | np.ndarray, "types"]
    step: Int[Array | np.ndarray, "types"]
    number: Int[Array | np.ndarray, ""] | int


def draw_naming(noise: Float[Array, "2 types"], number: Int[Array, ""]) -> Naming:
    """A naming in which entities of a type share their first word with one of `number`."""
    return Naming(integers(noise[0], 0, _FIRST_WORDS), choose(noise[1], _UNITS), number)


def name(naming: Naming, entities: Int[Array, "*n"]) -> Int32[Array, "*n 2"]:
    """The two words of every entity as concepts; a year has none before its number."""
    kinds = type_of(entities)
    offset = (entities * jnp.asarray(naming.step)[kinds]) % naming.number
    place = (jnp.asarray(naming.start)[kinds] + offset) % jnp.asarray(_FIRST_WORDS)[kinds]
    first = jnp.where(kinds == 0, FIRST_GIVEN, FIRST_ADJECTIVE) + place
    is_year = kinds == YEAR
    last = jnp.where(is_year, entities - HEADS, FIRST_HEAD + entities)
    return jnp.stack([jnp.where(is_year, -1, first), last], axis=-1).astype(jnp.int32)


_FIRST_WORDS = np.array([len(GIVEN)] + [len(ADJECTIVES)] * (len(TYPES) - 1), np.int32)
