"""The generator of instances: a quest, a room that allows it, and things in it.

All is drawn out of one block of noise and nothing is ever rejected: the receptacles that a quest
needs are drawn first, and its target has a place that is not yet the goal.
"""

from __future__ import annotations

from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int8, Int32

from jaxagent.envs.alfworld.affordances import (
    CAN_CONTAIN,
    CLEANABLE,
    COOLABLE,
    HEATABLE,
    IS_LAMP,
    OPENABLE,
    POOL,
    POOL_IS_FIRST,
    POOL_TYPE,
    POOL_WEIGHT,
    PRESENCE,
)
from jaxagent.envs.alfworld.quests import (
    APPLIANCE,
    QUEST_COUNT,
    QUEST_START,
    QUESTS,
    TASK_ROOM_COUNT,
    TASK_ROOMS,
)
from jaxagent.envs.alfworld.state import (
    ABSENT,
    IS_CLEAN,
    IS_COOL,
    IS_HOT,
    LIGHT,
    MIDDLE,
    PLACES,
    TASKS,
    THINGS,
    TWO,
    WANTED,
    State,
)
from jaxagent.envs.chance import integers, named_blocks
from jaxagent.envs.fusion import worked_out
from jaxagent.envs.order import first_where, ordering, ranks

CROWD = 6
"""Most things in one receptacle at first."""

_NOISE = {
    "quest": (3,),
    "places": (POOL,),
    "kinds": (2, THINGS),
    "where": (THINGS,),
    "marks": (3, THINGS),
    "order": (THINGS,),
}
"""What is drawn -> shape of the noise that it is drawn from."""

_COMMON = np.cumsum(PRESENCE, axis=1)
_LAMP_FITS = CAN_CONTAIN[:, IS_LAMP].any(1)


class Params(flax.struct.PyTreeNode):
    """What an instance is drawn from.

    Attributes:
        places: int32[], receptacles of the room, 6 to 18.
        things: int32[], most things in it, up to 30; what finds no place is left out.
        tasks: float32[TASKS], how often each task is set, relative to the others.
        closed: float32[], how much likelier than another receptacle one with a door is to hold a
            thing; 0 leaves everything in sight.
        alike: float32[], chance that another thing is of the target's type.
        treated: float32[], chance that a thing is clean, and that it is hot or cool, at first.
        split: int32[], place in `jaxagent.envs.environment.SPLITS`: which quests are drawn.
    """

    places: Int32[Array, ""]
    things: Int32[Array, ""]
    tasks: Float32[Array, "tasks"]
    closed: Float32[Array, ""]
    alike: Float32[Array, ""]
    treated: Float32[Array, ""]
    split: Int32[Array, ""]


_UP_TO = np.triu(np.ones((PLACES, PLACES), np.float32))
"""Sums up, which takes a CPU a fifth of what `cumsum` takes."""


class _Quest(NamedTuple):
    """What is asked and where; see `State`.

    Attributes:
        task, room, target, goal: places in `TASKS`, `ROOMS`, `OBJECTS` and `RECEPTACLES`, the last
            in `OBJECTS` if it is a lamp.
        receptacle: the goal if it is a receptacle, or -2.
    """

    task: Int[Array, ""]
    room: Int[Array, ""]
    target: Int[Array, ""]
    goal: Int[Array, ""]
    receptacle: Int[Array, ""]


def generate(key: jax.Array, params: Params) -> State:
    """A new instance."""
    noise = named_blocks(key, _NOISE)
    quest = _draw_quest(noise["quest"], params)
    places = _draw_places(noise["places"], quest, params)
    kinds = _draw_kinds(noise["kinds"], quest, params)
    where = _draw_where(noise["where"], kinds, places, quest, params)
    order = ordering(noise["order"])
    where, kinds = where[order], jnp.where(where[order] >= 0, kinds[order], -1)
    marks = _draw_marks(noise["marks"], kinds, quest, params)
    return State(
        place_type=places,
        place_number=_numbered(places),
        is_open=jnp.zeros(PLACES, bool),
        seen=jnp.zeros(PLACES, bool),
        thing_type=kinds.astype(jnp.int8),
        thing_number=_numbered(kinds),
        where=where.astype(jnp.int8),
        marks=marks,
        agent=jnp.int8(MIDDLE),
        task=quest.task.astype(jnp.int8),
        target=quest.target.astype(jnp.int8),
        goal=quest.goal.astype(jnp.int8),
    )


def _draw_quest(noise: Float[Array, "3"], params: Params) -> _Quest:
    """A task by its weight, a room of those it can be set in, and a target and goal there."""
    total = jnp.cumsum(params.tasks)
    task = jnp.minimum(jnp.sum(total <= noise[0] * total[-1]), len(TASKS) - 1)
    room = jnp.asarray(TASK_ROOMS)[task, integers(noise[1], 0, jnp.asarray(TASK_ROOM_COUNT)[task])]
    count = jnp.asarray(QUEST_COUNT)[params.split, task, room]
    start = jnp.asarray(QUEST_START)[params.split, task, room]
    target, goal = jnp.asarray(QUESTS)[start + integers(noise[2], 0, count), 3:].astype(jnp.int32)
    return _Quest(task, room, target, goal, jnp.where(task == LIGHT, -2, goal))


