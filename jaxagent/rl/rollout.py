"""Rollouts: a batch of rows plays turns in one `scan`, with instances dealt from a pool."""

from __future__ import annotations

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.pool import Pool, deal_groups
from jaxagent.envs.suite import Instance, Message, Step, Suite
from jaxagent.models import Cache, Params
from jaxagent.rl.devices import row_keys
from jaxagent.rl.player import Player, Spoken
from jaxagent.rl.trajectory import Trajectory, Turn, turn_limits
from jaxagent.rl.window import Window
from jaxagent.text import ACT


class Rows(flax.struct.PyTreeNode):
    """A batch of episodes under way, a leading axis [rows] on every leaf.

    Attributes:
        instance: tasks and worlds.
        cache: what the policy has read.
        message: what it has yet to read before it acts.
        turn: int32[rows], turns played.
        said: int32[rows], words said.
        fresh: bool[rows], the episode has just been dealt.
        entry: int32[rows], the pool entry it was dealt.
        closing: bool[rows], truncated: the message is read for its value, then the row is done.
        idle: bool[rows], done for good.
        episodes: int32[rows], episodes dealt to the row.
    """

    instance: Instance
    cache: Cache
    message: Message
    turn: Int[Array, " rows"]
    said: Int[Array, " rows"]
    fresh: Bool[Array, " rows"]
    entry: Int[Array, " rows"]
    closing: Bool[Array, " rows"]
    idle: Bool[Array, " rows"]
    episodes: Int[Array, " rows"]


def empty_rows(player: Player, pool: Pool, window: Window) -> Rows:
    """Rows that have no episode yet; they are to be dealt one each."""
    count, size = window.rows, message_tokens(player.suite)
    empty = player.empty_cache(window.slots)
    cache = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *x.shape)), empty)
    zeros, no = jnp.zeros(count, jnp.int32), jnp.zeros(count, bool)
    first = jax.tree.map(lambda x: jnp.broadcast_to(x[0], (count, *x.shape[1:])), pool.instances)
    message = Message(jnp.zeros((count, size), jnp.int32), zeros)
    return Rows(first, cache, message, zeros, zeros, no, zeros, no, no, zeros)


def deal_rows(
    rows: Rows, done: Bool[Array, " rows"], pool: Pool, prefilled: Cache, group: int = 1
) -> Rows:
    """Gives the rows that are done their next pool entries, with the cache behind their opening.

    Which these are does not depend on what other rows play (see `deal_groups`).
    """
    entry = deal_groups(rows.episodes, group, pool.size)
    instance = _where(done, jax.tree.map(lambda x: x[entry], pool.instances), rows.instance)
    size = rows.message.tokens.shape[1]
    your_turn = Message(jnp.full((len(done), size), ACT, jnp.int32), jnp.ones(len(done), jnp.int32))
    return Rows(
        instance=instance,
        cache=jax.vmap(Cache.reopen)(rows.cache, jax.tree.map(lambda x: x[entry], prefilled), done),
        message=_where(done, your_turn, rows.message),
        turn=jnp.where(done, 0, rows.turn),
        said=jnp.where(done, 0, rows.said),
        fresh=done,
        entry=jnp.where(done, entry, rows.entry),
        closing=rows.closing & ~done,
        idle=rows.idle,
        episodes=rows.episodes + done,
    )


def play_turn(
    player: Player,
    params: Params,
    rows: Rows,
    keys: jax.Array,
    window: Window,
    horizon: jax.typing.ArrayLike = 1.0,
    temperature: jax.typing.ArrayLike = 1.0,
) -> tuple[Rows, Turn]:
    """Every row reads its message, says an action and is told what it did.

    Args:
        player: a policy in its suite, or an expert.
        params: the policy's parameters.
        rows: the episodes.
        keys: [rows], for the words of each.
        window: static limits.
        horizon: share of the tasks' turn limits that is given.
        temperature: at which words are sampled.
    """
    active = ~(rows.closing | rows.idle)
    length = jnp.where(rows.idle, 0, rows.message.length)
    hidden, cache = player.read(params, rows.cache, rows.message.tokens, length)
    size = window.speech(player.suite)
    spoken, cache = player.speak(
        params, cache, hidden, rows.instance, active, keys, size, temperature, window.think
    )
    value = player.value(params, hidden)
    spoken = spoken._replace(value=spoken.value.at[:, 0].set(value))
    anchor = jnp.zeros(len(active), jnp.uint32)
    if window.anchors:
        anchor = jax.vmap(player.suite.fingerprint)(rows.instance)
    step = jax.vmap(player.suite.act)(rows.instance, spoken.tokens[:, window.think :])
    after = _after(rows, active, cache, spoken, step)
    ended = active & step.terminated
    over = after.turn >= turn_limits(player.suite, after.instance.task, horizon)
    full = _is_full(player.suite, after, window)
    truncated, cut = active & ~ended & (over | full), active & ~ended & ~over & full
    turn = _record(rows, active, spoken, step, (ended, truncated, cut), anchor)
    return after.replace(closing=truncated), turn


