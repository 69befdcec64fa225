"""Advantages: how much better the return was than expected, per turn or per word.

Both are one recursion over the *compressed* sequence of a row, which holds only what the policy
said: values of words it was told are never bootstrapped through. A reward stands on the last word
of its turn. Truncation and the end of the rollout are bootstrapped, only termination is an end.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.rl.trajectory import Turn


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
    final_value: Float[Array, ""],
    gamma: jax.typing.ArrayLike,
    lam: jax.typing.ArrayLike,
) -> tuple[Float[Array, "turns action"], Float[Array, "turns action"]]:
    """Advantages of one row's turns, given to all their words, and the returns to be expected.

    The value of a turn is read before its first word; γ and λ count turns. The value target of
    every word is the turn's return.

    Returns:
        Advantages and value targets [turns, action], of no meaning behind `action_length`.
    """
    value = turns.value[:, 0]
    advantage = generalised_advantage(
        reward=turns.reward,
        value=value,
        next_value=_value_after(turns, final_value),
        discount=jnp.full_like(value, gamma),
        decay=jnp.asarray(lam) * _goes_on(turns),
        present=turns.action_length > 0,
    )
    shape = turns.value.shape
    target = advantage + value
    return jnp.broadcast_to(advantage[:, None], shape), jnp.broadcast_to(target[:, None], shape)


def word_advantage(
    turns: Turn,
    final_value: Float[Array, ""],
    gamma: jax.typing.ArrayLike,
    lam: jax.typing.ArrayLike,
) -> tuple[Float[Array, "turns action"], Float[Array, "turns action"]]:
    """Advantages and value targets of every word of one row; γ and λ count turns.

    Inside a turn both are 1: the words of one action are a single decision, told in parts.
    """
    shape, flat = turns.value.shape, turns.value.size
    words = jnp.arange(shape[1])
    last = words == turns.action_length[:, None] - 1
    following = jnp.roll(turns.value, -1, axis=1)
    value_after = jnp.where(last, _value_after(turns, final_value)[:, None], following)
    decay = jnp.where(last, lam * _goes_on(turns)[:, None], 1.0)
    advantage = generalised_advantage(
        reward=jnp.where(last, turns.reward[:, None], 0.0).reshape(flat),
        value=turns.value.reshape(flat),
        next_value=value_after.reshape(flat),
        discount=jnp.where(last, gamma, 1.0).reshape(flat),
        decay=decay.reshape(flat),
        present=turns.spoken.reshape(flat),
    ).reshape(shape)
    return advantage, advantage + turns.value


ADVANTAGES = {"turn": turn_advantage, "word": word_advantage}
"""Advantage estimators by name, each for one row."""


def normalise(
    advantage: Float[Array, "..."],
    weight: Float[Array, "..."],
    group: Int[Array, "..."],
    groups: int,
    across: Callable[[Array], Array] = lambda total: total,
) -> Float[Array, "..."]:
    """Advantages with weighted mean 0 and standard deviation 1 inside each group.

    In a mixture the groups are the environments, so that none drowns the others' gradient.

    Args:
        advantage: of every word.
        weight: 0 for words that do not count.
        group: number of the word's group.
        groups: how many groups there are.
        across: sums over the devices that share the batch.
    """
    member = jax.nn.one_hot(group, groups) * weight[..., None]

    def total(values: Array) -> Array:
        return across((member * values[..., None]).sum(tuple(range(values.ndim))))

    count = jnp.maximum(total(jnp.ones_like(advantage)), 1.0)
    centred = advantage - (total(advantage) / count)[group]
    deviation = jnp.sqrt(total(jnp.square(centred)) / count)
    return centred / (deviation[group] + 1e-6)


def _value_after(turns: Turn, final_value: jax.Array) -> jax.Array:
    """Value behind every turn, which is that before the next one; 0 where the episode ended."""
    after = jnp.append(turns.value[1:, 0], final_value)
    return jnp.where(turns.terminated, 0.0, after)


def _goes_on(turns: Turn) -> jax.Array:
    """Whether the next turn of the row belongs to the same episode and acts."""
    return ~(turns.terminated | turns.truncated)
