"""Intervals over seeds and instances: against plain sums, and by how often they are right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from jaxagent.study import scores as sc
from jaxagent.study.crossed import crossed_sum
from jaxagent.study.statistics import CROSSED, TOO_FEW, student_quantile, wilson

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("seeds", [1, 2])
def test_there_is_no_interval_with_fewer_than_three_seeds(seeds):
    part = np.random.default_rng(0).random((seeds, 40))
    found = crossed_sum([part])
    assert (found.kind, found.count, found.has_interval) == (TOO_FEW, seeds, False)
    assert found.value == pytest.approx(part.mean())


def test_one_instance_says_nothing_about_others():
    found = crossed_sum([np.array([[0.2], [0.4], [0.9]]), np.random.default_rng(1).random((3, 5))])
    assert found.measured and not found.has_interval


def test_variance_is_that_of_the_two_way_table():
    part = np.random.default_rng(1).normal(size=(6, 50)) + np.arange(6)[:, None]
    seeds, instances = part.shape
    grand = part.mean()
    ms_seed = instances * np.sum((part.mean(1) - grand) ** 2) / (seeds - 1)
    ms_instance = seeds * np.sum((part.mean(0) - grand) ** 2) / (instances - 1)
    rest = part - part.mean(0) - part.mean(1, keepdims=True) + grand
    ms_rest = np.sum(rest**2) / (seeds - 1) / (instances - 1)
    variance = (ms_seed + ms_instance - ms_rest) / part.size
    squares = (ms_seed**2 / 5 + ms_instance**2 / 49 + ms_rest**2 / (5 * 49)) / part.size**2
    freedom = variance**2 / squares
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    found = crossed_sum([part])
    assert found.kind == CROSSED and found.value == np.median(part.mean(1))
    np.testing.assert_allclose([found.low, found.high], [grand - half, grand + half], rtol=1e-3)


def test_quantiles_agree_with_scipy():
    for freedom in (1, 2, 7, 300):
        assert student_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom))


def simulated(rng, seeds, policy, instance, level=0.5, attempts=2, instances=96):
    """Successes in attempts, of policies and instances that vary on the logit scale."""
    logits = level + policy * rng.normal(size=(seeds, 1)) + instance * rng.normal(size=instances)
    logits = logits + 0.5 * rng.normal(size=(seeds, instances))
    return rng.binomial(attempts, 1 / (1 + np.exp(-logits))) / attempts


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize(("policy", "instance"), [(0.3, 1.0), (0.15, 1.5)])
def test_intervals_of_success_cover_as_often_as_they_say(seeds, policy, instance):
    rng = np.random.default_rng(7)
    spread = math.sqrt(policy**2 + instance**2 + 0.25)
    truth = np.mean(1 / (1 + np.exp(-(0.5 + spread * rng.normal(size=2_000_000)))))
    found = [crossed_sum([simulated(rng, seeds, policy, instance)]) for _ in range(3000)]
    covered = np.mean([each.low <= truth <= each.high for each in found])
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("seeds", [pytest.param(n, marks=pytest.mark.slow) for n in (3, 10)] + [5])
def test_intervals_of_paired_gains_cover_as_often_as_they_say(seeds):
    """A gain on two tasks, instances shared by base and policy."""
    rng, hits, truth = np.random.default_rng(8), [], _gain()
    for _ in range(1500):
        parts = []
        for _ in range(2):
            hard = rng.normal(size=80)
            skill = 0.15 * rng.normal(size=(seeds, 1))
            before = 1 / (1 + np.exp(-(-1.0 + hard)))
            after = 1 / (1 + np.exp(-(0.5 + hard + skill)))
            drawn = rng.binomial(4, after) / 4 - rng.binomial(4, before, (seeds, 80)) / 4
            parts.append(drawn / 2)
        found = crossed_sum(parts)
        hits.append(found.low <= truth <= found.high)
    assert 0.93 <= np.mean(hits) <= 0.97


def _gain() -> float:
    """The mean gain over all seeds and instances."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    spread = math.sqrt(1 + 0.15**2)
    before = weights @ (1 / (1 + np.exp(1.0 - nodes)))
    return float(weights @ (1 / (1 + np.exp(-0.5 - spread * nodes))) - before)


def test_gains_are_paired_on_instances():
    """Instances that are hard for both leave a difference certain that apart would not be."""
    rng = np.random.default_rng(3)
    hard = rng.random(60)
    shares = {("base", "a/easy", s): hard for s in range(3)}
    shares |= {("a", "a/easy", s): hard + 0.1 + 0.001 * rng.normal(size=60) for s in range(3)}
    value = np.array([[[hard.mean()] * 3], [[hard.mean() + 0.1] * 3]])
    table = sc.Scores(
        ("base", "a"), ((), (("a/easy",),)), ("a/easy",), ("a",), (0, 1, 2), *[value] * 3, shares
    )
    gain = sc.gain(table, "a", ["a/easy"])
    assert gain.value == pytest.approx(0.1, abs=1e-3) and gain.high - gain.low < 0.01
    alone = sc.contrast(table, sc.mean_of(table, "a", ["a/easy"]))
    assert alone.high - alone.low > 0.1


def test_where_nothing_varies_there_is_no_interval():
    assert not crossed_sum([np.ones((3, 8))]).measured
    assert not crossed_sum([]).measured


def test_no_success_at_all_is_not_certain():
    """Where nothing varies, the interval is that of as many instances."""
    shares = {("base", "a/easy", s): np.zeros(60) for s in range(3)}
    low, high = wilson(0, 60)
    value, lows, highs = (np.full((1, 1, 3), x) for x in (0.0, low, high))
    table = sc.Scores(("base",), ((),), ("a/easy",), ("a",), (0, 1, 2), value, lows, highs, shares)
    found = sc.contrast(table, sc.mean_of(table, "base", ["a/easy"]))
    assert (found.value, found.low, found.high) == pytest.approx((0.0, low, high))
