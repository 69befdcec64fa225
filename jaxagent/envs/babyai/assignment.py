"""Which mission is set: clauses about objects that are there, and how they are described.

A clause is drawn from the objects it could be about, so nothing is rejected: what cannot be
asked for is simplified (an object already next to another is gone to instead).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxagent.envs.babyai.layout import inside_room, room_of
from jaxagent.envs.babyai.params import ANY, Params
from jaxagent.envs.babyai.state import (
    AFTER,
    ALONE,
    BEFORE,
    CLAUSES,
    DOOR,
    GO_TO,
    KEY,
    LOCKED,
    OPEN_IT,
    PICK_UP,
    PUT_NEXT,
    Agent,
    Mission,
)
from jaxagent.envs.babyai.view import relative


class Things(NamedTuple):
    """The objects of an instance as they lie at the start, and the agent among them."""

    kind: Int[Array, "objects"]
    color: Int[Array, "objects"]
    door: Int[Array, "objects"]
    position: Int[Array, "objects 2"]
    agent: Agent


class Description(NamedTuple):
    """Words for a set of objects; -1 where nothing is said.

    Attributes:
        kind: int32[], `KEY` to `DOOR`, or -1 for "object".
        color: int32[].
        place: int32[], index into left, right, front, behind.
        many: bool[], whether it fits more than one object.
    """

    kind: Int[Array, ""]
    color: Int[Array, ""]
    place: Int[Array, ""]
    many: Bool[Array, ""]


class Clause(NamedTuple):
    """One clause: its kind, the sets it is about, and the words for them."""

    kind: Int[Array, ""]
    first: Bool[Array, "objects"]
    second: Bool[Array, "objects"]
    first_words: Description
    second_words: Description


def assign(
    key: jax.Array, params: Params, things: Things, target: jax.Array
) -> tuple[Mission, Clause]:
    """A mission and the clauses it is made of, stacked on a leading axis of four.

    Args:
        key: randomness.
        params: the generator's knobs.
        things: the objects.
        target: the object the first clause is about, or -1.
    """
    form_key, join_key, order_key, *keys = jax.random.split(key, 3 + CLAUSES)
    form = _pick(form_key, params.forms)
    joined = jax.random.uniform(join_key, (2,)) < params.joined
    there = [True, (form == 1) | ((form == 2) & joined[0]), form == 2, (form == 2) & joined[1]]
    swapped = jax.random.bernoulli(order_key)
    clauses, free = [], jnp.ones_like(things.kind, bool)
    for place in range(CLAUSES):
        wish = jnp.where(place == 0, target, ANY)
        clause = _clause(keys[place], params, things, wish, free)
        kind = jnp.where(there[place] & jnp.any(clause.first), clause.kind, -1)
        clauses.append(clause._replace(kind=kind))
        free &= ~clause.first
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *clauses)
    order = jnp.where(stacked.kind[2] >= 0, jnp.where(swapped, AFTER, BEFORE), ALONE)
    kind = jnp.where((jnp.arange(CLAUSES) == 3) & (stacked.kind[2] < 0), -1, stacked.kind)
    stacked = stacked._replace(kind=kind)
    mission = Mission(
        kind=kind.astype(jnp.int8),
        first=stacked.first & (kind >= 0)[:, None],
        second=stacked.second & (kind == PUT_NEXT)[:, None],
        strict=jnp.broadcast_to(jnp.asarray(params.strict), (CLAUSES,)) & (kind >= 0),
        order=order.astype(jnp.int8),
    )
    return mission, stacked


def navigations(kind: Int[Array, "clauses"]) -> Int[Array, ""]:
    """BabyAI's count of the ways a mission needs: two to put something next to something."""
    return jnp.sum(jnp.where(kind == PUT_NEXT, 2, jnp.where(kind >= 0, 1, 0)))


def _pick(key: jax.Array, weights: jax.Array) -> Int[Array, ""]:
    """An index with probability proportional to `weights`."""
    bounds = jnp.cumsum(jnp.asarray(weights))
    return jnp.sum(bounds[:-1] <= jax.random.uniform(key) * bounds[-1])


def _choose(key: jax.Array, mask: jax.Array) -> Int[Array, ""]:
    """An index under `mask`, uniformly."""
    return jnp.argmax(jnp.where(mask, jax.random.uniform(key, mask.shape), -1.0))


