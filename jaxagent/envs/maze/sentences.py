"""Maze's sentences, by interface."""

from __future__ import annotations

from jaxagent.text import Phrases

PHRASES = {
    "terse": Phrases(
        {
            "GOAL": "goal {row} {column}",
            "AT": "at {row} {column}",
            "WALL": "wall {direction}",
            "REACHED": "done",
            "BLOCKED": "blocked",
            "NOT_A_MOVE": "what",
        },
        {"move": "{direction}"},
    ),
    "prose": Phrases(
        {
            "GOAL": "the goal is at row {row} , column {column} .",
            "AT": "you are at row {row} , column {column} .",
            "WALL": "a wall blocks the way {direction} .",
            "REACHED": "you have reached the goal .",
            "BLOCKED": "a wall keeps you from moving {direction} .",
            "NOT_A_MOVE": "that is not a move .",
        },
        {"move": "move {direction}"},
    ),
    "call": Phrases(
        {
            "GOAL": "goal = ( {row} , {column} ) ;",
            "AT": "position = ( {row} , {column} ) ;",
            "WALL": "wall = {direction} ;",
            "REACHED": "result = reached ;",
            "BLOCKED": "error = wall {direction} ;",
            "NOT_A_MOVE": "error = no command ;",
        },
        {"move": "move ( {direction} )"},
    ),
    "paraphrase": Phrases(
        {
            "GOAL": "column {column} of row {row} is where you want to be !",
            "AT": "in column {column} of row {row} you stand ;",
            "WALL": "{direction} is walled off ;",
            "REACHED": "this is the place , well done !",
            "BLOCKED": "{direction} there is no way through ;",
            "NOT_A_MOVE": "nobody can walk like that ;",
        },
        {"move": "one step {direction} please"},
    ),
    "tags": Phrases(
        {
            "GOAL": "<goal> {row} {column} </goal>",
            "AT": "<at> {row} {column} </at>",
            "WALL": "<wall> {direction} </wall>",
            "REACHED": "<reached/>",
            "BLOCKED": "<blocked> {direction} </blocked>",
            "NOT_A_MOVE": "<unread/>",
        },
        {"move": "<move> {direction} </move>"},
    ),
}
"""Interface -> sentences."""
