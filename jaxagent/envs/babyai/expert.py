"""The expert: a planner that knows the whole grid and acts from the state as it is.

It works on the first clause that counts, in the order: clear the way (fetch the key of a locked
door, pick up what stands in the way), empty the hands where they must be empty, pass the next
door, do the thing. It prefers one macro that does it all; where the object is out of view
or the view misleads the macro, it takes a single step of a shortest way over the true grid.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxagent.envs.babyai.atlas import (
    FAR,
    NOTHING,
    Atlas,
    beside,
    cells_of,
    draw_atlas,
    droppable,
    opens,
    walkable,
)
from jaxagent.envs.babyai.board import pack, unpack
from jaxagent.envs.babyai.commands import Options, command_for, options
from jaxagent.envs.babyai.mission import counting
from jaxagent.envs.babyai.placement import leaves_ways
from jaxagent.envs.babyai.planner import free_cells, path_to
from jaxagent.envs.babyai.rules import walk
from jaxagent.envs.babyai.state import (
    DOOR,
    GO_TO,
    KEY,
    LOCKED,
    OPEN,
    OPEN_IT,
    PUT_NEXT,
    RUNNING,
    State,
)
from jaxagent.envs.babyai.steering import steer, within_reach
from jaxagent.envs.babyai.view import COLUMN, ROW, View, look
from jaxagent.text import Schema

REACH, TAKE, UNLATCH, PASS, PLACE, RELEASE = range(6)
"""What to do with an object: face it, pick it up, open it, go through it, put what is carried
next to it; or put what is carried anywhere."""


class Aim(NamedTuple):
    """What to do next, with which object, and beside which ones something may be put: bool[N]."""

    deed: Int[Array, ""]
    index: Int[Array, ""]
    partners: Bool[Array, "objects"]


def advise(schema: Schema, state: State, seen: int) -> Int[Array, "row"]:
    """The expert's command in `state`: int32[row]."""
    atlas, view = draw_atlas(state), look(state, seen)
    aim = _next_aim(state, atlas, view, _make_way(state, atlas, _wish(state, atlas)))
    macro, works = _macro(schema, state, view, options(state, view), aim)
    command = jnp.where(works, macro, _step(schema, state, atlas, aim))
    return jnp.where(state.progress.status == RUNNING, command, schema.command("check"))


def _wish(state: State, atlas: Atlas) -> Aim:
    """What the first clause that counts wants, as if nothing were in the way."""
    mission, hand = state.mission, state.agent.carries
    clause = jnp.argmax(counting(mission, state.progress.done))
    kind, first, second = mission.kind[clause], mission.first[clause], mission.second[clause]
    held = (hand >= 0) & first[jnp.maximum(hand, 0)]
    moving = (kind == PUT_NEXT) & held
    shut = first & (state.door != OPEN)
    first = jnp.where((kind == OPEN_IT) & jnp.any(shut), shut, first)
    second = jnp.where(jnp.any(second & atlas.spot), second & atlas.spot, second)
    partner = _cheapest(atlas, second)
    goal = jnp.where(moving, partner, _cheapest(atlas, first))
    barred = (atlas.problem[partner] != NOTHING) | ~atlas.spot[partner]
    detour = (kind == PUT_NEXT) & ~held & barred & (atlas.cost[partner] < FAR)
    deed = jnp.where(kind == GO_TO, REACH, jnp.where(kind == OPEN_IT, UNLATCH, TAKE))
    deed = jnp.where(moving | detour, PLACE, deed)
    lost = (hand >= 0) & (atlas.cost[goal] == FAR)
    return Aim(jnp.where(lost, RELEASE, deed), jnp.where(detour, partner, goal), second)


def _make_way(state: State, atlas: Atlas, aim: Aim) -> Aim:
    """What to unlock or to pick up before `aim` can be reached, else `aim` itself."""
    deed, index, partners = aim
    barred = (deed == UNLATCH) & (state.door[index] == LOCKED)
    barred |= (deed == PLACE) & ~atlas.spot[index]
    problem = jnp.where(barred, index, NOTHING)
    problem = jnp.where(atlas.problem[index] == NOTHING, problem, atlas.problem[index])
    problem = jnp.where(deed == RELEASE, NOTHING, problem)
    for _ in range(3):
        at = jnp.minimum(problem, len(state.kind) - 1)
        known, locked, fits = problem != NOTHING, state.kind[at] == DOOR, opens(state)[at]
        key = _cheapest(atlas, (state.kind == KEY) & (state.color == state.color[at]))
        index = jnp.where(known, jnp.where(locked & ~fits, key, at), index)
        deed = jnp.where(known, jnp.where(locked & fits, UNLATCH, TAKE), deed)
        problem = jnp.where(known & locked & ~fits, atlas.problem[key], NOTHING)
    return Aim(deed, index, partners)


