"""Rooflines: the arithmetic and the memory traffic of a training, counted from its configuration,
and what the machine can do at most, measured in the same run."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxagent.models import ModelConfig
from jaxagent.rl.actor import PIECE
from jaxagent.rl.devices import replicate, spread
from jaxagent.rl.learner import Learner
from jaxagent.study.timing import rate_of


@dataclass(frozen=True)
class Ceilings:
    """The most that the devices together do.

    Attributes:
        flops: floating-point operations per second, of large matrix products in the compute type.
        bandwidth: bytes per second, read and written, of a long array.
    """

    flops: float
    bandwidth: float


def measure_ceilings(devices: int, dtype: str, seconds: float) -> Ceilings:
    """Measures both on the first `devices` devices at once."""
    large = jax.default_backend() != "cpu"
    side, length = (8192, 2**28) if large else (1024, 2**24)
    matrix = jnp.ones((side, side), dtype)
    product = jax.jit(spread(lambda x: x @ x, devices, joined=True))
    flops = rate_of(product, (replicate(matrix, devices),), seconds) * 2 * side**3 * devices
    numbers = jnp.ones(length, jnp.float32)
    add = jax.jit(spread(lambda x: x + 1, devices, joined=True))
    rate = rate_of(add, (replicate(numbers, devices),), seconds)
    return Ceilings(flops, rate * 2 * numbers.nbytes * devices)


def token_flops(config: ModelConfig, context: int) -> int:
    """Operations of one token's pass through the blocks, attending to `context` slots."""
    inner = config.heads * config.channels
    dense = config.width * (2 * inner + 2 * config.kv_heads * config.channels)
    dense += 3 * config.width * config.hidden
    return config.layers * (2 * dense + 4 * context * inner)


def word_flops(config: ModelConfig, words: int) -> int:
    """Operations of the logits of `words` and of the value before one word said."""
    return 2 * config.width * (words + 1)


def update_flops(learner: Learner, packed_rows: float) -> float:
    """Operations of the gradient steps on so many packed rows: a pass forward, two backward.

    The last block computes keys and values of all tokens, and the rest only for words said; it is
    counted as if it computed all.
    """
    config, window = learner.actor.policy.config, learner.window
    row = window.context * token_flops(config, window.context)
    row += window.words * word_flops(config, len(learner.actor.words))
    return 3.0 * learner.algorithm.epochs * packed_rows * row


def rollout_bytes(config: ModelConfig, slots: int, messages: float, words: float) -> float:
    """Bytes of the cache that are read in a rollout: once per word said, once per piece read.

    Args:
        config: of the policy, resolved.
        slots: of a row's cache.
        messages: words read.
        words: words said.
    """
    itemsize = jnp.dtype(config.dtype).itemsize
    slot = 2 * config.layers * config.kv_heads * config.channels * itemsize
    return (words + messages / PIECE) * slots * slot
