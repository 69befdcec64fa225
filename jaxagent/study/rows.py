"""From measurements and training logs to rows of the table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from jaxagent.envs import Task
from jaxagent.study.measurement import Measurement
from jaxagent.study.phase import Phase
from jaxagent.study.plan import StudyPlan
from jaxagent.study.statistics import wilson
from jaxagent.study.training import Metrics

Values = dict[str, Any]


def place_of(study: str, variant: str, plan: StudyPlan, phase: Phase) -> Values:
    """The columns that say where in the study a row belongs."""
    del plan
    return {
        "study": study,
        "variant": variant,
        "phase": phase.name,
        "trained": phase.trained,
        "seed": phase.seed,
        "stage": len(phase.stages),
    }


def task_rows(task: Task, measured: Sequence[Measurement], turns: int) -> list[Values]:
    """The columns of what was measured on held-out instances behind so many turns of training."""
    return [
        {**_columns(task), "split": task.split, "turns": turns, **dataclasses.asdict(each)}
        for each in measured
    ]


def kl_row(task: Task, moved: float, turns: int) -> Values:
    """The columns of how far the policy has moved from the base on a task, in nats per word."""
    values = {"metric": "kl_base", "value": moved, "low": math.nan, "high": math.nan, "episodes": 0}
    return {**_columns(task), **values, "split": task.split, "turns": turns}


def curve_rows(tasks: Sequence[Task], log: Sequence[Metrics]) -> list[Values]:
    """The columns of success on training instances, one row per chunk of training and task."""
    rows = []
    for chunk in log:
        finished = [round(each * chunk["updates"]) for each in chunk["task_finished"]]
        solved = [round(each * chunk["updates"]) for each in chunk["task_solved"]]
        for task, episodes, successes in zip(tasks, finished, solved, strict=True):
            if not episodes:
                continue
            low, high = wilson(successes, episodes)
            values = {"metric": "success", "value": successes / episodes, "low": low}
            values |= {"high": high, "episodes": episodes, "turns": chunk["turns_played"]}
            rows.append({**_columns(task), "split": "train", **values})
    return rows


def _columns(task: Task) -> Values:
    return {
        "task": str(task),
        "environment": task.environment,
        "difficulty": task.level,
        "lexicon": task.lexicon,
        "interface": task.interface,
    }
