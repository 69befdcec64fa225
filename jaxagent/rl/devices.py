"""One batch shared by the devices at hand: every device plays and learns from its own rows.

A program that is `spread` runs on all devices of a one-axis mesh with the same state; what must be
known of the whole batch is summed by `across`. On one device nothing of it remains. Where there are
fewer devices than a program is spread over, one of them does the work of all, with the same results
but for the order of sums: what was trained on eight can be looked into on one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "data"


def mesh_of(devices: int) -> Mesh:
    """The first `devices` devices as a mesh of one axis."""
    chosen = jax.devices()[:devices]
    return jax.make_mesh((devices,), (AXIS,), axis_types=(AxisType.Auto,), devices=chosen)


def spread(function: Callable[..., Any], devices: int, joined: bool = False) -> Callable[..., Any]:
    """`function` on the first `devices` devices, with the same arguments on each.

    Its results are the same on each too, or parts that are `joined` along their leading axis.
    """
    if devices == 1:
        return function
    if devices > len(jax.devices()):
        return imitate(function, devices, joined)
    results = PartitionSpec(AXIS) if joined else PartitionSpec()
    return jax.shard_map(
        function,
        mesh=mesh_of(devices),
        in_specs=PartitionSpec(),
        out_specs=results,
        check_vma=False,
    )


def imitate(function: Callable[..., Any], devices: int, joined: bool = False) -> Callable[..., Any]:
    """What `spread` gives, from one device that plays the parts of all."""
    parts = jax.vmap(
        function,
        in_axes=None,
        out_axes=0 if joined else None,
        axis_name=AXIS,
        axis_size=devices,
    )
    if not joined:
        return parts

    def join(*arguments: Any) -> Any:
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), parts(*arguments))

    return join


def replicate(tree: Any, devices: int) -> Any:
    """A copy of the arrays of `tree` on each of the first `devices` devices, on one if there are
    fewer."""
    if devices > len(jax.devices()):
        devices = 1
    return jax.device_put(
        jax.tree.map(jnp.array, tree), NamedSharding(mesh_of(devices), PartitionSpec())
    )


def rank(devices: int) -> jax.Array | int:
    """Number of this device."""
    return 0 if devices == 1 else jax.lax.axis_index(AXIS)


def across(tree: Any, devices: int) -> Any:
    """Sums over the devices."""
    return tree if devices == 1 else jax.lax.psum(tree, AXIS)


def longest(number: jax.Array, devices: int) -> jax.Array:
    """The largest of the devices' numbers."""
    return number if devices == 1 else jax.lax.pmax(number, AXIS)


def own_key(key: jax.Array, devices: int) -> jax.Array:
    """A key of this device's own."""
    return key if devices == 1 else jax.random.fold_in(key, rank(devices))


def devices_for(*sizes: int) -> int:
    """The most devices at hand that can share batches of these sizes evenly."""
    return max(n for n in range(1, len(jax.devices()) + 1) if not any(s % n for s in sizes))
