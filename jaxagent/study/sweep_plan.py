"""Sweeps: files that say which fields of a plan are varied, and the groups and shards that follow.

What is traced in a training (seeds, learning rates, discounts, weights of the loss, adaptive
rules) makes members of one compiled program; what changes its shape or its base policy makes
groups, each with a program of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jaxagent.study.config import from_values, load_plan
from jaxagent.study.design import merged
from jaxagent.study.escapes import quoted
from jaxagent.study.files import parse_json, read_json
from jaxagent.study.names import check_name
from jaxagent.study.plan import StudyPlan, as_json
from jaxagent.sweep.space import MOST_POINTS, Axis, Point, grid, halving, key, parse_axis, random

TRACED = tuple(
    f"train.{name}"
    for name in (
        "learning_rate",
        "final_rate",
        "gamma",
        "lam",
        "invalid_penalty",
        "clip",
        "entropy",
        "kl",
        "rule",
    )
)
"""Fields that are traced: they may differ between the members of a program."""

SAMPLERS = ("grid", "random", "halving", "optuna")

MOST_TRAININGS = 200_000
"""Trainings of a sweep at most, points times seeds times arms: every worker lists them all."""

_MOST = {
    "samples": MOST_POINTS,
    "seeds": MOST_TRAININGS,
    "devices": 2**16,
    "seed": 2**31 - 1,
    "members": MOST_TRAININGS,
    "eta": 1000,
    "least": 10**6,
}

_UNUSED = ("name", "about", "seeds", "variants")
"""Fields of a plan that change nothing about a member's training."""

STANDARD_INPUT = "-"
"""Stands for standard input in the place of a sweep's file."""


@dataclass(frozen=True)
class Resolved:
    """What a point stands for.

    Attributes:
        plan: the plan at the point.
        group: shared by the plans that one program trains.
        identity: shared by the points that say the same in other words.
    """

    plan: StudyPlan
    group: str
    identity: str


