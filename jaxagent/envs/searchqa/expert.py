"""The expert: searches for what it has not seen on the way to the answer, and then answers."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Int32

from jaxagent.envs.searchqa.state import BY_NICKNAME, State
from jaxagent.envs.searchqa.words import ANSWER, SCHEMA, SEARCH


def advise(state: State) -> Int32[Array, "row"]:
    """The expert's command: name (or nickname) and relation of the first hop that is not seen."""
    path, question = state.path.astype(jnp.int32), state.question
    missing = (path >= 0) & ~state.seen[path]
    hop = jnp.argmax(missing)
    name = jnp.where(hop == 0, question.subject, state.documents.title[path[hop]])
    relation = question.relations[hop]
    by_name = jnp.stack([jnp.int16(SEARCH + 2), *name, relation])
    by_nickname = jnp.stack([jnp.int16(SEARCH + 1), name[0], relation, jnp.int16(-1)])
    is_nickname = (question.kind == BY_NICKNAME) & (hop == 0)
    answer = jnp.stack([jnp.int16(ANSWER + 1), *question.answer, jnp.int16(-1)])
    search = jnp.where(is_nickname, by_nickname, by_name)
    return SCHEMA.widen(jnp.where(jnp.any(missing), search, answer)[None])[0]
