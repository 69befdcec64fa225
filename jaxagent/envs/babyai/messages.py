"""What is said: the facts of the first message, of an observation, and of an objection."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxagent.envs.babyai.assignment import Clause, Description
from jaxagent.envs.babyai.state import (
    AFTER,
    BEFORE,
    BOX,
    DOOR,
    FAILURE,
    GO_TO,
    OPEN_IT,
    PICK_UP,
    PUT_NEXT,
    SUCCESS,
    Mission,
    State,
)
from jaxagent.envs.babyai.view import COLUMN, View
from jaxagent.text import Schema, only_if

_VERBS = {GO_TO: "GO_TO", PICK_UP: "PICK_UP", OPEN_IT: "OPEN", PUT_NEXT: "PUT"}


def mission_facts(schema: Schema, mission: Mission, clauses: Clause) -> Int[Array, "facts row"]:
    """The mission in words: its clauses with what joins them."""
    each = [
        _clause_facts(schema, jax.tree.map(lambda leaf: leaf[place], clauses))
        for place in range(len(mission.kind))
    ]
    ordered = only_if(mission.order == BEFORE, schema.fact("THEN"))
    ordered = jnp.where(mission.order == AFTER, schema.fact("AFTER"), ordered)
    joined = [only_if(mission.kind[k] >= 0, schema.fact("AND"))[None] for k in (1, 3)]
    head = schema.fact("MISSION")[None]
    return jnp.concatenate(
        [head, each[0], joined[0], each[1], ordered[None], each[2], joined[1], each[3]]
    )


def observation(schema: Schema, state: State, view: View) -> Int[Array, "facts row"]:
    """What is seen, what is straight ahead, and what is carried: K + 2 facts."""
    nothing = schema.fact("SEES_NOTHING")
    seen = only_if(view.there, _sightings(schema, view))
    seen = seen.at[0].set(jnp.where(view.there[0], seen[0], nothing))
    wall, box = schema.concept("noun", "wall"), schema.first_of("kind") + BOX
    boxed = (view.box > 0) & ((view.wall == 0) | (view.box < view.wall))
    distance = jnp.where(boxed, view.box, view.wall)
    ahead = only_if(distance > 0, schema.fact("FACES", jnp.where(boxed, box, wall), distance))
    return jnp.concatenate([seen, ahead[None], _hands(schema, state)[None]])


def outcome(schema: Schema, state: State) -> Int[Array, "row"]:
    """Whether the mission is over."""
    lost = only_if(state.progress.status == FAILURE, schema.fact("FAILED"))
    return jnp.where(state.progress.status == SUCCESS, schema.fact("COMPLETED"), lost)


def objection(schema: Schema, error: jax.Array, command: jax.Array) -> Int[Array, "row"]:
    """The fact of type `error`, which is about what `command` names."""
    named = error == schema.fact_id("NO_PATH")
    rest = jnp.where(named & (jnp.arange(len(command)) <= 3), command, -1)
    return jnp.concatenate([error[None], rest[1:]]).astype(jnp.int32)


def _sightings(schema: Schema, view: View) -> Int[Array, "seen row"]:
    """One row for every entry of the view."""
    hand = schema.first_of("hand") + 1 + jnp.sign(view.side)
    columns = [
        jnp.full_like(view.color, schema.fact_id("SEES")),
        schema.first_of("color") + view.color,
        schema.first_of("kind") + view.thing,
        view.number,
        view.ahead,
        schema.first_of("side") + COLUMN + view.side,
        jnp.abs(view.side),
        hand,
    ]
    return jnp.stack(columns, axis=1).astype(jnp.int32)


def _hands(schema: Schema, state: State) -> Int[Array, "row"]:
    carried = jnp.arange(len(state.kind)) == state.agent.carries
    kind = jnp.sum(jnp.where(carried, state.kind, 0), dtype=jnp.int32)
    color = jnp.sum(jnp.where(carried, state.color, 0), dtype=jnp.int32)
    held = schema.fact("CARRIES", schema.first_of("color") + color, schema.first_of("kind") + kind)
    return jnp.where(state.agent.carries >= 0, held, schema.fact("HANDS_EMPTY"))


def _clause_facts(schema: Schema, clause: Clause) -> Int[Array, "6 row"]:
    """Verb, description, place, and for "put" the other description and place."""
    head = schema.fact("NOTHING")
    for kind, name in _VERBS.items():
        head = jnp.where(clause.kind == kind, schema.fact(name), head)
    first = only_if(clause.kind >= 0, _described(schema, clause.first_words))
    second = jnp.concatenate(
        [schema.fact("NEXT_TO")[None], _described(schema, clause.second_words)]
    )
    return jnp.concatenate([head[None], first, only_if(clause.kind == PUT_NEXT, second)])


def _described(schema: Schema, words: Description) -> Int[Array, "2 row"]:
    article = schema.first_of("article") + words.many
    thing = schema.first_of("kind") + words.kind
    nouns = schema.concept("noun", "door"), schema.concept("noun", "object")
    noun = jnp.where(words.kind == DOOR, nouns[0], jnp.where(words.kind < 0, nouns[1], thing))
    color = schema.first_of("color") + words.color
    plain = schema.fact("THING", article, noun)
    colored = schema.fact("COLORED_THING", article, color, noun)
    place = schema.fact("LOCATED", schema.first_of("place") + words.place)
    return jnp.stack([jnp.where(words.color < 0, plain, colored), only_if(words.place >= 0, place)])
