"""Checks of what a training is given, before anything is computed: parameters, settings, curricula,
states and counts."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxagent.checks import brief, check_kind, check_whole
from jaxagent.envs.suite import Suite
from jaxagent.models import Policy
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.curriculum import KNOTS, RULES, Curriculum, mixture
from jaxagent.rl.loss import Weights
from jaxagent.rl.ranges import check_ranges


def check_params(name: str, policy: Policy, params: Any, members: int = 0) -> None:
    """Refuse what are not the parameters of a policy.

    Args:
        name: of the argument.
        policy: whose they should be.
        params: a tree of arrays; with `members`, a leading axis [members] on every leaf.
        members: of a population; 0 for a single run.

    Raises:
        TypeError: they are no tree of arrays.
        ValueError: they are the parameters of another policy, or hold what is not finite.
    """
    hint = "the parameters of the policy, e.g. of policy.init(jax.random.key(0))"
    check_kind(name, params, dict, hint)
    wanted, given = _shapes(policy.shapes), _shapes(params)
    lead = (members,) if members else ()
    for place in sorted(set(wanted) | set(given)):
        found, right = given.get(place), wanted.get(place)
        if right is None or found != (*lead, *right):
            told = "nothing" if found is None else f"an array of shape {found}"
            most = "nothing" if right is None else f"one of shape {(*lead, *right)}"
            raise ValueError(f"{name}: {told} at {place}: expected {most}; {hint}")


def check_hyper(hyper: Any, members: int = 0) -> None:
    """Refuse settings that no training can use; of `members` a leading axis on every leaf.

    Raises:
        TypeError: they are no `Hyper`, or one is no number.
        ValueError: one is not finite, out of range, or of another shape.
    """
    check_kind("hyper", hyper, Hyper, "a jaxagent.Hyper, e.g. jaxagent.Hyper(learning_rate=3e-4)")
    check_kind("hyper.weights", hyper.weights, Weights, "jaxagent.Weights")
    check_ranges("hyper.", hyper, members)


def check_curriculum(curriculum: Any, suite: Suite, members: int = 0) -> None:
    """Refuse a curriculum that does not weigh the tasks of this suite.

    Args:
        curriculum: of a run, or a leading axis [members] on every leaf.
        suite: the tasks that are trained on.
        members: of a population; 0 for a single run.

    Raises:
        TypeError: it is no `Curriculum`.
        ValueError: it belongs to another suite, has another shape, or holds numbers out of range.
    """
    hint = "a jaxagent.Curriculum, e.g. jaxagent.mixture(suite, suite.names)"
    check_kind("curriculum", curriculum, Curriculum, hint)
    if curriculum.tasks and curriculum.tasks != suite.names:
        given, own = (", ".join(names) for names in (curriculum.tasks, suite.names))
        raise ValueError(f"curriculum: it weighs the tasks {given}: expected those of {own}")
    lead = (members,) if members else ()
    wanted = mixture(suite, suite.names)
    for name, right in vars(wanted).items():
        if name == "tasks":
            continue
        values, shape = getattr(curriculum, name), (*lead, *np.shape(right))
        if np.shape(values) != shape or not _has_numbers(name, values):
            raise ValueError(
                f"curriculum.{name}={brief(values)}: expected finite numbers of shape {shape} "
                f"for the {len(suite)} tasks of the suite"
            )
        low, high, told = _BOUNDS[name]
        if np.any(np.asarray(values) < low) or np.any(np.asarray(values) > high):
            raise ValueError(f"curriculum.{name}: expected {told}")
    if np.any(np.abs(np.sum(np.asarray(curriculum.weights), -1) - 1.0) > 1e-3):
        raise ValueError("curriculum.weights: expected weights that sum to 1 at every knot")
    places = np.asarray(curriculum.progress, np.float32)
    if np.any(places[..., 1:] < places[..., :-1]):
        raise ValueError("curriculum.progress: expected ascending places between 0 and 1")


def check_state(state: Any, kind: type, policy: Policy, members: int = 0) -> None:
    """Refuse what is no state of this run, and one whose arrays are gone.

    Raises:
        TypeError: it is something else.
        ValueError: its parameters are those of another policy, or its arrays were given away.
    """
    check_kind("state", state, kind, f"a {kind.__name__}, as start(…) and run(…) return it")
    leaves = jax.tree.leaves(state)
    if any(isinstance(leaf, jax.Array) and leaf.is_deleted() for leaf in leaves):
        raise ValueError("state: advance(…) has used up its arrays: expected the state it returned")
    params = state.members.params if members else state.params
    check_params("state.params", policy, params, members)


def updates_left(state: Any, count: int | None) -> int:
    """How many updates to do: `count`, or all that are left where it is None.

    Raises:
        TypeError: the count is no whole number.
        ValueError: it is below 1, or beyond what is left.
    """
    done, total = int(state.update), int(state.updates)
    left = max(total - done, 0)
    if count is not None:
        check_whole("count", count, 1)
    if not left or (count or 0) > left:
        raise ValueError(
            f"count={count}: expected at most the {left} updates that are left of {total}; "
            "start(…, updates=…) plans more"
        )
    return left if count is None else int(count)


def _has_numbers(name: str, values: Any) -> bool:
    """Whether all values are numbers, finite ones but for stages that never begin."""
    values = np.asarray(values)
    return bool(np.all(~np.isnan(values) if name == "stage" else np.isfinite(values)))


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """Shape of every leaf by its place."""
    found = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path).replace("'", ""): np.shape(leaf) for path, leaf in found}


_BOUNDS = {
    "progress": (0.0, 1.0, "places between 0 and 1"),
    "weights": (0.0, 1.0, "weights between 0 and 1"),
    "stage": (0.0, np.inf, "places of at least 0"),
    "horizon": (1e-9, 1.0, "shares above 0, up to 1"),
    "rule": (0, len(RULES) - 1, f"a place in {RULES}"),
    "temperature": (1e-9, np.inf, "a temperature above 0"),
    "explore": (0.0, 1.0, "a share between 0 and 1"),
    "threshold": (0.0, 1.0, "a share between 0 and 1"),
    "rank": (0, KNOTS, "a stage for every task"),
    "replay": (0.0, 1.0, "a share between 0 and 1"),
}
"""Of every field of a curriculum: the least and the most, and what is expected in words."""
