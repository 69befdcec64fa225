"""What the unseen split holds out: names of objects, colour and kind, that missions are about.

A name held out lies about in both splits, but in training no mission is about it. In the unseen
split the first clause of every mission is.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int32

from jaxagent.envs.babyai.params import ANY, Params
from jaxagent.envs.babyai.state import BALL, BOX, COLORS, DOOR, KEY, State

NAMES = DOOR * len(COLORS)
"""Names of keys, balls and boxes, numbered kind by kind; those of doors come behind them."""

_HELD_OUT = ((KEY, "yellow"), (BALL, "purple"), (BOX, "green"))

IS_HELD_OUT = np.zeros(NAMES + len(COLORS), bool)
"""bool[names]: one name of every kind but doors."""
IS_HELD_OUT[[kind * len(COLORS) + COLORS.index(color) for kind, color in _HELD_OUT]] = True


def name_of(kind: Int[Array, "*n"], color: Int[Array, "*n"]) -> Int32[Array, "*n"]:
    """The number of the name of an object; -1 without one."""
    number = kind.astype(jnp.int32) * len(COLORS) + color
    return jnp.where((kind >= 0) & (color >= 0), number, -1)


def held_out(name: Int[Array, "*n"]) -> Bool[Array, "*n"]:
    """Which names are held out."""
    return jnp.asarray(IS_HELD_OUT)[name] & (name >= 0)


def unseen(params: Params) -> Params | None:
    """Parameters of a level's unseen split, or None where its missions leave no choice of names.

    What is held out is told in full, or the mission would not be about it.
    """
    movable = np.asarray(params.clauses)[[0, 1, 3]].any() and params.objects[0] > 0
    if not movable or params.kind != ANY or params.color[0] != ANY:
        return None
    full = np.asarray(1, np.float32)
    return params.replace(split=np.asarray(1, np.int32), by_color=full, by_kind=full)


def mission_names(state: State) -> Int32[Array, "sets"]:
    """The names that the mission is about, -1 where a set of objects has none in common.

    Of a mission about a name held out, only that: everything else it is about is not.
    """
    sets = jnp.concatenate([state.mission.first, state.mission.second])
    names = name_of(state.kind, state.color)
    least = jnp.min(jnp.where(sets, names, len(IS_HELD_OUT)), axis=1)
    most = jnp.max(jnp.where(sets, names, -1), axis=1)
    names = jnp.where(least == most, most, -1)
    held = held_out(names)
    return jnp.where(jnp.any(held) & ~held, -1, names)