@dataclass(frozen=True)
class SweepPlan:
    """What is varied, and how."""

    name: str
    """Name of the sweep, and of its folder under runs/."""
    plan: str
    """Plan that is varied: a name or the path of a file. Its arms have one stage each."""
    axes: dict[str, Any]
    """Field of the plan -> a list of values, or `{low, high, log, count}` for a range."""
    preset: str = "mini"
    """Size of the plan, if it is a design."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields of the plan -> values that all members share, e.g. `train.updates`."""
    seeds: int = 1
    """Repetitions of every point, base policy included."""
    sampler: str = "grid"
    """`grid`, `random`, `halving` (random points, of which the best go on) or `optuna` (asked in
    rounds of `members`; needs the package)."""
    samples: int = 0
    """Points of all samplers but the grid."""
    seed: int = 0
    """Of the sampler."""
    members: int = 32
    """Members of a shard at most; memory may allow fewer side by side."""
    devices: int = 1
    """That share the batch of every member; where there are fewer, one does the work of all, with
    the same results but for the order of sums."""
    eta: int = 3
    """Of `halving`: the best of so many go on."""
    least: int = 1
    """Of `halving`: updates of the first rung at least."""
    turns: float = 0.0
    """Budget: turns of training of the whole sweep at most; 0 for no limit."""
    contents: dict[str, Any] = field(default_factory=dict)
    """Fields of the plan, for a sweep that goes where the plan's file is not; `plan` is no more
    than its name then."""

    def __post_init__(self) -> None:
        for name in ("seeds", "members", "devices", "least"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")
        for name, most in _MOST.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name}={getattr(self, name)}: expected 0 to {most:,}")
        if self.eta < 2:
            raise ValueError(f"eta={self.eta}: expected at least 2")
        if self.sampler not in SAMPLERS:
            raise ValueError(
                f"sampler={quoted(self.sampler)}: expected one of {', '.join(SAMPLERS)}"
            )
        if self.sampler != "grid" and self.samples < 1:
            raise ValueError(f"samples={self.samples}: {self.sampler} needs at least 1")
        if not self.axes:
            raise ValueError("axes: expected at least one")
        if not 0 <= self.turns < math.inf:
            raise ValueError(f"turns={self.turns}: expected a finite number, 0 for no limit")
        _check_trainings(self, 1)
        for arm, stages in zip(self.base.arms, self.base.stages, strict=True):
            if len(stages) > 1:
                raise ValueError(f"arms: {arm!r} has several stages, a sweep's have one")

    def check(self) -> None:
        """Raise `ValueError` unless the sweep can be run, and listed in about a minute."""
        check_name("name", self.name)
        for name in self.axes:
            if name in _UNUSED:
                raise ValueError(f"axes.{name}: makes no difference to a training")
            if name == "train.updates" and self.sampler == "halving":
                raise ValueError(f"axes.{name}: halving sets the updates itself")
        for name in set(self.changes) & {"seeds", "variants"}:
            raise ValueError(f"changes.{name}: a sweep makes no use of it; expected seeds or axes")
        _check_trainings(self, len(self.points()))

    @cached_property
    def base(self) -> StudyPlan:
        """The plan that is varied."""
        return changed(self.unchanged, self.changes)

    @cached_property
    def unchanged(self) -> StudyPlan:
        """The plan as its file has it."""
        if self.contents:
            return from_values(StudyPlan, self.contents)
        return load_plan(self.plan, self.preset)

    @cached_property
    def spaces(self) -> tuple[Axis, ...]:
        """The axes."""
        return tuple(parse_axis(name, given) for name, given in self.axes.items())

    @property
    def rungs(self) -> list[tuple[int, int]]:
        """Points and updates of every rung of `halving`; of other samplers one, with 0 updates for
        those of the plan."""
        if self.sampler != "halving":
            return [(len(self.points()), 0)]
        return halving(len(self.points()), self.base.train.updates, self.eta, self.least)

    def points(self) -> list[Point]:
        """The points that a grid or chance picks, each of them another plan. There may be fewer
        than `samples`, where the axes have no more. Raises `ValueError` where one is no plan."""
        return self._points

    def resolved(self, point: Point) -> Resolved:
        """What a point stands for."""
        name = key(point)
        if name not in self._resolved:
            plan = changed(self.base, point)
            self._resolved[name] = Resolved(plan, _group_key(plan), key(as_json(plan)))
        return self._resolved[name]

    @cached_property
    def _points(self) -> list[Point]:
        if self.sampler == "grid":
            chosen = grid(self.spaces)
        else:
            chosen = random(self.spaces, self.samples, self.seed)
        found: dict[str, Point] = {}
        for point in chosen:
            found.setdefault(self.resolved(point).identity, point)
        return list(found.values())

    @cached_property
    def _resolved(self) -> dict[str, Resolved]:
        return {}


@dataclass(frozen=True)
class Member:
    """One training of a sweep.

    Attributes:
        point: the values on the axes.
        seed: of base policy and training.
        updates: it is trained for; 0 for those of the plan.
    """

    point: Point
    seed: int
    updates: int = 0

    @property
    def name(self) -> str:
        """Hash of point and seed, the same at every rung."""
        content = json.dumps([self.point, self.seed], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Shard:
    """Members of one program that a worker trains together.

    Attributes:
        number: among the sweep's shards.
        plan: of the group: the fields that its program depends on.
        arm: number of the plan's arm.
        members: at most as many as the sweep says.
        updates: they are trained for; 0 for those of the plan.
        devices: that share the batch of every member.
    """

    number: int
    plan: StudyPlan
    arm: int
    members: tuple[Member, ...]
    updates: int = 0
    devices: int = 1

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.number:05d}"