def rollout(
    player: Player,
    params: Params,
    pool: Pool,
    key: jax.Array,
    window: Window,
    horizon: jax.typing.ArrayLike = 1.0,
) -> Trajectory:
    """Plays `window.turns` turns in every row, dealing new instances to rows that are done.

    Every rollout opens with fresh instances and the parameters at hand, so nothing that older
    parameters computed is carried along; what is unfinished at the end is bootstrapped. Where only
    whole episodes are played, rows that cannot begin another one rest.

    Args:
        player: a policy in its suite, or an expert.
        params: its parameters.
        pool: the instances, best a whole number of them for every group of rows: entry
            `k × groups + g` is the k-th of group g, and where a group is through it begins again.
        key: for the words, one for all rows or [rows] one for each (`row_keys`). What a row plays
            depends on its own key and pool entries alone.
        window: static limits.
        horizon: share of the tasks' turn limits that is given.
    """
    window.check(player.suite)
    prefilled = player.prefill(params, pool)
    keys = key if key.ndim else row_keys(key, window.rows)

    def turn(carry: tuple, left: jax.Array) -> tuple[tuple, Turn]:
        (rows, done), own = carry, jax.vmap(jax.random.fold_in, (0, None))(keys, left)
        rows = deal_rows(rows, done, pool, prefilled, window.group)
        if window.whole:
            rows = _rest(rows, turn_limits(player.suite, rows.instance.task, horizon) > left)
        else:  # behind the last turn is one more, in which every row only reads
            rows = rows.replace(closing=rows.closing | (left == 0))
        rows, record = play_turn(player, params, rows, own, window, horizon)
        if window.whole:  # nobody asks for the value behind a cut
            rows = rows.replace(closing=jnp.zeros_like(rows.closing))
        cut = record.truncated if window.whole else record.closing
        return (rows, record.terminated | cut), record

    left = jnp.arange(window.turns, 0 if window.whole else -1, -1)
    start = (empty_rows(player, pool, window), jnp.ones(window.rows, bool))
    _, turns = jax.lax.scan(turn, start, left)
    turns = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), turns)
    if window.whole:
        return Trajectory(turns, pool.messages, jnp.zeros(window.rows))
    played = jax.tree.map(lambda x: x[:, :-1], turns)
    return Trajectory(played, pool.messages, turns.value[:, -1, 0])


def message_tokens(suite: Suite) -> int:
    """Length of what is read between two actions: a word said, a message, and "your turn"."""
    return suite.step_tokens + 2


def next_message(said: Int[Array, ""], message: Message) -> Message:
    """What one row reads before its next action: its own last word, the message, `ACT`."""
    tokens = jnp.concatenate([said[None], message.tokens, jnp.zeros(1, jnp.int32)])
    length = message.length + 2
    return Message(jnp.where(jnp.arange(len(tokens)) == length - 1, ACT, tokens), length)


def _rest(rows: Rows, late: Bool[Array, " rows"]) -> Rows:
    """Takes from the rows that are `late` the episodes they have just been dealt, for good."""
    late &= rows.fresh
    return rows.replace(idle=rows.idle | late, fresh=rows.fresh & ~late)


def _after(rows: Rows, active: jax.Array, cache: Cache, spoken: Spoken, step: Step) -> Rows:
    last = jnp.take_along_axis(spoken.tokens, jnp.maximum(spoken.length - 1, 0)[:, None], 1)[:, 0]
    return rows.replace(
        instance=_where(active, step.instance, rows.instance),
        cache=cache,
        message=_where(active, jax.vmap(next_message)(last, step.message), rows.message),
        turn=rows.turn + active,
        said=rows.said + spoken.length,
        fresh=jnp.zeros_like(rows.fresh),
    )


def _is_full(suite: Suite, rows: Rows, window: Window) -> Bool[Array, " rows"]:
    """Whether another turn might not fit into the context."""
    size = window.speech(suite)
    full = rows.cache.length + rows.message.length + size > window.context
    return full | (rows.said + size > window.words)


def _record(
    rows: Rows,
    active: jax.Array,
    spoken: Spoken,
    step: Step,
    ends: tuple[jax.Array, jax.Array, jax.Array],
    anchor: jax.Array,
) -> Turn:
    ended, truncated, out_of_context = ends
    return Turn(
        task=rows.instance.task,
        fresh=rows.fresh,
        entry=rows.entry,
        message=rows.message,
        action=spoken.tokens,
        action_length=spoken.length,
        log_prob=spoken.log_prob,
        value=spoken.value,
        reward=jnp.where(active, step.reward, 0.0),
        terminated=ended,
        truncated=truncated,
        out_of_context=out_of_context,
        closing=rows.closing,
        success=ended & step.success,
        invalid=active & step.invalid,
        misstep=jnp.where(active, step.misstep, 0),
        expert=active & spoken.expert,
        anchor=anchor,
    )


def _where(condition: jax.Array, new: Any, old: Any) -> Any:
    """Per row, `new` where the condition holds, else `old`."""

    def choose(a: Float[Array, "rows ..."], b: Float[Array, "rows ..."]) -> jax.Array:
        return jnp.where(condition.reshape(condition.shape + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(choose, new, old)
