"""Rotary positions, masks and masked attention, for one row of tokens."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

HIDDEN_SCORE = -1e30

BLOCK = 256
"""Queries of a packed row that attend at once."""


def rotations(
    positions: Int[Array, " tokens"], length: int, head_dim: int, base: float
) -> Float[Array, "tokens head_dim"]:
    """Return cosines, then sines, of the angles by which channel pairs turn at every position.

    Pair i of `head_dim / 2` turns by `position * base ** (-2 i / head_dim)` radians
    (Su et al. 2021, arXiv 2104.09864, equation 15). They are looked up in a table of the positions
    below `length`, for on a CPU each use of a cosine that is computed would compute it again.
    """
    exponents = np.arange(0, head_dim, 2) / head_dim
    angles = np.arange(length)[:, None] * base**-exponents
    table = np.concatenate([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)
    return jnp.asarray(table).at[positions].get(mode="clip")


def rotate(
    vectors: Float[Array, "tokens heads head_dim"], rotation: Float[Array, "tokens head_dim"]
) -> Float[Array, "tokens heads head_dim"]:
    """Turn the channel pairs (i, i + head_dim / 2) of every head by `rotation`; keeps the dtype."""
    cos, sin = jnp.split(rotation[:, None], 2, axis=-1)
    first, second = jnp.split(vectors.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return turned.astype(vectors.dtype)


class Places(NamedTuple):
    """Where tokens of a packed row stand, a leading axis [tokens].

    Attributes:
        slot: int32[tokens], place in the row.
        position: int32[tokens], place in the episode.
        segment: int32[tokens], number of the episode; -1 is padding.
    """

    slot: Int[Array, " tokens"]
    position: Int[Array, " tokens"]
    segment: Int[Array, " tokens"]


def packed_mask(queries: Places, keys: Places) -> Bool[Array, "queries keys"]:
    """Return which keys (columns) each query (row) of a packed row may see.

    A token sees the tokens of its own segment up to its own position. Padding (segment -1) sees
    only itself, so that no row of the mask is empty.
    """
    same = (queries.segment[:, None] == keys.segment) & (queries.segment[:, None] >= 0)
    causal = keys.position <= queries.position[:, None]
    return (same & causal) | (queries.slot[:, None] == keys.slot)


def attend_packed(
    queries: Float[Array, "queries heads head_dim"],
    keys: Float[Array, "kv_heads head_dim keys"],
    values: Float[Array, "kv_heads keys head_dim"],
    asking: Places,
    asked: Places,
) -> Float[Array, "queries heads*head_dim"]:
    """`attend` inside the episodes of a packed row, which grows linearly in memory with the row.

    Beyond `BLOCK` queries go block by block, and the gradient computes the weights of a block anew
    instead of keeping them.
    """
    count = queries.shape[0]
    if count <= BLOCK:
        return attend(queries, keys, values, packed_mask(asking, asked))

    def blocks(x: Array) -> Array:
        padded = jnp.pad(x, [(0, -count % BLOCK)] + [(0, 0)] * (x.ndim - 1))
        return padded.reshape(-1, BLOCK, *x.shape[1:])

    @jax.checkpoint
    def attend_block(block: tuple[Array, Places]) -> Array:
        return attend(block[0], keys, values, packed_mask(block[1], asked))

    mixed = jax.lax.map(attend_block, jax.tree.map(blocks, (queries, asking)))
    return mixed.reshape(-1, mixed.shape[-1])[:count]


def attend(
    queries: Float[Array, "queries heads head_dim"],
    keys: Float[Array, "kv_heads head_dim keys"],
    values: Float[Array, "kv_heads keys head_dim"],
    mask: Bool[Array, "queries keys"],
) -> Float[Array, "queries heads*head_dim"]:
    """Grouped-query scaled dot-product attention (Ainslie et al. 2023, arXiv 2305.13245).

    Consecutive query heads share a key-value head. Scores and softmax are float32, the result has
    the dtype of `queries`. Every row of `mask` must allow at least one key.

    Every sum runs over the last axis but one of what is kept, and queries stand before groups: on
    a CPU one-token decoding takes a third of the time that it takes in another order. The softmax
    is normalised after it has weighted the values: dividing `head_dim` numbers per query is
    cheaper than dividing one per key.
    """
    count, heads, head_dim = queries.shape
    grouped = queries.reshape(count, keys.shape[0], heads // keys.shape[0], head_dim)
    scores = jnp.einsum(
        "qkgd,kds->kqgs", grouped * head_dim**-0.5, keys, preferred_element_type=jnp.float32
    )
    scores = jnp.where(mask[:, None], scores, HIDDEN_SCORE)
    weights = jnp.exp(scores - jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True)))
    mixed = jnp.einsum(
        "kqgs,ksd->kqgd", weights.astype(values.dtype), values, preferred_element_type=jnp.float32
    )
    mixed = jnp.swapaxes(mixed / weights.sum(axis=-1, keepdims=True), 0, 1)
    return mixed.reshape(count, heads * head_dim).astype(queries.dtype)
