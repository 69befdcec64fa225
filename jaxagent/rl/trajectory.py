"""Trajectories: what a batch of rows read, said and got, turn by turn."""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int8, UInt32

from jaxagent.envs.suite import Message, Suite


class Turn(flax.struct.PyTreeNode):
    """One turn of one row; trajectories have leading axes [rows, turns].

    Attributes:
        task: int32[], the task that is played.
        fresh: bool[], the episode opens here, with the first message of pool entry `entry`.
        entry: int32[], place in the pool.
        message: what is read: the last word said before, the new message, and "your turn".
        action: int32[action], the words said.
        action_length: int32[], how many; 0 where the row only reads (see `closing`).
        log_prob: float32[action], of every word when it was said.
        value: float32[action], the return expected before every word.
        reward: float32[], on the last word of the action.
        terminated: bool[], the episode reached its end with this turn.
        truncated: bool[], it was cut behind this turn, by the turn limit or the context.
        out_of_context: bool[], it was cut by the context alone: turns were left.
        closing: bool[], no turn of the episode: the final message of a truncated one is read,
            for its value alone.
        success: bool[], the goal was reached with this turn.
        invalid: bool[], the action could not be read or had no effect.
        misstep: int8[], what is wrong with it, a sum of bits (`jaxagent.envs.misstep`).
        expert: bool[], the action is the expert's (demonstrations only, else False).
        anchor: uint32[], hash of the state that was acted in (if the window says so, else 0).
    """

    task: Int[Array, ""]
    fresh: Bool[Array, ""]
    entry: Int[Array, ""]
    message: Message
    action: Int[Array, " action"]
    action_length: Int[Array, ""]
    log_prob: Float[Array, " action"]
    value: Float[Array, " action"]
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    truncated: Bool[Array, ""]
    out_of_context: Bool[Array, ""]
    closing: Bool[Array, ""]
    success: Bool[Array, ""]
    invalid: Bool[Array, ""]
    misstep: Int8[Array, ""]
    expert: Bool[Array, ""]
    anchor: UInt32[Array, ""]

    @property
    def spoken(self) -> Bool[Array, " action"]:
        """Which words of `action` count."""
        return jnp.arange(self.action.shape[-1]) < self.action_length[..., None]


def blank_turns(messages: Message, actions: Message) -> Turn:
    """Return turns with these messages and actions in which nothing else happens: zero or False."""
    number, grid = jnp.zeros_like(actions.length), jnp.zeros(actions.tokens.shape)
    no = number > 0
    return Turn(
        task=number,
        fresh=no,
        entry=number,
        message=messages,
        action=actions.tokens,
        action_length=actions.length,
        log_prob=grid,
        value=grid,
        reward=number.astype(jnp.float32),
        terminated=no,
        truncated=no,
        out_of_context=no,
        closing=no,
        success=no,
        invalid=no,
        misstep=number.astype(jnp.int8),
        expert=no,
        anchor=number.astype(jnp.uint32),
    )


class Trajectory(flax.struct.PyTreeNode):
    """A rollout.

    Attributes:
        turns: leading axes [rows, turns].
        openings: the first messages of the pool, leading axis [entries].
        final_value: float32[rows], the return expected behind the last turn.
    """

    turns: Turn
    openings: Message
    final_value: Float[Array, " rows"]


def turn_lengths(
    turns: Turn, openings: Message
) -> tuple[Int[Array, " turns"], Int[Array, " turns"]]:
    """Words that each turn of a row puts into the context, and words that it says.

    The last word of an action is read with the next message, so it is not counted twice.
    """
    acted = turns.action_length > 0
    inputs = opening_lengths(turns, openings) + turns.message.length + turns.action_length - 1
    return jnp.where(acted, inputs, 0), turns.action_length


def opening_lengths(turns: Turn, openings: Message) -> Int[Array, " turns"]:
    """Words of the first message that each turn opens with, 0 inside an episode."""
    return jnp.where(turns.fresh, openings.length[turns.entry], 0)


def word_at(
    turns: Turn, openings: Message, turn: Int[Array, "*n"], offset: Int[Array, "*n"]
) -> Int[Array, "*n"]:
    """The word at `offset` of the turns numbered `turn`: of its opening, message or action."""
    in_message = offset - opening_lengths(turns, openings)[turn]
    in_action = in_message - turns.message.length[turn]
    first = openings.tokens[turns.entry[turn], jnp.minimum(offset, openings.tokens.shape[-1] - 1)]
    size, limit = turns.message.tokens.shape[-1], turns.action.shape[-1]
    heard = turns.message.tokens[turn, jnp.clip(in_message, 0, size - 1)]
    said = turns.action[turn, jnp.clip(in_action, 0, limit - 1)]
    return jnp.where(in_message < 0, first, jnp.where(in_action < 0, heard, said))


def turn_limits(
    suite: Suite, task: Int[Array, "*n"], horizon: jax.typing.ArrayLike = 1.0
) -> Float[Array, "*n"]:
    """Return the turns that an episode of each task is given, if a share `horizon` of its limit is:
    whole numbers of at least 1."""
    return jnp.maximum(jnp.round(jnp.asarray(suite.turn_limits)[task] * horizon), 1.0)
