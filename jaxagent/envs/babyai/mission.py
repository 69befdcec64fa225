"""The verifier: which clauses an action has fulfilled, and whether the mission is over.

The rules are those of BabyAI (Chevalier-Boisvert et al., 2019) as MiniGrid implements them:
sets of objects are fixed at the start; "go to" compares the faced cell with recorded positions,
which a drop refreshes; "pick up" wants empty hands before; "put next to" counts at a drop and
"open" at a toggle only; a clause that has counted stays done; of two ordered parts the second
one counts only from the action on that completed the first.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from jaxagent.envs.babyai.state import (
    AFTER,
    ALONE,
    DOOR,
    DROP,
    FAILURE,
    GO_TO,
    OPEN,
    OPEN_IT,
    PICK_UP,
    PICKUP,
    PUT_NEXT,
    RUNNING,
    SUCCESS,
    TOGGLE,
    Agent,
    Mission,
    Progress,
    State,
    front,
    objects_at,
    settled,
)

_SECOND_PART = np.arange(4) >= 2


def verify(state: State, action: jax.Array) -> Progress:
    """The progress after `action`, given the state that it led to."""
    gone, taken, put, opened = _events(state, action)
    kind = state.mission.kind
    hit = ((kind == GO_TO) & gone) | ((kind == PICK_UP) & taken)
    hit |= ((kind == PUT_NEXT) & put) | ((kind == OPEN_IT) & opened)
    hit, wrong = settled((hit, _wrong(state, action) & ~hit))
    return _advance(state.mission, state.progress, state.agent, hit, wrong)


def verify_move(state: State, agent: Agent, progress: Progress) -> Progress:
    """The progress after a turn or a move to the pose of `agent`: only "go to" can be fulfilled."""
    gone = _any(state.mission.first & objects_at(state.recorded, front(agent)))
    hit = (state.mission.kind == GO_TO) & gone
    return _advance(state.mission, progress, agent, hit, jnp.zeros_like(hit))


def counting(mission: Mission, done: Bool[Array, "4"]) -> Bool[Array, "4"]:
    """Clauses that count now: those of the first part in order, then those of the other."""
    later = (mission.order == AFTER) ^ _SECOND_PART
    open_clauses = (mission.kind >= 0) & ~done
    first_done = ~jnp.any(open_clauses & ~later)
    return open_clauses & (~later | ((mission.order != ALONE) & first_done))


def _events(state: State, action: jax.Array) -> tuple[jax.Array, ...]:
    """For every clause, whether its objects were gone to, taken, put down or opened: bool[4]."""
    faced, carries = settled(front(state.agent)), state.agent.carries
    index = jnp.arange(state.kind.shape[0])
    first, before = state.mission.first, state.progress.carried
    gone = _any(first & objects_at(state.recorded, faced))
    taken = (action == PICKUP) & (before < 0) & _any(first & (index == carries))
    moved = first & (index == before[:, None])
    place = jnp.sum(jnp.where(moved[..., None], state.position, 0), axis=1, dtype=jnp.int8)
    apart = jnp.sum(jnp.abs(state.recorded - place[:, None]), axis=-1, dtype=jnp.int32)
    beside = (apart == 1) & (state.recorded[:, 0] >= 0)
    put = (action == DROP) & _any(moved) & (place[:, 0] >= 0) & _any(state.mission.second & beside)
    ajar = objects_at(state.position, faced) & (state.kind == DOOR) & (state.door == OPEN)
    return gone, taken, put, (action == TOGGLE) & _any(first & ajar)


def _wrong(state: State, action: jax.Array) -> Bool[Array, "4"]:
    """Strict clauses that `action` fails unless it fulfils them."""
    kind, full = state.mission.kind, state.agent.carries >= 0
    at_door = jnp.any(objects_at(state.position, front(state.agent)) & (state.kind == DOOR))
    picked = ((kind == PICK_UP) | (kind == PUT_NEXT)) & (action == PICKUP) & full
    return state.mission.strict & (picked | ((kind == OPEN_IT) & (action == TOGGLE) & at_door))


def _advance(
    mission: Mission, progress: Progress, agent: Agent, hit: jax.Array, wrong: jax.Array
) -> Progress:
    """Latches the clauses that count and were hit, part by part, and draws the conclusion."""
    first = counting(mission, progress.done)
    done = progress.done | (first & hit)
    counted = first | counting(mission, done)
    done = done | (counted & hit)
    partner = jnp.stack([mission.kind[1], mission.kind[0], mission.kind[3], mission.kind[2]])
    failed = jnp.any(counted & wrong & (partner < 0))
    over = jnp.all(done | (mission.kind < 0))
    status = jnp.where(over, SUCCESS, jnp.where(failed, FAILURE, RUNNING))
    running = progress.status == RUNNING
    return Progress(
        done=done,
        carried=jnp.where(counted, agent.carries, progress.carried),
        steps=progress.steps,
        status=jnp.where(running, status, progress.status).astype(jnp.int8),
    )


def _any(sets: Bool[Array, "4 objects"]) -> Bool[Array, "4"]:
    return jnp.any(sets, axis=-1)
