"""Advantages: how much better the return was than expected, per turn or per token.

All are one recursion over the *compressed* sequence of a row, which holds only what the policy
said: values of words it was told are never bootstrapped through. The reward of an action stands on
its last word. Those with a critic bootstrap truncation and the end of the rollout: only termination
is an end. The return without one has nothing to bootstrap with.

Every estimator is for one row and returns advantages and value targets [turns, action], of no
meaning behind `action_length`.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.rl.devices import across, longest
from jaxagent.rl.equal import all_equal
from jaxagent.rl.trajectory import Turn

Grid = Float[Array, "turns action"]
Credit = tuple[Grid, Grid]


def generalised_advantage(
    reward: Float[Array, " steps"],
    value: Float[Array, " steps"],
    next_value: Float[Array, " steps"],
    discount: Float[Array, " steps"],
    decay: Float[Array, " steps"],
    present: Bool[Array, " steps"],
) -> Float[Array, " steps"]:
    """Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438, eq. 16).

    `A_j = r_j + γ_j V'_j − V_j + γ_j λ_j A_{j+1}`, where `j + 1` is the next step present.

    Args:
        reward: of every step.
        value: expected return before it.
        next_value: expected return behind it, 0 where it ended.
        discount: γ_j.
        decay: λ_j; 0 where the next step belongs to another episode.
        present: steps that count; the others are passed over and get 0.
    """
    delta = reward + discount * next_value - value

    def step_back(advantage: jax.Array, step: tuple) -> tuple[jax.Array, jax.Array]:
        delta, weight, present = step
        new = delta + weight * advantage
        return jnp.where(present, new, advantage), jnp.where(present, new, 0.0)

    steps = (delta, discount * decay, present)
    return jax.lax.scan(step_back, jnp.float32(0), steps, reverse=True)[1]


def turn_advantage(
    turns: Turn,
    reward: Grid,
    final_value: Float[Array, ""],
    gamma: jax.typing.ArrayLike,
    lam: jax.typing.ArrayLike,
) -> Credit:
    """Advantages of turns, given to all their words, and the returns to be expected.

    The value of a turn is read before its first word; γ and λ count turns. The value target of
    every word is the turn's return.

    Args:
        turns: of one row.
        reward: of every word.
        final_value: return expected behind the last turn.
        gamma: discount.
        lam: decay.
    """
    value = turns.value[:, 0]
    advantage = generalised_advantage(
        reward=jnp.sum(reward, axis=1),
        value=value,
        next_value=_value_after(turns, final_value),
        discount=jnp.full_like(value, gamma),
        decay=jnp.asarray(lam) * _goes_on(turns),
        present=turns.action_length > 0,
    )
    return _to_words(advantage, turns), _to_words(advantage + value, turns)


def token_advantage(
    turns: Turn,
    reward: Grid,
    final_value: Float[Array, ""],
    gamma: jax.typing.ArrayLike,
    lam: jax.typing.ArrayLike,
) -> Credit:
    """Advantages and value targets of every word; γ and λ count turns.

    Inside a turn both are 1: the words of one action are a single decision, told in parts.
    """
    last = _last_words(turns)
    following = jnp.roll(turns.value, -1, axis=1)
    after = jnp.where(last, _value_after(turns, final_value)[:, None], following)
    decay = jnp.where(last, lam * _goes_on(turns)[:, None], 1.0)
    advantage = _over_words(turns, reward, after, jnp.where(last, gamma, 1.0), decay)
    return advantage, advantage + turns.value


def bilevel_advantage(
    turns: Turn,
    reward: Grid,
    final_value: Float[Array, ""],
    gamma: jax.typing.ArrayLike,
    lam: jax.typing.ArrayLike,
) -> Credit:
    """Bi-level estimation: over turns first, then over the words of each turn by itself.

    The second pass takes the return of the turn for the reward of its last word (RAGEN, arXiv
    2504.20073, and VAGEN). Ends of turns are those of the actions, whatever the rewards; λ decays
    over words too.
    """
    _, target = turn_advantage(turns, reward, final_value, gamma, lam)
    last = _last_words(turns)
    following = jnp.where(last, 0.0, jnp.roll(turns.value, -1, axis=1))
    returns = jnp.where(last, target, 0.0)
    decay = jnp.where(last, 0.0, lam)
    advantage = _over_words(turns, returns, following, jnp.ones_like(returns), decay)
    return advantage, advantage + turns.value


def return_advantage(
    turns: Turn,
    reward: Grid,
    final_value: Float[Array, ""],
    gamma: jax.typing.ArrayLike,
    lam: jax.typing.ArrayLike,
) -> Credit:
    """The discounted sum of rewards from each turn on, without a critic (REINFORCE).

    An episode that is cut ends like any other: what it might have got is not known.
    """
    del final_value, lam
    ended = turns.terminated | turns.truncated
    blind = turns.replace(value=jnp.zeros_like(turns.value), terminated=ended)
    return turn_advantage(blind, reward, jnp.float32(0), gamma, 1.0)


ESTIMATORS: dict[str, Callable[..., Credit]] = {
    "turn": turn_advantage,
    "token": token_advantage,
    "bi-level": bilevel_advantage,
    "return": return_advantage,
}
"""Estimators of one row's advantages by name; `jaxagent.rl.group` compares rows."""


def normalise(
    advantage: Float[Array, "..."],
    weight: Float[Array, "..."],
    group: Int[Array, "..."],
    groups: int,
    devices: int = 1,
) -> Float[Array, "..."]:
    """Advantages with weighted mean 0 and standard deviation 1 inside each group, or all 0 where
    they are equal.

    In a mixture the groups are the environments, so that none drowns the others' gradient.

    Args:
        advantage: of every word.
        weight: 0 for words that do not count.
        group: number of the word's group.
        groups: how many groups there are.
        devices: that share the batch.
    """
    member = jax.nn.one_hot(group, groups) * weight[..., None]
    axes = tuple(range(advantage.ndim))

    def total(values: Array) -> Array:
        return across((member * values[..., None]).sum(axes), devices)

    def largest(values: Array) -> Array:
        return longest(jnp.where(member > 0, values[..., None], -jnp.inf).max(axes), devices)

    count = jnp.maximum(total(jnp.ones_like(advantage)), 1.0)
    equal = all_equal(-largest(-advantage), largest(advantage))
    centred = jnp.where(equal[group], 0.0, advantage - (total(advantage) / count)[group])
    deviation = jnp.sqrt(total(jnp.square(centred)) / count)
    return centred / (deviation[group] + 1e-6)


def _over_words(turns: Turn, reward: Grid, after: Grid, discount: Grid, decay: Grid) -> Grid:
    """The recursion over all words of the row, told one behind the other."""
    each = (reward, turns.value, after, discount, decay, turns.spoken)
    return generalised_advantage(*(x.reshape(-1) for x in each)).reshape(turns.value.shape)


def _to_words(each: Float[Array, " turns"], turns: Turn) -> Grid:
    return jnp.broadcast_to(each[:, None], turns.value.shape)


def _last_words(turns: Turn) -> Bool[Array, "turns action"]:
    return jnp.arange(turns.value.shape[1]) == turns.action_length[:, None] - 1


def _value_after(turns: Turn, final_value: jax.Array) -> jax.Array:
    """Value behind every turn, which is that before the next one; 0 where the episode ended."""
    after = jnp.append(turns.value[1:, 0], final_value)
    return jnp.where(turns.terminated, 0.0, after)


def _goes_on(turns: Turn) -> jax.Array:
    """Whether the next turn of the row belongs to the same episode and acts."""
    return ~(turns.terminated | turns.truncated)
