"""Lessons: which levels an update plays, and what is known of tasks and levels behind it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxagent.envs.pool import draw_levels
from jaxagent.rl.credit import Credit
from jaxagent.rl.curriculum import Curriculum
from jaxagent.rl.devices import across, own_columns
from jaxagent.rl.learner_parts import LearnerParts, LearnerState
from jaxagent.rl.replay import Drawn, Replay, draw, renew
from jaxagent.rl.standing import Standing, record, weights_by
from jaxagent.rl.trajectory import Trajectory
from jaxagent.rl.updates import Metrics


def draw_lesson(
    learner: LearnerParts,
    state: LearnerState,
    curriculum: Curriculum,
    key: jax.Array,
) -> Drawn:
    """This device's part of the levels of an update, some of them replayed.

    All devices draw all of them with the same key, so that they do not depend on how many there
    are.
    """
    weights = weights_by(curriculum, state.progress, state.standing)
    size = learner.instances
    if isinstance(state.replay, Replay):
        return draw(key, state.replay, weights, curriculum.replay, state.update, size)
    drawn = Drawn(draw_levels(key, weights, size), jnp.full(size, -1))
    return own_columns(drawn, learner.groups, learner.devices)


def renew_standing(
    learner: LearnerParts,
    state: LearnerState,
    curriculum: Curriculum,
    trajectory: Trajectory,
    credit: Credit,
    metrics: Metrics,
) -> Standing:
    """The standing in the tasks behind an update, with mean |A| as what there is to gain."""
    tasks, task = len(learner.actor.suite), trajectory.turns.task
    sums = _sums(jnp.abs(credit.advantage), credit.weight > 0, task, tasks)
    total, count = across(sums, learner.devices)
    gain = total / jnp.maximum(count, 1.0)
    finished, solved = metrics["task_finished"], metrics["task_solved"]
    return record(state.standing, curriculum, finished, solved, gain)


def renew_replay(
    learner: LearnerParts, state: LearnerState, drawn: Drawn, trajectory: Trajectory, credit: Credit
) -> Replay | dict[str, jax.Array]:
    """The replay buffer behind an update, levels scored by their mean positive advantage."""
    if not isinstance(state.replay, Replay):
        return state.replay
    counts, entry = credit.weight > 0, trajectory.turns.entry
    sums = _sums(jnp.maximum(credit.advantage, 0.0), counts, entry, len(drawn.place))
    score = sums[0] / jnp.maximum(sums[1], 1.0)
    return renew(state.replay, drawn, score, sums[1] > 0, state.update)


def _sums(
    values: Array, counts: Array, owner: Int[Array, "rows turns"], owners: int
) -> tuple[Array, Array]:
    """Sum of the words' values that count, and their number, for each owner of turns."""

    def total(values: Array) -> Array:
        per_turn = jnp.sum(jnp.where(counts, values, 0.0), axis=2)
        return jax.ops.segment_sum(per_turn.reshape(-1), owner.reshape(-1), owners)

    return total(values), total(jnp.ones_like(values))
