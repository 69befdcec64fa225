"""Trajectories: what a batch of rows read, said and got, turn by turn, and how it is packed.

A rollout is a grid of rows × turns. For the update, each row's episodes are laid one behind the
other into *packed rows* of a fixed number of tokens, first fit in order and never split, so that
little is padding; attention is rebuilt from the segment numbers. Only the layout is stored:
packed rows are gathered minibatch by minibatch.
"""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.suite import Message


@flax.struct.dataclass
class Turn:
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
        closing: bool[], no turn of the episode: the final message of a truncated one is read,
            for its value alone.
        success: bool[], the goal was reached with this turn.
        invalid: bool[], the action could not be read or had no effect.
        expert: bool[], the action is the expert's (demonstrations only, else False).
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
    closing: Bool[Array, ""]
    success: Bool[Array, ""]
    invalid: Bool[Array, ""]
    expert: Bool[Array, ""]

    @property
    def spoken(self) -> Bool[Array, " action"]:
        """Which words of `action` count."""
        return jnp.arange(self.action.shape[-1]) < self.action_length[..., None]


@flax.struct.dataclass
class Trajectory:
    """A rollout.

    Attributes:
        turns: leading axes [rows, turns].
        openings: the first messages of the pool, leading axis [entries].
        final_value: float32[rows], the return expected behind the last turn.
    """

    turns: Turn
    openings: Message
    final_value: Float[Array, " rows"]


@flax.struct.dataclass
class Layout:
    """Where every turn of one row lands among its packed rows; leading axis [rows].

    Attributes:
        start: int32[turns], place of the turn's first word, counted through the packed rows.
        word_start: int32[turns], the same among the words said.
        segment: int32[turns], number of the episode in this row.
        position: int32[turns], place of the turn's first word in its episode.
        used: int32[], how many packed rows are filled.
    """

    start: Int[Array, " turns"]
    word_start: Int[Array, " turns"]
    segment: Int[Array, " turns"]
    position: Int[Array, " turns"]
    used: Int[Array, ""]


@flax.struct.dataclass
class PackedRow:
    """One packed row.

    Attributes:
        tokens: int32[context].
        positions: int32[context], counted from the opening of the episode.
        segments: int32[context], number of the episode; -1 is padding.
        turn: int32[words], turn of the rollout that each of the row's words was said in.
        place: int32[words], its place in the action.
        slot: int32[words], the slot whose hidden state predicts it.
        said: bool[words], which words count.
    """

    tokens: Int[Array, " context"]
    positions: Int[Array, " context"]
    segments: Int[Array, " context"]
    turn: Int[Array, " words"]
    place: Int[Array, " words"]
    slot: Int[Array, " words"]
    said: Bool[Array, " words"]

    def words_of(self, grid: Array) -> Array:
        """The values of the row's words, out of an array [turns, action] of the rollout row."""
        return grid[self.turn, self.place]


def turn_lengths(
    turns: Turn, openings: Message
) -> tuple[Int[Array, " turns"], Int[Array, " turns"]]:
    """Words that each turn of a row puts into the context, and words that it says.

    The last word of an action is read with the next message, so it is not counted twice.
    """
    acted = turns.action_length > 0
    inputs = _opening_lengths(turns, openings) + turns.message.length + turns.action_length - 1
    return jnp.where(acted, inputs, 0), turns.action_length


