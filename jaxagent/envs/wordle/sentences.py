"""Wordle's sentences, by interface."""

from __future__ import annotations

from jaxagent.text import Phrases

_SPELT = "{l1} {l2} {l3} {l4} {l5}"

PHRASES = {
    "terse": Phrases(
        {
            "SECRET": "guess",
            "WORD": f"{_SPELT} ,",
            "MARKED": "{letter} {mark}",
            "SOLVED": "done",
            "NOT_A_WORD": "no word",
            "NOT_A_GUESS": "what",
        },
        {"guess": _SPELT},
    ),
    "prose": Phrases(
        {
            "SECRET": "guess the secret word of five letters .",
            "WORD": f"{_SPELT} is a word .",
            "MARKED": "{letter} is {mark} .",
            "SOLVED": "you have found the word .",
            "NOT_A_WORD": "that is not a word of the list .",
            "NOT_A_GUESS": "that is not a guess .",
        },
        {"guess": f"i guess {_SPELT}"},
    ),
    "call": Phrases(
        {
            "SECRET": "secret = ? ;",
            "WORD": f"word = {_SPELT} ;",
            "MARKED": "{letter} = {mark} ;",
            "SOLVED": "result = solved ;",
            "NOT_A_WORD": "error = not a word ;",
            "NOT_A_GUESS": "error = no command ;",
        },
        {"guess": f"guess ( {_SPELT} )"},
    ),
    "paraphrase": Phrases(
        {
            "SECRET": "somebody thinks of a word with five letters , which one is it ?",
            "WORD": f"it may be {_SPELT} ;",
            "MARKED": "{mark} : {letter} ;",
            "SOLVED": "this was the one !",
            "NOT_A_WORD": "nobody here knows such a word ;",
            "NOT_A_GUESS": "pardon , which letters ?",
        },
        {"guess": f"could it be {_SPELT} perhaps"},
    ),
    "tags": Phrases(
        {
            "SECRET": "<secret/>",
            "WORD": f"<word> {_SPELT} </word>",
            "MARKED": "<mark> {letter} {mark} </mark>",
            "SOLVED": "<solved/>",
            "NOT_A_WORD": "<stranger/>",
            "NOT_A_GUESS": "<unread/>",
        },
        {"guess": f"<guess> {_SPELT} </guess>"},
    ),
}
"""Interface -> sentences."""
