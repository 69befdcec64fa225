"""The schema of BabyAI: what it can state and what it can be told."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxagent.envs.babyai.state import COLORS
from jaxagent.text import NONE, Schema, fact, verb

KINDS = ("key", "ball", "box")
DOORS = ("open_door", "closed_door", "locked_door")
NOUNS = ("door", "object", "wall")
PLACES = ("left", "right", "front", "behind")
ARTICLES = ("the", "a")
SIDES = ("l3", "l2", "l1", "c", "r1", "r2", "r3")
"""Columns of the view: three to the left, the one straight ahead, three to the right."""

HANDS = ("leftwards", "straight", "rightwards")


@cache
def babyai_schema(seen: int, clauses: int) -> Schema:
    """The schema for at most `seen` objects in a view and `clauses` clauses in a mission."""
    categories = {
        "color": COLORS,
        "kind": KINDS,
        "door": DOORS,
        "noun": NOUNS,
        "place": PLACES,
        "article": ARTICLES,
        "side": SIDES,
        "hand": HANDS,
    }
    literal = ("place", "article", "side", "hand")
    return Schema(categories, (*_mission(clauses), *_view(seen), *_replies()), _verbs(), literal)


def plain_facts(schema: Schema, *names: str) -> np.ndarray:
    """int32[names, row]: facts without arguments, as constants."""
    return _plain(schema, [schema.fact_id(name) for name in names])


def plain_commands(schema: Schema, *names: str) -> np.ndarray:
    """int32[names, row]: commands without arguments, as constants."""
    return _plain(schema, [schema.verb_id(name) for name in names])


def rows(schema: Schema, *columns: jax.typing.ArrayLike) -> jax.Array:
    """int32[..., row]: facts or commands from their columns, padded to the schema's width."""
    padding = [NONE] * (1 + schema.max_args - len(columns))
    full = jnp.broadcast_arrays(*columns, *padding)
    return jnp.stack([column.astype(jnp.int32) for column in full], axis=-1)


def _plain(schema: Schema, ids: list[int]) -> np.ndarray:
    facts = np.full((len(ids), 1 + schema.max_args), NONE, np.int32)
    facts[:, 0] = ids
    return facts


def _mission(clauses: int) -> tuple:
    """Facts of the first message only; a description is a thing, then perhaps a place."""
    most, both, joined = clauses, 2 * clauses, clauses // 2
    noun = "kind|noun"
    return (
        fact("MISSION", first=1, step=0),
        fact("GO_TO", first=most, step=0),
        fact("PICK_UP", first=most, step=0),
        fact("OPEN", first=most, step=0),
        fact("PUT", first=most, step=0),
        fact("NEXT_TO", first=most, step=0),
        fact("THING", first=both, step=0, article="article", noun=noun),
        fact("COLORED_THING", first=both, step=0, article="article", color="color", noun=noun),
        fact("LOCATED", first=both, step=0, place="place"),
        fact("AND", first=joined, step=0),
        fact("THEN", first=1, step=0),
        fact("AFTER", first=1, step=0),
        fact("MISSION_END", first=1, step=0),
    )


def _view(seen: int) -> tuple:
    return (
        fact(
            "SEES",
            color="color",
            thing="kind|door",
            number="number",
            ahead="number",
            side="side",
            steps="number",
            hand="hand",
            first=seen,
            step=seen,
        ),
        fact("SEES_NOTHING", first=1),
        fact("FACES", barrier="kind|noun", ahead="number", first=1),
        fact("CARRIES", color="color", kind="kind", first=1),
        fact("HANDS_EMPTY", first=1),
    )


def _replies() -> tuple:
    return (
        fact("COMPLETED"),
        fact("FAILED"),
        fact("UNKNOWN", error=True),
        fact("NO_PATH", color="color", thing="kind|door", number="number", error=True),
        fact("BARRIER", error=True),
        fact("CANNOT_DROP", error=True),
        fact("NOTHING_TO_DROP", error=True),
        fact("DOOR_CLOSED", error=True),
        fact("NO_KEY", error=True),
        fact("WRONG_KEY", error=True),
        fact("NO_CHANGE"),
    )


def _verbs() -> tuple:
    return (
        verb("left"),
        verb("right"),
        verb("forward"),
        verb("drop"),
        verb("toggle"),
        verb("check"),
        verb("pickup", color="color", kind="kind", number="number"),
        verb("go_to", color="color", thing="kind|door", number="number"),
        verb("go_through", color="color", door="door", number="number"),
        verb("toggle_and_go_through", color="color", door="door", number="number"),
    )
