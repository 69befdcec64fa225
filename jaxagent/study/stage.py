"""Arms of a study, written in a line: what is trained on, stage by stage.

    arm    = stage { ">" stage }
    stage  = term { "," term } [ "@" option { option } ]
    term   = ( task | environment | "mixture" ) [ "*" weight ] | "!" environment
    option = rule | name "=" number

`textcraft/easy > textcraft/hard` trains on one level, then on another; `mixture @ learnability` on
all training tasks under a rule; `mixture, !babyai` on all but babyai's; `babyai @ kl=0.05` holds
on to the policy before the stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from jaxagent.envs import Suite, make_suite
from jaxagent.rl.curriculum import RULES, tempered
from jaxagent.study import ranges
from jaxagent.study.escapes import quoted

MIXTURE = "mixture"
"""All training tasks of a study."""

STEP = " > "
"""Between the stages of an arm."""

ADAPTIVE = tuple(rule for rule in RULES if rule != "gate")

TASK_COUNTS = MappingProxyType(
    {"webshop": 3930, "alfworld": 2420, "babyai": 810, "textcraft": 374, "searchqa": 169_615}
)
"""Training tasks of each environment in AgentGym (README and index files of AgentGym-RL), the
weights that a temperature flattens."""


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        label: the stage as it was written.
        tasks: what is trained on; tasks of weight 0 are none of them.
        weights: how much of each, in any unit, all above 0.
        rule: what shifts the weights by success; empty for the plan's.
        times: factor on the plan's number of updates.
        temperature: T of the weights `n^(1/T)`, n being the environments' `TASK_COUNTS`; 0 for the
            weights as they are.
        rehearsal: share of the turns that goes to the tasks of earlier stages.
        kl: weight of the divergence from the policy before the stage.
        ewc: weight of the drift from the policies behind earlier stages (elastic weights).
        average: share of the policy before the stage in that behind it (Wortsman et al. 2022,
            arXiv 2109.01903, interpolation of weights).
    """

    label: str
    tasks: tuple[str, ...]
    weights: tuple[float, ...]
    rule: str = ""
    times: float = 1.0
    temperature: float = 0.0
    rehearsal: float = 0.0
    kl: float = 0.0
    ewc: float = 0.0
    average: float = 0.0

    @property
    def method(self) -> dict[str, float | str]:
        """All but what is trained on: the options that differ from their defaults."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)[3:]
            if getattr(self, f.name) != f.default
        }

    @property
    def environments(self) -> tuple[str, ...]:
        """Names of the environments trained on."""
        return tuple(dict.fromkeys(task.partition("/")[0] for task in self.tasks))


_NUMBERS = tuple(f.name for f in fields(Stage)[4:])


def parse_arm(text: str, tasks: Sequence[str]) -> tuple[Stage, ...]:
    """The stages of an arm.

    Args:
        text: the arm.
        tasks: the study's training tasks, which environments and `mixture` stand for.

    Raises:
        ValueError: naming the part that is not as expected.
    """
    parts, suite = text.split(STEP.strip()), make_suite(tasks)
    if len(parts) > ranges.STAGES:
        raise ValueError(f"arms: {len(parts):,} stages in one, expected up to {ranges.STAGES}")
    stages = tuple(_parse_stage(part, text, suite) for part in parts)
    if any(stage.rehearsal == 1 for stage in stages):
        raise ValueError(
            f"arms: {quoted(text)}: rehearsal=1: expected less, or nothing of the stage is played"
        )
    for name in ("rehearsal", "ewc"):
        if getattr(stages[0], name):
            raise ValueError(f"arms: {quoted(text)}: {name} needs a stage before")
    return stages


def described(stages: Sequence[Stage]) -> str:
    """What the stages train on, for the table: see `trained_tasks`."""
    return STEP.join(", ".join(stage.tasks) for stage in stages)


def trained_tasks(text: str) -> tuple[tuple[str, ...], ...]:
    """The tasks of each stage from what `described` gave."""
    return tuple(tuple(stage.split(", ")) for stage in text.split(STEP)) if text else ()


def _parse_stage(part: str, arm: str, suite: Suite) -> Stage:
    terms, at, options = part.partition("@")
    if at and not options.strip():
        raise ValueError(f"arms: {quoted(arm)}: expected options behind '@'")
    weights: dict[str, float] = {}
    left_out: list[str] = []
    for term in terms.split(","):
        if term.strip().startswith("!"):
            left_out.append(term.strip()[1:])
            continue
        name, star, weight = term.strip().partition("*")
        share = _number(weight if star else "1", "weight", f"weight of {name.strip()!r}", arm)
        weights |= dict.fromkeys(_tasks_of(name.strip(), arm, suite), share)
    for name in left_out:
        gone = _tasks_of(name, arm, suite)
        weights = {task: weight for task, weight in weights.items() if task not in gone}
    if not any(weights.values()):
        raise ValueError(
            f"arms: {quoted(arm)}: a stage needs tasks, with weights of at least 0, not all 0"
        )
    # What has no weight is not played, so it is not trained on.
    weights = {task: weight for task, weight in weights.items() if weight > 0}
    label = " ".join(part.split())
    stage = Stage(label, tuple(weights), tuple(weights.values()))
    given: dict[str, float | str] = {}
    for option in options.split():
        found = _option(option, arm)
        if set(found) & set(given):
            raise ValueError(f"arms: {quoted(arm)}: option {quoted(option)} comes twice")
        given |= found
    return _flattened(replace(stage, **given))  # type: ignore[arg-type]


def _tasks_of(name: str, arm: str, suite: Suite) -> tuple[str, ...]:
    if "/" in name:
        return make_suite(name).names
    found = tuple(str(t) for t in suite.tasks if name in (MIXTURE, t.environment))
    if not found:
        known = dict.fromkeys(task.environment for task in suite.tasks)
        raise ValueError(
            f"arms: stage of {quoted(arm)}={quoted(name)}: expected a task or one of "
            f"{', '.join(known)}, {MIXTURE}"
        )
    return found


def _option(text: str, arm: str) -> dict[str, float | str]:
    name, equals, value = text.partition("=")
    if not equals and name in ADAPTIVE:
        return {"rule": name}
    if not equals or name not in _NUMBERS:
        options = ", ".join([*ADAPTIVE, *(f"{each}=…" for each in _NUMBERS)])
        raise ValueError(f"arms: {quoted(arm)}: option {quoted(text)} is not one of {options}")
    return {name: _number(value, name, name, arm)}


def _number(text: str, option: str, name: str, arm: str) -> float:
    """A number in the range of its option; `name` and `arm` are for the message."""
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"arms: {quoted(arm)}: {name}={quoted(text)}: expected a number") from None
    if number not in ranges.STAGE[option]:
        raise ValueError(f"arms: {quoted(arm)}: {name}={text}: expected {ranges.STAGE[option]}")
    return number


def _flattened(stage: Stage) -> Stage:
    """The stage with the weights that its temperature makes."""
    if not stage.temperature:
        return stage
    names = [task.partition("/")[0] for task in stage.tasks]
    unknown = sorted(set(names) - set(TASK_COUNTS))
    if unknown:
        raise ValueError(
            f"arms: {stage.label!r}: temperature is for {', '.join(TASK_COUNTS)}, not {unknown}"
        )
    counts = {t: TASK_COUNTS[n] / names.count(n) for t, n in zip(stage.tasks, names, strict=True)}
    weights = tempered(counts, stage.temperature)
    return replace(stage, weights=tuple(weights.values()))
