"""A policy over words: a transformer as pure functions."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxagent.models.transformer import Cache, ModelConfig, Transformer, empty_cache

Params = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Policy:
    """A transformer that reads words and says the next one, and estimates the return.

    Static and hashable; the parameters are an argument of every method. Methods take one row,
    except that `logits` and `value` take hidden states of any leading shape; map over rows, and
    over parameters for a population, with `jax.vmap`.
    """

    config: ModelConfig
    """Shape of the transformer; `head_dim` and `dtype` are resolved when the policy is built."""
    vocabulary: int
    """Number of words; tokens are 0 .. vocabulary - 1."""

    def __post_init__(self) -> None:
        """Check the vocabulary and resolve the configuration for this machine."""
        if self.vocabulary < 2:
            raise ValueError(f"vocabulary={self.vocabulary}: expected at least 2 words")
        object.__setattr__(self, "config", self.config.resolve())

    @functools.cached_property
    def module(self) -> Transformer:
        """The linen module behind the methods."""
        return Transformer(self.config, self.vocabulary)

    def init(self, key: jax.Array) -> Params:
        """Draw float32 parameters: near-uniform words, near-zero values."""
        token = jnp.zeros((1,), jnp.int32)
        return self.module.init(key, token, token, token)["params"]

    def encode(
        self,
        params: Params,
        tokens: Int[Array, " tokens"],
        positions: Int[Array, " tokens"],
        segments: Int[Array, " tokens"],
    ) -> Float[Array, "tokens width"]:
        """Return the hidden states of a packed row, in the compute type.

        `segments` numbers the episodes (contiguous, -1 is padding), `positions` counts from 0
        inside each. A token sees its own episode up to itself.
        """
        return self._apply("encode", params, tokens, positions, segments)

    def empty_cache(self, slots: int) -> Cache:
        """Return the cache of a row that has read nothing and may read `slots` tokens."""
        return empty_cache(self.config, slots)

    def extend(
        self,
        params: Params,
        cache: Cache,
        tokens: Int[Array, " chunk"],
        length: Int[Array, ""],
    ) -> tuple[Float[Array, "chunk width"], Cache]:
        """Read the first `length` of `tokens` behind the cache; return hidden states and cache.

        The hidden states behind `length` are garbage. The caller keeps
        `cache.length + length <= slots`.
        """
        return self._apply("extend", params, cache, tokens, length)

    def logits(
        self, params: Params, hidden: Float[Array, "... width"]
    ) -> Float[Array, "... vocabulary"]:
        """Return the float32 logits of the next word."""
        return self._apply("logits", params, hidden)

    def value(self, params: Params, hidden: Float[Array, "... width"]) -> Float[Array, "..."]:
        """Return the float32 estimate of the return."""
        return self._apply("value", params, hidden)

    def _apply(self, method: str, params: Params, *args: Any) -> Any:
        return self.module.apply({"params": params}, *args, method=method)


def parameter_count(params: Params) -> int:
    """Return how many numbers `params` holds."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
