"""The optimiser: Adam on clipped gradients, with everything but its shape traced."""

from __future__ import annotations

import jax
import optax


def optimiser() -> optax.GradientTransformation:
    """Adam's direction; clipping and the learning rate are traced and applied by `descend`."""
    return optax.scale_by_adam(b1=0.9, b2=0.95, eps=1e-6)


def descend(
    gradients: optax.Updates,
    norm: jax.Array,
    state: optax.OptState,
    params: optax.Params,
    rate: jax.typing.ArrayLike,
    max_gradient: jax.typing.ArrayLike,
) -> tuple[optax.Params, optax.OptState]:
    """One step of Adam on gradients of this global norm, clipped to `max_gradient`; returns
    parameters and the state of the optimiser."""
    scale = jax.numpy.minimum(1.0, max_gradient / jax.numpy.maximum(norm, 1e-9))
    gradients = jax.tree.map(lambda g: g * scale, gradients)
    updates, state = optimiser().update(gradients, state, params)
    params = jax.tree.map(lambda p, u: p - rate * u, params, updates)
    return params, state
