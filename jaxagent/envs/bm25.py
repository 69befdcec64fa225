"""BM25: how well documents fit a query, and which of them fit best.

It is Okapi BM25 (Robertson et al., "Okapi at TREC-3", 1995) as the package `rank_bm25` 0.2.2 has
it in `BM25Okapi`: words that stand in more than half of the documents, whose inverse document
frequency would be negative, get `EPSILON` times the average of all words instead.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.fusion import worked_out

K1, B, EPSILON = 1.5, 0.75, 0.25

_GRAIN = 2.0**20
"""Scores are multiples of its inverse, and below 2,000."""


def bm25(
    query: Int[Array, "words"],
    docs: Int[Array, "docs length"],
    mask: Bool[Array, "docs"],
    average: Float[Array, ""] | None = None,
) -> Float[Array, "docs"]:
    """The score of every document, for one query.

    Args:
        query: words, -1 behind; a word that is there twice counts twice.
        docs: words of every document, -1 where there is none.
        mask: which documents there are; at least one.
        average: `average_idf(docs, mask)`, where it has been computed before. Where it has not,
            it is computed only if a word of the query asks for it.

    Returns:
        float32[docs]; 0 where `mask` does not hold or no word of the query stands.
    """
    return _scores(_count(query, docs, mask), docs, mask, average)


def search(
    query: Int[Array, "words"],
    docs: Int[Array, "docs length"],
    mask: Bool[Array, "docs"],
    hits: int,
    average: Float[Array, ""] | None = None,
) -> Int[Array, "hits"]:
    """int32: the places of the documents that have a word of the query, best first, -1 behind.

    At most `hits` of them; the other arguments are those of `bm25`.
    """
    counts = _count(query, docs, mask)
    has_word = jnp.any(counts > 0, axis=0)
    best = top(jnp.where(has_word, _scores(counts, docs, mask, average), -jnp.inf), hits)
    return jnp.where(has_word[best], best, -1)


def _count(
    query: Int[Array, "words"], docs: Int[Array, "docs length"], mask: Bool[Array, "docs"]
) -> Int[Array, "words docs"]:
    """How often every word of the query stands in every document."""
    counts = jnp.sum(docs[:, None] == query[:, None], axis=-1, dtype=jnp.int16).T
    return jnp.where((query >= 0)[:, None] & mask, counts, 0)


def _scores(
    counts: Int[Array, "words docs"],
    docs: Int[Array, "docs length"],
    mask: Bool[Array, "docs"],
    average: Float[Array, ""] | None,
) -> Float[Array, "docs"]:
    """The scores for what was counted."""
    lengths = jnp.sum((docs >= 0) & mask[:, None], axis=1, dtype=jnp.int32)
    # Not again for every use: XLA would take three quarters longer.
    counts, lengths = worked_out(counts), worked_out(lengths)
    number = jnp.sum(mask)
    norms = K1 * (1 - B + B * lengths * (number / jnp.sum(lengths)))
    weights = _idf(jnp.sum(counts > 0, axis=1), number)
    is_common = weights < 0
    if average is None:
        average = _average_if(jnp.any(is_common), docs, mask)
    weights = jnp.where(is_common, EPSILON * average, weights)
    parts = weights[:, None] * (counts * (K1 + 1) / (counts + norms))
    # In whole numbers the order of addition does not matter, so that equal scores come out equal.
    return jnp.sum(jnp.rint(parts * _GRAIN).astype(jnp.int32), axis=0) / _GRAIN


def _average_if(
    is_needed: Bool[Array, ""], docs: Int[Array, "docs length"], mask: Bool[Array, "docs"]
) -> Float[Array, ""]:
    """`average_idf`, or 0 where it is not needed: then it costs next to nothing.

    It is a loop of one turn at most, because a loop that is mapped over a batch, unlike a
    condition, runs only if a row asks for it.
    """

    def work_out(carry: tuple) -> tuple:
        # What does not depend on the carry XLA would take out of the loop, and always compute.
        looked_at = jnp.where(carry[0], docs, -1)
        return jnp.bool_(False), average_idf(looked_at, mask)

    return jax.lax.while_loop(lambda carry: carry[0], work_out, (is_needed, jnp.float32(0)))[1]


def average_idf(
    docs: Int[Array, "docs length"], mask: Bool[Array, "docs"], words: int = 2048
) -> Float[Array, ""]:
    """float32[]: the inverse document frequency, averaged over the distinct words of all documents.

    Args:
        docs: words of every document, -1 where there is none.
        mask: which documents there are.
        words: all words are below; those from it on do not count.
    """
    frequency = _frequencies(jnp.where(mask[:, None], docs, -1), words)
    # Few frequencies are possible, so that few logarithms have to be taken.
    weights = _idf(jnp.arange(len(docs) + 1), jnp.sum(mask))
    total = jnp.sum(jnp.where(frequency > 0, weights[frequency], 0))
    return total / jnp.sum(frequency > 0)


def _frequencies(docs: Int[Array, "docs length"], words: int) -> Int[Array, "words"]:
    """int32: in how many documents every word stands.

    Every document becomes a set of bits, 32 words to a number: adding one for every place of every
    document, the places that repeat a word left out, takes a CPU seven times as long.
    """
    docs = docs.astype(jnp.int32)
    bits = jnp.uint32(1) << (docs % 32).astype(jnp.uint32)
    numbers = jnp.arange(-(-words // 32))[:, None, None]
    sets = jax.lax.reduce_or(jnp.where(docs // 32 == numbers, bits, jnp.uint32(0)), axes=(2,))
    # By at most 32 at once: more XLA would not count without an array of all.
    sets = jnp.pad(sets, ((0, 0), (0, -len(docs) % 32))).reshape(len(numbers), 1, -1, 32)
    stands = sets >> jnp.arange(32, dtype=jnp.uint32)[:, None, None] & 1
    return jnp.sum(stands, axis=(2, 3), dtype=jnp.int32).reshape(-1)[:words]


def top(scores: Float[Array, "docs"], k: int) -> Int[Array, "k"]:
    """int32: the places of the `k` highest scores, highest first; of equal ones the first."""
    # `top_k` ranks -0 below 0, and words of weight below 0 make -0 where they do not stand.
    return jax.lax.top_k(jnp.where(scores == 0, 0, scores), k)[1]


def _idf(frequency: Int[Array, "*n"], number: Int[Array, ""]) -> Float[Array, "*n"]:
    return jnp.log(number - frequency + 0.5) - jnp.log(frequency + 0.5)
