"""A policy over words: a transformer as pure functions, and the categorical it speaks with."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from jaxagent.checks import check_key, check_kind, check_option, check_whole
from jaxagent.models.transformer import SIZES, Cache, ModelConfig, Transformer, empty_cache

Params = dict[str, Any]

LOG_ZERO = -1e4
SAMPLE_GROUP = 64


@dataclasses.dataclass(frozen=True)
class Policy:
    """A transformer that reads words and says the next one, and estimates the return.

    Static and hashable; the parameters are an argument of every method. Methods take one row,
    except that `logits` and `value` take hidden states of any leading shape; map over rows, and
    over parameters for a population, with `jax.vmap`.
    """

    config: ModelConfig
    """Shape of the transformer, or the name of one of `SIZES`; `head_dim` and `dtype` are resolved
    when the policy is built."""
    vocabulary: int
    """Number of words; tokens are 0 .. vocabulary - 1."""

    def __post_init__(self) -> None:
        """Check the vocabulary and resolve the configuration for this machine."""
        if isinstance(self.config, str):
            check_option("config", self.config, SIZES)
            object.__setattr__(self, "config", SIZES[self.config])
        expected = f"a jaxagent.ModelConfig, or one of {', '.join(SIZES)}"
        check_kind("config", self.config, ModelConfig, expected)
        check_whole("vocabulary", self.vocabulary, 2, 2**24)
        object.__setattr__(self, "config", self.config.resolve())

    @functools.cached_property
    def module(self) -> Transformer:
        """The linen module behind the methods."""
        return Transformer(self.config, self.vocabulary)

    def init(self, key: jax.Array) -> Params:
        """Draw float32 parameters: near-uniform words, near-zero values."""
        check_key("key", key)
        return self._init(key)

    @functools.partial(jax.jit, static_argnums=0)  # else every operation is compiled on its own
    def _init(self, key: jax.Array) -> Params:
        token = jnp.zeros((1,), jnp.int32)
        return dict(self.module.init(key, token, token, token)["params"])

    @functools.cached_property
    def shapes(self) -> Params:
        """The parameters' shapes and types, as `jax.ShapeDtypeStruct`."""
        return jax.eval_shape(self._init, jax.random.key(0))

    def encode(
        self,
        params: Params,
        tokens: Int[Array, " tokens"],
        positions: Int[Array, " tokens"],
        segments: Int[Array, " tokens"],
        slots: Int[Array, " slots"] | None = None,
    ) -> Float[Array, "slots width"]:
        """Return the hidden states of a packed row, in the compute type.

        `segments` numbers the episodes (contiguous, -1 is padding), `positions` counts from 0
        inside each. A token sees its own episode up to itself. With `slots`, only the hidden
        states at these places are computed and returned, for less than the whole row costs.
        """
        return self._apply("encode", params, tokens, positions, segments, slots)

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
        self,
        params: Params,
        hidden: Float[Array, "... width"],
        words: Int[ArrayLike, " words"] | None = None,
    ) -> Float[Array, "... words"]:
        """Return the float32 logits of the next word, of all words or of those in `words`."""
        return self._apply("logits", params, hidden, words)

    def value(self, params: Params, hidden: Float[Array, "... width"]) -> Float[Array, "..."]:
        """Return the float32 estimate of the return."""
        return self._apply("value", params, hidden)

    @staticmethod
    def parameter_count(params: Params) -> int:
        """Return how many numbers `params` holds."""
        return sum(leaf.size for leaf in jax.tree.leaves(params))

    def _apply(self, method: str, params: Params, *args: Any) -> Any:
        return self.module.apply({"params": params}, *args, method=method)


def log_probs(logits: Float[Array, "... vocabulary"]) -> Float[Array, "... vocabulary"]:
    """Return the log-probabilities of all words."""
    peak, _, weights = _weigh(logits)
    return logits - peak - jnp.log(_total(weights))[..., None]


def log_prob(
    logits: Float[Array, "... vocabulary"], tokens: Int[Array, "..."]
) -> Float[Array, "..."]:
    """Return the log-probabilities of the words `tokens`."""
    return log_prob_and_entropy(logits, tokens)[0]


