"""Two studies side by side: what both measured, and by how much they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxagent.study import statistics, table
from jaxagent.study.contents import ATTEMPTS, checked
from jaxagent.study.crossed import crossed_sum
from jaxagent.study.grid import Column, Grid
from jaxagent.study.labels import short_label
from jaxagent.study.part import Part, parts_of
from jaxagent.study.scores import contrast, mean_of
from jaxagent.study.statistics import MISSING, Estimate
from jaxagent.study.wide_table import WideTable, estimate_cell


def difference_grid(first: Path, second: Path) -> Grid:
    """Success in both folders and second minus first, for every phase and task that both have.

    Where both measured the same seeds on the same instances, they are paired on both; else they
    count as independent.

    Raises:
        FileNotFoundError: a folder holds no table.
        ValueError: they have nothing in common.
    """
    parts = [_parts(folder) for folder in (first, second)]
    paired = _evaluation(first) is not None and _evaluation(first) == _evaluation(second)
    rows: list[tuple[str, tuple[Estimate | str, ...]]] = []
    for variant in [name for name in parts[0] if name in parts[1]]:
        both = [each[variant] for each in parts]
        rows += [
            (f"{variant}: {phase}".removeprefix(": "), (task, *_row(both, phase, task, paired)))
            for phase in both[0].final.phases
            for task in both[0].final.tasks
            if phase in both[1].final.phases and task in both[1].final.tasks
        ]
    if not rows:
        raise ValueError(f"{first} and {second} have no phase and task in common")
    names = (Column("task"), Column("first"), Column("second"), Column("second - first", sign=True))
    return Grid("difference", "phase", names, tuple(rows))


def show(grid: Grid) -> WideTable:
    """A table for the terminal; a task stands beside the phase that it was measured in."""
    rows = []
    places = [i for i, column in enumerate(grid.columns) if column.name != "task"]
    for label, cells in grid.rows:
        texts = [
            cell if isinstance(cell, str) else estimate_cell(cell, rate=c.rate, sign=c.sign)
            for cell, c in zip(cells, grid.columns, strict=True)
        ]
        tasks = [texts[i] for i in range(len(texts)) if i not in places]
        rows.append((" | ".join([short_label(label), *tasks]), [texts[i] for i in places]))
    return WideTable(grid.corner, [grid.columns[i].name for i in places], rows)


def _row(both: Sequence[Part], phase: str, task: str, paired: bool) -> tuple[Estimate, ...]:
    each = [contrast(part.final, mean_of(part.final, phase, [task])) for part in both]
    found = _paired(both, phase, task) if paired else MISSING
    if not found.measured and all(e.measured for e in each):
        old, new = each
        ends = statistics.linear_combination(
            [1, -1], [new.value, old.value], [new.low, old.low], [new.high, old.high]
        )
        found = Estimate(*ends, new.kind, min(old.count, new.count))
    return (*each, found)


def _paired(both: Sequence[Part], phase: str, task: str) -> Estimate:
    old, new = (part.final.shares for part in both)
    seeds = [s for s in both[0].final.seeds if all((phase, task, s) in each for each in (old, new))]
    if not seeds:
        return MISSING
    pairs = np.stack([new[phase, task, seed] - old[phase, task, seed] for seed in seeds])
    if not pairs.any():
        return Estimate(0.0, math.nan, math.nan, statistics.ALIKE, len(seeds))
    return crossed_sum([pairs])


def _parts(folder: Path) -> dict[str, Part]:
    attempts = checked(folder / "attempts.json", ATTEMPTS) or {}
    return {part.variant: part for part in parts_of(table.read(folder / "results.csv"), attempts)}


def _evaluation(folder: Path) -> object:
    """Which instances were played, or None where that is not known."""
    evaluation = (checked(folder / "plan.json", {}) or {}).get("evaluation")
    names = ("first", "instances", "attempts")
    if not isinstance(evaluation, dict) or any(name not in evaluation for name in names):
        return None
    return [evaluation[name] for name in names]
