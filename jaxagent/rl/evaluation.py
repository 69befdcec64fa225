"""Evaluation: fixed held-out instances, each attempted several times, one episode per row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.pool import Pool, evaluation_keys, fill_pool
from jaxagent.models import Params
from jaxagent.rl.actor import Player
from jaxagent.rl.rollout import Rows, Window, play_turn, start_rows


@flax.struct.dataclass
class Outcome:
    """How episodes went; leading axes [rows], or [instances, attempts] from `evaluate`.

    Attributes:
        success: bool[], the goal was reached.
        reward: float32[], sum of the rewards.
        turns: int32[], turns played.
        words: int32[], words said.
        invalid: int32[], actions that could not be read or had no effect.
    """

    success: Bool[Array, "..."]
    reward: Float[Array, "..."]
    turns: Int[Array, "..."]
    words: Int[Array, "..."]
    invalid: Int[Array, "..."]


def play_episodes(
    player: Player,
    params: Params,
    pool: Pool,
    key: jax.Array,
    window: Window,
    temperature: jax.typing.ArrayLike = 1.0,
) -> Outcome:
    """Plays one episode per row to its end; row r plays pool entry r modulo the pool's size."""

    def going_on(carry: tuple) -> jax.Array:
        return jnp.any(~carry[1].idle)

    def turn(carry: tuple) -> tuple:
        count, rows, outcome = carry
        turn_key = jax.random.fold_in(key, count)
        after, record = play_turn(
            player, params, rows, turn_key, window, temperature=temperature
        )
        outcome = Outcome(
            success=outcome.success | record.success,
            reward=outcome.reward + record.reward,
            turns=outcome.turns + (record.action_length > 0),
            words=outcome.words + record.action_length,
            invalid=outcome.invalid + record.invalid,
        )
        idle = rows.idle | record.terminated | record.truncated
        no = jnp.zeros_like(idle)
        return count + 1, after.replace(idle=idle, closing=no), outcome

    zeros = jnp.zeros(window.rows, jnp.int32)
    nothing = Outcome(zeros > 0, zeros.astype(jnp.float32), zeros, zeros, zeros)
    rows: Rows = start_rows(player, pool, player.prefill(params, pool), window)
    return jax.lax.while_loop(going_on, turn, (jnp.int32(0), rows, nothing))[2]


def evaluate(
    player: Player,
    params: Params,
    task: int,
    instances: int = 256,
    attempts: int = 4,
    window: Window = Window(rows=256),
    seed: int = 0,
    temperature: float = 1.0,
    report: Callable[[int], None] | None = None,
) -> Outcome:
    """Plays the first `instances` held-out instances of a task, each `attempts` times.

    Every policy is measured on the same instances, and no training key makes one of them.

    Args:
        player: a policy in its suite, or an expert.
        params: its parameters.
        task: number of the task.
        instances: how many; a multiple of `window.rows`, or fewer than that.
        attempts: episodes per instance.
        window: rows side by side, and the limits that the policy was trained with.
        seed: of the words that are sampled.
        temperature: at which they are sampled.
        report: called with the number of episodes behind each batch.

    Returns:
        NumPy arrays [instances, attempts].
    """
    if instances < 1 or attempts < 1:
        raise ValueError(f"instances={instances}, attempts={attempts}: expected at least 1")
    window.check(player.suite)
    rows = window.rows
    batches = -(-instances // rows)
    outcomes = []
    for attempt in range(attempts):
        for batch in range(batches):
            key = jax.random.fold_in(jax.random.key(seed), attempt * batches + batch)
            start = jnp.uint32(batch * rows)
            outcomes.append(_play_batch(player, window, params, task, start, key, temperature))
            if report is not None:
                report(rows)
    stacked = jax.tree.map(lambda *x: np.stack(x), *outcomes)

    def arrange(x: np.ndarray) -> np.ndarray:
        return x.reshape(attempts, batches * rows).T[:instances]

    return jax.tree.map(arrange, stacked)


@partial(jax.jit, static_argnums=(0, 1))
def _play_batch(
    player: Player,
    window: Window,
    params: Params,
    task: jax.Array,
    start: jax.Array,
    key: jax.Array,
    temperature: jax.Array,
) -> Outcome:
    keys = evaluation_keys(window.rows, start)
    pool = fill_pool(player.suite, keys, jnp.full(window.rows, task))
    return play_episodes(player, params, pool, key, window, temperature)
