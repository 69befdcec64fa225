"""Many updates: in one call, with the means of their metrics, or one by one, with their curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.flatten_util import ravel_pytree

from jaxagent.rl.devices import on_host
from jaxagent.rl.progress import progress_bar

Metrics = dict[str, jax.Array]

Curves = dict[str, np.ndarray]
"""Metrics of every update, a leading axis [updates]."""

State = TypeVar("State")
Tree = TypeVar("Tree")

WHOLE = ("rule", "rank")
"""Fields of a curriculum that are whole numbers."""


class Diverged(ValueError):
    """A number of the training is not finite any more."""


def progress_of(update: jax.typing.ArrayLike, updates: jax.typing.ArrayLike) -> jax.Array:
    """Return the share of a run of `updates` that is done before update number `update`, float32[]
    in [0, 1]; a run that goes on beyond them stays at 1."""
    return jnp.minimum(update / jnp.maximum(updates, 1), 1.0).astype(jnp.float32)


def as_traced(tree: Tree) -> Tree:
    """Return the numbers of settings, a curriculum or a count as arrays of one kind, so that one
    program serves whether they were written as 1, as 1.0 or as an array.

    They are float32, but for int32 where `WHOLE` or no field names them; of NumPy, but for those
    that are traced or lie on several devices, as the numbers of a population's members may.
    """

    def one(path: tuple, leaf: Any) -> Any:
        name = getattr(path[-1], "name", "") if path else ""
        dtype = np.int32 if not name or name in WHOLE else np.float32
        traced = isinstance(leaf, Tracer)
        if isinstance(leaf, jax.Array) and (traced or len(leaf.devices()) > 1):
            return leaf if leaf.dtype == dtype and not leaf.weak_type else leaf.astype(dtype)
        return np.asarray(leaf, dtype)

    return jax.tree_util.tree_map_with_path(one, tree)


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


def compiled(run: Any, state: Any, hyper: Any, curriculum: Any) -> jax.stages.Compiled:
    """Compile what `run.advance` runs, run nothing of it, and return the program."""
    traced = as_traced((hyper, curriculum, 0))
    return type(run)._advance.lower(run, state, *traced).compile()


def follow(
    advance: Callable[[State], tuple[State, Metrics]],
    state: State,
    count: int,
    title: str,
    shown: bool,
    finite: bool = True,
) -> tuple[State, Curves]:
    """Do updates one by one, and keep the metrics of each.

    Args:
        advance: does one update, and may use up the arrays of the state that it is given.
        state: to start from; it is copied, so that it can be used again.
        count: updates.
        title: of the bar.
        shown: whether to show a bar.
        finite: whether a metric that is not finite is an error.

    Raises:
        Diverged: a metric is not finite.
    """
    first, rows = int(state.update) + 1, []  # type: ignore[attr-defined]
    state = jax.tree.map(jnp.array, state)
    with progress_bar(title, count, shown) as tell:
        for number in range(count):
            state, metrics = advance(state)
            rows.append(on_host(metrics))
            if finite:
                check_finite(rows[-1], first + number, first + number)
            tell(number + 1, remark_on(rows[-1]))
    return state, {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def check_finite(metrics: Mapping[str, Any], first: int, last: int) -> None:
    """Raise `Diverged` if a metric of the updates from `first` to `last` is not finite."""
    bad = [name for name, value in metrics.items() if not np.all(np.isfinite(value))]
    if bad:
        raise Diverged(
            f"{', '.join(bad)} not finite in updates {first} to {last}: "
            "try a lower learning rate or max_gradient"
        )


def remark_on(metrics: Mapping[str, Any]) -> str:
    """Say in a few words how a training stands."""
    for name, words in (("success", "success"), ("accuracy", "of the experts' words")):
        if name in metrics:
            share = f"{float(np.mean(metrics[name])):.0%}"
            return f"{words} {share}" if name == "success" else f"{share} {words}"
    return ""
