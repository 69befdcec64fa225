"""Curricula: weights over the tasks of a suite as a function of training progress and success.

A curriculum is data of one shape, so that changing it never recompiles and several can be mapped
over. Weights are interpolated between knots; a jump is two knots at the same place. A rule
may then shift them towards tasks that promise more (`jaxagent.rl.standing`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import flax.struct
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxagent.checks import brief, check_kind, check_number, check_option, check_share
from jaxagent.envs.suite import Suite

RULES = ("static", "balance", "learnability", "progress", "bandit", "gate")
"""What may shift the weights: nothing; failure `1 − p`; learnability `p (1 − p)` (SFL, Rutherford
et al. 2024, arXiv 2408.15099); learning progress, how far fast and slow means of success are apart
(TSCL, Matiisen et al. 2017, arXiv 1707.00183); a bandit on mean |A| (SEC, arXiv 2505.14970);
stages that open when the one before is solved."""

KNOTS = 16
"""Knots of every curriculum; unused ones repeat the last."""

_LARGEST = 80.0
"""Logarithm that a weight has at most: that of float32's largest number is 88."""

_EARLY = 1e-6
"""How much before its place a stage begins, so that rounding of progress does not delay it."""

TEMPERATURES = (1e-3, 1e9)
"""Of rules, least and most."""

Stage = Mapping[str, float] | Sequence[str] | str
"""Tasks with their weights, or tasks that weigh the same; one text may name several, separated by
commas."""


class Curriculum(flax.struct.PyTreeNode):
    """Task weights and turn limits over progress.

    Attributes:
        progress: float32[KNOTS], ascending places in [0, 1].
        weights: float32[KNOTS, tasks], weights at each of them, each row summing to 1.
        stage: float32[KNOTS], ascending places where a new horizon begins; unused ones above 1.
        horizon: float32[KNOTS], share of the turn limits that is given from there on.
        rule: int32[], place in `RULES`.
        temperature: float32[], of the rule: large ones bring its weights near to equal.
        explore: float32[], share of the weights that no rule touches; for `gate`, that of the
            stages before.
        threshold: float32[], success that opens the next stage of `gate`.
        rank: int32[tasks], stage of `gate` that each task belongs to.
        replay: float32[], share of the instances that are replayed, if the learner replays.
        tasks: names of the suite's tasks; static, as it tells which suite this belongs to.
    """

    progress: Float[Array | np.ndarray, " knots"]
    weights: Float[Array | np.ndarray, "knots tasks"]
    stage: Float[Array | np.ndarray, " knots"]
    horizon: Float[Array | np.ndarray, " knots"]
    rule: Int[Array | np.ndarray, ""]
    temperature: Float[Array | np.ndarray, ""]
    explore: Float[Array | np.ndarray, ""]
    threshold: Float[Array | np.ndarray, ""]
    rank: Int[Array | np.ndarray, " tasks"]
    replay: Float[Array | np.ndarray, ""]
    tasks: tuple[str, ...] = flax.struct.field(pytree_node=False, default=())

    def weights_at(self, progress: Float[Array, ""]) -> Float[Array, " tasks"]:
        """Weights over the tasks at `progress`, summing to 1."""
        places, rows = jnp.asarray(self.progress), jnp.asarray(self.weights)
        after = jnp.clip(jnp.searchsorted(places, progress, side="right"), 1, KNOTS - 1)
        low, high = places[after - 1], places[after]
        share = jnp.clip((progress - low) / jnp.maximum(high - low, 1e-9), 0.0, 1.0)
        return (1.0 - share) * rows[after - 1] + share * rows[after]

    def horizon_at(self, progress: Float[Array, ""]) -> Float[Array, ""]:
        """Share of the turn limits at `progress` (ScalingInter-RL, arXiv 2509.08755)."""
        reached = jnp.sum(jnp.asarray(self.stage) <= progress)
        return jnp.asarray(self.horizon)[jnp.maximum(reached - 1, 0)]


def mixture(suite: Suite, weights: Stage) -> Curriculum:
    """The same weights throughout; tasks in a plain list weigh the same.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: a task is not in the suite, a weight is not finite or negative, or all are zero.
    """
    return _through(suite, [(0.0, _row(suite, weights))])


def single(suite: Suite, task: str) -> Curriculum:
    """One task."""
    check_kind("task", task, str, "the name of a task")
    return mixture(suite, [task])