def _next_aim(state: State, atlas: Atlas, view: View, aim: Aim) -> Aim:
    """The next door on the way if there is one; empty hands if something is to be picked up."""
    gate = atlas.gate[aim.index]
    door = jnp.minimum(gate, len(state.kind) - 1)
    in_view = jnp.any(view.there & (view.index == aim.index)) & (state.door[door] == OPEN)
    here = (gate == NOTHING) | (in_view & (aim.deed != PLACE))
    full = (aim.deed == TAKE) & (state.agent.carries >= 0)
    deed = jnp.where(full, RELEASE, aim.deed)
    deed = jnp.where(here | (deed == RELEASE), deed, PASS)
    return Aim(deed, jnp.where(deed == PASS, door, aim.index), aim.partners)


def _cheapest(atlas: Atlas, mask: Bool[Array, "objects"]) -> Int[Array, ""]:
    """The object under `mask` that is cheapest to get to."""
    return jnp.argmin(jnp.where(mask, atlas.cost, FAR + 1))


def _macro(
    schema: Schema, state: State, view: View, open_to: Options, aim: Aim
) -> tuple[Int[Array, "row"], Bool[Array, ""]]:
    """The macro for `aim`, and whether it is listed and leads where it promises."""
    match = view.there & (view.index == aim.index)
    slot = jnp.argmax(match)
    ajar = state.door[aim.index] == OPEN
    faced = (view.ahead[slot] == 1) & (view.side[slot] == 0)
    shut_door = (aim.deed == UNLATCH) | (aim.deed == PASS)
    command = command_for(schema, view, open_to, "go_to", slot)
    works = open_to.go_to[slot] & ~faced & ((aim.deed == REACH) | (aim.deed == UNLATCH))
    choices = (
        ("pickup", aim.deed == TAKE, open_to.pickup[slot]),
        ("go_through", (aim.deed == PASS) & ajar, open_to.through[slot]),
        ("toggle_and_go_through", shut_door & ~ajar, open_to.toggle_through[slot]),
    )
    for name, chosen, listed in choices:
        command = jnp.where(chosen, command_for(schema, view, open_to, name, slot), command)
        works = jnp.where(chosen, listed, works)
    row, column = ROW - view.ahead[slot], COLUMN + view.side[slot]
    onto = (aim.deed == PASS) & ajar
    path = path_to(free_cells(view, state.agent.direction), row, column, onto)
    after, walked = walk(state, path._replace(length=jnp.maximum(path.length, 0)))
    works &= jnp.any(match) & (path.length >= 0) & (walked | (after.progress.status != RUNNING))
    unlatch = (aim.deed == UNLATCH) & faced & jnp.any(match)
    return jnp.where(unlatch, schema.command("toggle"), command), works | unlatch


def _step(schema: Schema, state: State, atlas: Atlas, aim: Aim) -> Int[Array, "row"]:
    """One primitive towards `aim`."""
    names = ("left", "right", "forward")
    commands = jnp.stack([schema.command(name) for name in names])
    targets = _targets(state, atlas, aim)
    ground = walkable(state, atlas.at)
    action, faced = steer(state.agent, ground, targets, state.position[aim.index])
    putting = (aim.deed == PLACE) | (aim.deed == RELEASE)
    halt = jnp.where(putting, schema.command("drop"), commands[1])
    return jnp.where(faced, halt, commands[action])


def _targets(state: State, atlas: Atlas, aim: Aim) -> Bool[Array, "size size"]:
    """The cells that it takes to face: the object's, or those to put something into."""
    here = cells_of(state, jnp.arange(len(state.kind)) == aim.index)
    empty = droppable(state, atlas.at)
    solid = cells_of(state, state.kind != DOOR)
    taken, passable = pack(jnp.stack([solid, ~state.walls & ~solid]), jnp.uint32)
    tidy = empty & unpack(leaves_ways(taken, passable))
    near = within_reach(state.agent, walkable(state, atlas.at))
    anywhere = jnp.where(jnp.any(tidy & near), tidy & near, empty)
    put = empty & beside(cells_of(state, aim.partners))
    return jnp.where(aim.deed == PLACE, put, jnp.where(aim.deed == RELEASE, anywhere, here))
