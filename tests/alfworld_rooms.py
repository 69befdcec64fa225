"""Rooms of ALFWorld made by hand, and commands by their words."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxagent.envs.alfworld.affordances import OBJECTS, RECEPTACLES
from jaxagent.envs.alfworld.state import HELD, MIDDLE, PLACES, TASKS, THINGS, State
from jaxagent.envs.alfworld.words import SCHEMA


def command(verb: str, *words: str | int) -> jax.Array:
    """A command by words and numbers."""
    return SCHEMA.command(verb, *(w if isinstance(w, int) else _concept(w) for w in words))


def _concept(word: str) -> int:
    return SCHEMA.concept("object" if word in OBJECTS else "receptacle", word)


def a_room(
    places: str, things: str, task: str = "place", target: str = "", goal: str = ""
) -> State:
    """A room by hand: `"fridge desk"` and `"mug@1 apple@held"`, numbers in the order given."""
    kinds = [RECEPTACLES.index(word) for word in places.split()]
    pairs = [entry.split("@") for entry in things.split()]
    objects = [OBJECTS.index(word) for word, _ in pairs]
    where = [HELD if at == "held" else int(at) for _, at in pairs]
    last = OBJECTS if task == "light" else RECEPTACLES
    return State(
        place_type=_padded(kinds, PLACES),
        place_number=_padded(_numbers(kinds), PLACES, 0),
        is_open=jnp.zeros(PLACES, bool),
        seen=jnp.zeros(PLACES, bool),
        thing_type=_padded(objects, THINGS),
        thing_number=_padded(_numbers(objects), THINGS, 0),
        where=_padded(where, THINGS),
        marks=jnp.zeros(THINGS, jnp.int8),
        agent=jnp.int8(MIDDLE),
        task=jnp.int8(TASKS.index(task)),
        target=jnp.int8(OBJECTS.index(target) if target else -5),
        goal=jnp.int8(last.index(goal) if goal else -5),
    )


def _numbers(kinds: list[int]) -> list[int]:
    return [kinds[: i + 1].count(kind) for i, kind in enumerate(kinds)]


def _padded(values: list[int], size: int, filler: int = -1) -> jax.Array:
    return jnp.array(values + [filler] * (size - len(values)), jnp.int8)
