"""The documents of an instance: which entities they are about, and what they tell of them.

Document e is about entity e. Behind them come copies, of which the first statement is outdated. A
statement that is needed stands in one document and at most one copy; a search for name and
relation finds both before all others, because the title counts twice.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

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
    is_there = ranks(priority) < params.documents
    pages = _tell(graph, jnp.arange(ENTITIES), slots, graph.draws)
    is_told = (noise[:PEOPLE, 1] < params.nickname) | (way.by_nickname & is_on_way[:PEOPLE])
    nickname = jnp.where(is_told, graph.nicknames, -1)
    pages = pages.replace(nickname=pages.nickname.at[:PEOPLE].set(nickname.astype(jnp.int16)))
    # Twice as likely as others to be copied: not all that is needed has a copy.
    entities = ordering(jnp.where(is_on_way, noise[:, 2] / 2, noise[:, 2]), COPIES)
    copies = _copy(noise[:COPIES, 3], graph, entities, slots)
    is_copy = is_there[entities] & (jnp.arange(COPIES) < params.copies)
    return jax.tree.map(
        lambda page, copy: jnp.concatenate([page, copy]),
        _only(is_there, pages),
        _only(is_copy, copies),
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
    graph: Graph,
    entities: Int[Array, "n"],
    slots: Int[Array, "n statements"],
    draws: Int[Array, "n slots"],
) -> Documents:
    """Documents about `entities`, with statements about `slots` after `draws`."""
    draw = jnp.take_along_axis(draws, jnp.maximum(slots, 0), axis=1)
    things = led_to(entities[:, None], slots, draw)
    relation = SCHEMA.first_of("relation") + jnp.asarray(RELATION_OF)[entities[:, None], slots]
    is_there = slots >= 0
    return Documents(
        title=graph.words[entities].astype(jnp.int16),
        relation=jnp.where(is_there, relation, -1).astype(jnp.int16),
        thing=jnp.where(is_there[..., None], graph.words[things], -1).astype(jnp.int16),
        nickname=jnp.full(len(entities), -1, jnp.int16),
        outdated=jnp.zeros(len(entities), bool),
    )


def _copy(
    noise: Float[Array, "copies"],
    graph: Graph,
    entities: Int[Array, "copies"],
    slots: Int[Array, "entities statements"],
) -> Documents:
    """Documents as those about `entities`, but for their first statements."""
    slots = slots[entities]
    draws, first = graph.draws[entities], slots[:, 0]
    old = jnp.take_along_axis(draws, first[:, None], axis=1)[:, 0]
    new = redrawn(noise, entities, first, old)
    draws = jnp.where(jnp.arange(SLOTS) == first[:, None], new[:, None], draws)
    copies = _tell(graph, entities, slots, draws)
    return copies.replace(outdated=jnp.ones(len(entities), bool))


def _only(is_there: Array, documents: Documents) -> Documents:
    """The documents under the mask, the others empty."""
    none = jnp.int16(-1)
    blank = Documents(none, none, none, none, jnp.bool_(False))

    def keep(column: Array, nothing: Array) -> Array:
        return jnp.where(is_there.reshape(-1, *[1] * (column.ndim - 1)), column, nothing)

    return jax.tree.map(keep, documents, blank)
