"""Spaces: axes of a sweep, and the points that a grid or chance picks from them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Point = dict[str, Any]
"""Axis -> value."""

MOST_POINTS = 20_000
"""Points of a grid or a sample at most: every worker lists them all."""

_NOTHING_NEW = 1000
"""Draws in a row without a new point, after which chance is left alone."""


@dataclass(frozen=True)
class Axis:
    """What one field of a plan is varied over.

    Attributes:
        name: the field, e.g. `train.learning_rate`.
        values: the choices; empty for a range.
        low: lower end of a range.
        high: its upper end.
        log: whether a range is even in the logarithm.
        count: points that a grid has on a range.
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    count: int = 0

    def grid(self) -> tuple[Any, ...]:
        """All choices, or `count` points of the range with both ends."""
        if self.values:
            return self.values
        shares = np.linspace(0.0, 1.0, self.count) if self.count > 1 else [0.5]
        return tuple(self._at(float(share)) for share in shares)

    @property
    def size(self) -> int:
        """Points that a grid has on it."""
        return len(self.values) or self.count

    def draw(self, share: float) -> Any:
        """The choice, or the point of the range, at a share in [0, 1)."""
        return self.values[int(share * len(self.values))] if self.values else self._at(share)

    def _at(self, share: float) -> float:
        ends = (self.low, self.high)
        if self.log:
            ends = (math.log(self.low), math.log(self.high))
        value = ends[0] + share * (ends[1] - ends[0])
        return float(f"{math.exp(value) if self.log else value:.6g}")


def parse_axis(name: str, given: Any) -> Axis:
    """An axis from a list of choices or an object `{low, high, log, count}`.

    Raises:
        ValueError: naming the part that is not as expected.
    """
    if isinstance(given, Sequence) and not isinstance(given, str):
        if not given:
            raise ValueError(f"axes.{name}=[]: expected at least one value")
        return Axis(name, tuple(given))
    if not isinstance(given, Mapping):
        raise ValueError(f"axes.{name}={given!r}: expected a list, or an object with low and high")
    _check_range(name, given)
    axis = Axis(name, **given)
    if not axis.low < axis.high or (axis.log and axis.low <= 0):
        least = "0 < low < high" if axis.log else "low < high"
        raise ValueError(f"axes.{name}={given!r}: expected {least}")
    return axis


def _check_range(name: str, given: Mapping[str, Any]) -> None:
    unknown = set(given) - {"low", "high", "log", "count"}
    if unknown or not {"low", "high"} <= set(given):
        raise ValueError(f"axes.{name}={given!r}: expected low, high and perhaps log, count")
    for end in ("low", "high"):
        if not _is_finite(given[end]):
            raise ValueError(f"axes.{name}.{end}={given[end]!r}: expected a finite number")
    if not isinstance(given.get("log", False), bool):
        raise ValueError(f"axes.{name}.log={given['log']!r}: expected true or false")
    count = given.get("count", 0)
    if type(count) is not int or not 0 <= count <= MOST_POINTS:
        expected = f"expected a whole number up to {MOST_POINTS:,}"
        raise ValueError(f"axes.{name}.count={count!r}: {expected}")


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < 1e300


def key(value: Any) -> str:
    """Return a text that two values share exactly if they are the same value of a field.

    Numbers are the same if they are equal, however they were written (`1e-3` and `0.001`, `1` and
    `1.0`, `0` and `-0.0`); `true` is no number. The order of an object's fields does not count.
    """
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def grid(axes: Sequence[Axis]) -> list[Point]:
    """Every combination.

    Raises:
        ValueError: a range has no `count`, or there are more than `MOST_POINTS`.
    """
    for axis in axes:
        if not axis.size:
            raise ValueError(f"axes.{axis.name}.count: missing; a grid needs it")
    size = math.prod(axis.size for axis in axes)
    if size > MOST_POINTS:
        sizes = " × ".join(str(axis.size) for axis in axes)
        raise ValueError(f"axes: {sizes} = {size:,} points; expected at most {MOST_POINTS:,}")
    names = [axis.name for axis in axes]
    rows = itertools.product(*(axis.grid() for axis in axes))
    return _distinct(dict(zip(names, row, strict=True)) for row in rows)


def random(axes: Sequence[Axis], count: int, seed: int = 0) -> list[Point]:
    """Draw up to `count` different points, each axis on its own; more points go on from fewer.

    Returns:
        The points, fewer than `count` only where the axes have no more.
    """
    generator = np.random.default_rng(seed)
    found: dict[str, Point] = {}
    failed = 0
    while len(found) < count and failed < _NOTHING_NEW:
        shares = generator.random(len(axes))
        point = {a.name: a.draw(x) for a, x in zip(axes, shares, strict=True)}
        failed = 0 if found.setdefault(key(point), point) is point else failed + 1
    missing = count - len(found)
    if missing and all(axis.values for axis in axes):
        # What chance hardly meets, in the order of a grid.
        rows = itertools.product(*(axis.values for axis in axes))
        names = [axis.name for axis in axes]
        points = (dict(zip(names, row, strict=True)) for row in rows)
        others = (point for point in points if key(point) not in found)
        return [*found.values(), *itertools.islice(others, missing)]
    return list(found.values())


def _distinct(points: Iterable[Point]) -> list[Point]:
    """The points, each where it comes first."""
    found: dict[str, Point] = {}
    for point in points:
        found.setdefault(key(point), point)
    return list(found.values())


def halving(count: int, updates: int, eta: int, least: int) -> list[tuple[int, int]]:
    """The rungs of successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943): how many
    points are left at each, and how many updates they have had by its end.

    The best of every `eta` go on, with `eta` times the updates, until `updates` are reached.

    Args:
        count: points at the start.
        updates: of the points that come through.
        eta: factor.
        least: updates of the first rung at least.
    """
    rungs = [(count, updates)]
    while rungs[0][1] // eta >= least and len(rungs) < 1 + math.floor(math.log(count, eta) + 1e-9):
        rungs.insert(0, (count, rungs[0][1] // eta))
    return [(max(1, count // eta**place), size) for place, (_, size) in enumerate(rungs)]
