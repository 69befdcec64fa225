"""Algorithms: what is static in an update, what is traced, and the named points among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import flax.struct
import jax
import optax

from jaxagent.rl.advantage import ADVANTAGES
from jaxagent.rl.loss import Scalar, Weights


@dataclass(frozen=True)
class Algorithm:
    """The static parts of an update.

    Attributes:
        advantage: unit of credit, `turn` or `word`.
        epochs: passes over a rollout.
        minibatch: packed rows of a gradient step.
        reference: compute the exact KL divergence from the base policy, for its weight in the
            loss and as a metric; costs a forward pass of the base policy per gradient step.
    """

    advantage: str = "turn"
    epochs: int = 2
    minibatch: int = 32
    reference: bool = False

    def __post_init__(self) -> None:
        if self.advantage not in ADVANTAGES:
            options = ", ".join(ADVANTAGES)
            raise ValueError(f"advantage={self.advantage!r}: expected one of {options}")
        for name in ("epochs", "minibatch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")


class Hyper(flax.struct.PyTreeNode):
    """The traced parts: every leaf may differ between the members of a population.

    Attributes:
        learning_rate: of Adam, the peak of its schedule.
        warmup: share of the training over which it rises from 0.
        final_rate: share of it that is left at the end; it falls linearly.
        gamma: discount per turn.
        lam: λ of the advantage estimation, per turn.
        invalid_penalty: taken off the reward of an action that is no command or did nothing
            (verl-agent and RAGEN take 0.1); metrics show the reward without it.
        max_gradient: global norm to which gradients are clipped.
        weights: of the parts of the loss.
    """

    learning_rate: Scalar = 1e-3
    warmup: Scalar = 0.02
    final_rate: Scalar = 0.1
    gamma: Scalar = 0.99
    lam: Scalar = 0.95
    invalid_penalty: Scalar = 0.0
    max_gradient: Scalar = 0.5
    weights: Weights = field(default_factory=Weights)

    def rate_at(self, progress: jax.Array) -> jax.Array:
        """Learning rate at a share of the training."""
        rise = jax.numpy.minimum(progress / jax.numpy.maximum(self.warmup, 1e-9), 1.0)
        return self.learning_rate * rise * (1.0 - (1.0 - self.final_rate) * progress)


ALGORITHMS: Mapping[str, tuple[Algorithm, Hyper]] = MappingProxyType(
    {
        "ppo": (Algorithm(), Hyper()),
        "ppo-word": (Algorithm(advantage="word"), Hyper()),
        "ppo-kl": (Algorithm(reference=True), Hyper(weights=Weights(kl=0.05))),
    }
)
"""Named points: PPO with credit per turn, with credit per word, and held near the base policy."""


def optimiser() -> optax.GradientTransformation:
    """Adam's direction; clipping and the learning rate are traced and applied by `descend`."""
    return optax.scale_by_adam(b1=0.9, b2=0.95, eps=1e-6)


def descend(
    gradients: optax.Updates,
    state: optax.OptState,
    params: optax.Params,
    rate: jax.typing.ArrayLike,
    max_gradient: jax.typing.ArrayLike,
) -> tuple[optax.Params, optax.OptState, jax.Array]:
    """One step of Adam on gradients clipped to a global norm.

    Returns:
        Parameters, state of the optimiser, and the norm before clipping.
    """
    norm = optax.tree.norm(gradients)
    scale = jax.numpy.minimum(1.0, max_gradient / jax.numpy.maximum(norm, 1e-9))
    gradients = jax.tree.map(lambda g: g * scale, gradients)
    updates, state = optimiser().update(gradients, state, params)
    params = jax.tree.map(lambda p, u: p - rate * u, params, updates)
    return params, state, norm