def _clause(
    key: jax.Array, params: Params, things: Things, target: jax.Array, free: jax.Array
) -> Clause:
    """A clause about `target`, or about an object under `free` if that is -1."""
    kind_key, first_key, second_key, *words_keys = jax.random.split(key, 5)
    there = things.kind >= 0
    is_door, lock = things.kind == DOOR, (things.kind == DOOR) & (things.door == LOCKED)
    needed = (things.kind == KEY) & _has_color_of(things, lock)
    movable = there & ~is_door & ~needed
    goals = movable | (is_door & params.doors_meant)
    doors = jnp.where(params.locked_meant, lock, is_door)
    weights = jnp.asarray(params.clauses) * jnp.stack(
        [jnp.any(goals & free), jnp.any(movable & free), jnp.any(doors & free), jnp.sum(movable) > 1]
    )
    kind = _pick(kind_key, jnp.where(jnp.sum(weights) > 0, weights, jnp.array([1.0, 0, 0, 0])))
    sets = jnp.where(kind == GO_TO, goals, jnp.where(kind == OPEN_IT, doors, movable)) & free
    index = jnp.arange(len(there))
    first_index = jnp.where(target == ANY, _choose(first_key, sets), target)
    first, first_words = _describe(words_keys[0], params, things, first_index, kind != PICK_UP)
    others = goals & (index != first_index) & ~first
    second_index = _choose(second_key, others)
    second, second_words = _describe(words_keys[1], params, things, second_index, True)
    put = (kind == PUT_NEXT) & jnp.any(others) & _can_be_put(things, first, second)
    kind = jnp.where((kind == PUT_NEXT) & ~put, GO_TO, kind)
    first &= jnp.any(sets) | (target != ANY)
    return Clause(kind, first, second, first_words, second_words)


def _has_color_of(things: Things, mask: jax.Array) -> Bool[Array, "objects"]:
    """Which objects have the colour of one under `mask`."""
    return jnp.any((things.color[:, None] == things.color[None, :]) & mask[None, :], axis=1)


def _can_be_put(things: Things, first: jax.Array, second: jax.Array) -> Bool[Array, ""]:
    """Whether no object is in both sets and none of one is next to one of the other."""
    position = things.position.astype(jnp.int32)
    apart = jnp.sum(jnp.abs(position[:, None] - position[None, :]), axis=-1)
    beside = jnp.any((apart == 1) & first[:, None] & second[None, :])
    return ~jnp.any(first & second) & ~beside


def _describe(
    key: jax.Array, params: Params, things: Things, index: jax.Array, doors: jax.typing.ArrayLike
) -> tuple[Bool[Array, "objects"], Description]:
    """Words for the object `index`, and all the objects they fit."""
    chance = jax.random.uniform(key, (3,))
    place_key = jax.random.fold_in(key, 1)
    is_door = things.kind[index] == DOOR
    by_kind = (chance[0] < params.by_kind) | is_door | doors
    by_color = (chance[1] < params.by_color) | ~by_kind
    places = _places(things, params)
    by_place = (chance[2] < params.by_place) & jnp.any(places[index])
    place = jnp.where(by_place, _choose(place_key, places[index]), -1)
    color = jnp.where(by_color, things.color[index], -1)
    kind = jnp.where(by_kind, things.kind[index], -1)
    fits = (things.kind >= 0) & ((things.kind == kind) | ((kind < 0) & (things.kind != DOOR)))
    fits &= (things.color == color) | (color < 0)
    fits &= (place < 0) | jnp.any(places & (jnp.arange(4) == place), axis=1)
    words = (kind.astype(jnp.int32), color.astype(jnp.int32), place.astype(jnp.int32))
    return fits, Description(*words, jnp.sum(fits) > 1)


def _places(things: Things, params: Params) -> Bool[Array, "objects 4"]:
    """Whether objects in the agent's room lie to its left, its right, in front, behind."""
    ahead, side = relative(things.position, things.agent)
    here = inside_room(things.position, room_of(things.agent.position, params), params)
    places = jnp.stack([side < 0, side > 0, ahead > 0, ahead < 0], axis=1)
    return places & (here & (things.kind >= 0))[:, None]
