"""What actions do: MiniGrid's primitive actions, and macros made of them.

A macro is a path (turns and steps inside the view) and up to two primitives behind it. It stops
at the first primitive that has no effect, and as soon as the mission is over.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxagent.envs.babyai.mission import verify, verify_move
from jaxagent.envs.babyai.planner import Path
from jaxagent.envs.babyai.state import (
    BOX,
    CLOSED,
    DOOR,
    DROP,
    FORWARD,
    KEY,
    LEFT,
    LOCKED,
    NOWHERE,
    OPEN,
    PICKUP,
    RIGHT,
    RUNNING,
    TOGGLE,
    Agent,
    State,
    front,
    objects_at,
    wall_at,
)

NO_ACTION = -1


def primitive(state: State, action: jax.Array) -> tuple[State, Bool[Array, ""]]:
    """`state` after one primitive action, and whether the action had an effect.

    The rules are MiniGrid's `step` and BabyAI's verifier, but for the step limit, which is left
    to the caller. Nothing happens for `NO_ACTION` or when the episode is over.
    """
    asked = (action != NO_ACTION) & (state.progress.status == RUNNING)
    after = _drop(_toggle(_pick_up(_move(state, action), action), action), action)
    effect = _changed(state, after)
    progress = after.progress.replace(steps=state.progress.steps + jnp.int16(1))
    after = after.replace(progress=progress)
    after = after.replace(progress=verify(after, action))
    return _where(asked, after, state), asked & effect


def execute(state: State, path: Path, tail: Int[Array, "tail"]) -> tuple[State, Bool[Array, ""]]:
    """`state` after the macro, and whether all of it was carried out.

    Args:
        state: the state before.
        path: turns and steps.
        tail: int[2], further primitives, `NO_ACTION` for none.
    """

    def act(carry: tuple[State, jax.Array], action: jax.Array) -> tuple[tuple, None]:
        state, going = carry
        after, effect = primitive(state, jnp.where(going, action, NO_ACTION))
        return (after, going & (effect | (action == NO_ACTION))), None

    return jax.lax.scan(act, walk(state, path), tail)[0]


def walk(state: State, path: Path) -> tuple[State, Bool[Array, ""]]:
    """`state` after the turns and steps of `path`, and whether all of it was walked."""

    def unfinished(carry: tuple) -> jax.Array:
        taken, _, progress, blocked = carry
        return (taken < path.length) & ~blocked & (progress.status == RUNNING)

    def move(carry: tuple) -> tuple:
        taken, agent, progress, _ = carry
        action = jnp.sum(jnp.where(jnp.arange(len(path.actions)) == taken, path.actions, 0))
        agent, effect = move_agent(state, agent, action)
        progress = progress.replace(steps=progress.steps + jnp.int16(1))
        return taken + 1, agent, verify_move(state, agent, progress), ~effect

    carry = (jnp.int32(0), state.agent, state.progress, jnp.bool_(False))
    taken, agent, progress, blocked = jax.lax.while_loop(unfinished, move, carry)
    return state.replace(agent=agent, progress=progress), (taken >= path.length) & ~blocked


def move_agent(state: State, agent: Agent, action: jax.Array) -> tuple[Agent, Bool[Array, ""]]:
    """`agent` after a turn or a step among the objects of `state`, and whether it moved at all."""
    turn = (action == RIGHT).astype(jnp.int8) - (action == LEFT).astype(jnp.int8)
    steps = (action == FORWARD) & enterable(state, front(agent))
    position = jnp.where(steps, front(agent), agent.position)
    direction = (agent.direction + turn) % jnp.int8(4)
    return agent.replace(position=position, direction=direction), steps | (turn != 0)


def enterable(state: State, cell: Int[Array, "2"]) -> Bool[Array, ""]:
    """Whether the agent may step on `cell`: no wall, and no object but an open door."""
    solid = (state.kind != DOOR) | (state.door != OPEN)
    return ~wall_at(state.walls, cell) & ~jnp.any(objects_at(state.position, cell) & solid)


def reward(state: State) -> jax.Array:
    """float32[]: 1 - 0.9 steps / max_steps, MiniGrid's reward of a success, never below 0.1."""
    share = state.progress.steps.astype(jnp.float32) / state.max_steps.astype(jnp.float32)
    return 1.0 - 0.9 * jnp.minimum(share, 1.0)


def _move(state: State, action: jax.Array) -> State:
    agent, _ = move_agent(state, state.agent, action)
    return state.replace(agent=agent)


def _pick_up(state: State, action: jax.Array) -> State:
    """An empty hand takes the key, ball or box in front."""
    there = objects_at(state.position, front(state.agent)) & (state.kind != DOOR)
    taken = there & (action == PICKUP) & (state.agent.carries < 0)
    index = jnp.argmax(taken).astype(jnp.int8)
    carries = jnp.where(jnp.any(taken), index, state.agent.carries)
    position = jnp.where(taken[:, None], jnp.int8(NOWHERE), state.position)
    return state.replace(position=position, agent=state.agent.replace(carries=carries))


def _drop(state: State, action: jax.Array) -> State:
    """What is carried goes to the empty cell in front; the mission looks where things are now."""
    cell = front(state.agent)
    empty = ~wall_at(state.walls, cell) & ~jnp.any(objects_at(state.position, cell))
    carried = jnp.arange(state.kind.shape[0]) == state.agent.carries
    put = carried & empty & (action == DROP)
    position = jnp.where(put[:, None], cell, state.position)
    carries = jnp.where(jnp.any(put), jnp.int8(-1), state.agent.carries)
    recorded = jnp.where(action == DROP, position, state.recorded)
    agent = state.agent.replace(carries=carries)
    return state.replace(position=position, recorded=recorded, agent=agent)


def _toggle(state: State, action: jax.Array) -> State:
    """Opens or closes the door in front, unlocks it with its key, or empties the box there."""
    cell = front(state.agent)
    here = objects_at(state.position, cell) & (action == TOGGLE)
    hand = jnp.arange(state.kind.shape[0]) == state.agent.carries
    key = jnp.sum(jnp.where(hand & (state.kind == KEY), state.color + 1, 0)) - 1
    fits = state.color == key
    opens = here & (state.kind == DOOR) & ((state.door == CLOSED) | ((state.door == LOCKED) & fits))
    closes = here & (state.kind == DOOR) & (state.door == OPEN)
    door = jnp.where(opens, OPEN, jnp.where(closes, CLOSED, state.door)).astype(jnp.int8)
    box = here & (state.kind == BOX)
    inside = jnp.any((jnp.arange(len(box)) == state.content[:, None]) & box[:, None], axis=0)
    position = jnp.where(box[:, None], jnp.int8(NOWHERE), state.position)
    position = jnp.where(inside[:, None], cell, position)
    return state.replace(door=door, position=position)


def _changed(before: State, after: State) -> Bool[Array, ""]:
    same = [jnp.all(a == b) for a, b in zip(_facts(before), _facts(after), strict=True)]
    return ~jnp.all(jnp.stack(same))


def _facts(state: State) -> tuple[jax.Array, ...]:
    agent = state.agent
    return agent.position, agent.direction, agent.carries, state.position, state.door


def _where(condition: jax.Array, new: State, old: State) -> State:
    """The parts that actions change, from `new` where `condition` holds."""
    pick = lambda a, b: jnp.where(condition, a, b)  # noqa: E731
    return jax.tree.map(pick, new, old)
