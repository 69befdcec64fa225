"""A decoder-only transformer: one set of parameters, a packed full pass and a cached extension."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from jaxagent.checks import check_number, check_option, check_whole
from jaxagent.models.attention import Places, attend, attend_packed, rotate, rotations

MOST = MappingProxyType(
    {
        "width": 2**14,
        "layers": 2**8,
        "heads": 2**8,
        "kv_heads": 2**8,
        "hidden": 2**16,
        "head_dim": 2**12,
    }
)
"""The largest sizes of a transformer."""

EMBEDDING_SCALE = 0.02
NORM_EPSILON = 1e-6


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The shape of a transformer. Raises ValueError for sizes that do not fit together."""

    width: int = 64
    """Channels of the residual stream."""
    layers: int = 2
    """Transformer blocks."""
    heads: int = 2
    """Query heads per block."""
    kv_heads: int = 1
    """Key-value heads per block; divides `heads`. Few of them make decoding fast."""
    hidden: int = 128
    """Channels inside the gated MLP."""
    head_dim: int = 0
    """Channels per head, even; 0 means width // heads."""
    rope_base: float = 10_000.0
    """Base of the rotary wavelengths, in tokens."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Compute type; auto is float32 on a CPU and bfloat16 elsewhere. Parameters are float32."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name, most in MOST.items():
            check_whole(name, getattr(self, name), 0 if name == "head_dim" else 1, most)
        check_number("rope_base", self.rope_base, most=1e12)
        check_option("dtype", self.dtype, ("auto", "float32", "bfloat16"))
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads={self.kv_heads}: expected a divisor of heads={self.heads}")
        if self.head_dim % 2:
            raise ValueError(f"head_dim={self.head_dim}: expected an even number, or 0 for default")
        if not self.head_dim and self.width % (2 * self.heads):
            raise ValueError(
                f"width={self.width}: expected a multiple of 2 * heads={2 * self.heads}, "
                "or an explicit head_dim"
            )
        if self.rope_base <= 1:
            raise ValueError(f"rope_base={self.rope_base}: expected more than 1")

    @property
    def channels(self) -> int:
        """Channels per head, with the default of `head_dim` filled in."""
        return self.head_dim or self.width // self.heads

    def resolve(self) -> ModelConfig:
        """Return the same shape with `head_dim` and `dtype` made explicit for this machine.

        Asks JAX for its default backend, hence not done when the configuration is built.
        """
        dtype = self.dtype
        if dtype == "auto":
            dtype = "float32" if jax.default_backend() == "cpu" else "bfloat16"
        return dataclasses.replace(self, head_dim=self.channels, dtype=dtype)


SIZES: Mapping[str, ModelConfig] = MappingProxyType(
    {
        "nano": ModelConfig(width=32, layers=1, heads=2, kv_heads=1, hidden=64),
        "tiny": ModelConfig(),
        "small": ModelConfig(width=128, layers=3, heads=4, kv_heads=2, hidden=256),
        "medium": ModelConfig(width=256, layers=6, heads=8, kv_heads=2, hidden=704),
        "base": ModelConfig(width=512, layers=8, heads=8, kv_heads=2, hidden=1408),
    }
)


class Cache(flax.struct.PyTreeNode):
    """Keys and values of the tokens one row has read so far: slot i holds position i.

    One array per layer, because a slice of a stacked array would be copied at every step, in the
    order of axes in which `attend` reads it fastest.
    """

    keys: tuple[Float[Array, "kv_heads head_dim slots"], ...]
    """Rotated keys per layer, in the compute type."""
    values: tuple[Float[Array, "kv_heads slots head_dim"], ...]
    """Values per layer, in the compute type."""
    length: Int[Array, ""]
    """Valid slots, int32. What lies behind them is never read."""

    @property
    def slots(self) -> int:
        """Tokens that there is room for."""
        return self.keys[0].shape[-1]

    def with_slots(self, slots: int) -> Cache:
        """Return this cache with more slots, or with only the first of its own."""

        def fit(layer: Array, axis: int) -> Array:
            kept = jax.lax.slice_in_dim(layer, 0, min(slots, self.slots), axis=axis)
            widths = [(0, 0)] * layer.ndim
            widths[axis] = (0, slots - kept.shape[axis])
            return jnp.pad(kept, widths)

        return Cache(
            keys=tuple(fit(layer, layer.ndim - 1) for layer in self.keys),
            values=tuple(fit(layer, layer.ndim - 2) for layer in self.values),
            length=self.length,
        )

    def reopen(self, opening: Cache, when: Bool[ArrayLike, ""]) -> Cache:
        """Return this cache, holding what `opening`, which may have fewer slots, holds, if `when`.

        Only the slots that `opening` has are written.
        """

        def overwrite(layer: Array, new: Array) -> Array:
            held = tuple(slice(min(sizes)) for sizes in zip(layer.shape, new.shape, strict=True))
            return layer.at[held].set(jnp.where(when, new[held], layer[held]))

        return Cache(
            tuple(map(overwrite, self.keys, opening.keys)),
            tuple(map(overwrite, self.values, opening.values)),
            jnp.where(when, opening.length, self.length),
        )


def empty_cache(config: ModelConfig, slots: int) -> Cache:
    """Return a cache for episodes of at most `slots` tokens; `config` must be resolved."""
    if slots < 1:
        raise ValueError(f"slots={slots}: expected at least 1")
    keys = (config.kv_heads, config.channels, slots)
    values = (config.kv_heads, slots, config.channels)
    return Cache(
        keys=tuple(jnp.zeros(keys, config.dtype) for _ in range(config.layers)),
        values=tuple(jnp.zeros(values, config.dtype) for _ in range(config.layers)),
        length=jnp.int32(0),
    )


def write(layer: Array, chunk: Array, positions: Int[Array, " tokens"], axis: int) -> Array:
    """Put a chunk, of one entry per token along `axis`, into a layer of a cache.

    Positions without a slot are dropped.
    """
    slots = (slice(None),) * axis + (positions,)
    return layer.at[slots].set(chunk, mode="drop", unique_indices=True, indices_are_sorted=True)


def normalise(x: Float[Array, "... width"]) -> Float[Array, "... width"]:
    """Divide the last axis by its root mean square."""
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + NORM_EPSILON)


class RMSNorm(nn.Module):
    """Root-mean-square normalisation with a learned scale (Zhang & Sennrich 2019), in float32."""

    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "... width"]) -> Float[Array, "... width"]:
        """Normalise the last axis; the result has the compute type."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        return (normalise(x.astype(jnp.float32)) * scale).astype(self.dtype)


