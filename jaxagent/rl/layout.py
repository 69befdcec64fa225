"""Where parameters lie while several devices share a batch: whole on each, or split among them.

Split is fully sharded data parallelism (ZeRO, Rajbhandari et al. 2020, arXiv 1910.02054): a device
keeps its part of the parameters, of Adam's moments and of the reference; whole parameters are
gathered where they are used and dropped behind it, gradients are summed into parts. The numbers are
those of whole parameters, but for the order of sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float

from jaxagent.models import Params, Policy
from jaxagent.rl.devices import AXIS, across

WHOLE = -1
"""Dimension of an array that is not split."""

LEAST = 2**10
"""Entries of an array that is worth splitting."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How the parameters of a policy lie on the devices that share a batch.

    Attributes:
        devices: how many there are.
        dimensions: a tree like the parameters: the dimension along which each is split, or `WHOLE`.
    """

    devices: int
    dimensions: Any

    def whole(self, params: Params) -> Params:
        """Parameters from this device's part of them, inside a program that is spread.

        Its gradient is this device's part of the sum over the devices.
        """
        if not params:
            return params

        def gather(dimension: int, x: Array) -> Array:
            if dimension == WHOLE:
                return x
            return jax.lax.all_gather(x, AXIS, axis=dimension, tiled=True)

        return jax.tree.map(gather, self.dimensions, params)

    def summed(self, gradient: Params) -> Params:
        """The sum over the devices of a gradient through `whole`: parts are summed already."""

        def add(dimension: int, x: Array) -> Array:
            return across(x, self.devices) if dimension == WHOLE else x

        return jax.tree.map(add, self.dimensions, gradient)

    def norm(self, gradient: Params) -> Float[Array, ""]:
        """The global norm of a gradient that is `summed`."""

        def square(dimension: int, x: Array) -> Array:
            own = jnp.sum(jnp.square(x))
            return own if dimension == WHOLE else across(own, self.devices)

        squares = jax.tree.leaves(jax.tree.map(square, self.dimensions, gradient))
        return jnp.sqrt(sum(squares[1:], squares[0]))

    @property
    def of_params(self) -> Any:
        """Where each of the parameters lies."""

        def spec(dimension: int) -> PartitionSpec:
            return PartitionSpec(*[None] * dimension, AXIS) if dimension >= 0 else PartitionSpec()

        return jax.tree.map(spec, self.dimensions)

    @property
    def of_optimiser(self) -> Any:
        """Where the state of Adam lies."""
        parts: Any = PartitionSpec(), self.of_params, self.of_params
        return optax.ScaleByAdamState(*parts)


def layout_of(policy: Policy, devices: int, split: bool) -> Layout:
    """The layout of a policy's parameters; each is split along its longest dimension that the
    devices divide, if it is worth it; none where one device does the work of all."""
    split &= 1 < devices <= len(jax.devices())
    shapes = jax.eval_shape(policy.init, jax.random.key(0))

    def dimension(x: jax.ShapeDtypeStruct) -> int:
        sizes = [(size, -i) for i, size in enumerate(x.shape) if size % devices == 0]
        return -max(sizes)[1] if split and sizes and x.size >= LEAST else WHOLE

    return Layout(devices, jax.tree.map(dimension, shapes))
