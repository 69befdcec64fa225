"""The learner: one update is one pure function, jitted whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaxagent.envs.pool import draw_pool
from jaxagent.models import Params, kl, log_prob_and_entropy
from jaxagent.rl.actor import Actor
from jaxagent.rl.advantage import ADVANTAGES, normalise
from jaxagent.rl.algorithm import Algorithm, Hyper, descend, optimiser
from jaxagent.rl.curriculum import Curriculum
from jaxagent.rl.devices import across, own_key, replicate, spread
from jaxagent.rl.loss import Words, ppo_loss
from jaxagent.rl.minibatch import over_minibatches
from jaxagent.rl.packing import PackedRow, Packing, pack
from jaxagent.rl.rollout import Window, rollout
from jaxagent.rl.trajectory import Trajectory

Metrics = dict[str, jax.Array]
State = TypeVar("State")

PARTS = ("policy_loss", "value_loss", "entropy", "kl", "clipped", "old_kl", "gradient")


class LearnerState(flax.struct.PyTreeNode):
    """All that a training run is; saved and restored, it goes on bit for bit.

    Attributes:
        params: of the policy.
        reference: of the base policy that the KL divergence is measured from.
        optimiser: state of Adam.
        key: of everything random still to come.
        update: int32[], updates done.
        updates: int32[], updates of the whole run, which progress is measured by.
    """

    params: Params
    reference: Params
    optimiser: optax.OptState
    key: jax.Array
    update: Int[Array, ""]
    updates: Int[Array, ""]


@dataclass(frozen=True, eq=False)
class Learner:
    """The static parts of training.

    Attributes:
        actor: the policy in the suite.
        window: shape of the rollouts.
        algorithm: static parts of the update.
        pool: instances made per update; 0 for four per row.
        updates: updates of a whole run, unless `start` is told another number.
        devices: that share every batch; each plays `window.rows / devices` rows.
    """

    actor: Actor
    window: Window = Window()
    algorithm: Algorithm = Algorithm()
    pool: int = 0
    updates: int = 100
    devices: int = 1

    def __post_init__(self) -> None:
        self.window.check(self.actor.suite)
        check_devices(self.devices, self.window.rows, self.algorithm.minibatch)
        if self.updates < 1:
            raise ValueError(f"updates={self.updates}: expected at least 1")
        if self.pool and self.pool < self.window.rows:
            raise ValueError(f"pool={self.pool}: expected at least rows={self.window.rows}, or 0")

    @property
    def turns_per_update(self) -> int:
        """Turns that an update plays."""
        return self.window.rows * self.window.turns

    def start(self, params: Params, key: jax.Array, updates: int | None = None) -> LearnerState:
        """The state before the first of `updates`, with `params` as the base policy too."""
        state = LearnerState(
            params=params,
            reference=params if self.algorithm.reference else {},
            optimiser=optimiser().init(params),
            key=key,
            update=jnp.int32(0),
            updates=jnp.int32(self.updates if updates is None else updates),
        )
        return replicate(state, self.devices)

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def run(
        self,
        state: LearnerState,
        hyper: Hyper,
        curriculum: Curriculum,
        count: jax.typing.ArrayLike = 1,
    ) -> tuple[LearnerState, Metrics]:
        """Does `count` updates in one call; returns the means of their metrics."""

        def updates(state: LearnerState, *traced: Any) -> tuple[LearnerState, Metrics]:
            hyper, curriculum, count = traced
            return repeat(lambda state: train_step(self, state, hyper, curriculum), state, count)

        return spread(updates, self.devices)(state, hyper, curriculum, jnp.asarray(count))


def check_devices(devices: int, rows: int, minibatch: int) -> None:
    """Raises `ValueError` if a batch cannot be shared evenly by so many devices."""
    if devices < 1 or devices > len(jax.devices()):
        raise ValueError(f"devices={devices}: expected 1 to {len(jax.devices())}")
    for name, number in (("rows", rows), ("minibatch", minibatch)):
        if number % devices:
            raise ValueError(f"{name}={number}: expected a multiple of devices={devices}")


def share(window: Window, devices: int) -> Window:
    """The part of a window that one of the devices plays."""
    return replace(window, rows=window.rows // devices)


def repeat(
    step: Callable[[State], tuple[State, Metrics]], state: State, count: jax.typing.ArrayLike
) -> tuple[State, Metrics]:
    """Applies `step` `count` times, a traced number; returns the state and the metrics' means."""
    step = jax.jit(step)
    shapes = jax.eval_shape(step, state)[1]
    sums = {name: jnp.zeros(shape.shape, jnp.float32) for name, shape in shapes.items()}

    def once(_: jax.Array, carry: tuple[State, Metrics]) -> tuple[State, Metrics]:
        state, metrics = step(carry[0])
        return state, {name: carry[1][name] + value for name, value in metrics.items()}

    state, sums = jax.lax.fori_loop(0, count, once, (state, sums))
    return state, {name: value / count for name, value in sums.items()}


