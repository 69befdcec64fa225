"""Maze's schema: what it can state and what it can be told."""

from __future__ import annotations

from jaxagent.envs.maze.state import DIRECTIONS
from jaxagent.text import Schema, fact, verb

SCHEMA = Schema(
    {"direction": DIRECTIONS},
    (
        fact("GOAL", row="number", column="number", first=1, step=0),
        fact("AT", row="number", column="number", first=1),
        fact("WALL", direction="direction", first=4, step=4),
        fact("REACHED"),
        fact("BLOCKED", direction="direction", error=True),
        fact("NOT_A_MOVE", error=True),
    ),
    (verb("move", direction="direction"),),
    known=("direction",),
)
"""The only schema: a position, the walls around it, and four moves."""
