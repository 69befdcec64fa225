"""Macro commands: which ones are open to the agent, and what each of them stands for."""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxagent.envs.babyai.planner import Path, free_cells, path_to, reachable, touched
from jaxagent.envs.babyai.rules import NO_ACTION
from jaxagent.envs.babyai.state import (
    CLOSED,
    DOOR,
    DROP,
    FORWARD,
    KEY,
    LEFT,
    LOCKED,
    OPEN,
    PICKUP,
    RIGHT,
    TOGGLE,
    State,
    settled,
)
from jaxagent.envs.babyai.view import COLUMN, ROW, View, holds_each
from jaxagent.envs.babyai.words import plain_commands, rows
from jaxagent.text import INVALID, NONE, Schema

SIMPLE = ("left", "right", "forward", "drop", "toggle")
"""Verbs that are one primitive action."""

_ACTIONS = (LEFT, RIGHT, FORWARD, DROP, TOGGLE)
_NAMED = ("pickup", "go_to", "go_through", "toggle_and_go_through")
_PICKUP, _GO_TO, _THROUGH, _TOGGLE_THROUGH = range(4)


class Options(flax.struct.PyTreeNode):
    """What can be done with every visible object.

    Attributes:
        pickup, go_to, through, toggle_through: bool[K], whether the command is listed.
        rank: int32[K], number among the reachable objects of the same name; "pickup" and "go to"
            count so, whereas the observation and the commands for doors count all visible ones.
        reached: bool[K], whether there is a path.
        forward, drop, toggle: bool[], whether the simple command is listed.
    """

    pickup: Bool[Array, "seen"]
    go_to: Bool[Array, "seen"]
    through: Bool[Array, "seen"]
    toggle_through: Bool[Array, "seen"]
    rank: Int[Array, "seen"]
    reached: Bool[Array, "seen"]
    forward: Bool[Array, ""]
    drop: Bool[Array, ""]
    toggle: Bool[Array, ""]


class Plan(flax.struct.PyTreeNode):
    """A command understood: the path to a visible object and the primitives behind it.

    Attributes:
        error: int32[], type of the fact that tells what is wrong, or 0.
        slot: int32[], entry of the view that is meant.
        named: bool[], whether one is meant at all.
        onto: bool[], whether the path leads onto it.
        tail: int32[2], primitives behind the path.
    """

    error: Int[Array, ""]
    slot: Int[Array, ""]
    named: Bool[Array, ""]
    onto: Bool[Array, ""]
    tail: Int[Array, "2"]


def options(state: State, view: View) -> Options:
    """What the text version lists in `state`."""
    reached = reachable(free_cells(view, state.agent.direction))
    row, column = ROW - view.ahead, COLUMN + view.side
    faced = holds_each(touched(reached), row, column) & view.there
    entered = holds_each(reached, row, column) & view.there
    hands_free = state.agent.carries < 0
    shut = (view.thing == DOOR + CLOSED) | ((view.thing == DOOR + LOCKED) & _key_fits(state, view))
    ajar = view.thing == DOOR + OPEN
    in_front = view.there & (view.ahead == 1) & (view.side == 0)
    nearest = jnp.where(view.wall == 0, ROW + 1, view.wall)
    nearest = jnp.minimum(nearest, jnp.where(view.box == 0, ROW + 1, view.box))
    blocked = (view.wall == 1) | jnp.any(in_front & (view.thing < DOOR))
    return Options(
        pickup=faced & (view.thing < DOOR) & hands_free,
        go_to=faced,
        through=entered & ajar,
        toggle_through=faced & shut,
        rank=_rank(view, faced),
        reached=jnp.where(ajar, entered, faced),
        forward=nearest > 1,
        drop=~hands_free & ~blocked,
        toggle=jnp.any(in_front & shut),
    )


