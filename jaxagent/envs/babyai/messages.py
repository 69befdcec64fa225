"""What is said: the facts of the first message, of an observation, and of an objection."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxagent.envs.babyai.assignment import Clause, Description
from jaxagent.envs.babyai.state import AFTER, ALONE, BOX, DOOR, PUT_NEXT, Mission, State
from jaxagent.envs.babyai.view import COLUMN, View
from jaxagent.envs.babyai.words import plain_facts, rows
from jaxagent.text import Schema, only_if

_VERBS = ("NOTHING", "GO_TO", "PICK_UP", "OPEN", "PUT")
"""Facts that begin a clause, by its kind plus one."""


def mission_facts(schema: Schema, mission: Mission, clauses: Clause) -> Int[Array, "facts row"]:
    """The mission in words: its clauses with what joins them, and its end, 29 facts."""
    each = jax.vmap(lambda clause: _clause_facts(schema, clause))(clauses)
    names = "MISSION", "AND", "THEN", "AFTER", "MISSION_END"
    head, joined, then, after, end = plain_facts(schema, *names)
    ordered = only_if(mission.order != ALONE, jnp.where(mission.order == AFTER, after, then))
    joined = only_if(mission.kind[1::2] >= 0, jnp.stack([joined, joined]))
    first = [head[None], each[0], joined[:1], each[1]]
    second = [ordered[None], each[2], joined[1:], each[3], end[None]]
    return jnp.concatenate(first + second)


def observation(schema: Schema, state: State, view: View) -> Int[Array, "facts row"]:
    """What is seen, what is straight ahead, and what is carried: K + 2 facts."""
    seen = only_if(view.there, _sightings(schema, view))
    nothing = (jnp.arange(len(seen)) == 0) & ~view.there
    seen = jnp.where(nothing[:, None], plain_facts(schema, "SEES_NOTHING"), seen)
    wall, box = schema.concept("noun", "wall"), schema.first_of("kind") + BOX
    boxed = (view.box > 0) & ((view.wall == 0) | (view.box < view.wall))
    distance = jnp.where(boxed, view.box, view.wall)
    barrier = rows(schema, schema.fact_id("FACES"), jnp.where(boxed, box, wall), distance)
    ahead = only_if(distance > 0, barrier)
    return jnp.concatenate([seen, ahead[None], _hands(schema, state)[None]])


def outcome(schema: Schema, state: State) -> Int[Array, "row"]:
    """Whether the mission is over."""
    return jnp.asarray(plain_facts(schema, "NOTHING", "COMPLETED", "FAILED"))[state.progress.status]


def objection(schema: Schema, error: jax.Array, command: jax.Array) -> Int[Array, "row"]:
    """The fact of type `error`, which is about what `command` names."""
    named = error == schema.fact_id("NO_PATH")
    rest = jnp.where(named & (jnp.arange(len(command)) <= 3), command, -1)
    return jnp.concatenate([error[None], rest[1:]]).astype(jnp.int32)


def _sightings(schema: Schema, view: View) -> Int[Array, "seen row"]:
    """One row for every entry of the view."""
    hand = schema.first_of("hand") + 1 + jnp.sign(view.side)
    return rows(
        schema,
        schema.fact_id("SEES"),
        schema.first_of("color") + view.color,
        schema.first_of("kind") + view.thing,
        view.number,
        view.ahead,
        schema.first_of("side") + COLUMN + view.side,
        jnp.abs(view.side),
        hand,
    )


def _hands(schema: Schema, state: State) -> Int[Array, "row"]:
    carried = jnp.arange(len(state.kind)) == state.agent.carries
    kind = jnp.sum(jnp.where(carried, state.kind, 0), dtype=jnp.int32)
    color = jnp.sum(jnp.where(carried, state.color, 0), dtype=jnp.int32)
    color, kind = schema.first_of("color") + color, schema.first_of("kind") + kind
    held = rows(schema, schema.fact_id("CARRIES"), color, kind)
    return jnp.where(state.agent.carries >= 0, held, plain_facts(schema, "HANDS_EMPTY")[0])


def _clause_facts(schema: Schema, clause: Clause) -> Int[Array, "6 row"]:
    """Verb, description, place, and for "put" the other description and place."""
    head = jnp.asarray(plain_facts(schema, *_VERBS))[clause.kind + 1]
    first = only_if(clause.kind >= 0, _described(schema, clause.first_words))
    beside = plain_facts(schema, "NEXT_TO")
    second = jnp.concatenate([beside, _described(schema, clause.second_words)])
    return jnp.concatenate([head[None], first, only_if(clause.kind == PUT_NEXT, second)])


def _described(schema: Schema, words: Description) -> Int[Array, "2 row"]:
    article = schema.first_of("article") + words.many
    thing = schema.first_of("kind") + words.kind
    nouns = schema.concept("noun", "door"), schema.concept("noun", "object")
    noun = jnp.where(words.kind == DOOR, nouns[0], jnp.where(words.kind < 0, nouns[1], thing))
    color = schema.first_of("color") + words.color
    plain = rows(schema, schema.fact_id("THING"), article, noun)
    colored = rows(schema, schema.fact_id("COLORED_THING"), article, color, noun)
    located = rows(schema, schema.fact_id("LOCATED"), schema.first_of("place") + words.place)
    thing = jnp.where(words.color < 0, plain, colored)
    return jnp.stack([thing, only_if(words.place >= 0, located)])