def tempered(weights: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Weights `n^(1/T)`: between those given, at T = 1, and equal ones, as T grows.

    Where that is too large for a number, they are divided by the largest. A weight of 0 stays 0.

    Raises:
        ValueError: the temperature is not positive, or a weight is negative or not finite.
    """
    check_kind("weights", weights, Mapping, "a dictionary of task -> weight")
    for name, weight in weights.items():
        check_number(f"weights[{brief(name)}]", weight, 0.0)
    if temperature != math.inf:
        check_number("temperature", temperature, positive=True)
    power, largest = 1.0 / temperature, max(weights.values(), default=0.0)
    unit = largest if power * math.log(max(largest, 1.0)) > _LARGEST else 1.0
    return {name: (n / unit) ** power if n else 0.0 for name, n in weights.items()}


def sequence(suite: Suite, stages: Sequence[Stage], rehearsal: float = 0.0) -> Curriculum:
    """One mixture after the other, each for an equal share of the training.

    Args:
        suite: the tasks.
        stages: the mixtures. Of n in U updates, stage k begins with update ⌈k U / n⌉, counted
            from 0; so each has U / n updates where n divides U.
        rehearsal: share of every stage but the first that goes to the stages before it.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: there are no stages or too many, or a value is out of range.
    """
    check_share("rehearsal", rehearsal)
    _check_list("stages", stages, KNOTS // 2, "mixture")
    starts = [*_starts(len(stages)), 1.0]
    knots: list[tuple[float, np.ndarray]] = []
    before: list[np.ndarray] = []
    for i, stage in enumerate(stages):
        row = _row(suite, stage)
        earlier = np.mean(before, axis=0) if before else row
        before.append(row)
        row = (1.0 - rehearsal) * row + rehearsal * earlier
        knots += [(starts[i], row), (starts[i + 1], row)]
    return _through(suite, knots)


def ramp(suite: Suite, tasks: Sequence[str], rehearsal: float = 0.1) -> Curriculum:
    """From the first task to the last, fading from one to the next.

    Args:
        suite: the tasks.
        tasks: in the order of difficulty.
        rehearsal: share that is always spread evenly over all of them.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: there are no tasks or too many, or a value is out of range.
    """
    check_share("rehearsal", rehearsal)
    tasks = _listed(tasks)
    _check_list("tasks", tasks, KNOTS, "task")
    even = _row(suite, tasks)
    rows = [rehearsal * even + (1.0 - rehearsal) * _row(suite, [task]) for task in tasks]
    places = np.linspace(0.0, 1.0, len(tasks)) if len(tasks) > 1 else [0.0]
    return _through(suite, [(place, row) for place, row in zip(places, rows, strict=True)])


def with_horizon(curriculum: Curriculum, shares: Sequence[float]) -> Curriculum:
    """The same weights with turn limits in equal stages, e.g. `(1/3, 2/3, 1)`.

    Raises:
        ValueError: a share is not in (0, 1].
    """
    _check_curriculum(curriculum)
    if isinstance(shares, np.ndarray):
        shares = shares.tolist()
    _check_list("shares", shares, KNOTS, "share")
    for share in shares:
        check_number("shares", share)
    if not all(0.0 < share <= 1.0 for share in shares):
        raise ValueError(f"shares={tuple(shares)}: expected up to {KNOTS} numbers in (0, 1]")
    stage, horizon = np.full(KNOTS, np.inf, np.float32), np.ones(KNOTS, np.float32)
    stage[: len(shares)] = _starts(len(shares))
    horizon[: len(shares)] = shares
    return curriculum.replace(stage=stage, horizon=horizon)


def adaptive(
    curriculum: Curriculum, rule: str, temperature: float = 1.0, explore: float = 0.1
) -> Curriculum:
    """The same weights, shifted by a rule towards the tasks that promise more.

    Args:
        curriculum: the weights that the rule starts from; a task that has none gets none.
        rule: one of `RULES` but `gate`.
        temperature: scores count by the power 1 / temperature (`bandit`: exponentially).
        explore: share of the weights that the rule leaves as they are.

    Raises:
        ValueError: a value is out of range.
    """
    choices = [each for each in RULES if each != "gate"]
    _check_curriculum(curriculum)
    check_option("rule", rule, choices)
    check_number("temperature", temperature, *TEMPERATURES)
    check_share("explore", explore)
    return curriculum.replace(
        rule=np.asarray(RULES.index(rule), np.int32),
        temperature=np.asarray(temperature, np.float32),
        explore=np.asarray(explore, np.float32),
    )


def gated(
    suite: Suite,
    stages: Sequence[Stage],
    threshold: float = 0.8,
    rehearsal: float = 0.1,
) -> Curriculum:
    """From stage to stage, each opened by success on all tasks of the one before.

    Args:
        suite: the tasks.
        stages: mixtures of tasks, easy ones first; none belongs to two.
        threshold: mean success of training episodes that counts as solved.
        rehearsal: share of the stages before the current one.

    Raises:
        ValueError: there is no stage, a task is in two, or a value is out of range.
    """
    check_share("threshold", threshold)
    check_share("rehearsal", rehearsal)
    _check_list("stages", stages, KNOTS, "mixture")
    rows = np.stack([_row(suite, stage) for stage in stages])
    twice = [name for name, uses in zip(suite.names, (rows > 0).sum(0), strict=True) if uses > 1]
    if twice:
        raise ValueError(f"stages: {', '.join(twice)} in more than one, expected in one")
    rank = np.where(rows.any(0), rows.argmax(0), len(stages))
    return _through(suite, [(0.0, rows.mean(0))]).replace(
        rule=np.asarray(RULES.index("gate"), np.int32),
        rank=rank.astype(np.int32),
        threshold=np.asarray(threshold, np.float32),
        explore=np.asarray(rehearsal, np.float32),
    )


def with_replay(curriculum: Curriculum, share: float) -> Curriculum:
    """The same weights, with a share of the instances replayed (see `Learner.replay`)."""
    _check_curriculum(curriculum)
    check_share("share", share)
    return curriculum.replace(replay=np.asarray(share, np.float32))


def shares(weights: Float[Array, " n"]) -> Float[Array, " n"]:
    """The weights divided by their sum; nothing but zeros stays so."""
    return weights / jnp.maximum(jnp.sum(weights), 1e-30)


def _starts(stages: int) -> np.ndarray:
    """Where each of so many equal stages begins."""
    return np.maximum(np.arange(stages) / stages - _EARLY, 0.0)


def _row(suite: Suite, weights: Stage) -> np.ndarray:
    """float32[tasks], summing to 1."""
    check_kind("suite", suite, Suite, "a jaxagent.Suite, as make_suite(…) returns it")
    weights = _listed(weights)
    if not isinstance(weights, Mapping):
        check_kind("weights", weights, (list, tuple), "a list of tasks, or a dictionary of weights")
        for name in weights:
            check_kind("weights", name, str, "names of tasks")
        weights = dict.fromkeys(weights, 1.0)
    unknown = sorted(str(name) for name in set(weights) - set(suite.names))
    if unknown:
        given, known = brief(unknown), ", ".join(suite.names)
        raise ValueError(f"weights: {given} are not tasks of the suite: expected {known}")
    for name, weight in weights.items():
        check_number(f"weights[{name!r}]", weight, 0.0)
    row = np.array([weights.get(name, 0.0) for name in suite.names], np.float64)
    if not row.any():
        raise ValueError(f"weights={brief(row.tolist())}: expected at least one above 0")
    row /= row.max()
    return (row / row.sum()).astype(np.float32)


def _listed(tasks: Any) -> Any:
    """The tasks that a text names, separated by commas; what is no text stays as it is."""
    return [name.strip() for name in tasks.split(",")] if isinstance(tasks, str) else tasks


def _check_list(name: str, values: Any, most: int, what: str) -> None:
    check_kind(name, values, (list, tuple), f"a list of 1 to {most}")
    if not len(values):
        raise ValueError(f"{name}=[]: expected at least one {what}")
    if len(values) > most:
        raise ValueError(f"{name}: {len(values)} of them: expected at most {most}")


def _check_curriculum(curriculum: Any) -> None:
    check_kind("curriculum", curriculum, Curriculum, "a curriculum, e.g. mixture(suite, …)")


def _through(suite: Suite, knots: Sequence[tuple[float, np.ndarray]]) -> Curriculum:
    padded = [*knots, *[knots[-1]] * (KNOTS - len(knots))]
    progress, weights = (np.asarray(each, np.float32) for each in zip(*padded, strict=True))
    stage = np.full(KNOTS, np.inf, np.float32)
    stage[0] = 0.0
    none = np.asarray(0, np.float32)
    return Curriculum(
        progress=progress,
        weights=weights,
        stage=stage,
        horizon=np.ones(KNOTS, np.float32),
        rule=np.asarray(0, np.int32),
        temperature=np.asarray(1, np.float32),
        explore=none,
        threshold=np.asarray(1, np.float32),
        rank=np.zeros(weights.shape[1], np.int32),
        replay=none,
        tasks=suite.names,
    )
