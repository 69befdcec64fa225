"""The commands that have an effect now, for interfaces that list them."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32

from jaxagent.envs.searchqa.chains import HOPS
from jaxagent.envs.searchqa.state import BY_NICKNAME, State
from jaxagent.envs.searchqa.words import ANSWER, HITS, SCHEMA, SEARCH, STATEMENTS

_THINGS = HITS * STATEMENTS

MAX_COMMANDS = HOPS + 1 + 2 + 2 * _THINGS
"""Searches for the subject with every relation asked for and for what it is compared with, an
answer with each of the two, and for every thing in the last hits a search and an answer."""


def list_commands(
    state: State,
) -> tuple[Int32[Array, "commands row"], Bool[Array, "commands"]]:
    """What the question and the last hits suggest; no command twice."""
    question = state.question
    is_named = question.kind != BY_NICKNAME
    asked = _searches(question.subject, question.relations, is_named)
    other = _searches(question.other, question.relations[:1], True)
    is_compared = question.other[0] >= 0
    things, is_thing = _things(state)
    pair = jnp.stack([question.subject, question.other])
    rows = [asked, other, _named(ANSWER + 1, pair), _named(SEARCH + 1, things)]
    rows = jnp.concatenate([*map(SCHEMA.widen, rows), SCHEMA.widen(_named(ANSWER + 1, things))])
    masks = [
        question.relations >= 0,
        is_compared[None],
        jnp.stack([is_compared, is_compared]),
        is_thing,
        is_thing,
    ]
    mask = jnp.concatenate(masks)
    same = jnp.all(rows[:, None] == rows, axis=-1) & mask
    mask &= ~jnp.any(jnp.tril(same, k=-1), axis=1)
    return jnp.where(mask[:, None], rows, -1).at[:, 0].max(0), mask


def _searches(
    name: Int[Array, "2"], relations: Int[Array, "n"], is_named: Bool[Array, ""] | bool
) -> Int[Array, "n 4"]:
    """Searches for a name, or a nickname, with each of the relations."""
    rows = [jnp.stack([jnp.int16(SEARCH + 2), *name, relation]) for relation in relations]
    short = [
        jnp.stack([jnp.int16(SEARCH + 1), name[0], relation, jnp.int16(-1)])
        for relation in relations
    ]
    return jnp.where(is_named, jnp.stack(rows), jnp.stack(short))


def _things(state: State) -> tuple[Int[Array, "things 2"], Bool[Array, "things"]]:
    """Names and years that the last hits tell of, and which of them are there."""
    hits = state.hits.astype(jnp.int32)
    things = state.documents.thing[hits].reshape(_THINGS, 2)
    return things, jnp.repeat(hits >= 0, STATEMENTS) & (things[:, 0] >= 0)


def _named(verb: int, names: Int[Array, "n 2"]) -> Int[Array, "n 3"]:
    """The command `verb` with each of the names."""
    return jnp.concatenate([jnp.full((len(names), 1), verb), names], axis=1)