def _draw_places(
    noise: Float[Array, "pool"], quest: _Quest, params: Params
) -> Int8[Array, "places"]:
    """Types of the room's receptacles, ascending: those that the quest needs, and others.

    Needed are one of the goal's type, one that heats, cools or cleans, one for the target to lie
    in at first, and one for the lamp.
    """
    kind = jnp.asarray(POOL_TYPE)[quest.room]
    weight = jnp.asarray(POOL_WEIGHT)[quest.room]
    wait = jnp.where(weight > 0, -jnp.log1p(-noise) / weight, jnp.inf)
    first = jnp.asarray(POOL_IS_FIRST)[quest.room]
    openable = jnp.asarray(OPENABLE)[kind] & (kind >= 0)
    holds = jnp.asarray(CAN_CONTAIN)[kind, quest.target] & (kind != quest.receptacle)
    home = jnp.argmin(jnp.where(holds, wait / jnp.where(openable, params.closed, 1), jnp.inf))
    lamp = jnp.argmin(jnp.where(jnp.asarray(_LAMP_FITS)[kind], wait, jnp.inf))
    place = jnp.arange(POOL)
    needed = first & ((kind == quest.receptacle) | (kind == jnp.asarray(APPLIANCE)[quest.task]))
    needed |= (place == home) | ((place == lamp) & (quest.task == LIGHT))
    wait = jnp.where(needed & (kind >= 0), -1.0, wait)
    chosen = (ranks(wait) < params.places) & (kind >= 0)
    return first_where(kind, chosen, PLACES, -1)


def _draw_kinds(
    noise: Float[Array, "2 things"], quest: _Quest, params: Params
) -> Int32[Array, "things"]:
    """Types of things: the targets, the lamp, and what is common in such a room; -1 behind."""
    common = jnp.asarray(_COMMON)[quest.room]
    # In halves: of more than 32 XLA makes an array before it adds them up.
    share = noise[0][:, None] * common[-1]
    drawn = sum(jnp.sum(half <= share, axis=1) for half in jnp.split(common, 2))
    kinds = jnp.where(noise[1] < params.alike, quest.target, drawn)
    second = jnp.where(quest.task == LIGHT, quest.goal, kinds[1])
    second = jnp.where(quest.task == TWO, quest.target, second)
    place = jnp.arange(THINGS)
    kinds = jnp.where(place == 0, quest.target, jnp.where(place == 1, second, kinds))
    return jnp.where(place < params.things, kinds, -1).astype(jnp.int32)


def _draw_where(
    noise: Float[Array, "things"],
    kinds: Int[Array, "things"],
    places: Int8[Array, "places"],
    quest: _Quest,
    params: Params,
) -> Int32[Array, "things"]:
    """A receptacle for every thing, or `ABSENT`; nothing of the target's type lies at the goal."""
    allowed = jnp.asarray(CAN_CONTAIN).T[kinds][:, places] & (places >= 0) & (kinds >= 0)[:, None]
    allowed &= (kinds != quest.target)[:, None] | (places != quest.receptacle)
    weights = jnp.where(allowed, jnp.where(jnp.asarray(OPENABLE)[places], params.closed, 1.0), 0)
    total = jnp.sum(worked_out(weights)[..., None] * _UP_TO, axis=1)
    where = jnp.sum(total <= noise[:, None] * total[:, -1:], axis=1)
    where = jnp.where(total[:, -1] > 0, where, ABSENT)
    before = jnp.tril(where[:, None] == where, k=-1)
    return jnp.where(jnp.sum(before, axis=1) < CROWD, where, ABSENT)


def _draw_marks(
    noise: Float[Array, "3 things"], kinds: Int[Array, "things"], quest: _Quest, params: Params
) -> Int8[Array, "things"]:
    """What has been done to each thing at first; never to a target what the task asks for."""
    is_treated = noise[:2] < params.treated
    clean = is_treated[0] & jnp.asarray(CLEANABLE)[kinds]
    hot = is_treated[1] & jnp.asarray(HEATABLE)[kinds] & (noise[2] < 0.5)
    cool = is_treated[1] & jnp.asarray(COOLABLE)[kinds] & (noise[2] >= 0.5)
    marks = (clean * IS_CLEAN + hot * IS_HOT + cool * IS_COOL).astype(jnp.int8)
    spared = jnp.where(kinds == quest.target, jnp.asarray(WANTED)[quest.task], jnp.int8(0))
    return jnp.where(kinds >= 0, marks & ~spared, jnp.int8(0))


def _numbered(kinds: Int[Array, " n"]) -> Int8[Array, " n"]:
    """The number of each among those of its type, from 1; 0 where there is none."""
    alike: Bool[Array, "n n"] = jnp.tril(kinds[:, None] == kinds)
    return jnp.where(kinds >= 0, jnp.sum(alike, axis=1), 0).astype(jnp.int8)
