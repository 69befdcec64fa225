"""Sweeps: files that say which fields of a plan are varied, and the groups and shards that follow.

What is traced in a training (seeds, learning rates, discounts, weights of the loss, adaptive
rules) makes members of one compiled program; what changes its shape or its base policy makes
groups, each with a program of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxagent.study.config import from_values, load_plan
from jaxagent.study.design import merged
from jaxagent.study.files import read_json
from jaxagent.study.plan import StudyPlan, as_json
from jaxagent.sweep.space import Axis, Point, grid, halving, parse_axis, random

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

    def __post_init__(self) -> None:
        for name in ("seeds", "members", "devices", "least"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")
        if self.eta < 2:
            raise ValueError(f"eta={self.eta}: expected at least 2")
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler={self.sampler!r}: expected one of {', '.join(SAMPLERS)}")
        if self.sampler != "grid" and self.samples < 1:
            raise ValueError(f"samples={self.samples}: {self.sampler} needs at least 1")
        if not self.axes:
            raise ValueError("axes: expected at least one")
        for arm, stages in zip(self.base.arms, self.base.stages, strict=True):
            if len(stages) > 1:
                raise ValueError(f"arms: {arm!r} has several stages, a sweep's have one")

    @property
    def base(self) -> StudyPlan:
        """The plan that is varied."""
        return changed(load_plan(self.plan, self.preset), self.changes)

    @property
    def spaces(self) -> tuple[Axis, ...]:
        """The axes."""
        return tuple(parse_axis(name, given) for name, given in self.axes.items())

    @property
    def rungs(self) -> list[tuple[int, int]]:
        """Points and updates of every rung of `halving`; of other samplers one, with 0 updates for
        those of the plan."""
        if self.sampler != "halving":
            return [(len(self.points()), 0)]
        return halving(self.samples, self.base.train.updates, self.eta, self.least)

    def points(self) -> list[Point]:
        """The points that a grid or chance picks. Raises `ValueError` where one is no plan."""
        chosen = grid(self.spaces) if self.sampler == "grid" else self._random()
        for point in chosen:
            changed(self.base, point)
        return chosen

    def _random(self) -> list[Point]:
        return random(self.spaces, self.samples, self.seed)


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
    """The sweep in a file.

    Raises:
        ValueError: there is none, or a field or value in it is not as expected.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"sweep {str(path)!r}: no such file")
    try:
        return from_values(SweepPlan, read_json(path))
    except ValueError as error:
        raise ValueError(f"sweep {str(path)!r}: {error}") from None


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
    groups: dict[str, tuple[StudyPlan, list[Member]]] = {}
    for point in points:
        plan = changed(sweep.base, point)
        key = _group_key(plan)
        members = groups.setdefault(key, (plan, []))[1]
        members += [Member(point, seed, updates) for seed in range(sweep.seeds)]
    found: list[Shard] = []
    for plan, members in groups.values():
        for arm in range(len(plan.arms)):
            for start in range(0, len(members), sweep.members):
                part = tuple(members[start : start + sweep.members])
                number = first + len(found)
                found.append(Shard(number, plan, arm, part, updates, sweep.devices))
    return found


def _group_key(plan: StudyPlan) -> str:
    """All of a plan that its programs depend on, with what is traced left out."""
    values = as_json(plan)
    for name in TRACED:
        values["train"].pop(name.removeprefix("train."))
    static = [repr(plan.algorithm(stage)) for (stage,) in plan.stages]
    return json.dumps([values, static], sort_keys=True)


def as_values(sweep: SweepPlan) -> dict[str, Any]:
    """The sweep as JSON."""
    return json.loads(json.dumps(dataclasses.asdict(sweep)))
