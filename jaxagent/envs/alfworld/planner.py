"""Plans with full knowledge of a room: how few commands a task takes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32

from jaxagent.envs.alfworld.expert import advise_knowing
from jaxagent.envs.alfworld.rules import is_solved, obey, take_apart
from jaxagent.envs.alfworld.state import State

LONGEST = 16
"""No plan from the start of an instance is longer: twice to go, open and take, then to go, treat,
go, open and put."""


def plan(state: State) -> tuple[Int32[Array, "longest row"], Int32[Array, ""]]:
    """Commands that solve a task from the start, near the fewest, by one who knows the room.

    Returns:
        The commands, of which the first `length` count, and `length`; it is `LONGEST` + 1 where
        that many do not suffice.
    """
    last, (commands, solved) = jax.lax.scan(_step, state, None, LONGEST)
    solved = jnp.append(solved, is_solved(last))
    length = jnp.where(jnp.any(solved), jnp.argmax(solved), LONGEST + 1)
    return commands, length


def _step(state: State, _: None) -> tuple[State, tuple[Int32[Array, "row"], Bool[Array, ""]]]:
    """The state after the next command, that command, and whether it was needed no more."""
    command = advise_knowing(state)
    after = obey(state, take_apart(state, command))[0]
    return after, (command, is_solved(state))
