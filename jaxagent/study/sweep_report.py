"""What a sweep came to: one tidy table, its best points, and a page to look at."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from jaxagent.study import page, table
from jaxagent.study.files import read_json, write_text
from jaxagent.study.grid import NOTHING, Column, Grid
from jaxagent.study.machine import MACHINES, machines_of
from jaxagent.study.statistics import Estimate, mean_over_seeds
from jaxagent.study.sweep import status
from jaxagent.study.sweep_plan import kept_sweep
from jaxagent.study.sweep_shard import RESULT, Row, read_results
from jaxagent.sweep.space import Point, key

BEST = 20
"""Points in the table of the best."""

_WIDTH, _HEIGHT, _TOP = 900, 300, 28


@dataclass(frozen=True)
class Collected:
    """What a sweep came to.

    Attributes:
        best: its points, the best first.
        page: path of the page.
        notes: what is not as it should be, a sentence each.
    """

    best: Grid
    page: Path
    notes: tuple[str, ...]


def collect(folder: Path) -> Collected:
    """Write `members.csv`, `best.csv` and `sweep.html` from all that is finished in a folder.

    Nothing but the results is asked: neither the plan nor the sampler has to be at hand.

    Raises:
        ValueError: the folder holds no sweep, or nothing is finished yet.
    """
    if not (folder / "sweep.json").is_file():
        raise ValueError(f"sweep {str(folder)!r}: no sweep.json there")
    rows, notes = _gathered(folder)
    notes += _unfinished(folder) + _machines(folder)
    if not rows:
        raise ValueError("; ".join([f"sweep {folder}: no shard is finished yet", *notes]))
    table.write_rows(folder / "members.csv", rows, Row)
    found = best(rows)
    write_text(folder / "best.csv", found.csv())
    path = folder / "sweep.html"
    write_text(path, render(_title(folder), rows, found, notes))
    return Collected(found, path, tuple(notes))


def _title(folder: Path) -> str:
    try:
        return str(read_json(folder / "sweep.json")["name"])
    except (ValueError, KeyError, TypeError):
        return folder.name


def _gathered(folder: Path) -> tuple[list[Row], list[str]]:
    """The rows of all shards that can be read, each number once, and what is wrong with others."""
    rows: dict[tuple[Any, ...], Row] = {}
    notes: list[str] = []
    again = other = 0
    for path in sorted(folder.glob(f"shards/*/{RESULT}")):
        try:
            found = read_results([path.parent])
        except (ValueError, OSError) as error:
            notes.append(f"left out: {error}")
            continue
        for row in found:
            name = (row.member, row.updates, row.arm, row.task, row.metric)
            first = rows.setdefault(name, row)
            again += first is not row
            other += first is not row and not _same(first.value, row.value)
    if again:
        differ = f", {other:,} of them with another value" if other else ""
        notes.append(f"{again:,} numbers are there twice{differ}; the first of each is kept")
    return list(rows.values()), notes


def _unfinished(folder: Path) -> list[str]:
    """How many members are finished, where not all are and that can be told."""
    try:
        found = status(kept_sweep(folder), folder)
    except (ValueError, KeyError, OSError):
        return []
    if found.complete:
        return []
    return [f"{found.finished:,} of {found.members:,} members known by now are finished"]


def _machines(folder: Path) -> list[str]:
    """What the members were trained on, where that is more than one machine."""
    found: dict[str, None] = {}
    for path in sorted(folder.glob(f"shards/*/{MACHINES}")):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, OSError):
            found |= dict.fromkeys(machine.title for _, machine in machines_of(path.parent))
    if len(found) < 2:
        return []
    return ["not all members were trained on the same machine: " + "; or ".join(found)]


def _same(first: float, second: float) -> bool:
    return first == second or (first != first and second != second)


def best(rows: Sequence[Row]) -> Grid:
    """Rank the points by their mean success over tasks after their longest training; where the best
    go on for longer (see `halving`), those that went furthest come first.

    The interval is Student's over seeds, none with fewer than three.
    """
    points = _last(rows)
    further = _go_on(rows)
    estimates = {point: _estimate(own) for point, own in points.items()}
    order = sorted(points, key=lambda p: (-further * points[p][0].updates, -estimates[p].value))
    axes = _axes([json.loads(point) for point in order])
    lines = []
    for point in order:
        own, values = points[point], json.loads(point)
        dead = len({row.seed for row in own if row.alive == "no"})
        cells = [_text(values[axis]) if axis in values else NOTHING for axis in axes]
        cells += [str(own[0].updates)] if further else []
        lines.append((str(len(lines) + 1), (*cells, estimates[point], str(dead))))
    columns = [*axes, *(["updates"] if further else []), "success", "diverged"]
    return Grid("best", "place", tuple(map(Column, columns)), tuple(lines))


def _last(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of success of every point, after its longest training."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.metric == "success":
            found.setdefault(row.point, []).append(row)
    for point, own in found.items():
        longest = max(row.updates for row in own)
        found[point] = [row for row in own if row.updates == longest]
    return found


def _go_on(rows: Sequence[Row]) -> bool:
    """Whether a member was measured after several numbers of updates."""
    known = {row.member: row.updates for row in rows}
    return any(known[row.member] != row.updates for row in rows)


def render(name: str, rows: Sequence[Row], found: Grid, notes: Sequence[str] = ()) -> str:
    """The page: the best points, parallel coordinates, and the effect of every axis."""
    members = len({(row.member, row.updates, row.arm) for row in rows})
    told = "".join(f"<p class='note'>{escape(note)}</p>" for note in notes)
    facts = f"<p class='facts'>{members} members</p>"
    header = f"<header><h1>{escape(name)}</h1>{facts}{told}</header>"
    shown = Grid(found.name, found.corner, found.columns, found.rows[:BEST])
    points = _values(rows)
    axes = _axes([point for point, _ in points])
    sections = [
        page.section("Best points", shown.html()),
        page.section(
            "Parallel coordinates",
            f"{_parallel(points)}<p class='note'>A line per point, darker the better.</p>",
        ),
        page.section("Marginal effects", page.grid([_marginal(points, a) for a in axes])),
    ]
    return page.document(name, header, sections)


def _estimate(rows: Sequence[Row]) -> Estimate:
    seeds = sorted({row.seed for row in rows})
    means = [np.mean([row.value for row in rows if row.seed == seed]) for seed in seeds]
    return mean_over_seeds(means, rate=True)


def _values(rows: Sequence[Row]) -> list[tuple[Point, float]]:
    """Every point with its mean success after its longest training."""
    return [
        (json.loads(point), float(np.mean([row.value for row in own])))
        for point, own in _last(rows).items()
    ]


def _axes(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(axis for point in points for axis in point))


def _places(points: Sequence[tuple[Point, float]], axis: str) -> dict[str, tuple[float, Any]]:
    """Key of every value on an axis -> its place between 0 and 1, by rank, and the value; in
    order."""
    values = {key(point.get(axis)): point.get(axis) for point, _ in points}
    order = sorted(values, key=lambda name: _rank(values[name]))
    return {name: (i / max(len(order) - 1, 1), values[name]) for i, name in enumerate(order)}


def _rank(value: Any) -> tuple[int, float, str]:
    """Where a value stands among others of any kind: null, false and true, numbers, texts, rest."""
    if value is None or isinstance(value, bool):
        return (0 if value is None else 1), float(value or 0), ""
    if isinstance(value, int | float):
        return 2, value, ""
    return (3 if isinstance(value, str) else 4), 0.0, key(value)


def _parallel(points: Sequence[tuple[dict[str, Any], float]]) -> str:
    """Every point as a line over the axes and its success."""
    axes = _axes([point for point, _ in points])
    places = {axis: _places(points, axis) for axis in axes}
    step = (_WIDTH - 160) / max(len(axes), 1)
    down = _HEIGHT - 40 - _TOP
    lines = []
    for point, value in sorted(points, key=lambda pair: pair[1]):
        shares = [places[axis][key(point.get(axis))][0] for axis in axes] + [value]
        spots = [(80 + step * i, _TOP + (1 - s) * down) for i, s in enumerate(shares)]
        path = " ".join(f"{x:.0f},{y:.1f}" for x, y in spots)
        title = escape(f"{value:.1%}: {json.dumps(point)}")
        style = f'stroke="var(--c1)" stroke-opacity="{0.1 + 0.8 * value:.2f}" fill="none"'
        lines.append(f'<polyline points="{path}" {style}><title>{title}</title></polyline>')
    for i, axis in enumerate([*axes, "success"]):
        x = 80 + step * i
        rule = f'<line class="rule" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_TOP + down}"/>'
        ends = [("100 %", _TOP), ("0 %", _TOP + down)]
        if axis in places:
            order = [value for _, value in places[axis].values()]
            ends = [(_text(order[-1]), _TOP), (_text(order[0]), _TOP + down)]
        labels = "".join(_label(x, y + (14 if y > _TOP else -4), text) for text, y in ends)
        lines.append(rule + labels + _label(x, _HEIGHT - 4, axis))
    body = "".join(lines)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="points">{body}</svg>'


def _marginal(points: Sequence[tuple[Point, float]], axis: str) -> str:
    """Mean success and its interval over all points with each value of an axis."""
    groups: dict[str, list[float]] = {name: [] for name in _places(points, axis)}
    for point, success in points:
        groups[key(point.get(axis))].append(success)
    shown = {key(point.get(axis)): _text(point.get(axis)) for point, _ in points}
    rows = [(shown[name], _over(found)) for name, found in groups.items()]
    rows = rows if len(rows) <= 2 * BEST else _binned(points, axis)
    grid = Grid(axis, axis, (Column("success"), Column("points")), tuple(rows))
    return page.figure(axis, grid.html())


def _binned(
    points: Sequence[tuple[Point, float]], axis: str
) -> list[tuple[str, tuple[Estimate | str, ...]]]:
    """The same for fifths of a range."""
    order = sorted(points, key=lambda pair: _rank(pair[0].get(axis)))
    rows = []
    for part in np.array_split(np.arange(len(order)), 5):
        own = [order[i] for i in part]
        label = f"{_text(own[0][0].get(axis))} to {_text(own[-1][0].get(axis))}"
        rows.append((label, _over([value for _, value in own])))
    return rows


def _over(found: Sequence[float]) -> tuple[Estimate | str, ...]:
    return mean_over_seeds(found, rate=True), str(len(found))


def _text(value: Any) -> str:
    """A value in a table; no two that differ look alike."""
    if isinstance(value, float):
        short = f"{value:.6g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, str) and not _is_json(value):
        return value
    return json.dumps(value, sort_keys=True)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle">{escape(text)}</text>'
