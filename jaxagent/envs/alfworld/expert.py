"""The experts: one that searches, and knows only what it has seen, and one that knows it all."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32

from jaxagent.envs.alfworld.affordances import CAN_CONTAIN
from jaxagent.envs.alfworld.quests import APPLIANCE
from jaxagent.envs.alfworld.rows import place_names, rows, thing_names
from jaxagent.envs.alfworld.rules import delivered, has_mark, is_exposed
from jaxagent.envs.alfworld.state import CHILL, HELD, LIGHT, PLACES, WARM, WASH, State
from jaxagent.envs.alfworld.words import CLEAN, COOL, GO, HEAT, OPEN, PUT, TAKE, USE


class _Step(NamedTuple):
    """What to do next: go somewhere and do something there.

    Attributes:
        place: the receptacle.
        thing: the thing that it is done to; any one, where the verb is `OPEN`.
        verb: what to do there.
        needs_open: whether the receptacle has to be open for it.
    """

    place: Int[Array, ""]
    thing: Int[Array, ""]
    verb: Int[Array, ""]
    needs_open: Bool[Array, ""]


def advise(state: State) -> Int32[Array, "row"]:
    """The searching expert's command.

    It looks into receptacles that may hold what it needs, those without doors first, and
    remembers what it saw (`State.seen`) and did; of all else in the state it makes no use.
    """
    held, is_holding = _first(state.where == HELD)
    is_useful = is_holding & (state.thing_type[held] == state.target)
    finish = _use_held(state, held)
    drop = _Step(_where_to_drop(state, held), held, jnp.int32(PUT), jnp.bool_(True))
    step = _choose(is_useful, finish, _choose(is_holding, drop, _fetch(state)))
    return _spell(state, step)


def advise_knowing(state: State) -> Int32[Array, "row"]:
    """The command of an expert that knows where everything is."""
    return advise(state.replace(seen=jnp.ones_like(state.seen)))


def _spell(state: State, step: _Step) -> Int32[Array, "row"]:
    """The command for the first part of `step` that is still to be done."""
    place, thing = place_names(state)[step.place], thing_names(state)[step.thing]
    is_shut = step.needs_open & ~is_exposed(state)[step.place]
    act = rows(step.verb, thing, place)
    act = jnp.where(step.verb == USE, rows(USE, thing), act)
    act = jnp.where(is_shut | (step.verb == OPEN), rows(OPEN, place), act)
    return jnp.where(state.agent == step.place, act, rows(GO, place))


def _use_held(state: State, held: Int[Array, ""]) -> _Step:
    """What to do with a thing of the right type: treat it, bring it home, or to the light."""
    verb = sum(
        jnp.where(state.task == task, verb, 0)
        for task, verb in ((WASH, CLEAN), (WARM, HEAT), (CHILL, COOL))
    )
    appliance = jnp.argmax(state.place_type == jnp.asarray(APPLIANCE)[state.task])
    treat = _Step(appliance, held, jnp.asarray(verb), jnp.bool_(False))
    bring = _Step(_home(state), held, jnp.int32(PUT), jnp.bool_(True))
    place = _choose(has_mark(state)[held], bring, treat)
    return _choose(state.task == LIGHT, _find_light(state), place)


def _find_light(state: State) -> _Step:
    """To a lamp of the right type that was seen, or on to where one may be."""
    is_known = (state.thing_type == state.goal) & _is_known(state)
    lamp, found = _first(is_known)
    use = _Step(state.where[lamp].astype(jnp.int32), lamp, jnp.int32(USE), jnp.bool_(False))
    return _choose(found, use, _search(state, state.goal))


def _fetch(state: State) -> _Step:
    """To a thing of the right type that was seen and is not yet home, or on to where one may be."""
    home = _home(state)
    is_home = (state.where == home) & (delivered(state)[home] > 0) & has_mark(state)
    wanted = (state.thing_type == state.target) & _is_known(state) & ~is_home
    score = 2.0 * (state.where == state.agent) + has_mark(state)
    thing = jnp.argmax(jnp.where(wanted, score, -1))
    place = state.where[thing].astype(jnp.int32)
    take = _Step(place, thing, jnp.int32(TAKE), jnp.bool_(True))
    return _choose(jnp.any(wanted), take, _search(state, state.target))


def _search(state: State, kind: Int[Array, ""]) -> _Step:
    """To the receptacle not yet looked into that is most worth a look."""
    fits = _fits(state, kind)
    score = jnp.where(fits, _ease(state), 0.5 * _ease(state))
    place = jnp.argmax(jnp.where(state.seen | (state.place_type < 0), -1, score))
    return _Step(place, jnp.int32(0), jnp.int32(OPEN), jnp.bool_(False))


def _home(state: State) -> Int[Array, ""]:
    """The receptacle to bring things to: where some are already, or the easiest to fill."""
    is_goal = state.place_type == state.goal
    score = 4.0 * delivered(state) + _ease(state)
    return jnp.argmax(jnp.where(is_goal, score, -1))


def _where_to_drop(state: State, held: Int[Array, ""]) -> Int[Array, ""]:
    """Where to put a thing that is of no use: here, or else where it is easiest."""
    fits = _fits(state, state.thing_type[held])
    return jnp.argmax(jnp.where(fits, _ease(state), -1))


def _ease(state: State) -> Float[Array, "places"]:
    """1 where the agent is, less for what is farther, and still less for what is closed."""
    away = jnp.arange(PLACES) != state.agent
    return 1 - 0.1 * away - 0.2 * ~is_exposed(state)


def _fits(state: State, kind: Int[Array, ""]) -> Bool[Array, "places"]:
    """The receptacles that may hold things of a type."""
    return jnp.asarray(CAN_CONTAIN)[state.place_type, kind] & (state.place_type >= 0)


def _is_known(state: State) -> Bool[Array, "things"]:
    """The things that lie where the agent has looked."""
    return jnp.any((state.where == jnp.arange(PLACES)[:, None]) & state.seen[:, None], axis=0)


def _first(where: Bool[Array, " n"]) -> tuple[Int[Array, ""], Bool[Array, ""]]:
    """The first place under the mask, and whether there is one."""
    return jnp.argmax(where), jnp.any(where)


def _choose(condition: Bool[Array, ""], first: _Step, second: _Step) -> _Step:
    pairs = zip(first, second, strict=True)
    return _Step(*(jnp.where(condition, one, other) for one, other in pairs))
