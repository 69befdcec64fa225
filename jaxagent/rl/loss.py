"""Losses over the words of packed rows: weighted sums whose weights hold the denominators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxagent.rl.ranges import check_written

LOG_RATIO_LIMIT = 20.0
KL_LIMIT = 10.0

Scalar = jax.Array | float
"""A number that may be traced."""


class Words(flax.struct.PyTreeNode):
    """What a loss knows of the words of packed rows; leading axes [rows, words].

    Attributes:
        log_prob: under the parameters that are differentiated.
        entropy: exact entropy of their distribution, in nats.
        kl: divergence of that distribution from the reference policy's, in nats.
        value: return expected by them before the word.
        old_log_prob: under the policy that said the word.
        old_value: return it expected.
        advantage: of the word.
        target: return to be expected.
        weight: of the word; 0 for what does not count.
        turn: int32, equal for words of one turn, which are neighbours.
        sequence: int32, equal for words of one episode, which are neighbours.
    """

    log_prob: Float[Array, "rows words"]
    entropy: Float[Array, "rows words"]
    kl: Float[Array, "rows words"]
    value: Float[Array, "rows words"]
    old_log_prob: Float[Array, "rows words"]
    old_value: Float[Array, "rows words"]
    advantage: Float[Array, "rows words"]
    target: Float[Array, "rows words"]
    weight: Float[Array, "rows words"]
    turn: Int[Array, "rows words"]
    sequence: Int[Array, "rows words"]

    @property
    def counts(self) -> Bool[Array, "rows words"]:
        """Words that have a weight."""
        return self.weight > 0


class Weights(flax.struct.PyTreeNode):
    """Weights of the parts of the loss; scalars, all traced.

    Attributes:
        clip_low: ε below 1 of the clipped ratio.
        clip_high: ε above 1.
        dual_clip: bound of the loss of a word with negative advantage, in units of it (Ye et al.
            2020, arXiv 1912.09729, take 3); large to switch it off.
        value_clip: half-width of the band around the old value; large to switch clipping off.
        value: weight of the value loss.
        entropy: weight of the entropy bonus.
        kl: weight of the divergence from the reference policy, in the loss or in the reward.
    """

    clip_low: Scalar = 0.2
    clip_high: Scalar = 0.2
    dual_clip: Scalar = 1e6
    value_clip: Scalar = 0.5
    value: Scalar = 0.5
    entropy: Scalar = 0.003
    kl: Scalar = 0.0

    def __post_init__(self) -> None:
        check_written(self)


def token_log_ratio(words: Words) -> Float[Array, "rows words"]:
    """Log of the probability ratio of every word, 0 where none counts, clamped to ±20."""
    return clamped(jnp.where(words.counts, words.log_prob - words.old_log_prob, 0.0))


def turn_log_ratio(words: Words) -> Float[Array, "rows words"]:
    """Mean log ratio of the word's turn, with the gradient of the word's own."""
    return _shared(words, words.turn)


def sequence_log_ratio(words: Words) -> Float[Array, "rows words"]:
    """Mean log ratio of the word's episode, with the gradient of the word's own (GSPO-token, Zheng
    et al. 2025, arXiv 2507.18071, eq. 14)."""
    return _shared(words, words.sequence)


def clipped_policy_loss(
    log_ratio: Float[Array, "..."], words: Words, weights: Weights
) -> Float[Array, "..."]:
    """Clipped surrogate (Schulman et al. 2017, arXiv 1707.06347, eq. 7), negated, per word."""
    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1.0 - weights.clip_low, 1.0 + weights.clip_high)
    loss = jnp.maximum(-words.advantage * ratio, -words.advantage * clipped)
    bounded = jnp.minimum(loss, -weights.dual_clip * words.advantage)
    return jnp.where(words.advantage < 0, bounded, loss)


def clipped_weight_loss(
    log_ratio: Float[Array, "..."], words: Words, weights: Weights
) -> Float[Array, "..."]:
    """Policy gradient with clipped importance weights, which lose no word (CISPO, MiniMax 2025,
    arXiv 2506.13585, eq. 4), per word."""
    ratio = jnp.clip(jnp.exp(log_ratio), 1.0 - weights.clip_low, 1.0 + weights.clip_high)
    return -jax.lax.stop_gradient(ratio) * words.advantage * words.log_prob


def plain_policy_loss(
    log_ratio: Float[Array, "..."], words: Words, weights: Weights
) -> Float[Array, "..."]:
    """Policy gradient without a ratio (REINFORCE, Williams 1992), per word."""
    del log_ratio, weights
    return -words.advantage * words.log_prob


LogRatio = Callable[[Words], Float[Array, "rows words"]]
Objective = Callable[[jax.Array, Words, Weights], Float[Array, "rows words"]]

RATIOS: Mapping[str, LogRatio] = MappingProxyType(
    {"token": token_log_ratio, "turn": turn_log_ratio, "sequence": sequence_log_ratio}
)
OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {"clip": clipped_policy_loss, "cispo": clipped_weight_loss, "reinforce": plain_policy_loss}
)


def clipped_value_loss(words: Words, weights: Weights) -> Float[Array, "..."]:
    """Half the squared error of the value, the larger of the plain and the clipped one, per word.

    The clipped value may move `value_clip` from the old one (the "PPO2" rule).
    """
    moved = jnp.clip(words.value - words.old_value, -weights.value_clip, weights.value_clip)
    plain = jnp.square(words.value - words.target)
    clipped = jnp.square(words.old_value + moved - words.target)
    return 0.5 * jnp.maximum(plain, clipped)


def policy_loss(
    words: Words,
    weights: Weights,
    ratio: str = "token",
    objective: str = "clip",
    kl_counts: bool = True,
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Loss of a policy and its critic, and its parts, as sums over words by their weights.

    Args:
        words: of a minibatch.
        weights: of the parts.
        ratio: key of `RATIOS`.
        objective: key of `OBJECTIVES`.
        kl_counts: the divergence is part of the loss, not only measured.
    """
    log_ratio = RATIOS[ratio](words)
    own = token_log_ratio(words)
    moved = jnp.abs(jnp.exp(log_ratio) - 1.0)
    clipped = moved > jnp.where(words.advantage > 0, weights.clip_high, weights.clip_low)
    parts = {
        "policy_loss": OBJECTIVES[objective](log_ratio, words, weights),
        "value_loss": clipped_value_loss(words, weights),
        "entropy": words.entropy,
        "kl": words.kl,
        "clipped": clipped.astype(jnp.float32),
        "old_kl": jnp.exp(own) - 1.0 - own,
    }
    sums = {
        name: jnp.sum(words.weight * jnp.where(words.counts, x, 0.0)) for name, x in parts.items()
    }
    total = sums["policy_loss"] + weights.value * sums["value_loss"]
    total -= weights.entropy * sums["entropy"]
    return (total + weights.kl * sums["kl"] if kl_counts else total), sums


