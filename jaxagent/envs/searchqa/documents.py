"""The documents of an instance: which entities they are about, and what they tell of them.

Document e is about entity e. Behind them come copies, of which the first statement is outdated. A
statement that is needed stands in one document and at most one copy; a search for name and
relation finds both before all others, because the title counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int16

from jaxagent.envs.chance import parted
from jaxagent.envs.fusion import worked_out
from jaxagent.envs.order import ordering, ranks
from jaxagent.envs.searchqa.graph import Graph, led_to, redrawn
from jaxagent.envs.searchqa.ontology import (
    ENTITIES,
    PEOPLE,
    RELATION_OF,
    RELATIONS,
    SLOT_OF,
    SLOTS,
    YEARS,
)
from jaxagent.envs.searchqa.question import Way, needed
from jaxagent.envs.searchqa.state import Documents, SearchParams
from jaxagent.envs.searchqa.words import SCHEMA, STATEMENTS

COPIES = 16
"""Most copies."""

NOISE = {
    "pages": (ENTITIES,),
    "copied": (ENTITIES,),
    "told": (ENTITIES,),
    "by_nickname": (PEOPLE,),
    "outdated": (COPIES,),
}
"""What is drawn for documents -> shape of the noise that it is drawn from."""

_FIRST = 2.0
"""Puts a document before all that have no claim to be first."""

_ORDERS = np.array(list(permutations(range(SLOTS))), np.int32)
"""int[orders, SLOTS]: one number decides on the order of all relations of an entity."""

_TOLD = len(RELATIONS)
"""A statement is one number: the thing that it leads to times this and the relation, or -1."""

_ALL_TOLD = 1 << ((ENTITIES + YEARS) * _TOLD).bit_length()
"""More than there are statements."""


def write_documents(
    noise: Mapping[str, Float[Array, "..."]], graph: Graph, way: Way, params: SearchParams
) -> Documents:
    """Documents that tell all that the way leads over, among others."""
    is_on_way = jnp.any(jnp.arange(ENTITIES)[:, None] == way.subjects, axis=1)
    statements = _tell(noise["told"], graph, way, params)
    # Twice as likely as others to be copied: not all that is needed has a copy.
    copied = ordering(noise["copied"] / jnp.where(is_on_way, 2, 1), COPIES)
    copies = statements[:, copied]
    copies = copies.at[0].set(_outdated(noise["outdated"], graph, copies[0], copied))
    is_page = ranks(noise["pages"] - _FIRST * is_on_way) < params.documents
    is_copy = is_page[copied] & (jnp.arange(COPIES) < params.copies)
    entities = _either(is_page, jnp.arange(ENTITIES), is_copy, copied)
    told = _either(is_page, statements, is_copy, copies).T
    relation = jnp.where(told >= 0, SCHEMA.first_of("relation") + told % _TOLD, -1)
    by_nickname = noise["by_nickname"] < params.nickname
    by_nickname |= way.by_nickname & is_on_way[:PEOPLE]
    nickname = jnp.where(by_nickname & is_page[:PEOPLE], graph.nicknames, -1).astype(jnp.int16)
    return Documents(
        title=_named(graph, entities),
        relation=relation.astype(jnp.int16),
        thing=_named(graph, told // _TOLD),
        nickname=jnp.pad(nickname, (0, len(entities) - PEOPLE), constant_values=-1),
        outdated=jnp.pad(is_copy, (ENTITIES, 0)),
    )


def _tell(
    noise: Float[Array, "entities"], graph: Graph, way: Way, params: SearchParams
) -> Int[Array, "statements entities"]:
    """What is told of every entity, the most urgent first."""
    order, noise = parted(noise, 0, len(_ORDERS))
    number, noise = parted(noise, params.least_statements, params.most_statements + 1)
    is_similar = noise < params.similar
    slots, entities = np.indices((SLOTS, ENTITIES))
    relations = jnp.asarray(RELATION_OF.T)
    statements = led_to(entities, slots, graph.draws) * _TOLD + relations
    urgency = _urgency(jnp.asarray(_ORDERS.T)[:, order], is_similar, way)
    # No two are as urgent: the least of these numbers is the most urgent statement, and so on.
    keys = urgency * _ALL_TOLD + jnp.where(relations >= 0, statements, -1) + 1
    keys = worked_out(keys)
    least = [jnp.min(keys, axis=0)]
    for _ in range(STATEMENTS - 1):
        least.append(jnp.min(keys, axis=0, where=keys > least[-1], initial=np.iinfo(np.int32).max))
    told = jnp.stack(least) % _ALL_TOLD - 1
    return jnp.where(jnp.arange(STATEMENTS)[:, None] < number, told, -1)


def _outdated(
    noise: Float[Array, "copies"],
    graph: Graph,
    statements: Int[Array, "copies"],
    copied: Int[Array, "copies"],
) -> Int[Array, "copies"]:
    """The statements about the entities `copied`, drawn anew."""
    slot = jnp.asarray(SLOT_OF)[statements % _TOLD]
    draw = redrawn(noise, copied, slot, graph.draws[slot, copied])
    anew = led_to(copied, slot, draw) * _TOLD + statements % _TOLD
    return jnp.where(statements >= 0, anew, -1)


def _urgency(
    order: Int[Array, "slots entities"], is_similar: Bool[Array, "entities"], way: Way
) -> Int[Array, "slots entities"]:
    """The lower, the sooner is a relation told of an entity; highest where there is none."""
    relations = jnp.asarray(RELATION_OF.T)
    is_asked = jnp.any(relations == way.relations[:, None, None], axis=0) & (relations >= 0)
    order = order - SLOTS * (is_asked & is_similar)
    return order - 2 * SLOTS * needed(way) + SLOTS * (relations < 0)


def _either(
    is_page: Bool[Array, "entities"],
    pages: Int[Array, "*n entities"],
    is_copy: Bool[Array, "copies"],
    copies: Int[Array, "*n copies"],
) -> Int[Array, "*n docs"]:
    """What there is of pages and copies, one behind the other, -1 for what is not."""
    parts = jnp.where(is_page, pages, -1), jnp.where(is_copy, copies, -1)
    return jnp.concatenate(parts, axis=-1)


def _named(graph: Graph, things: Int[Array, "*n"]) -> Int16[Array, "*n 2"]:
    """The names of things, -1 for none."""
    return jnp.where(things[..., None] >= 0, graph.words[things], jnp.int16(-1))
