"""Evaluation: fixed held-out instances, each attempted several times, one episode per row."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxagent.checks import brief, check_kind, check_number, check_whole
from jaxagent.envs.pool import Pool, evaluation_keys, fill_pool
from jaxagent.envs.suite import Message, Suite
from jaxagent.models import Params
from jaxagent.rl.actor import Actor
from jaxagent.rl.arguments import check_params
from jaxagent.rl.devices import on_host, rank, replicate, spread
from jaxagent.rl.failures import start_watch, watch_turn
from jaxagent.rl.player import Player
from jaxagent.rl.rollout import deal_rows, empty_rows, message_tokens, play_turn
from jaxagent.rl.trajectory import Turn
from jaxagent.rl.window import Window

DEFAULT_WINDOW = Window(rows=256)

CUT = 0.05
"""Share of episodes that the context may cut without a word of it."""


class ContextWarning(UserWarning):
    """The context cut many of the episodes that were measured."""


class Outcome(flax.struct.PyTreeNode):
    """How episodes went; leading axes [rows], or [instances, attempts] from `evaluate`.

    Attributes:
        success: bool[], the goal was reached.
        reward: float32[], sum of the rewards.
        turns: int32[], turns played.
        words: int32[], words said.
        invalid: int32[], actions that could not be read or had no effect.
        failures: int32[modes], turns (or ends) of each failure mode (`jaxagent.rl.failures`).
        truncated_by_context: bool[], the episode was cut by its context while turns were left.
    """

    success: Bool[Array, "..."]
    reward: Float[Array, "..."]
    turns: Int[Array, "..."]
    words: Int[Array, "..."]
    invalid: Int[Array, "..."]
    failures: Int[Array, "... modes"]
    truncated_by_context: Bool[Array, "..."]


class Script(flax.struct.PyTreeNode):
    """What was read and said in one episode; from `evaluate`, a leading axis [recorded].

    Attributes:
        opening: the first message.
        messages: leading axis [turns], what was read before each action.
        actions: leading axis [turns], what was said; length 0 behind the end.
        outcome: how it went.
    """

    opening: Message
    messages: Message
    actions: Message
    outcome: Outcome


def episode_key(key: jax.Array, number: jax.Array, attempt: jax.Array) -> jax.Array:
    """Return the key of the words of an attempt at the held-out instance of this number."""
    return jax.random.fold_in(jax.random.fold_in(key, number), attempt)


def play_episodes(
    player: Player,
    params: Params,
    pool: Pool,
    keys: jax.Array,
    window: Window,
    temperature: jax.typing.ArrayLike = 1.0,
    recorded: int = 1,
) -> tuple[Outcome, Script]:
    """Plays one episode per row to its end; row r plays pool entry r modulo the pool's size.

    Args:
        player: a policy in its suite, or an expert.
        params: its parameters.
        pool: the instances.
        keys: [rows], for the words of each.
        window: rows, and the limits of an episode; what else it says is of no account here.
        temperature: at which words are sampled.
        recorded: rows whose words are kept.

    Returns:
        How the rows went, and the words of the first `recorded` of them.
    """
    first = slice(0, recorded)
    window = replace(window.plain(), anchors=True)

    def going_on(carry: tuple) -> jax.Array:
        return jnp.any(~carry[1].idle)

    def turn(carry: tuple) -> tuple:
        count, rows, outcome, watch, words = carry
        own = jax.vmap(jax.random.fold_in, (0, None))(keys, count)
        after, record = play_turn(player, params, rows, own, window, temperature=temperature)
        said = Message(record.action, record.action_length)
        new = jax.tree.map(lambda x: x[first], (record.message, said))
        words = jax.tree.map(lambda all_, one: all_.at[count].set(one), words, new)
        idle = rows.idle | record.terminated | record.truncated
        after = after.replace(idle=idle, closing=jnp.zeros_like(idle))
        watch = watch_turn(player.suite, watch, record, count)
        return count + 1, after, _add(outcome, record), watch, words

    zeros = jnp.zeros(window.rows, jnp.int32)
    rows, prefilled = empty_rows(player, pool, window), player.prefill(params, pool)
    rows = deal_rows(rows, jnp.ones(window.rows, bool), pool, prefilled)
    words = _blank_words(player, window, recorded)
    watch = start_watch(player.suite, jax.tree.map(lambda x: x[rows.entry], pool.messages))
    no, none = zeros > 0, zeros.astype(jnp.float32)
    nothing = Outcome(no, none, zeros, zeros, zeros, watch.counts, no)
    carry = (jnp.int32(0), rows, nothing, watch, words)
    _, _, outcome, watch, words = jax.lax.while_loop(going_on, turn, carry)
    outcome = outcome.replace(failures=watch.counts)
    messages, actions = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), words)
    opening, script_outcome = jax.tree.map(lambda x: x[first], (pool.messages, outcome))
    return outcome, Script(opening, messages, actions, script_outcome)


def _add(outcome: Outcome, turn: Turn) -> Outcome:
    return Outcome(
        success=outcome.success | turn.success,
        reward=outcome.reward + turn.reward,
        turns=outcome.turns + (turn.action_length > 0),
        words=outcome.words + turn.action_length,
        invalid=outcome.invalid + turn.invalid,
        failures=outcome.failures,
        truncated_by_context=outcome.truncated_by_context | turn.out_of_context,
    )


def _blank_words(player: Player, window: Window, recorded: int) -> tuple[Message, Message]:
    turns = int(player.suite.turn_limits.max())
    sizes = (message_tokens(player.suite), window.speech(player.suite))
    lengths = jnp.zeros((turns, recorded), jnp.int32)
    blank = [Message(jnp.zeros((turns, recorded, size), jnp.int32), lengths) for size in sizes]
    return blank[0], blank[1]


def evaluate(
    player: Player,
    params: Params,
    task: int | str,
    instances: int = 256,
    attempts: int = 4,
    window: Window = DEFAULT_WINDOW,
    seed: int = 0,
    temperature: float = 1.0,
    report: Callable[[int], None] | None = None,
    devices: int = 1,
    first: int = 0,
    recorded: int = 1,
) -> tuple[Outcome, Script]:
    """Plays `instances` held-out instances of a task, each `attempts` times.

    Every policy is measured on the same instances, and no training key makes one of them. The words
    of an episode are drawn by `seed`, the number of its instance and that of the attempt, so that
    they depend neither on the devices nor on which other episodes are played. (Sums in batches of
    another size may be rounded in another way, which now and then tips a word.)

    Args:
        player: a policy in its suite, or an expert.
        params: its parameters.
        task: name or number of the task.
        instances: how many.
        attempts: episodes per instance.
        window: rows side by side, and the limits that the policy was trained with; rows beyond
            the last episode play too, and are not counted. Its turns and what else it says of
            training is of no account here.
        seed: of the words that are sampled.
        temperature: at which they are sampled; at 0 the likeliest word is said.
        report: called with the number of episodes behind each batch.
        devices: that share every batch.
        first: number of the first instance; they go on from there.
        recorded: episodes of the first batch whose words are kept, at most its rows.

    Warns:
        ContextWarning: the context cut more than `CUT` of the episodes.

    Returns:
        NumPy arrays [instances, attempts], and [recorded] the words of as many episodes, that of
        the first attempt at the first instance before the others.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: an argument is out of range, the task is not one of the suite, or the
            parameters are not those of the policy.
    """
    number = _check_evaluation(player, params, task, window)
    _check_episodes(instances, attempts, first, seed, temperature)
    if report is not None and not callable(report):
        raise TypeError(f"report={brief(report)}: expected a function of the number of episodes")
    window = _measured(window)
    _check_batch(player.suite, window, devices, recorded)
    rows = window.rows
    params = replicate(params, devices)
    episodes = instances * attempts
    batches: list[tuple[Outcome, Script]] = []
    for start in range(0, episodes, rows):
        # Attempts at one instance are neighbours.
        places, attempt = np.divmod(np.arange(start, start + rows), attempts)
        episode = np.stack([first + places, attempt]).astype(np.uint32)
        static = (player, window, devices, _on_each(recorded, window, devices))
        traced = (episode, params, np.int32(number), jax.random.key(seed), np.float32(temperature))
        batches.append(on_host(_play_batch(*static, *traced)))
        if report is not None:
            report(rows)

    def arrange(*parts: np.ndarray) -> np.ndarray:
        every = np.concatenate(parts)[:episodes]
        return every.reshape(instances, attempts, *every.shape[1:])

    kept = _kept(recorded, window, devices)
    scripts = jax.tree.map(lambda x: x[kept], batches[0][1])
    outcome = jax.tree.map(arrange, *(outcome for outcome, _ in batches))
    if told := context_warning(player.suite.names[number], outcome, window.context):
        warnings.warn(told, ContextWarning, stacklevel=2)
    return outcome, scripts


def context_warning(task: str, outcome: Outcome, context: int) -> str:
    """Say in a line that the context cut more than `CUT` of the episodes; empty if it did not."""
    share = float(np.mean(outcome.truncated_by_context))
    if share <= CUT:
        return ""
    return (
        f"{task}: {share:.0%} of the episodes were cut by the context of {context} tokens while "
        "turns were left, and count as not solved; a larger context leaves room for them"
    )


def _check_evaluation(player: Any, params: Any, task: Any, window: Any) -> int:
    """Check who plays what; return the number of the task."""
    if not isinstance(getattr(player, "suite", None), Suite):
        raise TypeError(f"player={brief(player)}: expected a jaxagent.Actor or jaxagent.Expert")
    check_kind("window", window, Window, "a jaxagent.Window")
    if isinstance(player, Actor):
        check_params("params", player.policy, params)
    return player.suite.number(task)


def _check_episodes(instances: Any, attempts: Any, first: Any, seed: Any, temperature: Any) -> None:
    """Check which episodes are played, and how their words are drawn."""
    for name, value in (("instances", instances), ("attempts", attempts)):
        check_whole(name, value, 1, 2**24)
    check_whole("first", first, 0)
    check_whole("last instance", first + instances - 1, 0)
    check_whole("seed", seed, 0, 2**32 - 1)
    check_number("temperature", temperature, 0.0, 100.0)


def _check_batch(suite: Suite, window: Window, devices: Any, recorded: Any) -> None:
    """Check the window, which devices share it, and how many of its episodes are recorded."""
    check_whole("devices", devices)
    check_whole("recorded", recorded, 1, 2**20)
    window.check(suite)
    if window.rows % devices:
        raise ValueError(f"rows={window.rows}: expected a multiple of devices={devices}")
    if recorded > window.rows:
        raise ValueError(f"recorded={recorded}: expected 1 to the {window.rows} rows of a batch")


def compile_evaluation(
    player: Player, params: Params, window: Window, devices: int = 1, recorded: int = 1
) -> None:
    """Compiles what `evaluate` plays batches by, and plays none."""
    window = _measured(window)
    episode, key = np.zeros((2, window.rows), np.uint32), jax.random.key(0)
    static = (player, window, devices, _on_each(recorded, window, devices))
    traced = (episode, replicate(params, devices), np.int32(0), key, np.float32(1))
    _play_batch.lower(*static, *traced).compile()


def _measured(window: Window) -> Window:
    """The window without what is of no account in a measurement, so that one program does for
    all that differ in it."""
    return replace(window.plain(), turns=1)


def _on_each(recorded: int, window: Window, devices: int) -> int:
    """Episodes that each of the devices records: those of the first ones are kept."""
    return min(recorded, window.rows // devices)


def _kept(recorded: int, window: Window, devices: int) -> np.ndarray:
    """Places of the first `recorded` rows of a batch among what all devices recorded."""
    device, row = np.divmod(np.arange(recorded), window.rows // devices)
    return device * _on_each(recorded, window, devices) + row


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _play_batch(
    player: Player, window: Window, devices: int, recorded: int, *traced: jax.Array
) -> tuple[Outcome, Script]:
    """An episode at each of the held-out instances, every device playing its own part of them, and
    recording so many."""
    part = window.shared(devices)

    def play(
        episode: jax.Array,
        params: Params,
        task: jax.Array,
        key: jax.Array,
        temperature: jax.Array,
    ) -> tuple[Outcome, Script]:
        start = rank(devices) * part.rows
        number, attempt = jax.lax.dynamic_slice_in_dim(episode, start, part.rows, axis=1)
        pool = fill_pool(player.suite, evaluation_keys(number), jnp.full(part.rows, task))
        keys = jax.vmap(episode_key, (None, 0, 0))(key, number, attempt)
        return play_episodes(player, params, pool, keys, part, temperature, recorded)

    return spread(play, devices, joined=True)(*traced)