def train_step(
    learner: Learner, state: LearnerState, hyper: Hyper, curriculum: Curriculum
) -> tuple[LearnerState, Metrics]:
    """One update: draw instances, play, estimate advantages, descend. Pure."""
    key, *keys = jax.random.split(state.key, 4)
    pool_key, play_key, order_key = (own_key(each, learner.devices) for each in keys)
    actor, window = learner.actor, share(learner.window, learner.devices)
    progress = state.update / state.updates
    size = (learner.pool or 4 * learner.window.rows) // learner.devices
    pool = draw_pool(pool_key, actor.suite, curriculum.weights_at(progress), size)
    horizon = curriculum.horizon_at(progress)
    trajectory = rollout(actor, state.params, pool, play_key, window, horizon)
    packing = pack(trajectory, window.context, window.words)
    credit = _credit(learner, trajectory, hyper)
    params, adam, parts = _improve(learner, state, hyper, packing, credit, order_key, progress)
    metrics = {**parts, **trajectory_metrics(actor, trajectory, learner.devices)}
    useful = packing.useful(window.context) / learner.devices
    metrics["useful_tokens"] = across(useful, learner.devices)
    metrics["progress"] = progress
    state = state.replace(params=params, optimiser=adam, key=key, update=state.update + 1)
    return state, metrics


def trajectory_metrics(actor: Actor, trajectory: Trajectory, devices: int = 1) -> Metrics:
    """What the rollout showed, over all rows: means, and per task sums of finished episodes.

    Returns:
        Scalars, and `task_finished`, `task_solved`, `task_turns` of shape [tasks].
    """
    turns = trajectory.turns
    acted = turns.action_length > 0
    finished = turns.terminated | turns.truncated
    per_task = jax.nn.one_hot(turns.task, len(actor.suite))
    sums = {
        "turns": jnp.sum(acted),
        "words": jnp.sum(turns.action_length),
        "finished": jnp.sum(finished),
        "invalid": jnp.sum(turns.invalid),
        "success": jnp.sum(turns.success),
        "reward": jnp.sum(turns.reward),
        "task_finished": jnp.sum(per_task * finished[..., None], (0, 1)),
        "task_solved": jnp.sum(per_task * turns.success[..., None], (0, 1)),
        "task_turns": jnp.sum(per_task * acted[..., None], (0, 1)),
    }
    sums = across(sums, devices)
    episodes = jnp.maximum(sums["finished"], 1)
    shares = {"invalid": sums["invalid"] / jnp.maximum(sums["turns"], 1)}
    shares |= {name: sums[name] / episodes for name in ("success", "reward")}
    return {**sums, **shares}


