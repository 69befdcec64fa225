"""Comparing algorithms: one plan with every one of them, from the same base policies, in one
table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Group

from jaxagent.envs import make_suite
from jaxagent.rl.algorithm import ALGORITHMS
from jaxagent.study import table
from jaxagent.study.config import from_values
from jaxagent.study.contents import checked
from jaxagent.study.escapes import quoted
from jaxagent.study.files import write_json
from jaxagent.study.plan import StudyPlan, as_json
from jaxagent.study.programs import drop_programs
from jaxagent.study.runner import Progress, Runner
from jaxagent.study.scores import is_rate
from jaxagent.study.statistics import SEEDS_FOR_INTERVAL, Estimate, iqm_over_seeds
from jaxagent.study.wide_table import WideTable, estimate_cell

BASE = "base"
"""What the base policies stand under, beside the algorithms."""

DEFAULT = "ppo"
"""The algorithm in the plan that is written down, where it counts for nothing."""

METRICS = ("success", "return", "turns", "tokens", "invalid")


@dataclasses.dataclass(frozen=True)
class Row:
    """One number of one training run, measured on held-out instances of the task it trained on.

    Attributes:
        algorithm: its name, or `base`.
        task: what was trained and measured.
        seed: of base policy and training.
        metric: `success`, `return`, `turns`, `tokens`, `invalid`.
        value: mean over the episodes.
        episodes: how many were played.
        device: that everything ran on.
    """

    algorithm: str
    task: str
    seed: int
    metric: str
    value: float
    episodes: int
    device: str


def compare(
    plan: StudyPlan,
    algorithms: Sequence[str],
    folder: Path,
    progress: Progress,
    results: Path | None = None,
    strict: bool = False,
) -> list[Row]:
    """Runs the plan with each algorithm and writes `algorithms.csv` and `algorithms.json`.

    The budget of turns, the base policies and all settings that an algorithm does not define are
    those of the plan, the same for all. What is finished is not run again; of algorithms whose rows
    lie in `results` already, made with the same settings, nothing but those is needed.

    Args:
        plan: arms of one stage each; its own algorithm counts for nothing.
        algorithms: names; none for all.
        folder: of the studies, one per algorithm, and of their phases.
        progress: told of all long work.
        results: folder of the two files; by default `folder`.
        strict: refuse to go on with what was made under other versions, devices or flags.

    Returns:
        The rows of all algorithms in the table.

    Raises:
        ValueError: an algorithm is not known or cannot be used with the plan, or an arm has more
            than one stage; or (once what was played is kept in `folder`) the rows in `results`
            are of other base policies.
    """
    plans = check_algorithms(plan, algorithms)
    results = results or folder
    rows, settings = _finished(plan, results)
    for name, each in plans.items():
        if _is_finished(settings["algorithms"].get(name), each):
            progress.note(f"{name}: finished before")
            continue
        Runner(each, folder / name, progress, folder / "phases", strict=strict).run()
        measured = _rows(name, each, table.read(folder / name / "results.csv"))
        base = [row for row in measured if row.algorithm == BASE]
        others = [row for row in rows if row.algorithm != name]
        if others and _numbers(base) != _numbers(r for r in others if r.algorithm == BASE):
            raise ValueError(
                f"{results / 'algorithms.csv'} begins from other base policies than those in "
                f"{folder / 'phases'}; choose another folder for the results"
            )
        own = [row for row in measured if row.algorithm == name]
        rows = [*others, *own] if others else measured
        settings["algorithms"][name] = _settings(each)
        table.write_rows(results / "algorithms.csv", rows, Row)
        write_json(results / "algorithms.json", settings)
        drop_programs()
    return rows


def check_algorithms(plan: StudyPlan, algorithms: Sequence[str]) -> dict[str, StudyPlan]:
    """Return the plan with each of the algorithms, by their names; of all if none is named.

    Raises:
        ValueError: an algorithm is not known, named twice or cannot be used with the plan, or an
            arm has several stages.
    """
    for name in algorithms:
        if list(algorithms).count(name) > 1:
            raise ValueError(f"algorithms: {quoted(name)} comes twice, expected each once")
    for arm, stages in zip(plan.arms, plan.stages, strict=True):
        if len(stages) > 1:
            raise ValueError(f"arms: {quoted(arm)} has several stages, expected one")
    if plan.variants:
        raise ValueError("variants: expected none, algorithms are compared on one plan")
    return {name: plan_for(plan, name) for name in list(algorithms) or list(ALGORITHMS)}


def _finished(plan: StudyPlan, results: Path) -> tuple[list[Row], dict[str, Any]]:
    """What an earlier call with the same plan has left in the table, and its settings."""
    new = {"plan": as_json(plan_for(plan, DEFAULT)), "algorithms": {}}
    path = results / "algorithms.json"
    if not path.exists() or not (results / "algorithms.csv").exists():
        return [], new
    old = checked(path, {})
    if not isinstance(old.get("plan"), dict) or not isinstance(old.get("algorithms"), dict):
        raise ValueError(f"{path}: expected an object with plan and algorithms")
    # Fields that came later have their defaults.
    if as_json(from_values(StudyPlan, old["plan"])) != new["plan"]:
        raise ValueError(f"{path} holds another plan's results; choose another folder or delete it")
    return table.read_rows(results / "algorithms.csv", Row), old


def plan_for(plan: StudyPlan, algorithm: str) -> StudyPlan:
    """The plan with another algorithm."""
    train = dataclasses.replace(plan.train, algorithm=algorithm)
    return dataclasses.replace(plan, train=train)


def show(rows: Sequence[Row], metric: str = "success") -> Group:
    """Return the interquartile means over seeds with their 95 % intervals, best algorithm first.

    The column `all` takes the mean over tasks of each seed. There is no interval with fewer than
    three seeds (`statistics.iqm_over_seeds`).
    """
    tasks = list(dict.fromkeys(row.task for row in rows))
    names = list(dict.fromkeys(row.algorithm for row in rows))
    scores = {name: _scores(rows, name, tasks, metric) for name in names}
    few = max(map(len, scores.values())) < SEEDS_FOR_INTERVAL
    about = f"no interval with fewer than {SEEDS_FOR_INTERVAL} seeds" if few else "95 % interval"
    rate = is_rate(metric)
    found = {name: _estimates(runs, rate) for name, runs in scores.items()}
    lines = []
    for name in sorted(found, key=lambda name: -found[name][-1].value):
        cells = [estimate_cell(each, rate=rate) for each in found[name]]
        lines.append((name, [*cells, str(len(scores[name]))]))
    shown = WideTable("algorithm", [*tasks, "all", "seeds"], lines)
    return Group(f"held-out {metric}{', %' * rate} ({about})", shown)


def _scores(rows: Sequence[Row], name: str, tasks: Sequence[str], metric: str) -> np.ndarray:
    """float[seeds, tasks] of one algorithm."""
    found = {(r.seed, r.task): r.value for r in rows if (r.algorithm, r.metric) == (name, metric)}
    seeds = sorted({seed for seed, _ in found})
    return np.array([[found[seed, task] for task in tasks] for seed in seeds])


def _estimates(runs: np.ndarray, rate: bool) -> list[Estimate]:
    """Of every task, and of all together."""
    return [iqm_over_seeds(each, rate=rate) for each in (*runs.T, runs.mean(axis=1))]


def _numbers(rows: Iterable[Row]) -> dict[tuple[str, int, str], float]:
    return {(row.task, row.seed, row.metric): row.value for row in rows}


def _rows(name: str, plan: StudyPlan, measured: Sequence[table.Row]) -> list[Row]:
    """What the runs and their base policies came to on the tasks that were trained on."""
    device = f"{jax.devices()[0].device_kind} x{len(jax.devices())}"
    found = []
    for row in measured:
        if not row.is_held_out or row.metric not in METRICS:
            continue
        own = {stage.label for (stage,) in plan.stages if row.task in stage.tasks}
        trained = row.phase in own
        if trained or (row.phase == BASE and own):
            found.append(
                Row(
                    algorithm=name if trained else BASE,
                    task=row.task,
                    seed=row.seed,
                    metric=row.metric,
                    value=row.value,
                    episodes=row.episodes,
                    device=device,
                )
            )
    return found


def _is_finished(kept: dict[str, Any] | None, plan: StudyPlan) -> bool:
    """Whether rows were made with the settings, and in the words, that they would be now."""
    now = _settings(plan)
    # Tables that were made before the vocabulary was kept are taken as they are.
    return kept is not None and {"vocabulary": now["vocabulary"], **kept} == now


def _settings(plan: StudyPlan) -> dict[str, Any]:
    """Every setting of the algorithm as it was used."""
    hyper = {k: v for k, v in dataclasses.asdict(plan.hyper()).items() if k != "weights"}
    weights = dataclasses.asdict(plan.hyper().weights)
    every = {**dataclasses.asdict(plan.algorithm()), **hyper, "weights": weights}
    every["vocabulary"] = make_suite(plan.tasks).language.vocabulary.fingerprint
    return json.loads(json.dumps(every))
