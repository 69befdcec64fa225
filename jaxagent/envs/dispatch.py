"""Dispatch: every row of a batch is served by its own environment, and by no other.

Under `vmap` a plain `lax.switch` computes all branches for all rows: a mixture of five
environments would cost what the five cost together. Here the batch is sorted by owner and cut
into chunks of one owner each, so that it costs about what the rows would cost alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Int

Branch = Callable[..., tuple[Any, Any]]
"""`branch(state, *args) -> (state, result)` of one environment, for one row. A branch that only
looks at the state returns None in its place."""

CALL = 8
"""What calling a branch costs on top, in rows. With s rows of an environment and chunks of c the
calls cost CALL * s / c rows, the empty places in the last chunk c / 2: least at c² = 2 CALL s."""


def dispatch(
    branches: Sequence[Branch], owner: Int[Array, ""], states: tuple[Any, ...], *args: Any
) -> tuple[tuple[Any, ...], Any]:
    """Calls the owner's branch on the owner's state, for one row; `vmap` it for a batch.

    Args:
        branches: one per environment; they give states like those they were given, and results
            that differ in shape at most: what is smaller is padded with zeros.
        owner: place of the branch to call.
        states: one state per environment.
        args: further pytrees of arrays for the branch.

    Returns:
        The states with the owner's replaced, and the branch's result.
    """
    if len(branches) == 1:
        return _at(0, branches[0], states, args)
    branches = _alike(branches, states, args)

    @custom_vmap
    def call(owner: jax.Array, states: tuple[Any, ...], args: tuple) -> tuple[tuple, Any]:
        return jax.lax.switch(
            owner, [partial(_at, i, b) for i, b in enumerate(branches)], states, args
        )

    @call.def_vmap
    def _(size: int, batched: Any, owner: jax.Array, states: tuple, args: tuple) -> tuple:
        states, args = _spread(size, tuple(batched[1:]), (states, args))
        every = [jax.vmap(branch) for branch in branches]
        if batched[0]:
            result = _by_chunks(every, owner, states, args)
        else:
            result = jax.lax.switch(owner, _placed(every), states, args)
        return result, jax.tree.map(lambda _: True, result)

    return call(owner, states, args)


def _alike(branches: Sequence[Branch], states: tuple[Any, ...], args: tuple) -> tuple[Branch, ...]:
    """The branches with results padded to one shape."""
    pairs = zip(branches, states, strict=True)
    results = [jax.eval_shape(branch, state, *args)[1] for branch, state in pairs]
    shapes = jax.tree.map(lambda *xs: tuple(map(max, *(x.shape for x in xs))), *results)
    return tuple(partial(_padded, branch, shapes) for branch in branches)


def _padded(branch: Branch, shapes: Any, state: Any, *args: Any) -> tuple[Any, Any]:
    state, result = branch(state, *args)

    def pad(value: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        missing = [(0, n - m) for m, n in zip(value.shape, shape, strict=True)]
        return jnp.pad(value, missing) if value.shape != shape else value

    return state, jax.tree.map(pad, result, shapes)


def _placed(branches: Sequence[Branch]) -> list[Branch]:
    return [partial(_at, place, branch) for place, branch in enumerate(branches)]


def _at(place: int, branch: Branch, states: tuple[Any, ...], args: tuple) -> tuple[tuple, Any]:
    state, result = branch(states[place], *args)
    if state is None:
        return states, result
    return (*states[:place], state, *states[place + 1 :]), result


def _spread(size: int, batched: Any, values: Any) -> Any:
    """The values with a leading axis of `size` also where there was none."""

    def spread(is_batched: bool, value: jax.Array) -> jax.Array:
        return value if is_batched else jnp.broadcast_to(value, (size, *value.shape))

    return jax.tree.map(spread, batched, values)


def _by_chunks(
    branches: Sequence[Branch], owner: Int[Array, " rows"], states: tuple[Any, ...], args: tuple
) -> tuple[tuple[Any, ...], Any]:
    rows, count = len(owner), len(branches)
    chunk = min(rows, math.ceil(math.sqrt(2 * CALL * rows / count)))
    is_own = owner == jnp.arange(count)[:, None]
    ends = jnp.cumsum(jnp.sum(is_own, axis=1))
    starts = ends - jnp.sum(is_own, axis=1)
    rank = jnp.sum(jnp.where(is_own, jnp.cumsum(is_own, axis=1) - 1, 0), axis=0)
    order = jnp.zeros(rows, jnp.int32).at[starts[owner] + rank].set(jnp.arange(rows))
    _, shapes = jax.eval_shape(branches[0], states[0], *args)
    result, after = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes), []
    for branch, state, start, end in zip(branches, states, starts, ends, strict=True):
        serve = partial(_serve_chunk, branch, args, order, start, end, chunk)
        chunks = -(-(end - start) // chunk)
        state, result = jax.lax.fori_loop(0, chunks, serve, (state, result))
        after.append(state)
    return tuple(after), result


def _serve_chunk(
    branch: Branch,
    args: tuple,
    order: Int[Array, " rows"],
    start: Int[Array, ""],
    end: Int[Array, ""],
    chunk: int,
    number: Int[Array, ""],
    carry: tuple[Any, Any],
) -> tuple[Any, Any]:
    """Serves the rows at `order[start + number * chunk : …]` up to `end`."""
    state, result = carry
    places = start + number * chunk + jnp.arange(chunk)
    rows = order[jnp.minimum(places, len(order) - 1)]
    new_state, new = branch(*jax.tree.map(lambda x: x[rows], (state, *args)))
    target = jnp.where(places < end, rows, len(order))

    def put(every: jax.Array, some: jax.Array) -> jax.Array:
        return every.at[target].set(some, mode="drop")

    state = state if new_state is None else jax.tree.map(put, state, new_state)
    return state, jax.tree.map(put, result, new)