def listed(schema: Schema, view: View, open_to: Options, most: int) -> tuple[jax.Array, jax.Array]:
    """The commands in the text version's order: int32[most, row], bool[most]."""
    alone = plain_commands(schema, *SIMPLE, "check")
    left, right, forward, drop, toggle, check = alone[:, None]
    yes = jnp.ones(1, bool)
    pickups = _rows(schema, "pickup", view, open_to.rank)
    goals = _rows(schema, "go_to", view, open_to.rank)
    through = _rows(schema, "go_through", view, view.number)
    toggling = _rows(schema, "toggle_and_go_through", view, view.number)
    doors = jnp.where(open_to.through[:, None], through, toggling)
    pass_through = open_to.through | open_to.toggle_through
    blocks = [left, right, forward, pickups, drop, doors[:1], toggle, doors[1:], goals, check]
    masks = [yes, yes, open_to.forward[None], open_to.pickup, open_to.drop[None]]
    masks += [pass_through[:1], open_to.toggle[None], pass_through[1:], open_to.go_to, yes]
    return _compact(jnp.concatenate(blocks), jnp.concatenate(masks), most)


def understand(schema: Schema, state: State, view: View, command: jax.Array) -> Plan:
    """What `command` stands for in `state`, and the text version's objection if it has one."""
    open_to = settled(options(state, view))
    verb = command[0]
    simple = jnp.array([schema.verb_id(name) for name in SIMPLE])
    single = jnp.sum(jnp.where(simple == verb, jnp.array(_ACTIONS) + 1, 0)) - 1
    is_verb = [verb == schema.verb_id(name) for name in _NAMED]
    by_rank = is_verb[_PICKUP] | is_verb[_GO_TO]
    number = jnp.where(by_rank, open_to.rank, view.number)
    color, thing = command[1] - schema.first_of("color"), command[2] - schema.first_of("kind")
    same = view.there & (view.color == color) & (view.thing == thing)
    allowed = jnp.where(is_verb[_PICKUP], open_to.pickup, open_to.go_to)
    allowed = jnp.where(is_verb[_THROUGH], open_to.through, allowed)
    allowed = jnp.where(is_verb[_TOGGLE_THROUGH], open_to.toggle_through, allowed)
    match = same & (number == command[3]) & allowed
    named = jnp.any(jnp.stack(is_verb)) & jnp.any(match)
    tail = jnp.where(is_verb[_PICKUP], jnp.array([PICKUP, NO_ACTION]), NO_ACTION)
    tail = jnp.where(is_verb[_TOGGLE_THROUGH], jnp.array([TOGGLE, FORWARD]), tail)
    tail = jnp.where(single >= 0, jnp.stack([single, jnp.int32(NO_ACTION)]), tail)
    error = _objection(schema, state, view, open_to, is_verb, same & (view.number == command[3]))
    fine = named | _simple_allowed(state, view, open_to, single) | _is(schema, verb, "check")
    error = jnp.where(single >= 0, _simple_error(schema, state, single), error)
    return Plan(
        error=jnp.where(fine, 0, error),
        slot=jnp.argmax(match),
        named=named,
        onto=is_verb[_THROUGH],
        tail=tail,
    )


def path_of(state: State, view: View, plan: Plan) -> Path:
    """The path that `plan` begins with, empty for simple commands and for those in error."""
    row, column = ROW - view.ahead[plan.slot], COLUMN + view.side[plan.slot]
    free = free_cells(view, state.agent.direction)
    free = jnp.where(plan.named, free, 0).astype(jnp.uint8)
    path = path_to(free, row, column, plan.onto)
    return path._replace(length=jnp.maximum(path.length, 0))


def command_for(
    schema: Schema, view: View, open_to: Options, verb: str, slot: jax.Array
) -> jax.Array:
    """The command that applies `verb` to the visible object in `slot`: int32[row]."""
    number = open_to.rank if verb in ("pickup", "go_to") else view.number
    return _rows(schema, verb, view, number)[slot]


def _rows(schema: Schema, name: str, view: View, number: jax.Array) -> jax.Array:
    """One command for every visible object: int32[K, row]."""
    color = view.color + schema.first_of("color")
    thing = view.thing + schema.first_of("kind")
    return rows(schema, schema.verb_id(name), color, thing, number)


