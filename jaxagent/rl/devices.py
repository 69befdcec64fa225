"""One batch shared by the devices at hand: every device plays and learns from its own rows.

A program that is `spread` runs on all devices of a one-axis mesh with the same state; what must be
known of the whole batch is summed by `across`. On one device nothing of it remains. Where there are
fewer devices than a program is spread over, one of them does the work of all, with the same results
but for the order of sums: what was trained on eight can be looked into on one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxagent.checks import check_whole

AXIS = "data"

MOST_DEVICES = 2**16
"""Devices that a batch may be shared by."""


def mesh_of(devices: int) -> Mesh:
    """`devices` devices as a mesh of one axis."""
    chosen = first_devices(devices)
    return jax.make_mesh((devices,), (AXIS,), axis_types=(AxisType.Auto,), devices=chosen)


def first_devices(count: int) -> list[Any]:
    """The first `count` devices; of several processes, as many of each, since all have to take part
    in whatever is run."""
    share, every = count // jax.process_count(), jax.devices()
    own = [[d for d in every if d.process_index == p] for p in range(jax.process_count())]
    return [device for devices in own for device in devices[:share]]


def spread(
    function: Callable[..., Any], devices: int, joined: bool = False, state: Any = None
) -> Callable[..., Any]:
    """`function` on `devices` devices, with the same arguments on each.

    Its results are the same on each too, or parts that are `joined` along their leading axis. Where
    `state` says how a state lies on the devices, the first argument and the first of the results
    are such a state; a device that does the work of all has it whole.
    """
    if devices == 1:
        return function
    if devices > len(jax.devices()):
        return imitate(function, devices, joined)
    everywhere = PartitionSpec()
    results: Any = PartitionSpec(AXIS) if joined else everywhere

    def mapped(*arguments: Any) -> Any:
        given, back = everywhere, results
        if state is not None:
            given, back = (state, *[everywhere] * (len(arguments) - 1)), (state, everywhere)
        return shard_map(function, mesh_of(devices), given, back)(*arguments)

    return mapped


def shard_map(
    function: Callable[..., Any], mesh: Mesh, in_specs: Any, out_specs: Any
) -> Callable[..., Any]:
    """Map `function` over the devices of a mesh, as `jax.shard_map` does.

    What `function` closes over stays inside of it: `jax.shard_map` makes operands of its constants,
    and the compiler of jaxlib 0.11 dies of a segmentation fault at an operand without elements, as
    the indices of `x.at[:].set(y)` are (docs/versions.md). `jax.jit` keeps them where they are.
    """
    return jax.shard_map(
        jax.jit(function), mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
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
    """A copy of the arrays of `tree` on each of `devices` devices, on one if there are fewer."""
    return arrange(tree, devices, PartitionSpec())


def arrange(tree: Any, devices: int, specs: Any) -> Any:
    """The arrays of `tree` on `devices` devices as `specs` say, of which one may stand for a
    subtree; whole on one device if there are fewer."""
    if devices > len(jax.devices()):
        devices, specs = 1, PartitionSpec()
    mesh = mesh_of(devices)

    def put(spec: PartitionSpec, part: Any) -> Any:
        return place(jax.tree.map(jnp.array, part), NamedSharding(mesh, spec))

    return jax.tree.map(put, specs, tree, is_leaf=lambda x: isinstance(x, PartitionSpec))


def place(tree: Any, where: NamedSharding) -> Any:
    """The arrays of `tree` as `where` says.

    Of several processes (`jax.distributed`), whose devices all count, each has to give the same
    arrays, and holds its devices' part of them.
    """
    if jax.process_count() == 1:
        return jax.device_put(tree, where)
    return jax.tree.map(partial(_own_part, where), tree)


def on_host(tree: Any) -> Any:
    """The arrays of `tree` as NumPy's, with what other processes hold of them; called by all."""

    def whole(x: Any) -> np.ndarray:
        if isinstance(x, jax.Array) and not (x.is_fully_addressable or x.is_fully_replicated):
            x = multihost_utils.process_allgather(x, tiled=True)
        return np.asarray(x)

    return jax.tree.map(whole, tree)


def _own_part(where: NamedSharding, x: Any) -> jax.Array:
    """An array of all processes, of which this one makes its devices' part."""
    if jax.dtypes.issubdtype(jnp.asarray(x).dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_own_part(where, jax.random.key_data(x)))
    full = on_host(x)
    return jax.make_array_from_callback(full.shape, where, lambda part: full[part])


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


def row_keys(key: jax.Array, rows: int, devices: int = 1) -> jax.Array:
    """Return the keys [rows] of this device's rows of a batch.

    They depend on the row's number in the whole batch, and not on how many rows there are or how
    many devices share them: what a row plays is the same on any number of devices.

    Args:
        key: of the batch, the same on all devices.
        rows: on each device.
        devices: that share the batch.
    """
    return jax.vmap(partial(jax.random.fold_in, key))(rank(devices) * rows + jnp.arange(rows))


def own_columns(tree: Any, columns: int, devices: int) -> Any:
    """Return this device's part of what is dealt to the rows of a batch.

    Args:
        tree: arrays [n × columns, ...], the same on all devices; entry `k × columns + c` is the
            k-th of column c.
        columns: of the whole batch: rows, or groups of rows.
        devices: that share the batch, each an equal number of neighbouring columns.

    Returns:
        Arrays [n × columns / devices, ...] in the same order.
    """
    own = columns // devices

    def part(x: jax.Array) -> jax.Array:
        each = x.reshape(-1, columns, *x.shape[1:])
        mine = jax.lax.dynamic_slice_in_dim(each, rank(devices) * own, own, axis=1)
        return mine.reshape(-1, *x.shape[1:])

    return tree if devices == 1 else jax.tree.map(part, tree)


def devices_for(*sizes: int) -> int:
    """The most devices at hand, as many of every process, that can share batches of these sizes
    evenly.

    Raises:
        ValueError: there are several processes, and the batches cannot be shared by them.
    """
    each = jax.process_count()
    counts = range(each, len(jax.devices()) + 1, each)
    found = [n for n in counts if not any(size % n for size in sizes)]
    if not found:
        raise ValueError(f"rows, minibatch={sizes}: expected multiples of the {each} processes")
    return max(found)


def check_devices(devices: int, rows: int, minibatch: int) -> None:
    """Raises `ValueError` if a batch cannot be shared evenly by so many devices."""
    check_whole("devices", devices, 1, MOST_DEVICES)
    check_whole("minibatch", minibatch, 1, 2**20)
    for name, number in (("rows", rows), ("minibatch", minibatch)):
        if number % devices:
            raise ValueError(f"{name}={number}: expected a multiple of devices={devices}")
