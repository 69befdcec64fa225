"""The one closed vocabulary: every word an interface, a lexicon or a policy may use, by id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product

import jax
import numpy as np

NUMBERS = 100
"""Concepts `0 … NUMBERS - 1` of every environment are the numbers themselves."""

PAD, ACT, END, UNKNOWN = range(4)
"""Ids of the special words: padding, "your turn", end of a command, and a word nobody knows."""

SPECIALS = ("<pad>", ">", "<end>", "<unknown>")

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u")


@dataclass(frozen=True)
class Vocabulary:
    """An ordered set of words; a word's id is its place.

    Attributes:
        words: all words, the `SPECIALS` first, then the numbers `0 … NUMBERS - 1`.
    """

    words: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {word: i for i, word in enumerate(self.words)})
        if len(self._ids) != len(self.words):
            raise ValueError("words: the vocabulary holds a word twice")

    @classmethod
    def of(cls, words: Iterable[str]) -> Vocabulary:
        """The vocabulary of the specials, the numbers and `words`, in order of appearance."""
        numbers = (str(n) for n in range(NUMBERS))
        return cls(tuple(dict.fromkeys((*SPECIALS, *numbers, *words))))

    def __len__(self) -> int:
        return len(self.words)

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that differ between vocabularies, by words or their order."""
        return hashlib.sha256("\n".join(self.words).encode()).hexdigest()[:12]

    def id(self, word: str) -> int:
        """Id of `word`; raises `ValueError` if it is not in the vocabulary."""
        if word not in self._ids:
            raise ValueError(f"word {word!r} is not one of the vocabulary's {len(self)} words")
        return self._ids[word]

    def encode(self, text: str) -> list[int]:
        """Ids of the words of `text`, split at white space; strangers become `UNKNOWN`."""
        return [self._ids.get(word, UNKNOWN) for word in text.lower().split()]

    def decode(self, tokens: jax.typing.ArrayLike | Sequence[int]) -> str:
        """The words of `tokens` joined by spaces, without padding, end and turn marks."""
        return " ".join(self.words[t] for t in np.asarray(tokens).tolist() if t > END)


def heldout_words(count: int, taken: Iterable[str] = ()) -> tuple[str, ...]:
    """`count` pronounceable words without meaning, none of them in `taken`.

    They are kept out of all training unless a `renamed` lexicon is trained on, so that a policy
    meets them for the first time in evaluation. The order is fixed but not alphabetical, so
    that neighbouring concepts do not get similar words.
    """
    taken = set(taken)
    syllables = [a + b for a, b in product(_ONSETS, _VOWELS)]
    words = [a + b + c for a, b, c in product(syllables, syllables, ("x", "q", "th"))]
    order = np.random.default_rng(0).permutation(len(words))
    fresh = [words[i] for i in order if words[i] not in taken]
    if count > len(fresh):
        raise ValueError(f"count={count}: only {len(fresh)} held-out words can be formed")
    return tuple(fresh[:count])
