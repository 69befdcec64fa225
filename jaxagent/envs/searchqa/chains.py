"""The questions by their form: chains of relations, and comparisons of years; some held out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxagent.envs.searchqa.ontology import RELATIONS

HOPS = 3
"""Most relations of a chain."""

CHAIN, EARLIER, LATER = range(3)
"""What is asked for: the end of a chain, or which of two things has the earlier or later year."""

_HELD_OUT = 5
"""Every fifth form of a kind is held out of training."""


def _chains(hops: int) -> Iterator[tuple[int, ...]]:
    """Relations that may follow one another, none of them twice."""
    domains = [domain for domain, _ in RELATIONS.values()]
    ranges = [target for _, target in RELATIONS.values()]
    chains = [(r,) for r in range(len(RELATIONS))]
    for _ in range(hops - 1):
        chains = [
            (*chain, r)
            for chain in chains
            for r in range(len(RELATIONS))
            if r not in chain and domains[r] == ranges[chain[-1]]
        ]
    yield from chains


def _forms() -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Group of forms, relations and what is asked for."""
    for hops in range(1, HOPS + 1):
        yield from ((str(hops), chain, CHAIN) for chain in _chains(hops))
    years = [r for r, (_, target) in enumerate(RELATIONS.values()) if target == "year"]
    for r in years:
        yield from (("compared", (r, r), asked) for asked in (EARLIER, LATER))


def _sorted() -> tuple[np.ndarray, np.ndarray, dict[tuple[str, int], tuple[int, int]]]:
    """The forms, shuffled, by group and split."""
    forms = list(_forms())
    order = np.random.default_rng(0).permutation(len(forms))
    rows, asked, spans = [], [], {}
    for group in dict.fromkeys(name for name, _, _ in forms):
        own = [forms[i] for i in order if forms[i][0] == group]
        for split in range(2):
            chosen = [form for n, form in enumerate(own) if (n % _HELD_OUT == 0) == (split == 1)]
            spans[group, split] = (len(rows), len(rows) + len(chosen))
            rows += [[*chain, *[-1] * (HOPS - len(chain))] for _, chain, _ in chosen]
            asked += [question for _, _, question in chosen]
    return np.array(rows, np.int8), np.array(asked, np.int8), spans


CHAINS, ASKED, SPANS = _sorted()
"""int8[forms, HOPS]: the relations of every form, -1 behind; for a comparison the same one twice.
int8[forms]: what it asks for. (group, split) -> range of its forms, where the groups are the
numbers of hops and `compared`, the splits 0 (seen) and 1 (unseen)."""
