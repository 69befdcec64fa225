"""The documents of an instance: which entities they are about, and what they tell of them.

Document e is about entity e. Behind them come copies, of which the first statement is outdated. A
statement that is needed stands in one document and at most one copy; a search for name and
relation finds both before all others, because the title counts twice.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int16

from jaxagent.envs.chance import integers
from jaxagent.envs.order import ordering, ranks
from jaxagent.envs.searchqa.graph import Graph, led_to, redrawn
from jaxagent.envs.searchqa.ontology import ENTITIES, PEOPLE, RELATION_OF, SLOTS
from jaxagent.envs.searchqa.question import Way, needed
from jaxagent.envs.searchqa.state import Documents, SearchParams
from jaxagent.envs.searchqa.words import SCHEMA, STATEMENTS

COPIES = 16
"""Most copies."""

COLUMNS = 6 + SLOTS
"""Random numbers that the documents need for every entity."""

_FIRST = 2.0
"""Puts a statement or a document before all that have no claim to be first."""


def write_documents(
    noise: Float[Array, "entities columns"], graph: Graph, way: Way, params: SearchParams
) -> Documents:
    """Documents that tell all that the way leads over, among others."""
    need = needed(way)
    is_on_way = jnp.any(need, axis=1)
    slots = _choose_slots(noise[:, 4:], need, way, params)
    priority = noise[:, 0] - _FIRST * is_on_way
    is_page = ranks(priority) < params.documents
    # Twice as likely as others to be copied: not all that is needed has a copy.
    copied = ordering(jnp.where(is_on_way, noise[:, 2] / 2, noise[:, 2]), COPIES)
    is_copy = is_page[copied] & (jnp.arange(COPIES) < params.copies)
    is_there = jnp.append(is_page, is_copy)
    about = jnp.append(jnp.arange(ENTITIES), copied)
    slots = jnp.where(is_there[:, None], slots[about], -1)
    is_told = (noise[:PEOPLE, 1] < params.nickname) | (way.by_nickname & is_on_way[:PEOPLE])
    nicknames = jnp.where(is_told & is_page[:PEOPLE], graph.nicknames, -1)
    relation, thing = _tell(noise[:COPIES, 3], graph, about, slots)
    return Documents(
        title=jnp.where(is_there[:, None], graph.words[about], -1).astype(jnp.int16),
        relation=relation,
        thing=thing,
        nickname=jnp.full(len(about), -1, jnp.int16).at[:PEOPLE].set(nicknames.astype(jnp.int16)),
        outdated=is_there & (jnp.arange(len(about)) >= ENTITIES),
    )


def _choose_slots(
    noise: Float[Array, "entities columns"], need: Array, way: Way, params: SearchParams
) -> Int[Array, "entities statements"]:
    """The relations that are told of every entity, by their places among its own, -1 behind."""
    relations = jnp.asarray(RELATION_OF)
    is_asked = jnp.any(relations[..., None] == way.relations, axis=-1) & (relations >= 0)
    is_similar = is_asked & (noise[:, :1] < params.similar)
    keys = noise[:, 2:] - _FIRST * is_similar - 2 * _FIRST * need + _FIRST * (relations < 0)
    slots = ordering(keys.T, STATEMENTS).T
    number = integers(noise[:, 1], params.least_statements, params.most_statements + 1)
    is_own = jnp.take_along_axis(relations, slots, axis=1) >= 0
    return jnp.where(is_own & (jnp.arange(STATEMENTS) < number[:, None]), slots, -1)


def _tell(
    noise: Float[Array, "copies"],
    graph: Graph,
    about: Int[Array, "docs"],
    slots: Int[Array, "docs statements"],
) -> tuple[Int16[Array, "docs statements"], Int16[Array, "docs statements 2"]]:
    """Relations and what they lead to, in concepts, the first ones of copies drawn anew."""
    is_there = slots >= 0
    draws = graph.draws[about[:, None], jnp.maximum(slots, 0)]
    first = redrawn(noise, about[ENTITIES:], slots[ENTITIES:, 0], draws[ENTITIES:, 0])
    draws = draws.at[ENTITIES:, 0].set(first)
    relation = SCHEMA.first_of("relation") + jnp.asarray(RELATION_OF)[about[:, None], slots]
    thing = graph.words[led_to(about[:, None], slots, draws)]
    return (
        jnp.where(is_there, relation, -1).astype(jnp.int16),
        jnp.where(is_there[..., None], thing, -1).astype(jnp.int16),
    )
