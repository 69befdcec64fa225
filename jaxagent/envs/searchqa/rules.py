"""The rules: what a search finds, and when an answer is right."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int8, Int16, Int32

from jaxagent.envs.bm25 import search
from jaxagent.envs.order import first_where
from jaxagent.envs.searchqa.state import COMPARED, Documents, Question, SearchParams, State
from jaxagent.envs.searchqa.words import ANSWER, ANSWER_WORDS, HITS, QUERY_WORDS, SCHEMA, SEARCH


class Outcome(NamedTuple):
    """What came of a command; at most one of the fields is true.

    Attributes:
        found: a search found documents.
        nothing: a search found none.
        right, wrong, failed: an answer was right; wrong; wrong, and no other may be given.
    """

    found: Bool[Array, ""]
    nothing: Bool[Array, ""]
    right: Bool[Array, ""]
    wrong: Bool[Array, ""]
    failed: Bool[Array, ""]


def obey(state: State, command: Int32[Array, "row"], params: SearchParams) -> tuple[State, Outcome]:
    """Carries out a command; one that cannot be read does nothing."""
    verb = command[0]
    is_answer = verb >= ANSWER
    is_search = (verb >= SEARCH) & ~is_answer
    query = jnp.where(is_search, command[1 : 1 + QUERY_WORDS], -1)
    hits = retrieve(state, query, params.top)
    right = is_answer & matches(state.question, command[1 : 1 + ANSWER_WORDS])
    wrong = state.wrong + (is_answer & ~right).astype(jnp.int8)
    most = wrong_answers(state.question, params)
    is_over = (most > 0) & (wrong >= most)
    after = state.replace(
        hits=jnp.where(is_search, hits, state.hits),
        seen=state.seen | jnp.any(jnp.arange(len(state.seen)) == hits[:, None], axis=0),
        wrong=jnp.minimum(wrong, jnp.int8(100)),
    )
    is_wrong = is_answer & ~right
    return after, Outcome(
        found=is_search & (hits[0] >= 0),
        nothing=is_search & (hits[0] < 0),
        right=right,
        wrong=is_wrong & ~is_over,
        failed=is_wrong & is_over,
    )


def retrieve(
    state: State, query: Int[Array, "words"], number: Int[Array, ""]
) -> Int8[Array, "hits"]:
    """The best `number` documents by BM25 that have a word of the query; -1 behind."""
    docs = bags(state.documents)
    hits = search(query, docs, docs[:, 0] >= 0, HITS)
    return jnp.where(jnp.arange(HITS) < number, hits, -1).astype(jnp.int8)


def bags(documents: Documents) -> Int16[Array, "docs words"]:
    """The words of every document that count in a search, the title twice, -1 for none."""
    things = documents.thing.reshape(len(documents.title), -1)
    nickname = documents.nickname[:, None]
    parts = [documents.title, documents.title, documents.relation, things, nickname]
    return jnp.concatenate(parts, axis=1)


def matches(question: Question, words: Int[Array, "words"]) -> Bool[Array, ""]:
    """Exact match with the answer or its nickname, articles left out of account."""
    first = SCHEMA.first_of("article")
    counts = (words >= 0) & ((words < first) | (words >= first + len(SCHEMA.categories["article"])))
    kept = first_where(words, counts, len(words), -1)
    none = jnp.int16(-1)
    gold = jnp.stack([*question.answer, none]), jnp.stack([question.nickname, none, none])
    return jnp.all(kept == gold[0]) | (jnp.all(kept == gold[1]) & (question.nickname >= 0))


def wrong_answers(question: Question, params: SearchParams) -> Int32[Array, ""]:
    """With how many wrong answers an episode ends; 0: it never does.

    Of the two possible answers to a comparison one more try would always give the right one.
    """
    is_closed = (question.kind == COMPARED) & (params.wrong_answers > 0)
    return jnp.where(is_closed, jnp.maximum(params.wrong_answers - 1, 1), params.wrong_answers)
