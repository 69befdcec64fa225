"""Packing: the episodes of a rollout laid one behind the other, so that little is padding.

Rollouts are grids of rows × turns. For the update their episodes, never split, fill *packed rows*
of a fixed number of tokens by best fit with a few rows open at a time; attention is rebuilt from
the segment numbers. Only the layout is stored: packed rows are gathered minibatch by minibatch.
"""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.suite import Message
from jaxagent.rl.trajectory import Trajectory, Turn, turn_lengths, word_at

GROUP = 16
"""Rows of a rollout that are laid out together; the groups are laid out side by side."""

OPEN = 4
"""Packed rows of a group that are open at a time: an episode goes to the fullest that has room."""

NOWHERE = np.int32(2**31 - 1)
"""Place of a turn that puts no words into the context."""


class Layout(flax.struct.PyTreeNode):
    """Where the turns of one group land, in the order of their places; leading axis [groups].

    Attributes:
        turn: int32[turns], number of the turn in the rollout, counted row by row.
        start: int32[turns], place of its first word, counted through the group's packed rows.
        word_start: int32[turns], the same among the words said.
        length: int32[turns], words that it puts into the context.
        words: int32[turns], words that it says.
        segment: int32[turns], number of its episode in the group.
        position: int32[turns], place of its first word in the episode.
        used: int32[], packed rows that are filled.
    """

    turn: Int[Array, " turns"]
    start: Int[Array, " turns"]
    word_start: Int[Array, " turns"]
    length: Int[Array, " turns"]
    words: Int[Array, " turns"]
    segment: Int[Array, " turns"]
    position: Int[Array, " turns"]
    used: Int[Array, ""]


class PackedRow(flax.struct.PyTreeNode):
    """One packed row; minibatches have a leading axis [rows].

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
        """Values of the words said, out of an array [rollout rows, turns, action]."""
        return grid.reshape(-1, grid.shape[-1])[self.turn, self.place]

    def turns_of(self, grid: Array) -> Array:
        """Values of the words' turns, out of an array [rollout rows, turns]."""
        return grid.reshape(-1)[self.turn]


class Packing(flax.struct.PyTreeNode):
    """A trajectory and the layout of its packed rows.

    Attributes:
        trajectory: the rollout.
        layout: of every group of its rows.
    """

    trajectory: Trajectory
    layout: Layout

    @property
    def used(self) -> Int[Array, ""]:
        """Packed rows that are filled."""
        return jnp.sum(self.layout.used)

    def useful(self, context: int) -> Float[Array, ""]:
        """Share of the filled packed rows' tokens that is not padding."""
        return jnp.sum(self.layout.length) / (self.used * context)


class _OpenRows(flax.struct.PyTreeNode):
    """The packed rows that may still take an episode: [OPEN] each, and how many were begun."""

    number: Int[Array, " open"]
    slot: Int[Array, " open"]
    word: Int[Array, " open"]
    begun: Int[Array, ""]


def pack(trajectory: Trajectory, context: int, words: int) -> Packing:
    """Lays out the packed rows of a trajectory.

    Args:
        trajectory: the rollout.
        context: tokens of a packed row; no episode of the rollout may have more.
        words: words said in a packed row at most; no episode may have more.
    """
    rows, turns = trajectory.turns.task.shape
    groups = rows // np.gcd(rows, GROUP)

    def grouped(x: Array) -> Array:
        return x.reshape(groups, -1, *x.shape[2:])

    each = jax.tree.map(grouped, trajectory.turns)
    layout = jax.vmap(_lay_out, in_axes=(0, None, None, None))(
        each, trajectory.openings, context, words
    )
    first = jnp.arange(groups)[:, None] * (rows * turns // groups)
    return Packing(trajectory, layout.replace(turn=layout.turn + first))


def pack_row(
    packing: Packing, group: Int[Array, ""], row: Int[Array, ""], context: int, words: int
) -> PackedRow:
    """Gathers packed row number `row` of a group; all padding at or past the group's `used`.

    Args:
        packing: by `pack`, with the same `context` and `words`.
        group: number of the group.
        row: which of its packed rows.
        context: tokens of a packed row.
        words: words said in a packed row at most.
    """
    layout = jax.tree.map(lambda x: x[group], packing.layout)
    turns = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), packing.trajectory.turns)
    slot = row * context + jnp.arange(context)
    here = _last_at(layout.start, slot)
    offset = slot - layout.start[here]
    filled = (offset >= 0) & (offset < layout.length[here]) & (row < layout.used)
    tokens = word_at(turns, packing.trajectory.openings, layout.turn[here], offset)

    word = row * words + jnp.arange(words)
    speaker = _last_at(layout.word_start, word)
    place = word - layout.word_start[speaker]
    said = (place >= 0) & (place < layout.words[speaker]) & (row < layout.used)
    before = layout.start[speaker] + layout.length[speaker] - layout.words[speaker]
    return PackedRow(
        tokens=jnp.where(filled, tokens, 0),
        positions=jnp.where(filled, layout.position[here] + offset, 0),
        segments=jnp.where(filled, layout.segment[here], -1),
        turn=jnp.where(said, layout.turn[speaker], 0),
        place=jnp.where(said, place, 0),
        slot=jnp.where(said, before + place - row * context, 0),
        said=said,
    )


