"""The question of an instance, and the way to its answer through the graph."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32

from jaxagent.envs.chance import integers
from jaxagent.envs.searchqa.chains import ASKED, CHAIN, CHAINS, EARLIER, HOPS
from jaxagent.envs.searchqa.graph import Graph, led_to, redrawn
from jaxagent.envs.searchqa.ontology import (
    DOMAIN_BASE,
    DOMAIN_SIZE,
    ENTITIES,
    PEOPLE,
    SLOT_OF,
    SLOTS,
)
from jaxagent.envs.searchqa.state import BY_NICKNAME, COMPARED, Question, SearchParams
from jaxagent.envs.searchqa.words import SCHEMA

NUMBERS = 5 + HOPS
"""Random numbers that a question needs."""


class Way(NamedTuple):
    """How the answer is found.

    Attributes:
        form: int32[], row of `CHAINS`.
        relations: int32[HOPS], the relations to be looked up, -1 behind.
        subjects: int32[HOPS], the entity to look each of them up of, -1 behind.
        slots: int32[HOPS], the place of each among the relations of its entity.
        answer: int32[], the entity or year that is asked for.
        by_nickname: bool[], whether the question uses the nickname of the first entity.
    """

    form: Int32[Array, ""]
    relations: Int32[Array, "hops"]
    subjects: Int32[Array, "hops"]
    slots: Int32[Array, "hops"]
    answer: Int32[Array, ""]
    by_nickname: Bool[Array, ""]


def draw_way(
    noise: Float[Array, "numbers"], graph: Graph, params: SearchParams, is_contrary: bool
) -> tuple[Way, Graph]:
    """The form of a question and what it is about.

    Args:
        noise: random numbers.
        graph: what is true.
        params: what forms may be drawn.
        is_contrary: whether all that is asked for is to be changed first.

    Returns:
        The way, and the graph as it is then.
    """
    span = jnp.where(noise[0] < params.compare, params.comparisons, params.forms)
    form = integers(noise[1], span[0], span[1])
    relations = jnp.asarray(CHAINS)[form].astype(jnp.int32)
    slots = jnp.asarray(SLOT_OF)[relations]
    base, size = jnp.asarray(DOMAIN_BASE)[relations[0]], jnp.asarray(DOMAIN_SIZE)[relations[0]]
    start = base + integers(noise[2], 0, size)
    other = base + (start - base + 1 + integers(noise[3], 0, size - 1)) % size
    asked = jnp.asarray(ASKED, jnp.int32)[form]
    pair = jnp.stack([start, other])
    if is_contrary:
        graph = _exchange(graph, pair, slots[0], asked != CHAIN)
    subjects, last, graph = _follow(noise[5:], graph, pair, relations, asked, is_contrary)
    years = graph.draws[slots[0], pair]
    winner = jnp.where((years[0] < years[1]) == (asked == EARLIER), start, other)
    by_nickname = (start < PEOPLE) & (relations[-1] >= 0) & (noise[4] < params.nickname)
    answer = jnp.where(asked == CHAIN, last, winner)
    return Way(form, relations, subjects, slots, answer, by_nickname), graph


def _follow(
    noise: Float[Array, "hops"],
    graph: Graph,
    pair: Int[Array, "2"],
    relations: Int[Array, "hops"],
    asked: Int[Array, ""],
    is_contrary: bool,
) -> tuple[Int[Array, "hops"], Int[Array, ""], Graph]:
    """The entities on the way, what the last relation leads to, and the graph, changed or not."""
    here, draws, subjects = pair[0], graph.draws, []
    for hop in range(HOPS):
        is_step = relations[hop] >= 0
        subjects.append(jnp.where(is_step, here, -1))
        slot = jnp.asarray(SLOT_OF)[relations[hop]]
        entity = jnp.minimum(here, ENTITIES - 1)
        draw = draws[slot, entity]
        if is_contrary:
            changed = redrawn(noise[hop], entity, slot, draw)
            draw = jnp.where(is_step & (asked == CHAIN), changed, draw)
            draws = draws.at[slot, entity].set(draw)
        there = led_to(entity, slot, draw)
        there = jnp.where((asked != CHAIN) & (hop == 0), pair[1], there)
        here = jnp.where(is_step, there, here)
    return jnp.stack(subjects), here, graph._replace(draws=draws)


def _exchange(
    graph: Graph, pair: Int[Array, "2"], slot: Int[Array, ""], is_compared: Bool[Array, ""]
) -> Graph:
    """The graph with the years of the pair exchanged, so that a comparison ends differently."""
    old = graph.draws[slot, pair]
    return graph._replace(
        draws=graph.draws.at[slot, pair].set(jnp.where(is_compared, old[::-1], old))
    )


def needed(way: Way) -> Bool[Array, "slots entities"]:
    """The statements that the way leads over."""
    at_entity = jnp.arange(ENTITIES) == way.subjects[:, None]
    at_slot = jnp.arange(SLOTS) == way.slots[:, None]
    return jnp.any(at_slot[..., None] & at_entity[:, None], axis=0)


def put_question(way: Way, graph: Graph) -> Question:
    """The question in concepts."""
    hops = jnp.sum(way.relations >= 0)
    asked = jnp.asarray(ASKED, jnp.int32)[way.form]
    is_compared = asked != CHAIN
    start, other = graph.words[way.subjects[:2]]
    nickname = jnp.stack([_nickname(graph, way.subjects[0]), jnp.int32(-1)])
    kind = jnp.where(way.by_nickname, BY_NICKNAME, hops - 1)
    first = SCHEMA.first_of("relation")
    return Question(
        kind=jnp.where(is_compared, COMPARED, kind).astype(jnp.int8),
        order=_small(jnp.where(is_compared, SCHEMA.first_of("order") + asked - EARLIER, -1)),
        relations=_small(jnp.where(way.relations >= 0, first + way.relations, -1)),
        subject=_small(jnp.where(way.by_nickname, nickname, start)),
        other=_small(jnp.where(is_compared, other, -1)),
        answer=_small(graph.words[way.answer]),
        nickname=_small(_nickname(graph, way.answer)),
    )


def content_of(way: Way, graph: Graph) -> Int[Array, "content"]:
    """int16: the form of the question and the names on the way, years and what is not there -1."""
    things = jnp.append(way.subjects, way.answer)
    is_name = (things >= 0) & (things < ENTITIES)
    names = len(CHAINS) + graph.names[jnp.where(is_name, things, 0)]
    return _small(jnp.append(way.form, jnp.where(is_name, names, -1)))


def _nickname(graph: Graph, thing: Int[Array, ""]) -> Int[Array, ""]:
    """The nickname of a thing, or -1."""
    return jnp.where(thing < PEOPLE, graph.nicknames[jnp.minimum(thing, PEOPLE - 1)], -1)


def _small(values: Array) -> Array:
    return values.astype(jnp.int16)