def k1(log_ratio: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """`−lr` with lr = log π_ref − log π of a word said by π: unbiased, of both signs.

    As a loss its gradient is 0 on average; taken off the reward, the policy gradient is that of
    KL(π ‖ π_ref).
    """
    return -log_ratio


def k2(log_ratio: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """`lr² / 2`: biased, but its gradient is that of KL(π ‖ π_ref)."""
    return 0.5 * jnp.square(log_ratio)


def k3(log_ratio: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """`exp(lr) − lr − 1`: unbiased and never negative; its gradient is that of KL(π_ref ‖ π)."""
    return jnp.minimum(jnp.exp(log_ratio) - log_ratio - 1.0, KL_LIMIT)


def k3_plus(log_ratio: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The value of k3 with the gradient of k2 (verl)."""
    return k2(log_ratio) + jax.lax.stop_gradient(k3(log_ratio) - k2(log_ratio))


SAMPLED_KL: Mapping[str, Callable[[jax.Array], jax.Array]] = MappingProxyType(
    {"k1": k1, "k2": k2, "k3": k3, "k3+": k3_plus}
)
"""Estimators of KL(π ‖ π_ref) from the words said (Schulman 2020)."""


def clamped(log_ratio: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Log ratios within ±20."""
    return jnp.clip(log_ratio, -LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)


def imitation_loss(
    log_prob: Float[Array, "..."], wanted: Bool[Array, "..."], count: Float[Array, ""]
) -> Float[Array, ""]:
    """Cross-entropy of the wanted words, their sum divided by `count`."""
    return -jnp.sum(jnp.where(wanted, log_prob, 0.0)) / count


def _shared(words: Words, unit: Int[Array, "rows words"]) -> Float[Array, "rows words"]:
    """Mean of the log ratios over runs of words with the same `unit`."""
    own = token_log_ratio(words)
    fixed = jax.lax.stop_gradient(own)

    def mean(own: Array, counts: Array, unit: Array) -> Array:
        run = jnp.cumsum(unit != jnp.roll(unit, 1))
        size = len(unit) + 1
        total = jax.ops.segment_sum(own, run, size)
        count = jax.ops.segment_sum(counts.astype(jnp.float32), run, size)
        return (total / jnp.maximum(count, 1.0))[run]

    return jax.vmap(mean)(fixed, words.counts, unit) + own - fixed
