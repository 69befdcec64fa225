"""The table that ends a run, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group

from jaxagent.study import metrics
from jaxagent.study.labels import short_label
from jaxagent.study.part import Part
from jaxagent.study.statistics import MISSING, SEEDS_FOR_INTERVAL
from jaxagent.study.wide_table import WideTable, estimate_cell


def terminal_table(parts: Sequence[Part]) -> Group:
    """Success in percent with its interval, phases × tasks, for the end of a run."""
    finals = [part.final for part in parts]
    tasks = tuple(dict.fromkeys(task for final in finals for task in final.tasks))
    rows = []
    for part in parts:
        matrix = metrics.transfer(part.final)
        places = [matrix.tasks.index(t) if t in matrix.tasks else None for t in tasks]
        for phase, line in zip(matrix.phases, matrix.score, strict=True):
            name = f"{part.variant}: {short_label(phase)}".removeprefix(": ")
            found = [MISSING if place is None else line[place] for place in places]
            rows.append((name, [estimate_cell(each) for each in found]))
    return Group(f"success, % ({_about(parts)})", WideTable("phase", tasks, rows))


def _about(parts: Sequence[Part]) -> str:
    """What the small print of the table says."""
    few = max(len(part.final.seeds) for part in parts) < SEEDS_FOR_INTERVAL
    return f"no interval with fewer than {SEEDS_FOR_INTERVAL} seeds" if few else "95 % interval"
