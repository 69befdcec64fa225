"""What a sweep came to: one tidy table, its best points, and a page to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from jaxagent.study import page, table
from jaxagent.study.files import write_text
from jaxagent.study.grid import Column, Grid
from jaxagent.study.statistics import Estimate, mean_over_seeds
from jaxagent.study.sweep_plan import SweepPlan
from jaxagent.study.sweep_rounds import known_shards, shard_folder
from jaxagent.study.sweep_shard import Row, read_results

BEST = 20
"""Points in the table of the best."""

_WIDTH, _HEIGHT, _TOP = 900, 300, 28


def collect(sweep: SweepPlan, folder: Path) -> tuple[Grid, Path]:
    """Writes `members.csv`, `best.csv` and `sweep.html` from all finished shards.

    Returns:
        The best points, and the path of the page.

    Raises:
        ValueError: nothing is finished yet, or a member is there twice.
    """
    shards = known_shards(sweep, folder)[0]
    rows = read_results([shard_folder(folder, shard) for shard in shards])
    if not rows:
        raise ValueError(f"sweep {folder}: no shard is finished yet")
    keys = [(row.member, row.updates, row.arm, row.task, row.metric) for row in rows]
    if len(set(keys)) != len(keys):
        raise ValueError(f"sweep {folder}: {len(keys) - len(set(keys))} numbers are there twice")
    table.write_rows(folder / "members.csv", rows, Row)
    found = best(rows)
    write_text(folder / "best.csv", found.csv())
    path = folder / "sweep.html"
    write_text(path, render(sweep.name, rows, found))
    return found, path


def best(rows: Sequence[Row]) -> Grid:
    """The points by their mean success over tasks, behind their longest training, best first; the
    interval is Student's over seeds, none with fewer than three."""
    longest = max(row.updates for row in rows)
    last = [row for row in rows if row.metric == "success" and row.updates == longest]
    points = {point: _estimate([r for r in last if r.point == point]) for point in _points(last)}
    order = sorted(points, key=lambda point: -points[point].value)
    lines = []
    for point in order:
        own = [row for row in last if row.point == point]
        dead = len({row.seed for row in own if row.alive == "no"})
        values = json.loads(point)
        cells = [_text(value) for value in values.values()]
        lines.append((str(len(lines) + 1), (*cells, points[point], str(dead))))
    columns = [Column(name) for name in json.loads(order[0])]
    columns += [Column("success"), Column("diverged")]
    return Grid("best", "place", tuple(columns), tuple(lines))


def render(name: str, rows: Sequence[Row], found: Grid) -> str:
    """The page: the best points, parallel coordinates, and the effect of every axis."""
    members = len({(row.member, row.updates) for row in rows})
    header = f"<header><h1>{escape(name)}</h1><p class='facts'>{members} members</p></header>"
    shown = Grid(found.name, found.corner, found.columns, found.rows[:BEST])
    points = _values(rows)
    sections = [
        page.section("Best points", shown.html()),
        page.section(
            "Parallel coordinates",
            f"{_parallel(points)}<p class='note'>A line per point, darker the better.</p>",
        ),
        page.section("Marginal effects", page.grid([_marginal(points, a) for a in _axes(points)])),
    ]
    return page.document(name, header, sections)


def _estimate(rows: Sequence[Row]) -> Estimate:
    seeds = sorted({row.seed for row in rows})
    means = [np.mean([row.value for row in rows if row.seed == seed]) for seed in seeds]
    return mean_over_seeds(means, rate=True)


def _points(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.point for row in rows))


def _values(rows: Sequence[Row]) -> list[tuple[dict[str, Any], float]]:
    """Every point with its mean success behind its longest training."""
    rows = [row for row in rows if row.metric == "success"]
    found = []
    for point in _points(rows):
        own = [row for row in rows if row.point == point]
        longest = max(row.updates for row in own)
        value = np.mean([row.value for row in own if row.updates == longest])
        found.append((json.loads(point), float(value)))
    return found


def _axes(points: Sequence[tuple[dict[str, Any], float]]) -> list[str]:
    return list(points[0][0])


def _places(points: Sequence[tuple[dict[str, Any], float]], axis: str) -> dict[Any, float]:
    """Value -> its place between 0 and 1 among those of an axis, by rank."""
    values = {point[axis] for point, _ in points}
    order = sorted(values, key=lambda v: (isinstance(v, str), v))
    return {value: place / max(len(order) - 1, 1) for place, value in enumerate(order)}


def _parallel(points: Sequence[tuple[dict[str, Any], float]]) -> str:
    """Every point as a line over the axes and its success."""
    axes = _axes(points)
    places = {axis: _places(points, axis) for axis in axes}
    step = (_WIDTH - 160) / max(len(axes), 1)
    down = _HEIGHT - 40 - _TOP
    lines = []
    for point, value in sorted(points, key=lambda pair: pair[1]):
        shares = [places[axis][point[axis]] for axis in axes] + [value]
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
            order = sorted(places[axis], key=lambda v: places[axis][v])
            ends = [(_text(order[-1]), _TOP), (_text(order[0]), _TOP + down)]
        labels = "".join(_label(x, y + (14 if y > _TOP else -4), text) for text, y in ends)
        lines.append(rule + labels + _label(x, _HEIGHT - 4, axis))
    body = "".join(lines)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="points">{body}</svg>'


def _marginal(points: Sequence[tuple[dict[str, Any], float]], axis: str) -> str:
    """Mean success and its interval over all points with each value of an axis."""
    rows = []
    for value in _places(points, axis):
        found = [success for point, success in points if point[axis] == value]
        rows.append((_text(value), (mean_over_seeds(found, rate=True), str(len(found)))))
    rows = rows if len(rows) <= 2 * BEST else _binned(points, axis)
    grid = Grid(axis, axis, (Column("success"), Column("points")), tuple(rows))
    return page.figure(axis, grid.html())


def _binned(
    points: Sequence[tuple[dict[str, Any], float]], axis: str
) -> list[tuple[str, tuple[Estimate | str, ...]]]:
    """The same for fifths of a range."""
    order = sorted(points, key=lambda pair: pair[0][axis])
    rows = []
    for part in np.array_split(np.arange(len(order)), 5):
        own = [order[i] for i in part]
        label = f"{_text(own[0][0][axis])} to {_text(own[-1][0][axis])}"
        rows.append((label, (mean_over_seeds([v for _, v in own], rate=True), str(len(own)))))
    return rows


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle">{escape(text)}</text>'
