"""SearchQA against the originals' rules: the ranking of `rank_bm25`, and published exact match."""

from __future__ import annotations

import re
import string
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs.bm25 import bm25
from jaxagent.envs.searchqa import searchqa
from jaxagent.envs.searchqa.rules import bags, matches, retrieve
from jaxagent.envs.searchqa.words import ANSWER_WORDS, HITS, QUERY_WORDS, SCHEMA
from jaxagent.text import compile_language

pytestmark = pytest.mark.oracle
rank_bm25 = pytest.importorskip("rank_bm25", reason="the package rank_bm25 is not installed")

ENV = searchqa()
EPISODES, QUERIES = 24, 24


@cache
def _states(level: str) -> Any:
    keys = jax.random.split(jax.random.key(1), EPISODES)
    reset = jax.jit(jax.vmap(ENV.reset, in_axes=(0, None)))
    return jax.tree.map(np.asarray, reset(keys, ENV.levels[level].params)[0])


def _of(states: Any, n: int) -> Any:
    return jax.tree.map(lambda x: x[n], states)


@cache
def _words() -> tuple[str, ...]:
    """What every concept is called."""
    words = {value: str(value) for value in range(100)}
    for name, members in SCHEMA.categories.items():
        words |= {SCHEMA.concept(name, member): member for member in members}
    return tuple(words[concept] for concept in range(len(words)))


def _text(concepts: np.ndarray) -> list[str]:
    return [_words()[concept] for concept in concepts if concept >= 0]


def _queries(state: Any, rng: np.random.Generator) -> np.ndarray:
    """Of 1 to `QUERY_WORDS` words that documents have, some twice, and some that none has."""
    present = np.unique(np.asarray(bags(state.documents)))
    pool = np.concatenate([present[present >= 0], rng.integers(100, SCHEMA.first_of("article"), 8)])
    queries = rng.choice(pool, (QUERIES, QUERY_WORDS))
    lengths = rng.integers(1, QUERY_WORDS + 1, (QUERIES, 1))
    return np.where(np.arange(QUERY_WORDS) < lengths, queries, -1).astype(np.int32)


@pytest.mark.parametrize("level", ENV.levels)
def test_ranking_is_that_of_the_package(level: str) -> None:
    """On the words as they are written; of equal scores the first, and only what has a word."""
    states, rng = _states(level), np.random.default_rng(0)
    number = int(ENV.levels[level].params.top)
    find = jax.jit(jax.vmap(retrieve, in_axes=(None, 0, None)))
    score = jax.jit(jax.vmap(bm25, in_axes=(0, None, None)))
    for n in range(EPISODES):
        state = _of(states, n)
        queries, docs = _queries(state, rng), np.asarray(bags(state.documents))
        places = np.flatnonzero(docs[:, 0] >= 0)
        corpus = [_text(doc) for doc in docs[places]]
        package = rank_bm25.BM25Okapi(corpus)
        found = np.asarray(find(state, queries, number))
        scores = np.asarray(score(queries, docs, docs[:, 0] >= 0))[:, places]
        for query, hits, ours in zip(queries, found, scores, strict=True):
            words = _text(query)
            expected = package.get_scores(words)
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
            has_word = np.array([bool(set(words) & set(doc)) for doc in corpus])
            # Rounded, so that what is equal but for the order of summation stays a tie.
            order = np.argsort(-np.round(np.where(has_word, expected, -np.inf), 4), kind="stable")
            best = [place for place in order if has_word[place]][:number]
            assert hits.tolist() == [*places[best], *[-1] * (HITS - len(best))]


def _normalised(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces: the rule of SQuAD's script."""
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def _is_exact_match(prediction: str, answers: list[str]) -> bool:
    return any(_normalised(prediction) == _normalised(answer) for answer in answers)


def test_answers_match_as_published() -> None:
    """Right words, some missing, doubled, out of order, or among articles."""
    states, rng = _states("hard"), np.random.default_rng(1)
    match = jax.jit(jax.vmap(matches, in_axes=(None, 0)))
    articles = [SCHEMA.concept("article", word) for word in SCHEMA.categories["article"]]
    right = 0
    for n in range(EPISODES):
        question = _of(states, n).question
        gold = [" ".join(_text(question.answer))]
        gold += [" ".join(_text(question.nickname[None]))] * int(question.nickname >= 0)
        own = [*question.answer, *question.subject, max(question.nickname, articles[0])]
        pool = np.array([*own, *own[:2], *articles])
        said = rng.choice(pool[pool >= 0], (256, ANSWER_WORDS)).astype(np.int32)
        said[:, 2] = np.where(rng.random(256) < 0.5, -1, said[:, 2])
        expected = [_is_exact_match(" ".join(_text(row)), gold) for row in said]
        assert np.asarray(match(jax.tree.map(jnp.asarray, question), said)).tolist() == expected
        right += sum(expected)
    assert right > EPISODES


def test_words_are_their_own_normal_form() -> None:
    """So that a comparison of concepts is one of normalised words, in every lexicon."""
    words = compile_language([ENV]).vocabulary.words
    names = {word for word in _words() if word not in SCHEMA.categories["article"]}
    assert names <= set(words)
    assert all(_normalised(word) == word for word in names)
    assert all(not _normalised(word) for word in SCHEMA.categories["article"])
