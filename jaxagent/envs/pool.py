"""Pools of instances made ahead, and the keys that keep training and evaluation apart."""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from jaxagent.envs.suite import Instance, Message, Suite

_HELD_OUT = np.uint32(1 << 31)

_MOST_AT_ONCE = 512
"""Most instances of a pool that are made side by side on a CPU."""


class Pool(flax.struct.PyTreeNode):
    """Instances ready to be dealt, a leading axis of `size` on every leaf.

    Attributes:
        instances: the instances at their start.
        messages: the messages that open them.
    """

    instances: Instance
    messages: Message

    @property
    def size(self) -> int:
        """Number of instances."""
        return self.messages.length.shape[0]


class Levels(flax.struct.PyTreeNode):
    """What instances are made from: a leading axis of `size` on every leaf.

    Attributes:
        key: uint32[size, 2], data of the keys.
        task: int32[size].
    """

    key: UInt32[Array, "size 2"]
    task: Int[Array, " size"]


def training_keys(key: jax.Array, count: int) -> jax.Array:
    """`count` instance keys for training, drawn from `key`: the first bit of each is clear."""
    data = jax.random.bits(key, (count, 2), jnp.uint32)
    return jax.random.wrap_key_data(data.at[:, 0].set(data[:, 0] & ~_HELD_OUT), impl="threefry2x32")


def evaluation_keys(numbers: UInt32[Array, " n"] | Int[Array, " n"]) -> jax.Array:
    """The fixed instance keys of these numbers for evaluation: the first bit of each is set.

    No training key equals one of them, whatever the seed, so the two sets are disjoint by
    construction, and every policy is measured on the same instances.
    """
    numbers = jnp.asarray(numbers).astype(jnp.uint32)
    data = jnp.stack([jnp.full_like(numbers, _HELD_OUT), numbers], axis=1)
    return jax.random.wrap_key_data(data, impl="threefry2x32")


def fill_pool(suite: Suite, keys: jax.Array, tasks: Int[Array, " size"]) -> Pool:
    """The instances that `keys` make of `tasks`."""

    def make(level: tuple[jax.Array, Array]) -> Pool:
        return Pool(*suite.reset(*level))

    size, at_once = len(tasks), _at_once(len(tasks))
    if at_once == size:
        return jax.vmap(make)((keys, tasks))
    return jax.lax.map(make, (keys, tasks), batch_size=at_once)


def _at_once(size: int) -> int:
    """How many instances of a pool are made side by side: all, unless on a CPU.

    There what the instances of a part are made of stays in the cache: of 4,096 at once SearchQA's
    take twice as long. A size without a divisor that suits is filled whole.
    """
    if jax.default_backend() != "cpu":
        return size
    fewest = -(-size // _MOST_AT_ONCE)
    return size // next((n for n in range(fewest, 2 * fewest) if size % n == 0), 1)


def draw_pool(key: jax.Array, suite: Suite, weights: Float[Array, " tasks"], size: int) -> Pool:
    """`size` training instances, their tasks drawn with `weights`: see `draw_levels`."""
    return pool_of(suite, draw_levels(key, weights, size))


def pool_of(suite: Suite, levels: Levels) -> Pool:
    """The instances of these levels."""
    keys = jax.random.wrap_key_data(levels.key, impl="threefry2x32")
    return fill_pool(suite, keys, levels.task)


def draw_levels(key: jax.Array, weights: Float[Array, " tasks"], size: int) -> Levels:
    """`size` training levels, their tasks drawn with `weights`, in random order.

    The number of levels of a task is its share of `size`, up to rounding (systematic sampling),
    which keeps small batches from missing a task.
    """
    task_key, order_key, instance_key = jax.random.split(key, 3)
    tasks = jnp.zeros(size, jnp.int32)
    if len(weights) > 1:
        tasks = _draw_tasks(task_key, order_key, weights, size)
    return Levels(jax.random.key_data(training_keys(instance_key, size)), tasks)


def _draw_tasks(
    task_key: jax.Array, order_key: jax.Array, weights: Float[Array, " tasks"], size: int
) -> Int[Array, " size"]:
    shares = jnp.cumsum(weights) / jnp.sum(weights)
    points = (jnp.arange(size) + jax.random.uniform(task_key)) / size
    # Rounding may put a point past the last share: it belongs to the last task that has one.
    last = jnp.max(jnp.where(weights > 0, jnp.arange(len(weights)), 0))
    tasks = jnp.minimum(jnp.searchsorted(shares, points, side="right"), last)
    return jax.random.permutation(order_key, tasks)


def deal(
    done: Bool[Array, " rows"], dealt: Int[Array, ""], size: int
) -> tuple[Int[Array, " rows"], Int[Array, ""]]:
    """Distinct pool entries for the rows that are done, by their rank among them.

    Args:
        done: which rows need an instance.
        dealt: how many were dealt before; past `size` the pool starts over.
        size: size of the pool.

    Returns:
        An entry for every row (of no meaning where not `done`), and how many are dealt now.
    """
    rank = jnp.cumsum(done) - 1
    return (dealt + jnp.maximum(rank, 0)) % size, dealt + jnp.sum(done)


def deal_groups(episodes: Int[Array, " rows"], group: int, size: int) -> Int[Array, " rows"]:
    """Pool entries that the rows of a group share, by the episodes that each row was dealt before;
    a group may be a single row.

    The j-th episode of all rows of a group is of the same entry; other groups have others, as long
    as the pool lasts.
    """
    groups = len(episodes) // group
    return (jnp.arange(len(episodes)) // group + episodes * groups) % size
