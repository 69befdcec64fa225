"""How much memory the members of a population take, predicted before anything is compiled."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxagent.envs.pool import draw_pool
from jaxagent.models import ModelConfig, Policy
from jaxagent.rl.learner import Learner
from jaxagent.rl.rollout import rollout

SHARE = 0.85
"""Part of a device's memory that is planned with; the rest is left to the runtime."""


def device_bytes() -> int | None:
    """Memory of a device; None where it is the machine's, which others use too."""
    if jax.default_backend() == "cpu":
        return None
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")


def must_split(policy: Policy, devices: int, available: int | None) -> bool:
    """Whether devices that share a batch should keep their part of the parameters only.

    They do where parameters, gradient, Adam's two moments and a reference would take more than half
    of a device; the rest is for what is played and learnt from.

    Args:
        policy: that is trained.
        devices: that share a batch.
        available: bytes of a device's memory, None if not known.
    """
    if available is None or devices == 1:
        return False
    return 5 * tree_bytes(jax.eval_shape(policy.init, jax.random.key(0))) > SHARE * available / 2


def member_bytes(learner: Learner) -> dict[str, int]:
    """Bytes that one member takes, by what they are for.

    States, instances and what is played are counted exactly, by their shapes. What the gradient
    keeps is counted from the sizes of the model: a block keeps about eight vectors as wide as the
    residual stream, three as wide as the MLP, and its attention weights twice.

    Returns:
        `state` (old and new), `gradient`, `instances`, `caches`, `trajectory`, `activations`.
    """
    actor, window = learner.actor, learner.played
    key, params = _shape_of(jax.random.key(0)), jax.eval_shape(actor.policy.init, jax.random.key(0))
    state = jax.eval_shape(lambda key, params: learner.initial(params, key), key, params)
    weights = jnp.ones(len(actor.suite))
    size = learner.instances
    pool = jax.eval_shape(lambda key: draw_pool(key, actor.suite, weights, size), key)
    played = jax.eval_shape(lambda p, q, k: rollout(actor, p, q, k, window), params, pool, key)
    cache = tree_bytes(jax.eval_shape(lambda: actor.empty_cache(window.slots)))
    opening = tree_bytes(jax.eval_shape(lambda: actor.empty_cache(actor.suite.first_tokens)))
    return {
        "state": 2 * tree_bytes(state),
        "gradient": 2 * tree_bytes(params),
        "instances": tree_bytes(pool),
        "caches": 2 * window.rows * cache + size * opening,
        "trajectory": 2 * tree_bytes(played),
        "activations": _activations(learner),
    }


def peak_bytes(parts: dict[str, int]) -> int:
    """Bytes of a member at its peak: what is played and what is learnt do not live at once."""
    parts = dict(parts)
    largest = max(parts.pop("caches"), parts.pop("activations"))
    return sum(parts.values()) + largest


def lanes_that_fit(learner: Learner, members: int, available: int) -> tuple[int, str]:
    """How many of a device's members can be side by side, and a sentence that says why.

    Args:
        learner: of every member.
        members: on the device; the lanes divide them.
        available: bytes of the device's memory.

    Raises:
        ValueError: not even one fits.
    """
    parts = member_bytes(learner)
    each, state = peak_bytes(parts), parts["state"] / 2
    most = int((SHARE * available - members * state) // (each - state))
    if most < 1:
        raise ValueError(
            f"memory: a member takes about {_text(each)} and {members} states {_text(state)} "
            f"each, more than {SHARE:.0%} of {_text(available)}; play fewer rows or members"
        )
    lanes = max(n for n in range(1, members + 1) if members % n == 0 and n <= most)
    told = f"about {_text(each)} per member, {_text(available)} at hand"
    return lanes, f"{lanes} of {members} members side by side ({told})"


def activation_bytes(
    config: ModelConfig, rows: int, context: int, words: int, vocabulary: int
) -> int:
    """Return the bytes that the gradient keeps of a minibatch.

    Args:
        config: shape of the policy, resolved.
        rows: packed rows of the minibatch.
        context: tokens of a row.
        words: said in a row.
        vocabulary: words that the policy chooses from.
    """
    width = jnp.dtype(config.dtype).itemsize
    block = context * (8 * config.width + 3 * config.hidden + 2 * config.heads * context)
    outputs = 4 * words * (3 * vocabulary + 4 * config.width)
    return rows * (width * config.layers * block + outputs)


def tree_bytes(tree: Any) -> int:
    """Return the bytes of all arrays, or shapes of arrays, in a tree."""
    return sum(math.prod(x.shape) * _itemsize(x.dtype) for x in jax.tree.leaves(tree))


def _activations(learner: Learner) -> int:
    rows, context, words = learner.visit
    config, vocabulary = learner.actor.policy.config, len(learner.actor.words)
    return activation_bytes(config, rows, context, words, vocabulary)


def _shape_of(tree: Any) -> Any:
    return jax.eval_shape(lambda: tree)


def _itemsize(dtype: Any) -> int:
    return 8 if jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key) else jnp.dtype(dtype).itemsize


def _text(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