class Block(nn.Module):
    """One pre-norm block: grouped-query attention, then a gated MLP (SwiGLU, arXiv 2002.05202)."""

    config: ModelConfig

    def setup(self) -> None:
        """Declare the parameters; outputs into the residual stream shrink with depth."""
        config = self.config
        inward = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
        outward = nn.initializers.variance_scaling(0.5 / config.layers, "fan_in", "normal")
        self.attention_norm = RMSNorm(config.dtype)
        self.query = self._dense(config.heads * config.channels, inward)
        self.key_value = self._dense(2 * config.kv_heads * config.channels, inward)
        self.mix = self._dense(config.width, outward)
        self.mlp_norm = RMSNorm(config.dtype)
        self.gate_up = self._dense(2 * config.hidden, inward)
        self.down = self._dense(config.width, outward)

    def _dense(self, features: int, init: nn.initializers.Initializer) -> nn.Dense:
        return nn.Dense(features, use_bias=False, dtype=self.config.dtype, kernel_init=init)

    def ask(
        self, x: Float[Array, "tokens width"], rotation: Float[Array, "tokens head_dim"]
    ) -> Float[Array, "tokens heads head_dim"]:
        """Return rotated queries."""
        queries = self.query(self.attention_norm(x))
        return rotate(queries.reshape(x.shape[0], -1, self.config.channels), rotation)

    def offer(
        self, x: Float[Array, "tokens width"], rotation: Float[Array, "tokens head_dim"]
    ) -> tuple[Float[Array, "kv_heads head_dim tokens"], Float[Array, "kv_heads tokens head_dim"]]:
        """Return rotated keys, and values, in the order of axes of a cache."""
        both = self.key_value(self.attention_norm(x))
        keys, values = jnp.split(both.reshape(x.shape[0], -1, self.config.channels), 2, axis=1)
        return jnp.moveaxis(rotate(keys, rotation), 0, 2), jnp.moveaxis(values, 0, 1)

    def finish(
        self, x: Float[Array, "tokens width"], mixed: Float[Array, "tokens channels"]
    ) -> Float[Array, "tokens width"]:
        """Add what attention mixed, then what the MLP makes of it, to the residual stream."""
        x = x + self.mix(mixed)
        gate, up = jnp.split(self.gate_up(self.mlp_norm(x)), 2, axis=-1)
        return x + self.down(nn.silu(gate) * up)


