"""Hashes of states, so that equal worlds are recognised whatever led to them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32


def fingerprint_of(tree: Any) -> UInt32[Array, ""]:
    """Hash of all leaves of a tree of integers and booleans, each value mixed with its place."""
    leaves = [jnp.ravel(leaf).astype(jnp.uint32) for leaf in jax.tree.leaves(tree)]
    values = jnp.concatenate(leaves)
    places = mix(jnp.arange(len(values), dtype=jnp.uint32))
    return mix(jnp.sum(mix(values + places), dtype=jnp.uint32))


def mix(x: UInt32[Array, "*n"]) -> UInt32[Array, "*n"]:
    """A bijection of 32-bit numbers that spreads every bit (the finaliser of MurmurHash3)."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)
