"""One batch shared by the devices at hand: every device plays and learns from its own rows.

A program that is `spread` runs on all devices of a one-axis mesh with the same state; what must be
known of the whole batch is summed by `across`. On one device nothing of it remains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import PartitionSpec

AXIS = "data"


def spread(function: Callable[..., Any], devices: int) -> Callable[..., Any]:
    """`function` on the first `devices` devices, with the same arguments and results on each."""
    if devices == 1:
        return function
    mesh = jax.make_mesh(
        (devices,), (AXIS,), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:devices]
    )
    whole = PartitionSpec()
    return jax.shard_map(function, mesh=mesh, in_specs=whole, out_specs=whole, check_vma=False)


def across(tree: Any, devices: int) -> Any:
    """Sums over the devices."""
    return tree if devices == 1 else jax.lax.psum(tree, AXIS)


def longest(number: jax.Array, devices: int) -> jax.Array:
    """The largest of the devices' numbers."""
    return number if devices == 1 else jax.lax.pmax(number, AXIS)


def own_key(key: jax.Array, devices: int) -> jax.Array:
    """A key of this device's own."""
    return key if devices == 1 else jax.random.fold_in(key, jax.lax.axis_index(AXIS))
