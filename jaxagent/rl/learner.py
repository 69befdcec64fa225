"""The learner: one update is one pure function, jitted whole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from jaxagent.checks import check_key, check_whole
from jaxagent.envs.pool import pool_of
from jaxagent.models import Params
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.arguments import (
    check_params,
    check_state,
)
from jaxagent.rl.checked_run import checked_run
from jaxagent.rl.consolidation import Memory, check_memory, no_memory
from jaxagent.rl.credit import Credit, assign_credit
from jaxagent.rl.curriculum import Curriculum
from jaxagent.rl.devices import across, arrange, own_key, row_keys, spread
from jaxagent.rl.improvement import divergence_of_rollout, improve
from jaxagent.rl.learner_parts import LearnerParts, LearnerState
from jaxagent.rl.lessons import draw_lesson, renew_replay, renew_standing
from jaxagent.rl.loss import Scalar
from jaxagent.rl.optimiser import optimiser
from jaxagent.rl.packing import Packing, pack
from jaxagent.rl.replay import no_replay
from jaxagent.rl.rollout import rollout
from jaxagent.rl.standing import no_standing
from jaxagent.rl.trajectory import Trajectory
from jaxagent.rl.updates import Curves, Metrics, as_traced, compiled, repeat


@dataclass(frozen=True, eq=False)
class Learner(LearnerParts):
    """Training: the state that it starts from, and updates of it.

    Its attributes are those of `LearnerParts`.
    """

    def start(
        self,
        params: Params,
        key: jax.Array,
        updates: int | None = None,
        reference: Params | None = None,
        memory: Memory | None = None,
    ) -> LearnerState:
        """The state before the first of `updates`, on all devices: see `initial`.

        Raises:
            TypeError: an argument is of another kind.
            ValueError: parameters are not those of the policy, or `updates` is below 1.
        """
        policy = self.actor.policy
        check_params("params", policy, params)
        check_key("key", key)
        if updates is not None:
            check_whole("updates", updates)
        if reference is not None:
            check_params("reference", policy, reference)
        if memory is not None:
            check_memory(memory)
            for name in ("params", "importance"):
                check_params(f"memory.{name}", policy, getattr(memory, name))
        return self.placed(self.initial(params, key, updates, reference, memory))

    def placed(self, state: LearnerState) -> LearnerState:
        """Copy a state onto the learner's devices."""
        return arrange(state, self.devices, self._places(state))

    def _places(self, state: LearnerState) -> LearnerState:
        """Where the parts of the state lie."""
        everywhere = jax.tree.map(lambda _: PartitionSpec(), state)
        return everywhere.replace(
            params=self.layout.of_params,
            reference=self.layout.of_params if state.reference else {},
            optimiser=self.layout.of_optimiser,
        )

    def initial(
        self,
        params: Params,
        key: jax.Array,
        updates: int | None = None,
        reference: Params | None = None,
        memory: Memory | None = None,
    ) -> LearnerState:
        """The state before the first of `updates`.

        Args:
            params: to start from.
            key: of everything random.
            updates: of the whole run; by default those of the learner.
            reference: parameters of the policy that divergence is measured from, if the algorithm
                does: the base policy, or that of the stage before. By default `params`.
            memory: of earlier stages, if the algorithm consolidates. By default nothing matters.
        """
        if memory is None:
            memory = Memory(params, jax.tree.map(jnp.zeros_like, params))
        given = params if reference is None else reference
        return LearnerState(
            params=params,
            reference=given if self.algorithm.measures_kl else {},
            memory=memory if self.algorithm.consolidates else no_memory(),
            standing=no_standing(len(self.actor.suite)),
            replay=no_replay(self.replay) if self.replay else {},
            optimiser=optimiser().init(params),
            key=key,
            update=jnp.int32(0),
            updates=jnp.int32(self.updates if updates is None else updates),
        )

    def run(
        self,
        state: LearnerState,
        hyper: Hyper | None = None,
        curriculum: Curriculum | None = None,
        count: int | None = None,
        progress: bool = True,
    ) -> tuple[LearnerState, Curves]:
        """Train: do `count` updates, show a bar, and return the state and the learning curves.

        The state that is given stays as it is and may be used again.

        Args:
            state: as `start` or `run` returned it.
            hyper: settings; by default those that go with the algorithm (`settings`).
            curriculum: weights of the tasks; by default all tasks of the suite alike.
            count: updates; by default all that are left.
            progress: show a bar in a terminal or notebook.

        Returns:
            The state after them, and the metrics of every update as NumPy arrays, a leading axis
            [count]: `success`, `reward`, `invalid`, `entropy`, … (`docs/algorithms.md`).

        Raises:
            TypeError: an argument is of another kind.
            ValueError: an argument is out of range, or belongs to another policy or suite.
            Diverged: a metric is not finite; the error names the update.
        """
        check_state(state, LearnerState, self.actor.policy)
        return checked_run(self, state, hyper, curriculum, count, "training", progress)

    def advance(
        self,
        state: LearnerState,
        hyper: Hyper,
        curriculum: Curriculum,
        count: jax.typing.ArrayLike = 1,
    ) -> tuple[LearnerState, Metrics]:
        """Do `count` updates in one program, and return the means of their metrics.

        It checks nothing, and uses up the arrays of the state that it is given.
        """
        return self._advance(state, *as_traced((hyper, curriculum, count)))

    def compile(
        self, state: LearnerState, hyper: Hyper, curriculum: Curriculum
    ) -> jax.stages.Compiled:
        """Compile what `advance` runs, run nothing of it, and return the program."""
        return compiled(self, state, hyper, curriculum)

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def _advance(
        self, state: LearnerState, hyper: Hyper, curriculum: Curriculum, count: jax.Array
    ) -> tuple[LearnerState, Metrics]:
        def updates(state: LearnerState, *traced: Any) -> tuple[LearnerState, Metrics]:
            hyper, curriculum, count = traced
            return repeat(lambda state: train_step(self, state, hyper, curriculum), state, count)

        everywhere = spread(updates, self.devices, state=self._places(state))
        return everywhere(state, hyper, curriculum, count)


