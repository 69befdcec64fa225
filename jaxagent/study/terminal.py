"""The table that ends a run, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from jaxagent.study import metrics
from jaxagent.study.grid import NOTHING, bounds, number
from jaxagent.study.part import Part
from jaxagent.study.statistics import MISSING, SEEDS_FOR_INTERVAL, Estimate
from jaxagent.study.tables import short_task


def terminal_table(parts: Sequence[Part]) -> Group:
    """Success in percent with its interval, phases × tasks, for the end of a run."""
    shown = Table(header_style="bold")
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
    return Group(f"success, % ({_about(parts)})", shown)


def _terminal_cell(estimate: Estimate) -> Text:
    if not estimate.measured:
        return Text(NOTHING)
    return Text.assemble(f"{number(estimate.value)}\n", (bounds(estimate), "dim"))


def _about(parts: Sequence[Part]) -> str:
    """What the small print of the table says."""
    few = max(len(part.final.seeds) for part in parts) < SEEDS_FOR_INTERVAL
    return f"no interval with fewer than {SEEDS_FOR_INTERVAL} seeds" if few else "95 % interval"