@jax.custom_vjp
def log_prob_and_entropy(
    logits: Float[Array, "... vocabulary"], tokens: Int[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Return the log-probabilities of `tokens` and the entropies in nats, both float32.

    Exact and finite for finite logits. Has its own reverse-mode derivative, one pass over the
    logits instead of one per step of the computation; no forward-mode derivative.
    """
    return _score(logits, tokens)[0]


def entropy(logits: Float[Array, "... vocabulary"]) -> Float[Array, "..."]:
    """Return the entropies in nats."""
    return log_prob_and_entropy(logits, jnp.zeros(logits.shape[:-1], jnp.int32))[1]


def kl(
    p_logits: Float[Array, "... vocabulary"], q_logits: Float[Array, "... vocabulary"]
) -> Float[Array, "..."]:
    """Return the Kullback-Leibler divergences KL(p || q) in nats, summed over all words."""
    log_p, log_q = log_probs(p_logits), log_probs(q_logits)
    p = jnp.exp(log_p)
    return _total(p * jnp.where(p > 0, log_p - log_q, 0.0))


def sample(randomness: jax.Array, logits: Float[Array, "... vocabulary"]) -> Int[Array, "..."]:
    """Draw one word per row by inverting the cumulative distribution; int32.

    `randomness` is a key, or one uniform number in [0, 1] per row. Words of probability below
    about 1e-7 are drawn only approximately as often as they should, those of probability 0 never.

    One uniform number replaces one Gumbel per word, and two short searches, first for a group of
    words and then inside it, replace the cumulative sum over the vocabulary, slow on a CPU.
    """
    uniform = randomness
    if jnp.issubdtype(randomness.dtype, jax.dtypes.prng_key):
        uniform = jax.random.uniform(randomness, logits.shape[:-1])
    words = jnp.arange(logits.shape[-1])
    peak, _, weights = _weigh(logits)
    groups = jnp.arange(-(-words.size // SAMPLE_GROUP))
    membership = (words[:, None] // SAMPLE_GROUP == groups).astype(jnp.float32)
    masses = jnp.matmul(weights, membership, precision="highest")
    group, rest = _invert(masses, uniform * _total(masses))
    near = group[..., None] * SAMPLE_GROUP + jnp.arange(SAMPLE_GROUP)
    near_logits = jnp.take_along_axis(logits, jnp.minimum(near, words.size - 1), axis=-1)
    near_weights = jnp.where(near < words.size, jnp.exp(near_logits - peak), 0.0)
    return group * SAMPLE_GROUP + _invert(near_weights, rest)[0]


def _weigh(logits: Array) -> tuple[Array, Array, Array]:
    """Return the largest logit, the logits relative to it, and exp of these: 1 at the largest.

    The floor keeps 0 * log 0 at 0 where a difference of logits overflows.
    """
    peak = jax.lax.stop_gradient(logits.max(axis=-1, keepdims=True))
    relative = jnp.maximum(logits - peak, LOG_ZERO)
    return peak, relative, jnp.exp(relative)


def _total(weights: Array) -> Array:
    """Sum the last axis, as a product with ones: faster than a reduction on a CPU."""
    return jnp.matmul(weights, jnp.ones(weights.shape[-1], weights.dtype), precision="highest")


def _score(logits: Array, tokens: Array) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
    """Return log-probabilities and entropies, and what their derivative needs."""
    peak, relative, weights = _weigh(logits)
    total = _total(weights)
    log_total = jnp.log(total)
    chosen = jnp.take_along_axis(logits, tokens[..., None].astype(jnp.int32), axis=-1)
    nats = log_total - _total(weights * relative) / total
    results = ((chosen - peak)[..., 0] - log_total, nats)
    return results, (logits, tokens, peak, log_total, nats)


def _score_gradient(
    saved: tuple[Array, ...], cotangents: tuple[Array, Array]
) -> tuple[Array, None]:
    """Return the derivative: onehot - p for log-probabilities, -p (log p + H) for entropies."""
    logits, tokens, peak, log_total, nats = saved
    of_choice, of_entropy = (cotangent[..., None] for cotangent in cotangents)
    log_p = jnp.maximum(logits - peak, LOG_ZERO) - log_total[..., None]
    is_choice = jnp.arange(logits.shape[-1]) == tokens[..., None]
    spread = jnp.exp(log_p) * (of_choice + of_entropy * (log_p + nats[..., None]))
    return jnp.where(is_choice, of_choice, 0.0) - spread, None


log_prob_and_entropy.defvjp(_score, _score_gradient)


def _invert(masses: Array, target: Array) -> tuple[Array, Array]:
    """Return the first entry whose cumulative mass exceeds `target`, and the target inside it.

    Never an entry without mass: where rounding leaves no other, the heaviest.
    """
    cumulative = jnp.matmul(
        masses, jnp.triu(jnp.ones((masses.shape[-1],) * 2)), precision="highest"
    )
    found = (cumulative > target[..., None]) & (masses > 0)
    index = jnp.where(found.any(axis=-1), found.argmax(axis=-1), masses.argmax(axis=-1))
    before = jnp.take_along_axis(cumulative - masses, index[..., None], axis=-1)[..., 0]
    return index, target - before
