"""Measurements: from episodes played to named numbers with their intervals."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from jaxagent.envs import make_suite
from jaxagent.models import Params
from jaxagent.rl.actor import Actor
from jaxagent.rl.devices import devices_for
from jaxagent.rl.evaluation import (
    ContextWarning,
    Outcome,
    Script,
    compile_evaluation,
    context_warning,
    evaluate,
)
from jaxagent.rl.failures import MODES
from jaxagent.rl.player import Player
from jaxagent.rl.window import Window
from jaxagent.study.console import Bars
from jaxagent.study.fit import check_fits, window_bytes
from jaxagent.study.loglines import LogLines
from jaxagent.study.play import make_player
from jaxagent.study.statistics import Estimate, cluster_mean, mean_pass_at_k

FAILURE = "failure:"
"""What the metrics of failure modes begin with."""


@dataclass(frozen=True)
class Measurement:
    """One number about one task.

    Attributes:
        task: name of the task.
        metric: `success` (avg@k), `pass@k`, `return`, `turns`, `tokens`, `invalid`,
            `truncated_by_context`, or `failure:` and a mode (`jaxagent.rl.failures`).
        value: the mean over instances.
        low: lower end of the 95 % interval over instances.
        high: its upper end.
        episodes: how many were played.
    """

    task: str
    metric: str
    value: float
    low: float
    high: float
    episodes: int


def measurements(task: str, outcome: Outcome) -> list[Measurement]:
    """What the episodes [instances, attempts] of a task come to.

    Instances are the unit of the intervals, since attempts at one instance are alike. `tokens`
    counts the words said per episode, `invalid` the share of a episode's actions that could not be
    read or had no effect, `truncated_by_context` is the share of episodes that the context cut, and
    `failure:MODE` that of episodes with that mode at least once.
    """
    attempts = outcome.success.shape[1]
    success = np.asarray(outcome.success, float)
    estimates = {
        "success": cluster_mean(success),
        "return": cluster_mean(outcome.reward),
        "turns": cluster_mean(outcome.turns),
        "tokens": cluster_mean(outcome.words),
        "invalid": cluster_mean(outcome.invalid / np.maximum(outcome.turns, 1)),
        "truncated_by_context": cluster_mean(np.asarray(outcome.truncated_by_context, float)),
    }
    failed = np.asarray(outcome.failures) > 0
    for number, mode in enumerate(MODES):
        estimates[f"{FAILURE}{mode}"] = cluster_mean(failed[..., number])
    if attempts > 1:
        estimates[f"pass@{attempts}"] = mean_pass_at_k(success, attempts, threshold=0.5)
    return [_measurement(task, name, each, success.size) for name, each in estimates.items()]


def _measurement(task: str, metric: str, estimate: Estimate, episodes: int) -> Measurement:
    return Measurement(task, metric, estimate.value, estimate.low, estimate.high, episodes)


def measure(
    policy: str,
    tasks: str,
    episodes: int,
    attempts: int,
    context: int | None,
    temperature: float,
    seed: int,
    progress: Bars | LogLines,
) -> list[Measurement]:
    """Plays held-out episodes of tasks and measures them; the arguments are the command line's.

    Raises:
        ValueError: a task or policy is not known, or the machine's memory does not hold the caches.
    """
    suite = make_suite(tasks)
    player, params, window = make_player(policy, suite, context)
    instances = episodes // attempts
    window = replace(window, rows=min(instances * attempts, 512))
    if isinstance(player, Actor):
        sizes = f"episodes={episodes}, context={window.context}"
        check_fits(sizes, window_bytes(player.policy, window))
    devices = devices_for(window.rows)
    with progress.compiling(f"the evaluation of {policy}"):
        compile_evaluation(player, params, window, devices)
    total = batches(instances, attempts, window) * len(suite)
    advance = progress.start(f"evaluating {policy}", total, "batches")
    options = {"seed": seed, "temperature": temperature, "devices": devices}
    played = play_tasks(player, params, instances, attempts, window, advance, **options)
    found: list[Measurement] = []
    for name, (outcome, _) in played:
        found += measurements(name, outcome)
        if told := context_warning(name, outcome, window.context):
            progress.note(told)
    return found


def batches(instances: int, attempts: int, window: Window) -> int:
    """How many batches the evaluation of a task takes."""
    return -(-instances * attempts // window.rows)


def play_tasks(
    player: Player,
    params: Params,
    instances: int,
    attempts: int,
    window: Window,
    advance: Callable[[int, str], None],
    **options: Any,
) -> Iterator[tuple[str, tuple[Outcome, Script]]]:
    """Evaluates a player on every task of its suite, one after the other.

    Args:
        player: a policy in its suite, or an expert.
        params: its parameters.
        instances: per task.
        attempts: per instance.
        window: rows side by side, and limits.
        advance: told the batches done so far and the task.
        **options: further arguments of `evaluate`.

    Yields:
        The name of each task, and what `evaluate` returns.
    """
    done = itertools.count(1)
    for number, name in enumerate(player.suite.names):
        options["report"] = partial(_tell, advance, done, name)
        with warnings.catch_warnings():  # those who measure say it in a line of their own
            warnings.simplefilter("ignore", ContextWarning)
            played = evaluate(player, params, number, instances, attempts, window, **options)
        yield name, played


def _tell(
    advance: Callable[[int, str], None], done: Iterator[int], task: str, episodes: int
) -> None:
    del episodes
    advance(next(done), task)
