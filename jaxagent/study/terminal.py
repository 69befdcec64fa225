"""The table that ends a run, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from jaxagent.study import metrics
from jaxagent.study.grid import NOTHING, interval, number
from jaxagent.study.part import Part
from jaxagent.study.statistics import MISSING, Estimate
from jaxagent.study.tables import short_task


def terminal_table(parts: Sequence[Part]) -> Table:
    """Success in percent with its interval, phases × tasks, for the end of a run."""
    shown = Table(title="success, % (95 % interval)", title_justify="left", header_style="bold")
    shown.add_column("phase", overflow="fold", min_width=12)
    finals = [part.final for part in parts]
    tasks = dict(pair for f in finals for pair in zip(f.tasks, f.environments, strict=True))
    for task, environment in tasks.items():
        name = f"{environment}\n{short_task(task, environment)}"
        shown.add_column(name, justify="right", overflow="fold", min_width=9)
    for part in parts:
        matrix = metrics.transfer(part.final)
        places = [matrix.tasks.index(t) if t in matrix.tasks else None for t in tasks]
        for phase, line in zip(matrix.phases, matrix.score, strict=True):
            name = f"{part.variant}: {phase}".removeprefix(": ")
            cells = (MISSING if place is None else line[place] for place in places)
            shown.add_row(name, *map(_terminal_cell, cells))
    return shown


def _terminal_cell(estimate: Estimate) -> str:
    if not estimate.measured:
        return NOTHING
    return f"{number(estimate.value)}\n[dim]{interval(estimate)}[/dim]"
