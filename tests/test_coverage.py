"""Intervals over seeds, by how often they hold the truth in simulated studies."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from jaxagent.study import statistics as st
from jaxagent.study.comparison import Row, show

STUDIES = 2000


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A measure without bounds."""
    return 3 + rng.normal(size=shape)


def rate(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A rate of about 80 %."""
    return 1 / (1 + np.exp(-(1.4 + 0.4 * rng.normal(size=shape))))


def near_one(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A rate of about 93 % with a long tail, the worst case here."""
    return 1 / (1 + np.exp(-(2.9 + 0.8 * rng.normal(size=shape))))


def covered(draw: Callable, estimate: Callable, seeds: int) -> float:
    """Share of simulated studies whose interval holds what all seeds would come to."""
    rng = np.random.default_rng(5)
    target = float(draw(rng, (400_000,)).mean())
    bounded = draw is not normal
    found = [estimate(each, rate=bounded) for each in draw(rng, (STUDIES, seeds))]
    return float(np.mean([each.low <= target <= each.high for each in found]))


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("estimate", [st.over_seeds, st.mean_over_seeds, st.iqm_over_seeds])
@pytest.mark.parametrize(
    ("draw", "least"),
    [(normal, 0.935), (rate, 0.925), (near_one, 0.875)],
    ids=lambda x: getattr(x, "__name__", str(x)),
)
def test_intervals_over_seeds_cover_as_often_as_they_say(draw, least, estimate, seeds) -> None:
    assert least <= covered(draw, estimate, seeds) <= 0.97


@pytest.mark.parametrize(("seeds", "shown"), [(1, False), (2, False), (3, True)])
def test_a_comparison_has_intervals_from_three_seeds_on(seeds: int, shown: bool) -> None:
    rows = [
        Row("ppo", "maze/easy", seed, "success", 0.8 + seed / 100, 64, "cpu")
        for seed in range(seeds)
    ]
    console = Console(file=io.StringIO(), width=80)
    console.print(show(rows))
    text = console.file.getvalue()
    assert ("81.0" in text and "78.5–83.5" in text) == shown
    assert ("no interval with fewer than 3 seeds" in text) != shown
    assert ("95 % interval" in text) == shown
