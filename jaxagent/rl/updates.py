"""Many updates in one call, and the means of their metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

Metrics = dict[str, jax.Array]

State = TypeVar("State")


def progress_of(update: jax.typing.ArrayLike, updates: jax.typing.ArrayLike) -> jax.Array:
    """Return the share of a run of `updates` that is done before update number `update`, float32[]
    in [0, 1]; a run that goes on beyond them stays at 1."""
    return jnp.minimum(update / jnp.maximum(updates, 1), 1.0).astype(jnp.float32)


def repeat(
    step: Callable[[State], tuple[State, Metrics]], state: State, count: jax.typing.ArrayLike
) -> tuple[State, Metrics]:
    """Applies `step` `count` times, a traced number; returns the state and the metrics' means."""
    step = jax.jit(step)
    shapes = jax.eval_shape(step, state)[1]
    # As one vector, because every sum by itself would be compiled by itself.
    start, unravel = ravel_pytree({n: jnp.zeros(x.shape, jnp.float32) for n, x in shapes.items()})

    def once(_: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        state, metrics = step(carry[0])
        flat = ravel_pytree({n: x.astype(jnp.float32) for n, x in metrics.items()})[0]
        return state, carry[1] + flat

    state, sums = jax.lax.fori_loop(0, count, once, (state, start))
    return state, unravel(sums / count)
