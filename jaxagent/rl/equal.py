"""Equality but for rounding: whether all of what is compared got the same.

The mean of equal numbers is off by a rounding error. Divided by a standard deviation that is
nothing but such errors, it would count as an advantage; so what is equal is told by its range.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

ROUNDING = 4 * float(jnp.finfo(jnp.float32).eps)
"""Range, as a share of the largest number, up to which numbers count as equal."""


def all_equal(low: Float[Array, "*n"], high: Float[Array, "*n"]) -> Bool[Array, "*n"]:
    """Return whether numbers from `low` to `high` are equal but for the rounding of float32.

    So are none at all, whose least is inf and whose largest is -inf.
    """
    largest = jnp.maximum(jnp.abs(low), jnp.abs(high))
    return (high <= low) | (high - low <= ROUNDING * largest)
