"""Losses over the words of packed rows, as means over a given number of words."""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

LOG_RATIO_LIMIT = 20.0

Scalar = jax.Array | float
"""A number that may be traced."""


class Words(flax.struct.PyTreeNode):
    """What a loss knows of the words said; every leaf has the leading axes of the words.

    Attributes:
        log_prob: under the parameters that are differentiated.
        entropy: exact entropy of their distribution, in nats.
        kl: exact KL divergence of that distribution from the base policy's, in nats.
        value: return expected by them before the word.
        old_log_prob: under the policy that said the word.
        old_value: return it expected.
        advantage: of the word.
        target: return to be expected.
        said: which words count.
    """

    log_prob: Float[Array, "..."]
    entropy: Float[Array, "..."]
    kl: Float[Array, "..."]
    value: Float[Array, "..."]
    old_log_prob: Float[Array, "..."]
    old_value: Float[Array, "..."]
    advantage: Float[Array, "..."]
    target: Float[Array, "..."]
    said: Bool[Array, "..."]


class Weights(flax.struct.PyTreeNode):
    """Weights of the parts of the loss; scalars, all traced.

    Attributes:
        clip_low: ε below 1 of the clipped ratio.
        clip_high: ε above 1.
        value_clip: half-width of the band around the old value; large to switch clipping off.
        value: weight of the value loss.
        entropy: weight of the entropy bonus.
        kl: weight of the KL divergence from the base policy.
    """

    clip_low: Scalar = 0.2
    clip_high: Scalar = 0.2
    value_clip: Scalar = 0.5
    value: Scalar = 0.5
    entropy: Scalar = 0.01
    kl: Scalar = 0.0


def log_ratio(words: Words) -> Float[Array, "..."]:
    """Log of the probability ratio of every word, 0 where none was said, clamped to ±20."""
    difference = jnp.where(words.said, words.log_prob - words.old_log_prob, 0.0)
    return jnp.clip(difference, -LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)


def clipped_policy_loss(words: Words, weights: Weights) -> Float[Array, "..."]:
    """Clipped surrogate (Schulman et al. 2017, arXiv 1707.06347, eq. 7), negated, per word."""
    ratio = jnp.exp(log_ratio(words))
    clipped = jnp.clip(ratio, 1.0 - weights.clip_low, 1.0 + weights.clip_high)
    return jnp.maximum(-words.advantage * ratio, -words.advantage * clipped)


def clipped_value_loss(words: Words, weights: Weights) -> Float[Array, "..."]:
    """Half the squared error of the value, the larger of the plain and the clipped one, per word.

    The clipped value may move `value_clip` from the old one (the "PPO2" rule).
    """
    moved = jnp.clip(words.value - words.old_value, -weights.value_clip, weights.value_clip)
    plain = jnp.square(words.value - words.target)
    clipped = jnp.square(words.old_value + moved - words.target)
    return 0.5 * jnp.maximum(plain, clipped)


def ppo_loss(
    words: Words, weights: Weights, count: Float[Array, ""]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Loss of proximal policy optimisation, and its parts as sums over words divided by `count`.

    Args:
        words: of a minibatch.
        weights: of the parts.
        count: words that a minibatch holds on average, so that the losses of an epoch's
            minibatches add up to the mean over all its words.
    """
    moved = jnp.abs(jnp.exp(log_ratio(words)) - 1.0)
    clipped = moved > jnp.where(words.advantage > 0, weights.clip_high, weights.clip_low)
    parts = {
        "policy_loss": clipped_policy_loss(words, weights),
        "value_loss": clipped_value_loss(words, weights),
        "entropy": words.entropy,
        "kl": words.kl,
        "clipped": clipped.astype(jnp.float32),
        "old_kl": jnp.exp(log_ratio(words)) - 1.0 - log_ratio(words),
    }
    means = {name: jnp.sum(jnp.where(words.said, x, 0.0)) / count for name, x in parts.items()}
    total = (
        means["policy_loss"]
        + weights.value * means["value_loss"]
        - weights.entropy * means["entropy"]
        + weights.kl * means["kl"]
    )
    return total, means


def imitation_loss(
    log_prob: Float[Array, "..."], wanted: Bool[Array, "..."], count: Float[Array, ""]
) -> Float[Array, ""]:
    """Cross-entropy of the wanted words, their sum divided by `count`."""
    return -jnp.sum(jnp.where(wanted, log_prob, 0.0)) / count
