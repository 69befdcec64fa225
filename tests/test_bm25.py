"""BM25 against the package `rank_bm25`, and the order of what it finds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs.bm25 import average_idf, bm25, top

DOCS, LENGTH, WORDS, QUERY = 24, 8, 40, 5


def _corpus(seed: int, words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Query, documents and mask; few words make many that stand in most documents."""
    rng = np.random.default_rng(seed)
    docs = rng.integers(words, size=(DOCS, LENGTH))
    docs = np.where(np.arange(LENGTH) < rng.integers(1, LENGTH + 1, size=(DOCS, 1)), docs, -1)
    query = np.where(np.arange(QUERY) < rng.integers(1, QUERY + 1), rng.integers(words, size=5), -1)
    return query.astype(np.int32), docs.astype(np.int16), rng.random(DOCS) < 0.8


def _has_common_word(query: np.ndarray, docs: np.ndarray, mask: np.ndarray) -> bool:
    """Whether a word of the query stands in more than half of the documents: few such queries
    make a batch work out the average of all words."""
    stands = [np.any(docs[mask] == word, axis=1).mean() for word in query if word >= 0]
    return max(stands) > 0.5


def _reference(query: np.ndarray, docs: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The scores of the documents under `mask` by the package."""
    package = pytest.importorskip("rank_bm25", reason="the package rank_bm25 is not installed")
    corpus = [[str(word) for word in doc if word >= 0] for doc in docs[mask]]
    return package.BM25Okapi(corpus).get_scores([str(word) for word in query if word >= 0])


@pytest.mark.oracle
@pytest.mark.parametrize("words", [WORDS, 6])
def test_scores_are_those_of_the_package(words: int) -> None:
    score = jax.jit(bm25)
    for seed in range(100):
        query, docs, mask = _corpus(seed, words)
        expected = _reference(query, docs, mask)
        scores = np.asarray(score(query, docs, mask))
        np.testing.assert_allclose(scores[mask], expected, rtol=1e-5, atol=1e-5)
        assert (scores[~mask] == 0).all()
        ranked = np.argsort(-expected, kind="stable")
        if np.diff(np.unique(expected), prepend=-1e9).min() > 1e-5:
            found = np.asarray(top(jnp.asarray(scores[mask]), mask.sum()))
            np.testing.assert_array_equal(found, ranked)


@pytest.mark.parametrize("size", [7, 300])
def test_ties_go_to_the_first(size: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores = rng.integers(4, size=size).astype(np.float32)
        expected = np.argsort(-scores, kind="stable")[:7]
        np.testing.assert_array_equal(top(jnp.asarray(scores), 7), expected)


def test_zero_has_no_sign() -> None:
    np.testing.assert_array_equal(top(jnp.array([-0.0, 0.0, -0.0, -1.0]), 4), [0, 1, 2, 3])


def test_average_can_be_computed_before() -> None:
    query, docs, mask = map(jnp.asarray, _corpus(3, 6))
    known = bm25(query, docs, mask, average_idf(docs, mask))
    np.testing.assert_array_equal(known, bm25(query, docs, mask))


def test_one_query_equals_its_place_in_a_batch() -> None:
    corpora = [_corpus(seed, words) for seed in range(8) for words in (WORDS, 6)]
    assert len({_has_common_word(*corpus) for corpus in corpora}) == 2
    batch = jax.vmap(bm25)(*(jnp.asarray(np.stack(part)) for part in zip(*corpora, strict=True)))
    for row, corpus in zip(batch, corpora, strict=True):
        np.testing.assert_allclose(row, bm25(*map(jnp.asarray, corpus)), rtol=1e-6)
