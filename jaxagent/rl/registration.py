"""Algorithms and advantages of one's own, under names that are taken like those of the house."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxagent.checks import brief, check_flag, check_kind
from jaxagent.envs.suite import Message
from jaxagent.rl.advantage import ESTIMATORS, Credit
from jaxagent.rl.algorithm import ADVANTAGES, BUILT_IN, NAMED, OWN_ADVANTAGES, Algorithm, Hyper
from jaxagent.rl.arguments import check_hyper
from jaxagent.rl.trajectory import Turn, blank_turns

TURNS, WORDS = 5, 3
"""Turns of the row, and words of their actions, that a new advantage is tried on."""


def register_algorithm(name: str, algorithm: Algorithm, hyper: Hyper | None = None) -> None:
    """Give a point in the space of algorithms a name, which plans and `ALGORITHMS` then know.

    A name that was registered before is given to the new one.

    Args:
        name: letters, digits, `-` and `+`; none of the built-in algorithms.
        algorithm: its static parts.
        hyper: its traced parts; by default `Hyper()`.

    Raises:
        ValueError: the name is taken or not as expected, or the parts are of another kind.
    """
    _check_name(name, BUILT_IN)
    hyper = Hyper() if hyper is None else hyper
    check_kind("algorithm", algorithm, Algorithm, "an Algorithm")
    check_hyper(hyper)
    NAMED[name] = (algorithm, hyper)


def register_advantage(name: str, function: Callable[..., Credit], critic: bool = True) -> None:
    """Give an estimator of advantages a name, for `Algorithm(advantage=name)`.

    The function is for one row and is mapped over the batch. It is called as
    `function(turns, reward, final_value, gamma, lam)`, is traced, and returns two float32[turns,
    action]: the advantage of every word, and the return to be expected before it, which the value
    is trained towards. What stands behind `turns.action_length` does not count.

    Args:
        name: letters, digits, `-` and `+`; none of the built-in advantages.
        function: `turns` is a `jaxagent.rl.trajectory.Turn` with a leading axis [turns]; `reward`
            float32[turns, action], which stands on the last word of an action; `final_value`
            float32[], the return expected behind the last turn; `gamma` and `lam` float32[].
        critic: whether it makes use of `turns.value` and `final_value`; without a critic, only
            whole episodes are played.

    Raises:
        ValueError: the name is taken or not as expected, or the function does not give two arrays
            of that shape for a row that it is tried on.
    """
    _check_name(name, ADVANTAGES)
    if not callable(function):
        raise TypeError(f"function={brief(function)}: expected a function")
    check_flag("critic", critic)
    _try(name, function)
    ESTIMATORS[name] = function
    OWN_ADVANTAGES[name] = critic


def source_of(advantage: str) -> str:
    """Return the source text of a registered advantage; empty for those of the house."""
    if advantage not in OWN_ADVANTAGES:
        return ""
    try:
        return inspect.getsource(ESTIMATORS[advantage])
    except (OSError, TypeError):  # made where no text is kept
        return repr(getattr(ESTIMATORS[advantage], "__qualname__", advantage))


def _check_name(name: Any, taken: tuple[str, ...]) -> None:
    plain = isinstance(name, str) and name.replace("-", "").replace("+", "").isalnum()
    if not plain or len(name) > 60 or not name[0].isalnum():
        raise ValueError(f"name={brief(name)}: expected up to 60 letters, digits, '-' and '+'")
    if any(name == each for each in taken):
        raise ValueError(f"name={name!r}: is built in, expected a new one")


def _try(name: str, function: Callable[..., Any]) -> None:
    """Trace the function on a row, without running it."""
    number = jax.ShapeDtypeStruct((), jnp.float32)
    words = jax.ShapeDtypeStruct((TURNS, WORDS), jnp.float32)
    try:
        found = jax.eval_shape(function, jax.eval_shape(_row), words, number, number, number)
    except Exception as error:
        cause = (str(error).strip().splitlines() or [""])[0]
        told = f"{type(error).__name__}: {cause}"
        expected = "expected a function of (turns, reward, final_value, gamma, lam)"
        raise ValueError(f"function of {name!r}: cannot be traced, {expected}: {told}") from error
    shapes = [(x.shape, x.dtype) for x in jax.tree.leaves(found)]
    if not isinstance(found, tuple) or shapes != [(words.shape, words.dtype)] * 2:
        got = ", ".join(f"{dtype}{list(shape)}" for shape, dtype in shapes)
        raise ValueError(
            f"function of {name!r}: gives {got or 'nothing'}, expected two float32[turns, action], "
            f"which are [{TURNS}, {WORDS}] for the row that it was tried on"
        )


def _row() -> Turn:
    """A row of turns in which nothing happens."""
    length = jnp.zeros(TURNS, jnp.int32)
    messages = Message(jnp.zeros((TURNS, 4), jnp.int32), length)
    return blank_turns(messages, Message(jnp.zeros((TURNS, WORDS), jnp.int32), length))
