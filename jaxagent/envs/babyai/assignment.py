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
    noise: jax.Array, params: Params, things: Things, target: jax.Array, meant: jax.Array
) -> tuple[Mission, Clause]:
    """A mission and the clauses it is made of, stacked on a leading axis of four.

    Args:
        noise: float32[CLAUSES + 1, assignment_noise(N)], uniform numbers.
        params: the generator's knobs.
        things: the objects.
        target: the object the first clause is about, or -1.
        meant: bool[N], the objects that clauses may be about.
    """
    form, joined = _pick(noise[0, 0], params.forms), noise[0, 1:3] < params.joined
    there = [True, (form == 1) | ((form == 2) & joined[0]), form == 2, (form == 2) & joined[1]]
    there = jnp.stack([jnp.asarray(each) for each in there])
    swapped = noise[0, 3] < 0.5
    wishes = jnp.where(jnp.arange(CLAUSES) == 0, target, ANY)

    def draw(free: jax.Array, step: tuple) -> tuple[jax.Array, Clause]:
        clause = _clause(step[0], params, things, step[1], free, meant)
        return free & ~(clause.first & step[2]), clause

    _, stacked = jax.lax.scan(draw, meant, (noise[1:], wishes, there))
    there &= jnp.any(stacked.first, axis=1)
    stacked = stacked._replace(kind=jnp.where(there, stacked.kind, -1))
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


def assignment_noise(objects: int) -> int:
    """How many uniform numbers a clause takes."""
    return 1 + 2 * objects + 14


def navigations(kind: Int[Array, "clauses"]) -> Int[Array, ""]:
    """BabyAI's count of the ways a mission needs: two to put something next to something."""
    return jnp.sum(jnp.where(kind == PUT_NEXT, 2, jnp.where(kind >= 0, 1, 0)))


def _pick(noise: jax.Array, weights: jax.typing.ArrayLike) -> Int[Array, ""]:
    """An index with probability proportional to `weights`, by one uniform number."""
    bounds = jnp.cumsum(jnp.asarray(weights))
    return jnp.sum(bounds[:-1] <= noise * bounds[-1])


def _choose(noise: jax.Array, mask: jax.Array) -> Int[Array, ""]:
    """An index under `mask`, by uniform numbers as many as there are."""
    return jnp.argmax(jnp.where(mask, noise, -1.0))


def _clause(
    noise: jax.Array,
    params: Params,
    things: Things,
    target: jax.Array,
    free: jax.Array,
    meant: jax.Array,
) -> Clause:
    """A clause about `target`, or about an object under `free` if that is -1.

    What something is put next to is under `meant`.
    """
    there, objects = things.kind >= 0, len(things.kind)
    kind_noise, first_noise, second_noise, *words_noise = jnp.split(
        noise, [1, 1 + objects, 1 + 2 * objects, 8 + 2 * objects]
    )
    is_door, lock = things.kind == DOOR, (things.kind == DOOR) & (things.door == LOCKED)
    needed = (things.kind == KEY) & _has_color_of(things, lock)
    movable = there & ~is_door & ~needed
    goals = movable | (is_door & params.doors_meant)
    doors = jnp.where(params.locked_meant, lock, is_door) & (target == ANY)
    able = [jnp.any(mask & free) for mask in (goals, movable, doors)]
    weights = jnp.asarray(params.clauses) * jnp.stack([*able, able[1] & (jnp.sum(movable) > 1)])
    kind = _pick(kind_noise[0], jnp.where(jnp.sum(weights) > 0, weights, jnp.array([1.0, 0, 0, 0])))
    sets = jnp.where(kind == GO_TO, goals, jnp.where(kind == OPEN_IT, doors, movable)) & free
    index = jnp.arange(objects)
    first_index = jnp.where(target == ANY, _choose(first_noise, sets), target)
    first, first_words = _describe(words_noise[0], params, things, first_index, kind != PICK_UP)
    others = goals & meant & (index != first_index) & ~first
    second_index = _choose(second_noise, others)
    second, second_words = _describe(words_noise[1], params, things, second_index, True)
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
    noise: jax.Array, params: Params, things: Things, index: jax.Array, doors: jax.typing.ArrayLike
) -> tuple[Bool[Array, "objects"], Description]:
    """Words for the object `index`, and all the objects they fit."""
    chance = noise[:3]
    is_door = things.kind[index] == DOOR
    by_kind = (chance[0] < params.by_kind) | is_door | doors
    by_color = (chance[1] < params.by_color) | ~by_kind
    places = _places(things, params)
    by_place = (chance[2] < params.by_place) & jnp.any(places[index])
    place = jnp.where(by_place, _choose(noise[3:], places[index]), -1)
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
