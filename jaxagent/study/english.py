"""Prose as a person writes it: words come apart, sentences begin large, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jaxagent.text import UNKNOWN, Vocabulary

_MARKS = r"[.,:;!?)]"

_REPAIRS = (
    (r"\ba (?=[aeiou])", "an "),  # before an object whose name is filled in
    (r"\b1 (step|dollar|time|product)s\b", r"1 \1"),
    (rf" (?={_MARKS})", ""),
    (r"(?<=\() ", ""),
    (r" / ", "/"),
    (r"\s*\* ", "\n* "),
)


def as_english(text: str) -> str:
    """Words that stand apart, as `Vocabulary.decode` gives them, as sentences for a person."""
    text = text.replace("_", " ")
    for pattern, better in _REPAIRS:
        text = re.sub(pattern, better, text)
    text = re.sub(r",(?=\s*($|\.))", "", text)  # a list ends without a comma
    begin = r"(^|[.!?:] |\* )([a-z])"
    return re.sub(begin, lambda found: found[1] + _large(found), text.strip(), flags=re.MULTILINE)


def as_words(line: str, vocabulary: Vocabulary) -> Iterator[list[int]]:
    """Ids of what a person wrote, in every way that it can be taken: marks come off their words,
    and words that are one in the vocabulary together, `dining table`, may be taken as one."""
    text = re.sub(r"\bin/on\b", "in / on", line.lower())
    return _readings(re.sub(rf"({_MARKS}|\()", r" \1 ", text).split(), vocabulary)


def _readings(parts: list[str], vocabulary: Vocabulary) -> Iterator[list[int]]:
    """All ways to take the parts together, those with long words at the beginning first.

    A walk in depth with its own stack, since a line may have more words than calls may be nested.
    What was taken so far is a chain `(earlier, word)`, of which the ways share their beginnings.
    """
    most = max(word.count("_") + 1 for word in vocabulary.words)
    waiting: list[tuple[int, Any]] = [(0, None)]
    while waiting:
        place, before = waiting.pop()
        if place == len(parts):
            yield _unchained(before)
        for size in range(1, min(most, len(parts) - place) + 1):  # the longest is popped first
            [word] = vocabulary.encode("_".join(parts[place : place + size]))
            if word != UNKNOWN or size == 1:
                waiting.append((place + size, (before, word)))


def _unchained(chain: Any) -> list[int]:
    words = []
    while chain is not None:
        chain, word = chain
        words.append(word)
    return words[::-1]


def _large(found: re.Match[str]) -> str:
    return found[2] if found[1].startswith(":") else found[2].upper()
