"""What was measured, for people: metrics as rows, tasks as columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from jaxagent.study.measurement import FAILURE, Measurement
from jaxagent.study.scores import is_rate
from jaxagent.study.statistics import OVER_INSTANCES, Estimate
from jaxagent.study.wide_table import WideTable, estimate_cell


def scorecard(found: Sequence[Measurement], every: bool = False) -> RenderableType:
    """Return the measurements as a table that fits the terminal.

    Args:
        found: of any tasks.
        every: failure modes too.
    """
    tasks = list(dict.fromkeys(each.task for each in found))
    metrics = list(dict.fromkeys(each.metric for each in found))
    shown = [name for name in metrics if every or not name.startswith(FAILURE)]
    cells = {(each.task, each.metric): _cell(each) for each in found}
    rows = [(_label(name), [cells.get((task, name), "") for task in tasks]) for name in shown]
    episodes = {each.task: each.episodes for each in found}
    rows.append(("episodes", [f"{episodes[task]:,}" for task in tasks]))
    table = WideTable("mean (95 % interval)", tasks, rows)
    return table if len(shown) == len(metrics) else Group(table, "failure modes: --all")


def _label(metric: str) -> str:
    name = metric.removeprefix(FAILURE).replace("_", " ")
    return f"{name}, %" if is_rate(metric) else name


def _cell(each: Measurement) -> str:
    found = Estimate(each.value, each.low, each.high, OVER_INSTANCES, each.episodes)
    return estimate_cell(found, rate=is_rate(each.metric))
