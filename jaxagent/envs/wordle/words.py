"""Wordle's schema: what it can state and what it can be told."""

from __future__ import annotations

from jaxagent.envs.wordle.dictionary import LENGTH, LETTERS
from jaxagent.text import Fact, Schema, Verb, fact

LISTED = 20
"""Words that the first message lists, where it lists any, and commands that are offered."""

_WORD = tuple((f"l{k}", "letter") for k in range(1, LENGTH + 1))

SCHEMA = Schema(
    {"letter": LETTERS, "mark": ("absent", "misplaced", "correct")},
    (
        fact("SECRET", first=1, step=0),
        Fact("WORD", _WORD, first=LISTED, step=0),
        fact("MARKED", step=LENGTH, letter="letter", mark="mark"),
        fact("SOLVED"),
        fact("NOT_A_WORD", error=True),
        fact("NOT_A_GUESS", error=True),
    ),
    (Verb("guess", _WORD),),
    known=("letter", "mark"),
)
"""The only schema: letters are the words of the language."""
