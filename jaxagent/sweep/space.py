"""Spaces: axes of a sweep, and the points that a grid or chance picks from them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Point = dict[str, Any]
"""Axis -> value."""


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
        if self.count < 1:
            raise ValueError(f"axes.{self.name}.count: missing; a grid needs it")
        shares = np.linspace(0.0, 1.0, self.count) if self.count > 1 else [0.5]
        return tuple(self._at(float(share)) for share in shares)

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
    unknown = set(given) - {"low", "high", "log", "count"}
    if unknown or not {"low", "high"} <= set(given):
        raise ValueError(f"axes.{name}={given!r}: expected low, high and perhaps log, count")
    axis = Axis(name, **given)
    if not axis.low < axis.high or (axis.log and axis.low <= 0):
        least = "0 < low < high" if axis.log else "low < high"
        raise ValueError(f"axes.{name}={given!r}: expected {least}")
    return axis


def grid(axes: Sequence[Axis]) -> list[Point]:
    """Every combination."""
    names = [axis.name for axis in axes]
    rows = itertools.product(*(axis.grid() for axis in axes))
    return [dict(zip(names, row, strict=True)) for row in rows]


def random(axes: Sequence[Axis], count: int, seed: int = 0) -> list[Point]:
    """`count` points by chance, each axis on its own; more points go on from fewer."""
    generator = np.random.default_rng(seed)
    shares = generator.random((count, len(axes)))
    return [{a.name: a.draw(x) for a, x in zip(axes, row, strict=True)} for row in shares]


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
