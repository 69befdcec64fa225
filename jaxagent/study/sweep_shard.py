"""A shard of a sweep: its members trained as one program, and measured one after the other."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxagent.models import Params
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.curriculum import Curriculum, adaptive, mixture
from jaxagent.rl.devices import on_host
from jaxagent.rl.learner import Learner
from jaxagent.rl.window import Window
from jaxagent.study import table
from jaxagent.study.measurement import measurements
from jaxagent.study.phase import Phase, phases, played_tasks
from jaxagent.study.plan import StudyPlan
from jaxagent.study.processes import by_first
from jaxagent.study.programs import Programs, drop_programs
from jaxagent.study.runner import Progress, Runner, Work
from jaxagent.study.sweep_plan import Member, Shard, changed
from jaxagent.study.training import Metrics, train
from jaxagent.sweep.memory import device_bytes, lanes_that_fit
from jaxagent.sweep.population import Population, PopulationState, stack
from jaxagent.sweep.shards import Claim, Lost

RESULT = "result.csv"
"""File of a shard that is finished."""


@dataclass(frozen=True)
class Row:
    """One number of one member.

    Attributes:
        shard: number of the shard.
        member: hash of point and seed.
        point: values on the axes, as JSON.
        seed: of base policy and training.
        arm: what was trained on.
        updates: of training.
        alive: whether all numbers of the training were finite; else measured as it was before.
        task: what was measured.
        metric: `success`, `return`, ….
        value: mean over the episodes.
        low: lower end of the 95 % interval over instances.
        high: its upper end.
        episodes: how many were played.
    """

    shard: int
    member: str
    point: str
    seed: int
    arm: str
    updates: int
    alive: str
    task: str
    metric: str
    value: float
    low: float
    high: float
    episodes: int


@dataclass(frozen=True, eq=False)
class Crowd:
    """A population as something to be trained (`jaxagent.study.training.Run`)."""

    population: Population
    members: int

    @property
    def actor(self) -> Actor:
        """Who plays."""
        return self.population.learner.actor

    @property
    def window(self) -> Window:
        """What an episode of each member is allowed."""
        return self.population.learner.window

    @property
    def turns_per_update(self) -> int:
        """Turns of all members in an update."""
        return self.members * self.population.learner.turns_per_update

    def advance(
        self, state: PopulationState, hyper: Hyper, curriculum: Curriculum, count: int
    ) -> tuple[PopulationState, Metrics]:
        """Does `count` updates of every member."""
        return self.population.advance(state, hyper, curriculum, count)

    def compile(self, state: PopulationState, hyper: Hyper, curriculum: Curriculum) -> None:
        """Compiles what `advance` does, and runs nothing of it."""
        self.population.compile(state, hyper, curriculum)


@dataclass(frozen=True)
class Held:
    """A shard that is this worker's: the claim of its first process, which holds for all.

    Attributes:
        claim: of the first process; None in the others.
    """

    claim: Claim | None

    def check(self) -> None:
        """Raises `Lost` in all processes unless the claim is still this worker's."""
        by_first(self._check, Lost)

    def is_lost(self) -> bool:
        """Whether a worker that is one process has lost its shard: what then fails is no error."""
        if self.claim is None or jax.process_count() > 1:
            return False
        try:
            self.claim.check()
        except Lost:
            return True
        return False

    def _check(self) -> None:
        assert self.claim is not None
        self.claim.check()


class Workshop:
    """The programs of the group of shards that a worker is at, which all its shards share; those
    of the group before are dropped. With `strict`, no training goes on that was made on another
    machine."""

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self._group: tuple[StudyPlan, int] | None = None
        self._leave()

    def _leave(self) -> None:
        self.programs = Programs()
        self._learner: Learner | None = None
        self._crowds: dict[int, Crowd] = {}
        drop_programs()

    def enter(self, shard: Shard) -> None:
        """Makes room for the shard's group, unless it is the one at hand."""
        group = shard.plan, shard.arm
        if group != self._group:
            self._leave()
            self._group = group

    def crowd(self, shard: Shard, progress: Progress) -> Crowd:
        """Who trains the members of a shard of the group."""
        if self._learner is None:
            self._learner = learner_of(shard, self.programs)
        count = len(shard.members)
        if count not in self._crowds:
            self._crowds[count] = _crowd(self._learner, count, progress)
        return self._crowds[count]


