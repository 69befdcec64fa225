"""Phases: what a plan does once, keyed by all that determines it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import jax

from jaxagent.envs import make_suite
from jaxagent.rl.registration import source_of
from jaxagent.study.plan import StudyPlan
from jaxagent.study.stage import STEP, Stage, described

BASE = "base"
"""Name of the phase that makes the base policy."""

FORMAT = 5
"""Goes into every phase's key; raised when results of the same plan would differ."""


@dataclass(frozen=True)
class Phase:
    """One thing to be done once: making the base policy, or one training stage behind another.

    Attributes:
        name: `base`, or the labels of the stages so far.
        seed: of the repetition.
        stages: the stages so far, the last of which is this phase's.
        suite: names of the tasks that the stage's program holds; the weights choose among them.
        key: hash of all that determines the phase's results.
        parent: the phase it goes on from.
    """

    name: str
    seed: int
    stages: tuple[Stage, ...]
    suite: tuple[str, ...]
    key: str
    parent: Phase | None

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.name} (seed {self.seed})"

    @property
    def trained(self) -> str:
        """The tasks of all stages so far, for the table."""
        return described(self.stages)

    @property
    def random(self) -> jax.Array:
        """A key that depends on the seed and what is trained on, not on settings or other
        phases."""
        return jax.random.fold_in(jax.random.key(self.seed), crc32(self.trained.encode()))

    @property
    def folder(self) -> str:
        """Name of its folder."""
        words = "".join(c if c.isalnum() or c in "._" else "-" for c in self.name)
        short = "-".join(part for part in words.split("-") if part)[:60].rstrip("-.")
        return f"{short}-seed{self.seed}-{self.key}"


def phases(plan: StudyPlan) -> tuple[Phase, ...]:
    """The phases of a plan, each behind its parent; shared beginnings occur once."""
    found: dict[str, Phase] = {}
    suite = _suite(plan)
    for seed in range(plan.seeds):
        base = _base_phase(plan, seed)
        found.setdefault(base.key, base)
        for arm in plan.stages:
            phase = base
            for count in range(1, len(arm) + 1):
                phase = _train_phase(plan, phase, arm[:count], suite)
                phase = found.setdefault(phase.key, phase)
    return tuple(found.values())


def evaluation_key(plan: StudyPlan) -> str:
    """Hash of all that determines a measurement but the policy.

    It is the same whether the tasks are named or, being those of the training, are not.
    """
    limits = [plan.context, plan.action_tokens, plan.think]
    how = dataclasses.asdict(dataclasses.replace(plan.evaluation, tasks=()))
    return _hash([FORMAT, plan.measured, how, limits])


def played_tasks(stages: tuple[Stage, ...]) -> dict[str, float]:
    """How much of each task the last of the stages plays, the tasks rehearsed included."""
    *earlier, stage = stages
    total = sum(stage.weights)
    played = {
        task: (1 - stage.rehearsal) * weight / total
        for task, weight in zip(stage.tasks, stage.weights, strict=True)
    }
    if not stage.rehearsal:
        return played
    rehearsed = dict.fromkeys(task for each in earlier for task in each.tasks)
    for task in rehearsed:
        played[task] = played.get(task, 0.0) + stage.rehearsal / len(rehearsed)
    return played


def _suite(plan: StudyPlan) -> tuple[str, ...]:
    """The tasks of all stages. One program for all of them compiles faster than several, and the
    words of all are in play in each, as they are in evaluation."""
    played = [stage.tasks for arm in plan.stages for stage in arm]
    return tuple(sorted({task for tasks in played for task in tasks}))


def _base_phase(plan: StudyPlan, seed: int) -> Phase:
    suite = make_suite(plan.demonstrated)
    content = [FORMAT, seed, plan.model, plan.context, plan.action_tokens, plan.think]
    content += [suite.names, dataclasses.asdict(plan.base)]
    content += [suite.language.vocabulary.fingerprint]  # a policy has a row for every word
    return Phase(BASE, seed, (), suite.names, _hash(content), None)


def _train_phase(
    plan: StudyPlan,
    parent: Phase,
    stages: tuple[Stage, ...],
    suite: tuple[str, ...],
) -> Phase:
    stage = stages[-1]
    algorithm, hyper = plan.algorithm(stage), plan.hyper(stage)
    content = [parent.key, suite, plan.updates_of(stage), plan.train.rows, plan.train.turns]
    content += [{**dataclasses.asdict(stage), "label": ""}, plan.train.rule]
    content += [dataclasses.asdict(algorithm), dataclasses.asdict(hyper)]
    if source := source_of(algorithm.advantage):  # a name says nothing of what stands behind it
        content += [source]
    name = STEP.join(each.label for each in stages)
    return Phase(name, parent.seed, stages, suite, _hash(content), parent)


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
