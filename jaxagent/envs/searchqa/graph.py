"""The graph: names for all things, and what every relation of a thing leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int16, Int32

from jaxagent.envs.chance import integers, parted
from jaxagent.envs.order import ranks
from jaxagent.envs.searchqa.names import FIRST_WORDS, SECOND_WORDS
from jaxagent.envs.searchqa.ontology import (
    BASE_OF,
    ENTITIES,
    IS_OWN,
    IS_YEAR,
    KIND_OF,
    KINDS,
    PEOPLE,
    RELATION_OF,
    SLOTS,
    TARGET_BASE,
    TARGET_SIZE,
    YEARS,
)
from jaxagent.envs.searchqa.words import SCHEMA

RESIDUES = 4
"""The words of every list fall into as many classes, by their place modulo this number."""

WORLDS = np.array(
    sorted(np.ndindex(RESIDUES, RESIDUES), key=lambda world: sum(world) % RESIDUES == 0)
)
"""int[worlds, 2]: class of the first words and of the second words of all names of a world, the
seen worlds first. No two worlds have a name in common, and the unseen ones are held out."""

SEEN_WORLDS = len(WORLDS) - RESIDUES

NOISE = {
    "names": (ENTITIES, 2),
    "nicknames": (PEOPLE,),
    "years": (ENTITIES,),
    "apart": (ENTITIES,),
    "draws": (ENTITIES, SLOTS - 1),
}
"""What is drawn for a graph -> shape of the noise that it is drawn from."""

_FIRST = np.array([SCHEMA.first_of(f"{kind}_first") for kind in KINDS])[KIND_OF]
_SECOND = np.array([SCHEMA.first_of(f"{kind}_second") for kind in KINDS])[KIND_OF]
_SIZES = np.array([len(words) for words in SECOND_WORDS.values()])
_NAME_IDS = np.cumsum([0, *(_SIZES**2)[:-1]])[KIND_OF]
_PLACES = np.arange(ENTITIES)
_FOLLOWS = np.r_[False, KIND_OF[1:] == KIND_OF[:-1]]
"""Whether a thing is of the kind of the one before it."""

_APART = 3
"""How far a thing is from the first one of its own kind that it can be related to."""

CHOICES = TARGET_SIZE - (2 * _APART - 1) * IS_OWN
"""int[ENTITIES, SLOTS]: how many things a relation may lead to. Nothing leads to itself, nor to
what is so near that it may have a word of the name of itself or of its neighbour: these words
together would spoil the search for the neighbour's document."""

_years = np.arange(YEARS)
YEAR_WORDS = np.stack([18 + _years // 90, 10 + _years % 90], axis=1)
"""int[YEARS, 2]: every year as two numbers, e.g. 18 47."""

if not IS_YEAR[RELATION_OF[:, -1] >= 0, -1].all():
    raise ValueError("relations: expected no more than a year in the last place of any kind")

if any(
    len(FIRST_WORDS[kind]) != RESIDUES * n or len(SECOND_WORDS[kind]) != RESIDUES * n
    for kind, n in KINDS.items()
):
    raise ValueError(f"names: expected {RESIDUES} words of either list for every thing of a kind")


class Graph(NamedTuple):
    """What is true.

    Attributes:
        words: int16[ENTITIES + YEARS, 2], the name of every thing and the numbers of every year.
        names: int32[ENTITIES], number of every name among all that there could be.
        nicknames: int32[PEOPLE], what people are also called.
        draws: int32[SLOTS, ENTITIES], which of the things that it may lead to a relation leads to.
    """

    words: Int16[Array, "things 2"]
    names: Int32[Array, "entities"]
    nicknames: Int32[Array, "people"]
    draws: Int32[Array, "slots entities"]


def draw_graph(
    noise: Mapping[str, Float[Array, "..."]], world: Int[Array, ""], share: Float[Array, "2"]
) -> Graph:
    """The graph that `noise` makes, with names of `world`.

    The chances in `share` are those of a thing to have the first, or the second word of its
    neighbour. As no two neighbours share both, all names differ.
    """
    classes = jnp.asarray(WORLDS)[world]
    shuffled = _shuffled_by_kind(noise["names"].T)
    later, rest = parted(noise["apart"], 0, YEARS // ENTITIES)
    odd = _PLACES % 2 == 1
    first = _shared(shuffled[0], odd & (rest < share[0])) * RESIDUES + classes[0]
    second = _shared(shuffled[1], ~odd & (rest < share[1])) * RESIDUES + classes[1]
    words = jnp.stack([_FIRST + first, _SECOND + second], axis=1)
    nicknames = ranks(noise["nicknames"]) * RESIDUES + classes[1]
    years = ranks(noise["years"]) * (YEARS // ENTITIES) + later
    # What stands in the last place leads to a year, if to anything.
    draws = integers(noise["draws"].T, 0, jnp.asarray(CHOICES.T[:-1]))
    draws = jnp.concatenate([jnp.where(IS_YEAR.T[:-1], years, draws), years[None]])
    return Graph(
        words=jnp.concatenate([words.astype(jnp.int16), jnp.asarray(YEAR_WORDS, jnp.int16)]),
        names=jnp.asarray(_NAME_IDS) + first * _SIZES[KIND_OF] + second,
        nicknames=SCHEMA.first_of("nickname") + nicknames,
        draws=draws,
    )


def _shuffled_by_kind(noise: Float[Array, "n entities"]) -> Int[Array, "n entities"]:
    """Permutations of the things of every kind, each from 0."""
    # Sorted by kind first, one row after the other: many short comparisons take longer on a CPU.
    return jnp.stack([ranks(row + KIND_OF) - BASE_OF for row in noise])


def _shared(words: Int[Array, "entities"], shared: Array) -> Int[Array, "entities"]:
    """Words, those under `shared` replaced by that of the thing before, if of the same kind."""
    return jnp.where(shared & _FOLLOWS, jnp.roll(words, 1), words)


def led_to(
    entity: Int[Array | np.ndarray, "*n"], slot: Int[Array | np.ndarray, "*n"], draw: Array
) -> Array:
    """int32: the thing that a relation of an entity leads to; see `CHOICES`."""
    base, own = _of(TARGET_BASE, entity, slot), _of(IS_OWN, entity, slot)
    size = _of(TARGET_SIZE, entity, slot)
    place = draw + jnp.where(own, entity - base + _APART, 0)
    return base + jnp.where(place < size, place, place - size)


def redrawn(
    noise: Float[Array, "*n"],
    entity: Int[Array, "*n"],
    slot: Int[Array, "*n"],
    draw: Int[Array, "*n"],
) -> Int[Array, "*n"]:
    """Another draw for a relation of an entity, all that are left equally likely."""
    choices = _of(CHOICES, entity, slot)
    return (draw + 1 + integers(noise, 0, choices - 1)) % choices


def _of(
    table: np.ndarray, entity: Int[Array | np.ndarray, "*n"], slot: Int[Array | np.ndarray, "*n"]
) -> Array:
    """Entries of a table [ENTITIES, SLOTS]; if the places are known, they are looked up now."""
    if isinstance(entity, np.ndarray) and isinstance(slot, np.ndarray):
        return jnp.asarray(table[entity, slot])
    return jnp.asarray(table)[entity, slot]
