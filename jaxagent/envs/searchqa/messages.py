"""The facts that open an episode, and those that answer a command."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Int32

from jaxagent.envs.searchqa.rules import Outcome
from jaxagent.envs.searchqa.state import BY_NICKNAME, COMPARED, Documents, Question, State
from jaxagent.envs.searchqa.words import HITS, SCHEMA, STATEMENTS
from jaxagent.text import only_if


def opening(question: Question) -> Int32[Array, "1 row"]:
    """The question."""
    one, two, three = question.relations
    a, b = question.subject
    kinds = {
        0: SCHEMA.fact("ASK_1", one, a, b),
        1: SCHEMA.fact("ASK_2", one, two, a, b),
        2: SCHEMA.fact("ASK_3", one, two, three, a, b),
        BY_NICKNAME: SCHEMA.fact("ASK_NICKNAME", one, two, three, a),
        COMPARED: SCHEMA.fact("COMPARE", question.order, one, a, b, *question.other),
    }
    return jnp.stack([kinds[kind] for kind in range(len(kinds))])[question.kind][None]


def answer(state: State, outcome: Outcome) -> Int32[Array, "step row"]:
    """What was found, or what there is to say about an answer."""
    found = jnp.concatenate(
        [
            SCHEMA.fact("RESULTS")[None],
            pages(state.documents, state.hits.astype(jnp.int32)),
            SCHEMA.fact("RESULTS_END")[None],
        ]
    )
    verdict = jnp.select(
        [outcome.right, outcome.wrong, outcome.failed, outcome.nothing],
        [SCHEMA.fact_id(name) for name in ("RIGHT", "WRONG", "FAILED", "NO_DOCUMENTS")],
        SCHEMA.fact_id("NOT_EXECUTED"),
    )
    last = SCHEMA.widen(jnp.where(outcome.found, 0, verdict)[None, None])
    return jnp.concatenate([only_if(outcome.found, found), last])


def pages(documents: Documents, hits: Int32[Array, "hits"]) -> Int32[Array, "rows row"]:
    """For every hit `DOCUMENT`, its statements and perhaps `NICKNAMED`."""
    title, relation = documents.title[hits], documents.relation[hits]
    thing, nickname = documents.thing[hits], documents.nickname[hits]
    is_old = documents.outdated[hits][:, None] & (jnp.arange(STATEMENTS) == 0)
    kinds = jnp.where(is_old, SCHEMA.fact_id("OUTDATED"), SCHEMA.fact_id("STATES"))
    heads = _column("DOCUMENT", jnp.arange(1, HITS + 1), title)
    told = jnp.concatenate([kinds[..., None], relation[..., None], thing], axis=-1)
    told = only_if(relation >= 0, SCHEMA.widen(told))
    aliases = only_if(nickname >= 0, _column("NICKNAMED", nickname))
    rows = jnp.concatenate([heads[:, None], told, aliases[:, None]], axis=1)
    return only_if(hits >= 0, rows).reshape(-1, rows.shape[-1])


def _column(name: str, *args: Array) -> Int32[Array, "n row"]:
    """A fact for every row of its arguments."""
    columns = [arg.reshape(len(args[0]), -1) for arg in args]
    kinds = jnp.full((len(args[0]), 1), SCHEMA.fact_id(name))
    return SCHEMA.widen(jnp.concatenate([kinds, *columns], axis=1))
