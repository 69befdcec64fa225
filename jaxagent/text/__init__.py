"""How is it said? Vocabulary, lexicons, schemas, interfaces, and the language compiled of them."""

from jaxagent.text.compiler import Speaker, compile_language
from jaxagent.text.interface import ASIDE_COUNTS, ERRORS, HELD_OUT, INTERFACES, LISTINGS, Phrases
from jaxagent.text.language import Language, Voice
from jaxagent.text.lexicon import LEXICONS
from jaxagent.text.schema import (
    ASIDES,
    INVALID,
    NONE,
    NUMBER,
    Fact,
    Schema,
    Verb,
    fact,
    only_if,
    verb,
)
from jaxagent.text.vocabulary import ACT, END, NUMBERS, PAD, UNKNOWN, Vocabulary

__all__ = [
    "ACT",
    "ASIDES",
    "ASIDE_COUNTS",
    "END",
    "ERRORS",
    "HELD_OUT",
    "INTERFACES",
    "INVALID",
    "LEXICONS",
    "LISTINGS",
    "NONE",
    "NUMBER",
    "NUMBERS",
    "PAD",
    "UNKNOWN",
    "Fact",
    "Language",
    "Phrases",
    "Schema",
    "Speaker",
    "Verb",
    "Vocabulary",
    "Voice",
    "compile_language",
    "fact",
    "only_if",
    "verb",
]
