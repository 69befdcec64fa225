"""Wordle's schema: what it can state and what it can be told."""

from __future__ import annotations

from jaxagent.envs.wordle.dictionary import LENGTH, LETTERS
from jaxagent.text import Schema, fact, verb

LISTED = 20
"""Words that the first message lists, where it lists any, and commands that are offered."""

_WORD = {f"l{k}": "letter" for k in range(1, LENGTH + 1)}

SCHEMA = Schema(
    {"letter": LETTERS, "mark": ("absent", "misplaced", "correct")},
    (
        fact("SECRET", first=1, step=0),
        fact("WORD", first=LISTED, step=0, **_WORD),
        fact("MARKED", step=LENGTH, letter="letter", mark="mark"),
        fact("SOLVED"),
        fact("NOT_A_WORD", error=True),
        fact("NOT_A_GUESS", error=True),
    ),
    (verb("guess", **_WORD),),
)
"""The only schema: letters are the words of the language."""
