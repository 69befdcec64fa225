"""The documents of an instance: which entities they are about, and what they tell of them.

Document e is about entity e. Behind them come copies, of which the first statement is outdated. A
statement that is needed stands in one document and at most one copy; a search for name and
relation finds both before all others, because the title counts twice.
"""

from __future__ import annotations

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.chance import integers
from jaxagent.envs.fusion import worked_out
from jaxagent.envs.order import arranged, inverse, ordering, ranks
from jaxagent.envs.searchqa.graph import Graph, led_to, redrawn
from jaxagent.envs.searchqa.ontology import ENTITIES, PEOPLE, RELATION_OF, SLOTS
from jaxagent.envs.searchqa.question import Way, needed
from jaxagent.envs.searchqa.state import Documents, SearchParams
from jaxagent.envs.searchqa.words import SCHEMA, STATEMENTS

COPIES = 16
"""Most copies."""

COLUMNS = 6
"""Random numbers that the documents need for every entity."""

_FIRST = 2.0
"""Puts a document before all that have no claim to be first."""

_ORDERS = np.array(list(permutations(range(SLOTS))), np.int32)
"""int[orders, SLOTS]: one number decides on the order of all relations of an entity."""


def write_documents(
    noise: Float[Array, "entities columns"], graph: Graph, way: Way, params: SearchParams
) -> Documents:
    """Documents that tell all that the way leads over, among others."""
    need = needed(way)
    is_on_way = jnp.any(need, axis=1)
    order = jnp.asarray(_ORDERS)[integers(noise[:, 5], 0, len(_ORDERS))]
    places = ranks(_urgency(order, noise[:, 3], need, way, params).T)
    number = integers(noise[:, 4], params.least_statements, params.most_statements + 1)
    is_told = (noise[:PEOPLE, 1] < params.nickname) | (way.by_nickname & is_on_way[:PEOPLE])
    pages = _tell(graph, places, number, jnp.where(is_told, graph.nicknames, -1))
    # Twice as likely as others to be copied: not all that is needed has a copy.
    copied = ordering(jnp.where(is_on_way, noise[:, 2] / 2, noise[:, 2]), COPIES)
    # People come first, so that the end of the column is left for copies.
    copies = _copy(noise[-COPIES:, 1], graph, pages, copied, inverse(places, 1)[0, copied])
    is_page = ranks(noise[:, 0] - _FIRST * is_on_way) < params.documents
    is_copy = is_page[copied] & (jnp.arange(COPIES) < params.copies)
    return jax.tree.map(
        lambda *parts: jnp.concatenate(parts), _only(pages, is_page), _only(copies, is_copy)
    )


def _urgency(
    order: Int[Array, "entities slots"],
    noise: Float[Array, "entities"],
    need: Bool[Array, "entities slots"],
    way: Way,
    params: SearchParams,
) -> Int[Array, "entities slots"]:
    """The lower, the sooner is a relation told of an entity; highest where there is none."""
    relations = jnp.asarray(RELATION_OF)
    is_asked = jnp.any(relations[..., None] == way.relations, axis=-1) & (relations >= 0)
    is_similar = is_asked & (noise[:, None] < params.similar)
    return order - SLOTS * is_similar - 2 * SLOTS * need + SLOTS * (relations < 0)


def _tell(
    graph: Graph,
    places: Int[Array, "slots entities"],
    number: Int[Array, "entities"],
    nicknames: Int[Array, "people"],
) -> Documents:
    """A document about every entity, with the first `number` of its relations by their places."""
    entities, slots = jnp.indices((ENTITIES, SLOTS))
    # Worked out once, not for every statement.
    things = worked_out(led_to(entities, slots, graph.draws).T)
    relation = arranged(jnp.asarray(RELATION_OF).T, places, STATEMENTS).T
    thing = graph.words[arranged(things, places, STATEMENTS).T]
    is_there = (relation >= 0) & (np.arange(STATEMENTS) < number[:, None])
    relation = jnp.where(is_there, SCHEMA.first_of("relation") + relation, -1)
    return Documents(
        title=graph.words[:ENTITIES],
        relation=relation.astype(jnp.int16),
        thing=jnp.where(is_there[..., None], thing, -1),
        nickname=jnp.full(ENTITIES, -1, jnp.int16).at[:PEOPLE].set(nicknames.astype(jnp.int16)),
        outdated=jnp.zeros(ENTITIES, bool),
    )


def _copy(
    noise: Float[Array, "copies"],
    graph: Graph,
    pages: Documents,
    copied: Int[Array, "copies"],
    slot: Int[Array, "copies"],
) -> Documents:
    """The pages at `copied` without nicknames, what is told first of all, by `slot`, drawn anew."""
    draw = redrawn(noise, copied, slot, graph.draws[copied, slot])
    copies = jax.tree.map(lambda field: field[copied], pages)
    return copies.replace(
        thing=copies.thing.at[:, 0].set(graph.words[led_to(copied, slot, draw)]),
        nickname=jnp.full_like(copies.nickname, -1),
        outdated=jnp.ones_like(copies.outdated),
    )


def _only(documents: Documents, mask: Bool[Array, "docs"]) -> Documents:
    """The documents under `mask`; nothing is told by the others."""
    told, outdated = documents.replace(outdated=None), documents.outdated & mask
    told = jax.tree.map(lambda x: jnp.where(jnp.expand_dims(mask, range(1, x.ndim)), x, -1), told)
    return told.replace(outdated=outdated)