def run_shard(
    shard: Shard, folder: Path, store: Path, claim: Held, progress: Progress, workshop: Workshop
) -> None:
    """Trains and measures the members of a shard, from where an earlier worker stopped.

    Args:
        shard: what is to be done.
        folder: of the shard.
        store: of the base policies, shared by all workers.
        claim: on the folder; what it does not cover any more is not written.
        progress: told of all long work.
        workshop: the worker's.

    Raises:
        Stopped: a signal came; what was done is saved.
        Lost: another worker has taken the shard over.
    """
    workshop.enter(shard)
    programs = workshop.programs
    bases = _bases(shard, programs, store, progress, workshop.strict)
    crowd = workshop.crowd(shard, progress)
    cast = shard.members + shard.members[-1:] * (crowd.members - len(shard.members))
    plans = [changed(shard.plan, member.point) for member in cast]
    params = stack([bases[member.seed][1] for member in cast])
    keys = jnp.stack([_key(bases[m.seed][0], m) for m in cast])
    stage = shard.plan.stages[shard.arm][0]
    updates = shard.updates or shard.plan.updates_of(stage)
    hyper = stack([plan.hyper(stage) for plan in plans])
    tasks = mixture(crowd.actor.suite, played_tasks((stage,)))
    curriculum = stack([adaptive(tasks, stage.rule or plan.train.rule) for plan in plans])
    state = crowd.population.start(params, keys, updates, own=True)
    hyper, curriculum = crowd.population.place((hyper, curriculum))
    title = f"shard {shard.name}: {len(shard.members)} members"
    compiled = partial(crowd.compile, state, hyper, curriculum)
    programs.compile_once(f"{crowd.members} members", compiled, progress.compiling(title))
    advance = progress.start(title, updates)

    def tell(update: int, metrics: Metrics) -> None:
        claim.check()
        advance(update, f"{metrics['turn_rate']:,.0f} turns/s")

    state, _ = train(
        *(crowd, state, hyper, curriculum, folder, tell),
        finite=False,
        note=lambda text: progress.note(f"{title}: {text}"),
        strict=workshop.strict,
    )
    rows = _measure(shard, programs, state, updates, progress)
    claim.check()
    table.write_rows(folder / RESULT, rows, Row)


def _bases(
    shard: Shard, programs: Programs, store: Path, progress: Progress, strict: bool
) -> dict[int, tuple[Phase, Params]]:
    """The base policy of every seed, made if no worker has yet."""
    seeds = {member.seed for member in shard.members}
    plan = dataclasses.replace(shard.plan, seeds=max(seeds) + 1)
    runner = Runner(plan, store, progress, store, programs, strict)
    found = {}
    for phase in phases(plan):
        if phase.parent is None and phase.seed in seeds:
            runner.make(Work("", plan, phase))
            # Free of the device that they were read to.
            found[phase.seed] = phase, jax.tree.map(np.asarray, runner.policy_behind(phase))
    return found


def learner_of(shard: Shard, programs: Programs) -> Learner:
    """Who trains each of its members."""
    plan, stage = shard.plan, shard.plan.stages[shard.arm][0]
    [suite] = {p.suite for p in phases(dataclasses.replace(plan, seeds=1)) if p.parent}
    window = plan.window(plan.train.rows, plan.train.turns)
    actor, algorithm = programs.actor(plan, suite), plan.algorithm(stage)
    return Learner(actor, window, algorithm, devices=shard.devices)


def _crowd(learner: Learner, members: int, progress: Progress) -> Crowd:
    """The population, on as many devices as share its members evenly, in lanes that fit.

    Several processes all take part: where the members are too few for that, some are trained twice.
    """
    shared = learner.devices if learner.devices <= len(jax.devices()) else 1
    least = jax.process_count() // math.gcd(jax.process_count(), shared)
    members += -members % least
    counts = range(least, len(jax.devices()) // shared + 1, least)
    devices = max(n for n in counts if members % n == 0)
    lanes, told = 1, ""
    if limit := device_bytes():
        lanes, told = lanes_that_fit(learner, members // devices, limit)
    share = f" times {learner.devices}" if learner.devices > 1 else ""
    told = told or f"{members} members on {devices}{share} devices, one after the other on each"
    progress.note(told)
    return Crowd(Population(learner, lanes, devices), members)


def _key(base: Phase, member: Member) -> jax.Array:
    """Of everything random in a member's training: the same for all points of a seed."""
    return jax.random.fold_in(base.random, 3)


def _measure(
    shard: Shard, programs: Programs, state: PopulationState, updates: int, progress: Progress
) -> list[Row]:
    by = programs.evaluator(shard.plan)
    rows: list[Row] = []
    title = f"shard {shard.name}: evaluation"
    compiled = partial(programs.compile_evaluation, shard.plan)
    programs.compile_once("evaluation", compiled, progress.compiling(title))
    advance = progress.start(title, len(shard.members), "members")
    trained, alive = on_host((state.members.params, state.alive))
    for number, member in enumerate(shard.members):
        params = jax.tree.map(lambda x, i=number: x[i], trained)
        for name, (outcome, _) in by.play(params, lambda *_: None):
            found = measurements(name, outcome)
            rows += [_row(shard, member, updates, bool(alive[number]), each) for each in found]
        advance(number + 1, member.name)
    return rows


def _row(shard: Shard, member: Member, updates: int, alive: bool, measured: object) -> Row:
    return Row(
        shard=shard.number,
        member=member.name,
        point=json.dumps(member.point, sort_keys=True),
        seed=member.seed,
        arm=shard.plan.arms[shard.arm],
        updates=updates,
        alive="yes" if alive else "no",
        **vars(measured),
    )


def read_results(folders: Sequence[Path]) -> list[Row]:
    """The rows of all finished shards among these folders.

    Raises:
        ValueError: naming the file that holds something else.
    """
    paths = [folder / RESULT for folder in folders]
    return [row for path in paths if path.exists() for row in _read(path)]


def _read(path: Path) -> list[Row]:
    rows = table.read_rows(path, Row)
    for point in {row.point for row in rows}:
        try:
            is_point = isinstance(json.loads(point), dict)
        except (ValueError, RecursionError):
            is_point = False
        if not is_point:
            raise ValueError(f"{path}: point={point[:80]!r}: expected an object as JSON")
    return rows