def lay_out(turns: Turn, openings: Message, context: int, words: int) -> Layout:
    """Lays the episodes of one row into packed rows of `context` tokens and `words` words said.

    Args:
        turns: one row, leading axis [turns].
        openings: first messages of the pool.
        context: tokens of a packed row; no episode of the rollout may have more.
        words: words said in a packed row at most; no episode may have more.
    """
    lengths, said = turn_lengths(turns, openings)
    opens = turns.fresh

    def sum_episode(rest: tuple, turn: tuple) -> tuple:
        length, count, next_opens = turn
        total = (
            length + jnp.where(next_opens, 0, rest[0]),
            count + jnp.where(next_opens, 0, rest[1]),
        )
        return total, total

    next_opens = jnp.append(opens[1:], True)
    zeros = (jnp.int32(0), jnp.int32(0))
    _, episodes = jax.lax.scan(sum_episode, zeros, (lengths, said, next_opens), reverse=True)

    def place_turn(carry: tuple, turn: tuple) -> tuple:
        row, slot, word, segment, position = carry
        length, count, opening, episode_length, episode_words = turn
        full = (slot + episode_length > context) | (word + episode_words > words)
        turns_over = opening & full
        row, slot, word = (
            row + turns_over,
            jnp.where(turns_over, 0, slot),
            jnp.where(turns_over, 0, word),
        )
        segment, position = segment + opening, jnp.where(opening, 0, position)
        out = (row * context + slot, row * words + word, segment, position, row)
        return (row, slot + length, word + count, segment, position + length), out

    carry = (jnp.int32(0),) * 3 + (jnp.int32(-1), jnp.int32(0))
    _, (start, word_start, segment, position, row) = jax.lax.scan(
        place_turn, carry, (lengths, said, opens, *episodes)
    )
    return Layout(start, word_start, segment, position, row[-1] + 1)


def pack_row(
    turns: Turn, openings: Message, layout: Layout, row: Int[Array, ""], context: int, words: int
) -> PackedRow:
    """Gathers packed row number `row` of one row of a rollout.

    Args:
        turns: one row, leading axis [turns].
        openings: first messages of the pool.
        layout: of this row, by `lay_out` with the same `context` and `words`.
        row: which packed row; at or past `layout.used` it is all padding.
        context: tokens of a packed row.
        words: words said in a packed row at most.
    """
    lengths, said = turn_lengths(turns, openings)
    slot = row * context + jnp.arange(context)
    turn = _last_at(layout.start, slot)
    offset = slot - layout.start[turn]
    filled = (offset >= 0) & (offset < lengths[turn]) & (row < layout.used)
    opening = _opening_lengths(turns, openings)

    word = row * words + jnp.arange(words)
    speaker = _last_at(layout.word_start, word)
    place = word - layout.word_start[speaker]
    counts = (place >= 0) & (place < said[speaker]) & (row < layout.used)
    before = opening + turns.message.length - 1
    predictor = layout.start[speaker] + before[speaker] + place - row * context
    return PackedRow(
        tokens=jnp.where(filled, _token_at(turns, openings, opening, turn, offset), 0),
        positions=jnp.where(filled, layout.position[turn] + offset, 0),
        segments=jnp.where(filled, layout.segment[turn], -1),
        turn=jnp.where(counts, speaker, 0),
        place=jnp.where(counts, place, 0),
        slot=jnp.where(counts, predictor, 0),
        said=counts,
    )


def _opening_lengths(turns: Turn, openings: Message) -> jax.Array:
    """Words of the first message that each turn opens with, 0 inside an episode."""
    return jnp.where(turns.fresh, openings.length[turns.entry], 0)


def _token_at(
    turns: Turn, openings: Message, opening: jax.Array, turn: jax.Array, offset: jax.Array
) -> jax.Array:
    """The word at `offset` of a turn: of its opening, its message or its action."""
    in_message = offset - opening[turn]
    in_action = in_message - turns.message.length[turn]
    first = openings.tokens[turns.entry[turn], jnp.minimum(offset, openings.tokens.shape[-1] - 1)]
    size, limit = turns.message.tokens.shape[-1], turns.action.shape[-1]
    heard = turns.message.tokens[turn, jnp.clip(in_message, 0, size - 1)]
    said = turns.action[turn, jnp.clip(in_action, 0, limit - 1)]
    return jnp.where(in_message < 0, first, jnp.where(in_action < 0, heard, said))


def _last_at(starts: jax.Array, places: jax.Array) -> jax.Array:
    """Index of the last of the ascending `starts` that is not behind each place.

    Turns without words share their start with the next turn, which is the one that counts;
    behind the last turn there are none, or only such that their lengths rule out.
    """
    return jnp.maximum(jnp.sum(starts[None, :] <= places[:, None], axis=1) - 1, 0)