def train_step(
    learner: LearnerParts, state: LearnerState, hyper: Hyper, curriculum: Curriculum
) -> tuple[LearnerState, Metrics]:
    """One update: draw instances, play, estimate advantages, descend. Pure."""
    key, pool_key, play_key, order_key = jax.random.split(state.key, 4)
    actor, window = learner.actor, learner.played.shared(learner.devices)
    progress = state.progress
    drawn = draw_lesson(learner, state, curriculum, pool_key)
    horizon = curriculum.horizon_at(progress)
    pool = pool_of(actor.suite, drawn.levels)
    params = learner.layout.whole(state.params)
    keys = row_keys(play_key, window.rows, learner.devices)
    trajectory = rollout(actor, params, pool, keys, window, horizon)
    packing = pack(trajectory, window.context, window.words)
    order_key = own_key(order_key, learner.devices)
    state, credit, parts = _learn(learner, state, hyper, packing, order_key, horizon)
    metrics = {**parts, **trajectory_metrics(actor, trajectory, learner.devices)}
    useful = packing.useful(window.context) / learner.devices
    metrics["useful_tokens"] = across(useful, learner.devices)
    metrics["packed_rows"] = across(packing.used.astype(jnp.float32), learner.devices)
    metrics["progress"] = progress
    standing = renew_standing(learner, state, curriculum, trajectory, credit, metrics)
    replay = renew_replay(learner, state, drawn, trajectory, credit)
    reference = blend(state.reference, state.params, hyper.reference_decay)
    state = state.replace(reference=reference, standing=standing, replay=replay)
    return state.replace(key=key, update=state.update + 1), metrics


def blend(reference: Params, params: Params, decay: Scalar) -> Params:
    """The reference as a moving average of the parameters; an empty one stays so."""
    if not reference:
        return reference
    return jax.tree.map(lambda old, new: decay * old + (1.0 - decay) * new, reference, params)


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
        "truncated_by_context": jnp.sum(turns.out_of_context),
        "reward": jnp.sum(turns.reward),
        "task_finished": jnp.sum(per_task * finished[..., None], (0, 1)),
        "task_solved": jnp.sum(per_task * turns.success[..., None], (0, 1)),
        "task_turns": jnp.sum(per_task * acted[..., None], (0, 1)),
    }
    sums = across(sums, devices)
    episodes = jnp.maximum(sums["finished"], 1)
    shares = {"invalid": sums["invalid"] / jnp.maximum(sums["turns"], 1)}
    of_episodes = ("success", "reward", "truncated_by_context")
    shares |= {name: sums[name] / episodes for name in of_episodes}
    return {**sums, **shares}


def _learn(
    learner: LearnerParts,
    state: LearnerState,
    hyper: Hyper,
    packing: Packing,
    key: jax.Array,
    horizon: jax.Array,
) -> tuple[LearnerState, Credit, Metrics]:
    """Credit for what was played, and the gradient steps that it leads to."""
    algorithm, devices, distance = learner.algorithm, learner.devices, 0.0
    if algorithm.pays_kl:
        distance = divergence_of_rollout(learner, state, packing)
    suite, longest = learner.actor.suite, learner.window.words
    played = packing.trajectory
    credit = assign_credit(algorithm, hyper, suite, played, longest, distance, devices, horizon)
    state, parts = improve(learner, state, hyper, packing, credit, key)
    return state, credit, parts
