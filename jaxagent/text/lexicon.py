"""Lexicons: which word stands for which concept. The semantic knob of the study."""

from __future__ import annotations

import numpy as np

from jaxagent.text.schema import Schema
from jaxagent.text.vocabulary import Vocabulary

LEXICONS = ("identity", "renamed", "swapped")
"""`identity`: every concept under its own name. `renamed`: under a held-out word without
meaning. `swapped`: under the name of another concept of its category, so that what was learnt
misleads. The schema's fixed categories, numbers among them, keep their words in all three."""


def renamable(schema: Schema) -> int:
    """How many concepts of `schema` the `renamed` lexicon needs held-out words for."""
    return int(_free(schema).sum())


def lexicon_tables(schema: Schema, vocabulary: Vocabulary, heldout: tuple[str, ...]) -> np.ndarray:
    """int32[lexicons, concepts]: word id of every concept, one row for each of `LEXICONS`."""
    identity = np.array([vocabulary.id(word) for word in schema.concepts], np.int32)
    renamed, free = identity.copy(), _free(schema)
    renamed[free] = [vocabulary.id(word) for word in heldout[: free.sum()]]
    return np.stack([identity, renamed, identity[_swap(schema)]])


def reading_tables(lexicons: np.ndarray, vocabulary: int) -> np.ndarray:
    """int32[lexicons, vocabulary]: concept of every word, -1 where a word names none."""
    tables = np.full((len(lexicons), vocabulary), -1, np.int32)
    for table, words in zip(tables, lexicons, strict=True):
        table[words] = np.arange(len(words))
    return tables


def _free(schema: Schema) -> np.ndarray:
    names = list(schema.spans)
    fixed = [names.index(name) for name in schema.fixed]
    return ~np.isin(schema.concept_category, fixed)


def _swap(schema: Schema) -> np.ndarray:
    """A fixed permutation of the concepts, without a fixed point inside each free category."""
    swap = np.arange(len(schema.concepts))
    generator = np.random.default_rng(1)
    for name, (start, stop) in schema.spans.items():
        if name in schema.fixed:
            continue
        order = start + generator.permutation(stop - start)
        swap[order] = np.roll(order, 1)
    return swap
