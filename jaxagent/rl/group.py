"""Group-relative advantages: attempts at one instance compared with each other.

The rows of a group are neighbours, and the j-th episode of every one of them is an attempt at the
same instance. Episodes count once each, however many turns they took; those that the end of the
rollout cut off are left out.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from jaxagent.rl.equal import all_equal

EPSILON = 1e-6


def group_advantage(
    reward: Float[Array, "rows episodes"],
    whole: Bool[Array, "rows episodes"],
    group: int,
    leave_one_out: bool = False,
    scaled: bool = False,
) -> Float[Array, "rows episodes"]:
    """Rewards of episodes less the mean of their group; 0 where there is nobody to compare with,
    or all got the same.

    Args:
        reward: sums over the episodes.
        whole: episodes that count.
        group: rows of a group.
        leave_one_out: compare with the mean of the *others* (RLOO, Ahmadian et al. 2024, arXiv
            2402.14740), which is n / (n − 1) times as much.
        scaled: divide by the group's sample standard deviation (GRPO, Shao et al. 2024, arXiv
            2402.03300, section 4.1.2); Dr.GRPO (Liu et al. 2025, arXiv 2503.20783) does not.
    """
    count, centred = _compare(_by_group(reward, group), _by_group(whole, group))
    if leave_one_out:
        centred *= count / jnp.maximum(count - 1.0, 1.0)
    if scaled:
        centred /= jnp.sqrt(_variance(centred, count)) + EPSILON
    return centred.reshape(reward.shape)


def undecided(
    reward: Float[Array, "rows episodes"], whole: Bool[Array, "rows episodes"], group: int
) -> Bool[Array, "rows episodes"]:
    """Return whether the attempts of the episode's group differ in reward (DAPO, arXiv 2503.14476),
    be it ever so little: their range decides, as in TRL."""
    values, whole = _by_group(reward, group), _by_group(whole, group)
    low, high = _range(values, whole)
    return jnp.broadcast_to(~all_equal(low, high), values.shape).reshape(reward.shape)


def anchor_advantage(
    anchor: UInt32[Array, "rows turns"],
    number: Int[Array, "rows turns"],
    returns: Float[Array, "rows turns"],
    present: Bool[Array, "rows turns"],
    group: int,
    scaled: bool = False,
) -> Float[Array, "rows turns"]:
    """Returns from a turn on, less their mean over all turns in the same state of one instance.

    The step-level part of GiGPO (Feng et al. 2025, arXiv 2505.10978, eq. 7). A state that only one
    turn of the group has been in says nothing: 0. So does one with the same return each time.

    Args:
        anchor: hash of the state that each turn begins in.
        number: of each turn's episode in its row.
        returns: discounted rewards from each turn on.
        present: turns that count.
        group: rows of a group.
        scaled: divide by the sample standard deviation of the compared returns.
    """
    values = (anchor, number, returns, present)
    each = [_by_group(x, group).reshape(len(x) // group, -1) for x in values]
    compare = partial(_compare_states, scaled)
    return jax.vmap(compare)(*each).reshape(returns.shape)


def _compare_states(
    scaled: bool,
    anchor: UInt32[Array, " n"],
    number: Int[Array, " n"],
    returns: Float[Array, " n"],
    present: Bool[Array, " n"],
) -> Float[Array, " n"]:
    """Sorts the turns of one group by episode and state, so that equal ones are neighbours."""
    size = len(anchor)
    order = jnp.lexsort((anchor, number, ~present))
    anchor, number, present = anchor[order], number[order], present[order]
    changed = (anchor != jnp.roll(anchor, 1)) | (number != jnp.roll(number, 1))
    state = jnp.cumsum(changed.at[0].set(False) | ~present)
    values = jnp.where(present, returns[order], 0.0)

    def total(values: Array) -> Array:
        return jax.ops.segment_sum(values, state, size + 1)[state]

    count = jnp.maximum(total(present.astype(jnp.float32)), 1.0)
    low = jax.ops.segment_min(jnp.where(present, values, jnp.inf), state, size + 1)[state]
    high = jax.ops.segment_max(jnp.where(present, values, -jnp.inf), state, size + 1)[state]
    counts = present & ~all_equal(low, high)
    centred = jnp.where(counts, values - total(values) / count, 0.0)
    if scaled:
        variance = total(jnp.square(centred)) / jnp.maximum(count - 1.0, 1.0)
        centred /= jnp.sqrt(variance) + EPSILON
    return jnp.zeros_like(returns).at[order].set(centred)


def _by_group(values: Array, group: int) -> Array:
    return values.reshape(len(values) // group, group, *values.shape[1:])


def _compare(reward: Array, whole: Array) -> tuple[Array, Array]:
    """Attempts of every group, and the rewards less their mean; axis 1 is that of the attempts."""
    count = jnp.sum(whole, axis=1, keepdims=True).astype(jnp.float32)
    mean = jnp.sum(jnp.where(whole, reward, 0.0), axis=1, keepdims=True) / jnp.maximum(count, 1.0)
    differ = ~all_equal(*_range(reward, whole))
    return count, jnp.where(whole & differ, reward - mean, 0.0)


def _range(reward: Array, whole: Array) -> tuple[Array, Array]:
    """Least and largest reward of every group."""
    low = jnp.min(jnp.where(whole, reward, jnp.inf), axis=1, keepdims=True)
    return low, jnp.max(jnp.where(whole, reward, -jnp.inf), axis=1, keepdims=True)


def _variance(centred: Array, count: Array) -> Array:
    """Sample variance of the attempts, 0 for a single one."""
    return jnp.sum(jnp.square(centred), axis=1, keepdims=True) / jnp.maximum(count - 1.0, 1.0)
