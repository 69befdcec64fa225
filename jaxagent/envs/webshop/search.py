"""The search engine: products ranked by how well they fit a query."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Int, Int16

from jaxagent.envs.bm25 import bm25, top
from jaxagent.envs.webshop.state import HITS, Catalogue


def find(catalogue: Catalogue, query: Int[Array, "words"]) -> Int16[Array, "hits"]:
    """The products that have a word of the query, best first by BM25, at most `HITS`; -1 behind.

    All words of a product are searched: title, attributes and options.
    """
    query, there = query.astype(catalogue.words.dtype), catalogue.there
    scores = bm25(query, catalogue.words, there, catalogue.average_idf)
    asked = jnp.where(query < 0, jnp.int8(-2), query)
    fits = there & jnp.any(catalogue.words[:, None] == asked[:, None], axis=(1, 2))
    best = top(jnp.where(fits, scores, -jnp.inf), HITS)
    return jnp.where(fits[best], best, -1).astype(jnp.int16)