def _credit(
    learner: Learner, trajectory: Trajectory, hyper: Hyper
) -> tuple[Float[Array, "rows turns action"], Float[Array, "rows turns action"]]:
    """Normalised advantages and value targets of all words."""
    suite, turns = learner.actor.suite, trajectory.turns
    penalised = turns.replace(reward=turns.reward - hyper.invalid_penalty * turns.invalid)
    estimate = ADVANTAGES[learner.algorithm.advantage]
    advantage, target = jax.vmap(estimate, in_axes=(0, 0, None, None))(
        penalised, trajectory.final_value, hyper.gamma, hyper.lam
    )
    owner = jnp.asarray(suite.owner)[turns.task][..., None]
    weight = turns.spoken.astype(jnp.float32)
    owner = jnp.broadcast_to(owner, weight.shape)
    total = partial(across, devices=learner.devices)
    return normalise(advantage, weight, owner, len(suite.environments), total), target


def _improve(
    learner: Learner,
    state: LearnerState,
    hyper: Hyper,
    packing: Packing,
    credit: tuple[Array, Array],
    key: jax.Array,
    progress: Array,
) -> tuple[Params, optax.OptState, Metrics]:
    """The epochs of gradient steps; returns parameters, optimiser and mean parts of the loss."""
    algorithm, window, devices = learner.algorithm, learner.window, learner.devices
    total = jnp.sum(packing.trajectory.turns.action_length).astype(jnp.float32)
    total = across(total, devices)
    rate = hyper.rate_at(progress)

    def step(carry: tuple, batch: PackedRow, count: Array) -> tuple:
        params, adam, sums = carry
        gradient, parts = jax.grad(_loss, has_aux=True)(
            params, learner, state.reference, packing, credit, batch, hyper, total / count
        )
        gradient, parts = across((gradient, parts), devices)
        params, adam, norm = descend(gradient, adam, params, rate, hyper.max_gradient)
        parts = {**parts, "gradient": norm}
        sums = {name: sums[name] + parts[name] / count for name in PARTS}
        return params, adam, sums

    def epoch(carry: tuple, key: jax.Array) -> tuple[tuple, None]:
        visit = (algorithm.minibatch // devices, window.context, window.words)
        return over_minibatches(key, packing, *visit, carry, step, devices), None

    carry = (state.params, state.optimiser, {name: jnp.float32(0) for name in PARTS})
    keys = jax.random.split(key, algorithm.epochs)
    (params, adam, sums), _ = jax.lax.scan(epoch, carry, keys)
    return params, adam, {name: value / algorithm.epochs for name, value in sums.items()}


def _loss(
    params: Params,
    learner: Learner,
    reference: Params,
    packing: Packing,
    credit: tuple[Array, Array],
    batch: PackedRow,
    hyper: Hyper,
    count: Array,
) -> tuple[Float[Array, ""], Metrics]:
    turns = packing.trajectory.turns
    logits, value = word_outputs(learner.actor, params, batch, turns.task)
    choice = jnp.asarray(learner.actor.places)[batch.words_of(turns.action)]
    log_prob, entropy = log_prob_and_entropy(logits, choice)
    distance = jnp.zeros_like(value)
    if learner.algorithm.reference:
        base = word_outputs(learner.actor, reference, batch, turns.task)[0]
        distance = kl(logits, jax.lax.stop_gradient(base))
    words = Words(
        log_prob=log_prob,
        entropy=entropy,
        kl=distance,
        value=value,
        old_log_prob=batch.words_of(turns.log_prob),
        old_value=batch.words_of(turns.value),
        advantage=batch.words_of(credit[0]),
        target=batch.words_of(credit[1]),
        said=batch.said,
    )
    return ppo_loss(words, hyper.weights, count)


def word_outputs(
    actor: Actor, params: Params, batch: PackedRow, tasks: Int[Array, "rows turns"]
) -> tuple[Float[Array, "rows words vocabulary"], Float[Array, "rows words"]]:
    """Logits and values before every word that a minibatch's rows say.

    Args:
        actor: the policy in its suite.
        params: its parameters.
        batch: packed rows.
        tasks: tasks of the rollout that they are parts of.
    """
    hidden = jax.vmap(actor.policy.encode, in_axes=(None, 0, 0, 0, 0))(
        params, batch.tokens, batch.positions, batch.segments, batch.slot
    )
    logits = actor.logits(params, hidden, batch.turns_of(tasks))
    return logits, actor.policy.value(params, hidden)