def _rank(view: View, reached: jax.Array) -> Int[Array, "seen"]:
    same = (view.color[:, None] == view.color) & (view.thing[:, None] == view.thing)
    return jnp.sum(jnp.tril(same & reached[None, :]), axis=1)


def _key_fits(state: State, view: View) -> Bool[Array, "seen"]:
    return _carried(state, state.kind, KEY) & (view.color == _carried_color(state))


def _carried(state: State, values: jax.Array, value: int) -> Bool[Array, ""]:
    carried = jnp.arange(len(values)) == state.agent.carries
    return jnp.any(carried & (values == value))


def _carried_color(state: State) -> Int[Array, ""]:
    carried = jnp.arange(len(state.color)) == state.agent.carries
    return jnp.sum(jnp.where(carried, state.color, 0), dtype=jnp.int32)


def _compact(block: jax.Array, mask: jax.Array, most: int) -> tuple[jax.Array, jax.Array]:
    """The rows under `mask` moved together, without a sort or a scatter."""
    count = jnp.cumsum(mask)
    place = jnp.sum(count[None, :] <= jnp.arange(most)[:, None], axis=1)
    there = jnp.arange(most) < count[-1]
    empty = jnp.where(jnp.arange(block.shape[1]) == 0, INVALID, NONE)
    return jnp.where(there[:, None], block[jnp.minimum(place, len(block) - 1)], empty), there


def _is(schema: Schema, verb: jax.Array, name: str) -> Bool[Array, ""]:
    return verb == schema.verb_id(name)


def _simple_allowed(state: State, view: View, open_to: Options, single: jax.Array) -> jax.Array:
    """Whether a one-primitive command is obeyed: if listed, and any door may be toggled.

    The text version cannot close a door, so that a mission to open one that is open already
    would be lost; here `toggle` is obeyed in front of an open door although it is not listed.
    """
    at_door = view.there & (view.ahead == 1) & (view.side == 0) & (view.thing == DOOR + OPEN)
    allowed = (single == LEFT) | (single == RIGHT) | ((single == FORWARD) & open_to.forward)
    allowed |= (single == DROP) & open_to.drop
    return allowed | ((single == TOGGLE) & (open_to.toggle | jnp.any(at_door)))


def _simple_error(schema: Schema, state: State, single: jax.Array) -> jax.Array:
    empty = jnp.where(state.agent.carries < 0, *_ids(schema, "NOTHING_TO_DROP", "CANNOT_DROP"))
    forward = schema.fact_id("BARRIER")
    return jnp.where(
        single == DROP, empty, jnp.where(single == FORWARD, forward, schema.fact_id("UNKNOWN"))
    )


def _objection(
    schema: Schema,
    state: State,
    view: View,
    open_to: Options,
    is_verb: list[jax.Array],
    meant: jax.Array,
) -> jax.Array:
    """Why a command that names an object cannot be obeyed: int32[] type of a fact."""
    seen = jnp.any(meant)
    thing = jnp.max(jnp.where(meant, view.thing, -1))
    unknown, no_path, closed, no_key, wrong = _ids(
        schema, "UNKNOWN", "NO_PATH", "DOOR_CLOSED", "NO_KEY", "WRONG_KEY"
    )
    locked = jnp.where(_carried(state, state.kind, KEY), wrong, no_key)
    locked = jnp.where(jnp.any(meant & _key_fits(state, view)), no_path, locked)
    toggling = jnp.where(thing == DOOR + LOCKED, locked, no_path)
    toggling = jnp.where(thing == DOOR + OPEN, unknown, toggling)
    entering = jnp.where(thing == DOOR + OPEN, no_path, unknown)
    entering = jnp.where(thing == DOOR + CLOSED, closed, entering)
    reason = jnp.where(is_verb[_TOGGLE_THROUGH], toggling, no_path)
    reason = jnp.where(is_verb[_THROUGH], entering, reason)
    full = is_verb[_PICKUP] & (state.agent.carries >= 0)
    return jnp.where(seen & ~full & jnp.any(jnp.stack(is_verb)), reason, unknown)


def _ids(schema: Schema, *names: str) -> tuple[int, ...]:
    return tuple(schema.fact_id(name) for name in names)
