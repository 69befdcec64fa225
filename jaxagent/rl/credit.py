"""Credit: from what a rollout got to an advantage, a value target and a weight for every word."""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxagent.envs.suite import Suite
from jaxagent.rl.advantage import ESTIMATORS, normalise
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.devices import across
from jaxagent.rl.episodes import Episodes, episodes_of
from jaxagent.rl.group import anchor_advantage, group_advantage, undecided
from jaxagent.rl.trajectory import Trajectory, Turn, turn_limits

Grid = Float[Array, "rows turns action"]


class Credit(flax.struct.PyTreeNode):
    """What the loss takes from a rollout; leading axes [rows, turns, action].

    Attributes:
        advantage: of every word.
        target: return to be expected before it.
        weight: of the word in the loss, 0 for what does not count. They sum to 1 over the batch
            where the aggregation is a mean over words.
        kl: divergence that was taken off the rewards.
    """

    advantage: Grid
    target: Grid
    weight: Grid
    kl: Grid


def assign_credit(
    algorithm: Algorithm,
    hyper: Hyper,
    suite: Suite,
    trajectory: Trajectory,
    longest: int,
    kl: Grid | float = 0.0,
    devices: int = 1,
    horizon: jax.typing.ArrayLike = 1.0,
) -> Credit:
    """Advantages, value targets and weights of all words of a rollout.

    Args:
        algorithm: which estimator, normalisation and aggregation.
        hyper: their numbers.
        suite: the tasks, for their turn limits and environments.
        trajectory: what was played.
        longest: words that an episode says at most.
        kl: divergence from the reference policy at every word, to be taken off the rewards.
        devices: that share the batch.
        horizon: share of the turn limits that was given.
    """
    turns, episodes = trajectory.turns, episodes_of(trajectory.turns)
    reward = word_rewards(turns, episodes, suite, hyper, kl, horizon)
    counts = turns.action_length > 0
    if not algorithm.bootstraps:
        counts &= episodes.per_turn(episodes.whole)
    advantage, target = _estimate(algorithm, hyper, trajectory, episodes, reward, counts)
    if algorithm.drop_decided:
        # By what the task paid: penalties would make attempts differ that all solved it.
        paid = episodes.total(turns.reward)
        counts &= episodes.per_turn(undecided(paid, episodes.whole, algorithm.group))
    said = turns.spoken & counts[..., None]
    advantage = _normalised(algorithm, suite, turns, advantage, said, devices)
    weight = word_weights(algorithm.aggregation, turns, episodes, said, longest, devices)
    return Credit(advantage, target, weight, jnp.broadcast_to(kl, weight.shape))


def word_rewards(
    turns: Turn,
    episodes: Episodes,
    suite: Suite,
    hyper: Hyper,
    kl: Grid | float = 0.0,
    horizon: jax.typing.ArrayLike = 1.0,
) -> Grid:
    """The reward of every word: the action's on its last, less what penalties take off.

    The penalty of long episodes is DAPO's for overlong answers (arXiv 2503.14476, eq. 13), with
    turns for tokens: it rises over the last `overlong_share` of the turn limit from 0 to 1. The
    limit is the one in force, a share `horizon` of the task's.
    """
    limit = turn_limits(suite, turns.task, horizon)
    buffer = jnp.maximum(limit * hyper.overlong_share, 1.0)
    excess = jnp.clip((episodes.turn - (limit - buffer)) / buffer, 0.0, 1.0)
    ended = turns.terminated | turns.truncated
    reward = turns.reward - hyper.invalid_penalty * turns.invalid
    reward -= hyper.overlong * jnp.where(ended, excess, 0.0)
    last = jnp.arange(turns.action.shape[-1]) == turns.action_length[..., None] - 1
    rewards = jnp.where(last, reward[..., None], 0.0) - hyper.weights.kl * kl
    return jnp.where(turns.spoken, rewards, 0.0)


def word_weights(
    aggregation: str,
    turns: Turn,
    episodes: Episodes,
    said: Bool[Array, "rows turns action"],
    longest: int,
    devices: int = 1,
) -> Grid:
    """Weight of every word in the loss; denominators are those of the whole batch.

    Args:
        aggregation: `token-mean`: of all words alike. `seq-mean-token-mean`: of each episode's
            mean. `seq-mean-token-sum`: of each episode's sum. `seq-mean-token-sum-norm`: the
            same, divided by a constant, `longest` (Dr.GRPO, arXiv 2503.20783).
        turns: of a rollout.
        episodes: of it.
        said: words that count.
        longest: words that an episode says at most.
        devices: that share the batch.
    """
    counted = jnp.where(said, 1.0, 0.0)
    if aggregation == "token-mean":
        return counted / jnp.maximum(across(jnp.sum(counted), devices), 1.0)
    words = episodes.total(jnp.sum(counted, axis=2))
    count = jnp.maximum(across(jnp.sum(words > 0), devices), 1.0)
    if aggregation == "seq-mean-token-mean":
        return counted / (count * jnp.maximum(episodes.per_turn(words), 1.0)[..., None])
    return counted / (count if aggregation == "seq-mean-token-sum" else count * longest)


def _estimate(
    algorithm: Algorithm,
    hyper: Hyper,
    trajectory: Trajectory,
    episodes: Episodes,
    reward: Grid,
    counts: Bool[Array, "rows turns"],
) -> tuple[Grid, Grid]:
    turns, name = trajectory.turns, algorithm.advantage
    if algorithm.cut == "end":
        turns = turns.replace(terminated=turns.terminated | turns.truncated)
    each = jax.vmap(ESTIMATORS.get(name, ESTIMATORS["return"]), in_axes=(0, 0, 0, None, None))
    advantage, target = each(turns, reward, trajectory.final_value, hyper.gamma, hyper.lam)
    if name in ESTIMATORS:
        return advantage, target
    total, group = episodes.total(jnp.sum(reward, axis=2)), algorithm.group
    scaled = algorithm.normalisation == "group"
    relative = group_advantage(total, episodes.whole, group, name == "leave-one-out", scaled)
    result = episodes.per_turn(relative)
    if name == "anchor":
        returns = target[..., 0]
        own = anchor_advantage(turns.anchor, episodes.number, returns, counts, group, scaled)
        result += hyper.anchor * own
    return jnp.broadcast_to(result[..., None], target.shape), target


def _normalised(
    algorithm: Algorithm,
    suite: Suite,
    turns: Turn,
    advantage: Grid,
    said: Bool[Array, "rows turns action"],
    devices: int,
) -> Grid:
    """Advantages in units of their deviation, over the batch or each environment's part of it."""
    if algorithm.normalisation not in ("batch", "environment"):
        return advantage
    count = len(suite.environments) if algorithm.normalisation == "environment" else 1
    owner = jnp.asarray(suite.owner)[turns.task] if count > 1 else jnp.zeros_like(turns.task)
    owner = jnp.broadcast_to(owner[..., None], said.shape)
    weight = said.astype(jnp.float32)
    return normalise(advantage, weight, owner, count, devices)
