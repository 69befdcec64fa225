"""Level replay: instances that taught much are played again.

Prioritised level replay (Jiang et al. 2021, arXiv 2010.03934) over (task, seed) pairs: an instance
is nothing but its key, so that thousands are remembered in a few kilobytes.
"""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.pool import Levels, draw_levels
from jaxagent.rl.curriculum import shares

STALENESS = 0.3
"""Share of the replay probability that goes by how long ago a level was played."""

TEMPERATURE = 0.3
"""β of the rank prioritisation `P ∝ (1 / rank)^(1 / β)`."""


class Replay(flax.struct.PyTreeNode):
    """Levels and what they taught; leading axis [capacity].

    Attributes:
        levels: what they are.
        score: float32, mean positive advantage when played last; -inf is a free place.
        played: int32, update in which that was.
    """

    levels: Levels
    score: Float[Array, " capacity"]
    played: Int[Array, " capacity"]


class Drawn(flax.struct.PyTreeNode):
    """Levels to be played, and their places in the buffer, -1 for new ones: [size] each."""

    levels: Levels
    place: Int[Array, " size"]


def no_replay(capacity: int) -> Replay:
    """A buffer with nothing in it."""
    levels = Levels(jnp.zeros((capacity, 2), jnp.uint32), jnp.zeros(capacity, jnp.int32))
    return Replay(levels, jnp.full(capacity, -jnp.inf), jnp.zeros(capacity, jnp.int32))


def draw(
    key: jax.Array,
    replay: Replay,
    weights: Float[Array, " tasks"],
    share: jax.typing.ArrayLike,
    update: Int[Array, ""],
    size: int,
) -> Drawn:
    """New levels, and in the place of a share of them distinct ones that are replayed.

    Nothing is replayed before half the buffer is filled, and no task that has no weight.

    Args:
        key: for both.
        replay: the buffer, of at least `size` places.
        weights: over the tasks, for new levels.
        share: of replayed levels.
        update: number of the update.
        size: levels in all.
    """
    new_key, replay_key = jax.random.split(key)
    new = draw_levels(new_key, weights, size)
    chances = replay_chances(replay, weights, update)
    noise = jax.random.gumbel(replay_key, chances.shape)
    _, order = jax.lax.top_k(jnp.log(chances) + noise, size)
    filled = jnp.mean(replay.score > -jnp.inf) >= 0.5
    count = jnp.round(jnp.asarray(share) * size) * filled
    old = (jnp.arange(size) < count) & (chances[order] > 0)
    levels = jax.tree.map(lambda a, b: jax.vmap(jnp.where)(old, a[order], b), replay.levels, new)
    return Drawn(levels, jnp.where(old, order, -1))


def replay_chances(
    replay: Replay, weights: Float[Array, " tasks"], update: Int[Array, ""]
) -> Float[Array, " capacity"]:
    """Probability of every level, by the rank of its score and by its staleness; they sum to 1."""
    usable = (replay.score > -jnp.inf) & (weights[replay.levels.task] > 0)
    order = jnp.argsort(jnp.where(usable, -replay.score, jnp.inf))
    rank = jnp.zeros(len(order), jnp.int32).at[order].set(jnp.arange(1, len(order) + 1))
    by_score = shares(jnp.where(usable, (1.0 / rank) ** (1.0 / TEMPERATURE), 0.0))
    age = jnp.where(usable, update - replay.played, 0).astype(jnp.float32)
    by_age = jnp.where(jnp.any(age > 0), shares(age), by_score)
    return (1.0 - STALENESS) * by_score + STALENESS * by_age


def renew(
    replay: Replay,
    drawn: Drawn,
    score: Float[Array, " size"],
    played: Bool[Array, " size"],
    update: Int[Array, ""],
) -> Replay:
    """The buffer behind an update: old scores renewed, and the best of old and new levels kept.

    Args:
        replay: before it.
        drawn: the levels of the update.
        score: of each.
        played: which of them were played.
        update: number of the update.
    """
    capacity = len(replay.score)
    old = played & (drawn.place >= 0)
    place = jnp.where(old, drawn.place, capacity)
    kept = replay.replace(
        score=replay.score.at[place].set(score, mode="drop"),
        played=replay.played.at[place].set(update, mode="drop"),
    )
    new_score = jnp.where(played & (drawn.place < 0), score, -jnp.inf)
    new = Replay(drawn.levels, new_score, jnp.full(len(score), update))
    every = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), kept, new)
    _, best = jax.lax.top_k(every.score, capacity)
    return jax.tree.map(lambda x: x[best], every)