def load_sweep(path: str | Path) -> SweepPlan:
    """Read the sweep that is to be run from a file, or from standard input for `-`.

    Raises:
        ValueError: there is none, or a field or value in it is not as expected.
    """
    return _loaded(path, check=True)


def kept_sweep(folder: Path) -> SweepPlan:
    """Read the sweep that a folder of results belongs to, also one that would not be run today.

    Raises:
        ValueError: there is none, or a field or value in it is not as expected.
    """
    return _loaded(folder / "sweep.json", check=False)


def _loaded(path: str | Path, check: bool) -> SweepPlan:
    name = "standard input" if path == STANDARD_INPUT else repr(str(path))
    if path != STANDARD_INPUT and not Path(path).is_file():
        raise ValueError(f"sweep {name}: no such file")
    try:
        values = _from_input() if path == STANDARD_INPUT else read_json(path)
        sweep = from_values(SweepPlan, values)
        if check:
            sweep.check()
    except ValueError as error:
        raise ValueError(f"sweep {name}: {error}") from None
    return sweep


def _from_input() -> Any:
    try:
        return parse_json(sys.stdin.read())
    except ValueError as error:
        raise ValueError(f"expected JSON: {error}") from None


def changed(plan: StudyPlan, fields: Mapping[str, Any]) -> StudyPlan:
    """The plan with other values, by dotted names.

    Raises:
        ValueError: a field is not known, or what comes of it is no plan.
    """
    values: Any = as_json(plan)
    for name, value in fields.items():
        nested: Any = value
        for part in reversed(name.split(".")):
            nested = {part: nested}
        values = merged(values, nested)
    return from_values(StudyPlan, values)


def shards_of(
    sweep: SweepPlan, points: list[Point], updates: int = 0, first: int = 0
) -> list[Shard]:
    """The shards of these points, every one with all seeds, groups apart.

    Args:
        sweep: the sweep.
        points: on its axes.
        updates: of every member; 0 for those of the plan.
        first: number of the first shard.
    """
    _check_trainings(sweep, len(points))
    groups: dict[str, tuple[StudyPlan, list[Member]]] = {}
    for point in points:
        found = sweep.resolved(point)
        members = groups.setdefault(found.group, (found.plan, []))[1]
        members += [Member(point, seed, updates) for seed in range(sweep.seeds)]
    shards: list[Shard] = []
    for plan, members in groups.values():
        for arm in _different_arms(plan):
            for start in range(0, len(members), sweep.members):
                part = tuple(members[start : start + sweep.members])
                number = first + len(shards)
                shards.append(Shard(number, plan, arm, part, updates, sweep.devices))
    return shards


def _different_arms(plan: StudyPlan) -> list[int]:
    """The numbers of the arms, without those that repeat an earlier one."""
    stages = plan.stages
    return [arm for arm in range(len(stages)) if stages.index(stages[arm]) == arm]


def _check_trainings(sweep: SweepPlan, points: int) -> None:
    arms = len(sweep.base.arms)
    if points * sweep.seeds * arms > MOST_TRAININGS:
        product = f"{points:,} points × {sweep.seeds:,} seeds × {arms:,} arms"
        raise ValueError(f"{product}: expected at most {MOST_TRAININGS:,} trainings")


def _group_key(plan: StudyPlan) -> str:
    """All of a plan that its programs depend on, with what is traced left out."""
    values = as_json(plan)
    for name in TRACED:
        values["train"].pop(name.removeprefix("train."))
    static = [repr(plan.algorithm(stage)) for (stage,) in plan.stages]
    return json.dumps([values, static], sort_keys=True)


def as_values(sweep: SweepPlan) -> dict[str, Any]:
    """The sweep as JSON that says all by itself: with the contents of a plan's file."""
    values = json.loads(json.dumps(dataclasses.asdict(sweep)))
    if not sweep.contents:
        del values["contents"]
        if sweep.plan.endswith(".json"):
            values["contents"] = as_json(sweep.unchanged)
    return values
