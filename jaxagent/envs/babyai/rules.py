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
    settled,
    wall_at,
)

NO_ACTION = -1


def primitive(state: State, action: jax.Array) -> tuple[State, Bool[Array, ""]]:
    """`state` after one primitive action, and whether the action had an effect.

    The rules are MiniGrid's `step` and BabyAI's verifier, but for the step limit, which is left
    to the caller. Nothing happens for `NO_ACTION` or when the episode is over.
    """
    asked = (action != NO_ACTION) & (state.progress.status == RUNNING)
    cell = front(state.agent)
    cell, here = settled((cell, objects_at(state.position, cell)))
    index, empty = jnp.arange(len(here)), ~wall_at(state.walls, cell) & ~jnp.any(here)
    hand = index == state.agent.carries
    taken = here & (state.kind != DOOR) & (action == PICKUP) & ~jnp.any(hand)
    put = hand & empty & (action == DROP)
    used = here & (action == TOGGLE)
    emptied = used & (state.kind == BOX)
    shown = jnp.any((index == state.content[:, None]) & emptied[:, None], axis=0)
    position = jnp.where((taken | emptied)[:, None], jnp.int8(NOWHERE), state.position)
    position = jnp.where((put | shown)[:, None], cell, position)
    door = jnp.where(used, _turned(state, hand), state.door)
    carries = jnp.where(jnp.any(put), -1, jnp.max(jnp.where(hand | taken, index, -1)))
    agent, moves = move_agent(state, state.agent, action)
    after = state.replace(
        position=position,
        # The mission learns at a drop where things are.
        recorded=jnp.where(action == DROP, position, state.recorded),
        door=door,
        agent=agent.replace(carries=carries.astype(jnp.int8)),
        progress=state.progress.replace(steps=state.progress.steps + jnp.int16(1)),
    )
    effect = moves | jnp.any(taken | put | emptied | (door != state.door))
    after = after.replace(progress=settled(verify(after, action)))
    pick = lambda new, old: new if new is old else jnp.where(asked, new, old)  # noqa: E731
    return jax.tree.map(pick, after, state), asked & effect


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


def _turned(state: State, hand: Bool[Array, "objects"]) -> Int[Array, "objects"]:
    """int8[N]: the doors after their use: open ones shut, others open, locked ones by their key."""
    key = jnp.sum(jnp.where(hand & (state.kind == KEY), state.color + 1, 0)) - 1
    opens = (state.door == CLOSED) | ((state.door == LOCKED) & (state.color == key))
    turned = jnp.where(state.door == OPEN, CLOSED, jnp.where(opens, OPEN, state.door))
    return jnp.where(state.kind == DOOR, turned, state.door).astype(jnp.int8)
