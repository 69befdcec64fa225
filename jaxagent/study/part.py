"""The parts of a study: its variants, each with its scores and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from jaxagent.study import continual, metrics, table, tables
from jaxagent.study.factorial import factorial_grid, factorials
from jaxagent.study.grid import Grid
from jaxagent.study.scores import BASE, Attempts, Scores, scores


@dataclass(frozen=True)
class Part:
    """One variant of a study: its name, empty if there is but one, its rows and their success."""

    variant: str
    rows: tuple[table.Row, ...]
    final: Scores

    @cached_property
    def grids(self) -> list[Grid]:
        """All tables, for export."""
        final, lost = self.final, continual.forgetting(self.final)
        found: list[Grid | None] = [tables.score_grid(final), tables.gain_grid(final)]
        found += [tables.normalised_grid(final), *tables.difficulty_grids(final)]
        if BASE in final.phases and len(final.phases) > 1:
            found.append(tables.delta_grid(final))
        found += [tables.forgetting_grid(lost)] if lost else []
        found.append(tables.continual_grid(final, self.rows))
        found += [tables.shift_grid(final, shift) for shift in metrics.shifts(final)]
        found += [factorial_grid(final, factorial) for factorial in factorials(final)]
        found += tables.failure_grids(self.rows)
        found += [metric_grid(self.rows, name) for name in other_metrics(self.rows)]
        return [grid for grid in found if grid is not None and grid.columns and grid.rows]


def parts_of(rows: Sequence[table.Row], attempts: Mapping[str, Attempts]) -> list[Part]:
    """The variants of a study."""
    found = []
    for variant in dict.fromkeys(row.variant for row in rows):
        own = tuple(row for row in rows if row.variant == variant)
        found.append(Part(variant, own, scores(own, attempts=attempts.get(variant, {}))))
    return found


def other_metrics(rows: Iterable[table.Row]) -> list[str]:
    """Metrics of held-out instances but success and the failure modes."""
    names = dict.fromkeys(row.metric for row in rows if row.is_held_out and row.metric != "success")
    return [name for name in names if not name.startswith("failure:")]


def metric_grid(rows: Iterable[table.Row], name: str) -> Grid:
    """Phases × tasks of a metric."""
    return tables.score_grid(scores(rows, name), name)
