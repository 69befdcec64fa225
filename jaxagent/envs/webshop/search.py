"""The search engine: products ranked by how well they fit a query."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Int, Int16

from jaxagent.envs.bm25 import search
from jaxagent.envs.webshop.state import HITS, Catalogue


def find(catalogue: Catalogue, query: Int[Array, "words"]) -> Int16[Array, "hits"]:
    """The products that have a word of the query, best first by BM25, at most `HITS`; -1 behind.

    All words of a product are searched: title, attributes and options.
    """
    query, there = query.astype(catalogue.words.dtype), catalogue.there
    return search(query, catalogue.words, there, HITS, catalogue.average_idf).astype(jnp.int16)