def _lay_out(turns: Turn, openings: Message, context: int, words: int) -> Layout:
    """Lays out one group: leading axis [turns], its rows one behind the other."""
    lengths, said = turn_lengths(turns, openings)
    episodes = _episode_totals(lengths, said, turns.fresh)

    def place_turn(carry: tuple, turn: tuple) -> tuple:
        rows, row, slot, word, segment, position = carry
        length, count, opens, episode = turn
        chosen = _find_room(rows, episode, context, words)
        opened = (*chosen, segment + 1, jnp.int32(0))
        carry = jax.tree.map(lambda new, old: jnp.where(opens, new, old), opened, carry)
        rows, row, slot, word, segment, position = carry
        out = (row * context + slot, row * words + word, segment, position)
        return (rows, row, slot + length, word + count, segment, position + length), out

    none, zero = jnp.full(OPEN, -1), jnp.int32(0)
    rows = _OpenRows(none, jnp.full(OPEN, context), jnp.full(OPEN, words), zero)
    carry = (rows, zero, zero, zero, jnp.int32(-1), zero)
    carry, placed = jax.lax.scan(place_turn, carry, (lengths, said, turns.fresh, episodes))
    start, word_start = (jnp.where(lengths > 0, x, NOWHERE) for x in placed[:2])
    order = jnp.argsort(start)
    return Layout(
        turn=order,
        start=start[order],
        word_start=word_start[order],
        length=lengths[order],
        words=said[order],
        segment=placed[2][order],
        position=placed[3][order],
        used=carry[0].begun,
    )


def _episode_totals(
    lengths: Int[Array, " turns"], said: Int[Array, " turns"], opens: Bool[Array, " turns"]
) -> tuple[Int[Array, " turns"], Int[Array, " turns"]]:
    """Words in the context, and words said, from every turn to the end of its episode."""

    def add(rest: tuple, turn: tuple) -> tuple:
        length, count, next_opens = turn
        total = (
            length + jnp.where(next_opens, 0, rest[0]),
            count + jnp.where(next_opens, 0, rest[1]),
        )
        return total, total

    zeros = (jnp.int32(0), jnp.int32(0))
    next_opens = jnp.append(opens[1:], True)
    return jax.lax.scan(add, zeros, (lengths, said, next_opens), reverse=True)[1]


def _find_room(
    rows: _OpenRows, episode: tuple[Array, Array], context: int, words: int
) -> tuple[_OpenRows, Array, Array, Array]:
    """The row an episode goes to, and the slot and the word that it begins at.

    That is the fullest open row with room for it. If there is none, a new row takes the place of
    the fullest.
    """
    length, count = episode
    fits = (rows.slot + length <= context) & (rows.word + count <= words)
    new = ~jnp.any(fits)
    chosen = jnp.argmax(jnp.where(fits | new, rows.slot, -1))
    row = jnp.where(new, rows.begun, rows.number[chosen])
    slot, word = (jnp.where(new, 0, x[chosen]) for x in (rows.slot, rows.word))
    here = jnp.arange(OPEN) == chosen
    after = _OpenRows(
        number=jnp.where(here, row, rows.number),
        slot=jnp.where(here, slot + length, rows.slot),
        word=jnp.where(here, word + count, rows.word),
        begun=rows.begun + new,
    )
    return after, row, slot, word


def _last_at(starts: Int[Array, " turns"], places: Int[Array, " n"]) -> Int[Array, " n"]:
    """Index of the last of the ascending `starts` that is not behind each place."""
    return jnp.maximum(jnp.sum(starts[None, :] <= places[:, None], axis=1) - 1, 0)
