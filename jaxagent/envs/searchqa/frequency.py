"""In how many documents words stand, counted with few places for many words.

It gives what `jaxagent.envs.bm25.average_idf` gives for all words of all documents, in half the
time: of the words that names are made of, an instance can have but every `RESIDUES`-th one.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxagent.envs.bm25 import average_of, frequencies
from jaxagent.envs.searchqa.graph import RESIDUES, YEAR_WORDS
from jaxagent.envs.searchqa.ontology import NAMES
from jaxagent.envs.searchqa.state import Documents
from jaxagent.envs.searchqa.words import SCHEMA

_NUMBERS = int(YEAR_WORDS.max()) + 1
"""Numbers come first among all words, names behind them, nicknames and relations last."""

_PLACES = _NUMBERS + (SCHEMA.first_of("nickname") - _NUMBERS) // RESIDUES
_RELATIONS = SCHEMA.first_of("relation") + np.arange(len(NAMES), dtype=np.int16)


def average(documents: Documents) -> Float[Array, ""]:
    """float32[]: the inverse document frequency, averaged over the distinct words of all documents.

    The documents are those of one instance, whose names are of one world (`WORLDS`).
    """
    is_there = documents.title[:, 0] >= 0
    words = jnp.concatenate([documents.title, documents.thing.reshape(len(is_there), -1)], axis=1)
    in_relation = jnp.any(documents.relation.T[..., None] == _RELATIONS, axis=0)
    counts = [
        frequencies(_place(words), is_there, _PLACES),
        jnp.sum(in_relation, axis=0, dtype=jnp.int32),
        # A nickname is told in one document.
        (documents.nickname >= 0).astype(jnp.int32),
    ]
    return average_of(jnp.concatenate(counts), jnp.sum(is_there), len(is_there))


def _place(words: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """Where numbers and the words of names are counted; -1 stays."""
    return jnp.where(words < _NUMBERS, words, _NUMBERS + (words - _NUMBERS) // RESIDUES)