class Transformer(nn.Module):
    """Words in, hidden states out; logits and values are read off the hidden states.

    `config` must be resolved. Written for one row; the caller maps over rows.
    """

    config: ModelConfig
    vocabulary: int

    def setup(self) -> None:
        """Declare the parameters; the word embedding serves input and output alike."""
        self.embedding = self.param(
            "embedding",
            nn.initializers.normal(EMBEDDING_SCALE),
            (self.vocabulary, self.config.width),
        )
        self.blocks = [Block(self.config) for _ in range(self.config.layers)]
        self.final_norm = RMSNorm(self.config.dtype)
        self.value_head = nn.Dense(1, dtype=jnp.float32, kernel_init=nn.initializers.normal(1e-3))

    def __call__(
        self,
        tokens: Int[Array, " tokens"],
        positions: Int[Array, " tokens"],
        segments: Int[Array, " tokens"],
    ) -> tuple[Array, Array, Array]:
        """Return hidden states, logits and values of a packed row; touches every parameter."""
        hidden = self.encode(tokens, positions, segments)
        return hidden, self.logits(hidden), self.value(hidden)

    def encode(
        self,
        tokens: Int[Array, " tokens"],
        positions: Int[Array, " tokens"],
        segments: Int[Array, " tokens"],
        slots: Int[Array, " slots"] | None = None,
    ) -> Float[Array, "slots width"]:
        """Return hidden states of a row that packs whole episodes one after another.

        All of them, or those of `slots` only: then the last block, where nothing but keys and
        values of the other tokens is needed, computes no more.
        """
        config = self.config
        rotation = rotations(positions, len(tokens), config.channels, config.rope_base)
        every = Places(jnp.arange(len(tokens)), positions, segments)
        asking, x = every, self._embed(tokens)
        for block in self.blocks:
            keys, values = block.offer(x, rotation)
            if block is self.blocks[-1] and slots is not None:
                x, rotation, asking = jax.tree.map(lambda v: v[slots], (x, rotation, every))
            mixed = attend_packed(block.ask(x, rotation), keys, values, asking, every)
            x = block.finish(x, mixed)
        return self.final_norm(x)

    def extend(
        self, cache: Cache, tokens: Int[Array, " chunk"], length: Int[Array, ""]
    ) -> tuple[Float[Array, "chunk width"], Cache]:
        """Read the first `length` of `tokens` behind what the cache holds.

        Hidden states behind `length` are garbage, as are their slots until they are overwritten.
        """
        config = self.config
        positions = cache.length + jnp.arange(tokens.shape[0], dtype=jnp.int32)
        rotation = rotations(positions, cache.slots, config.channels, config.rope_base)
        mask = jnp.arange(cache.slots) <= positions[:, None]
        x = self._embed(tokens)
        all_keys, all_values = [], []
        for block, layer_keys, layer_values in zip(
            self.blocks, cache.keys, cache.values, strict=True
        ):
            keys, values = block.offer(x, rotation)
            all_keys.append(write(layer_keys, keys, positions, axis=2))
            all_values.append(write(layer_values, values, positions, axis=1))
            queries = block.ask(x, rotation)
            x = block.finish(x, attend(queries, all_keys[-1], all_values[-1], mask))
        extended = Cache(tuple(all_keys), tuple(all_values), cache.length + length)
        return self.final_norm(x), extended

    def logits(
        self, hidden: Float[Array, "... width"], words: Int[ArrayLike, " words"] | None = None
    ) -> Float[Array, "... words"]:
        """Return the float32 logits of the next word, of all words or of those in `words`."""
        embedding = self.embedding if words is None else self.embedding[jnp.asarray(words)]
        return _scores(hidden, embedding.astype(hidden.dtype))

    def value(self, hidden: Float[Array, "... width"]) -> Float[Array, "..."]:
        """Return the float32 estimate of the return."""
        return self.value_head(hidden)[..., 0]

    def _embed(self, tokens: Int[Array, " tokens"]) -> Float[Array, "tokens width"]:
        return self.embedding[tokens].astype(self.config.dtype)


def _scores(
    hidden: Float[Array, "... width"], embedding: Float[Array, "words width"]
) -> Float[Array, "... words"]:
    """float32: how well hidden states fit words.

    Its gradient by the embedding is left to JAX. Summed up as a product of flat matrices, which is
    what one would write by hand, it came out wrong in some updates of a call of many on two CPU
    devices (docs/versions.md).
    """
    return jnp.einsum("...w,vw->...v", hidden, embedding, preferred_element_type=jnp.float32)
