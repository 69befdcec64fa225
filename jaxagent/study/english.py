"""Prose as a person writes it: words come apart, sentences begin large, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
    if not parts:
        yield []
    for size in range(len(parts), 0, -1):
        [word] = vocabulary.encode("_".join(parts[:size]))
        if word != UNKNOWN or size == 1:
            yield from ([word, *rest] for rest in _readings(parts[size:], vocabulary))


def _large(found: re.Match[str]) -> str:
    return found[2] if found[1].startswith(":") else found[2].upper()
