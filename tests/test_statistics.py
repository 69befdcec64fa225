"""The intervals against scipy, brute force and worked examples."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from jaxagent.study import statistics as st

scipy_stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (57, 200), (1, 1)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_agrees_with_scipy(successes: int, trials: int, confidence: float) -> None:
    reference = scipy_stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    np.testing.assert_allclose(st.wilson(successes, trials, confidence), reference, atol=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="successes: got"):
        st.wilson(successes, trials)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 30, 127, 1000, 20_000])
@pytest.mark.parametrize("probability", [0.005, 0.3, 0.5, 0.95, 0.975])
def test_student_quantile_agrees_with_scipy(freedom: int, probability: float) -> None:
    reference = scipy_stats.t.ppf(probability, freedom)
    assert st.student_quantile(probability, freedom) == pytest.approx(reference, rel=1e-8, abs=1e-8)


def test_cluster_mean_is_the_t_interval_over_instance_means() -> None:
    values = np.random.default_rng(0).integers(0, 2, size=(40, 8)).astype(float)
    means = values.mean(axis=1)
    low, high = scipy_stats.t.interval(0.95, 39, means.mean(), scipy_stats.sem(means))
    result = st.cluster_mean(values)
    np.testing.assert_allclose((result.value, result.low, result.high), (means.mean(), low, high))
    assert result.count == 40


def test_attempts_that_agree_add_nothing() -> None:
    once = np.random.default_rng(1).integers(0, 2, size=(50, 1)).astype(float)
    assert st.cluster_mean(once) == st.cluster_mean(np.repeat(once, 8, axis=1))


def test_cluster_mean_of_perfect_success_is_not_certain() -> None:
    result = st.cluster_mean(np.ones((20, 4)))
    assert (result.low, result.high) == st.wilson(20, 20)
    assert st.cluster_mean(np.zeros((20, 4))).high == pytest.approx(1 - result.low)


def test_cluster_mean_of_rates_stays_inside_zero_and_one() -> None:
    result = st.cluster_mean([[1.0]] * 9 + [[0.0]])
    assert result.high == 1.0
    assert st.cluster_mean([[3.0]] * 9 + [[0.0]]).high > 3.0


def test_cluster_mean_covers_the_truth() -> None:
    generator = np.random.default_rng(2)
    rates = generator.beta(2, 2, size=(400, 60, 1))
    attempts = (generator.random((400, 60, 4)) < rates).astype(float)
    covered = [e.low <= 0.5 <= e.high for e in map(st.cluster_mean, attempts)]
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("values", [[[0.7]], [[1.0, 1.0]], [5.0], [20.0] * 8, [[0.5, 0.5]] * 6])
def test_where_instances_do_not_vary_there_is_no_interval(values: list) -> None:
    found = st.cluster_mean(values)
    assert found.measured and not found.has_interval and not found.excludes_zero


@pytest.mark.parametrize(
    ("attempts", "successes", "k"), [(5, 2, 1), (5, 2, 3), (6, 0, 2), (4, 4, 4), (4, 3, 2)]
)
def test_pass_at_k_counts_every_choice_of_attempts(attempts: int, successes: int, k: int) -> None:
    marks = [1] * successes + [0] * (attempts - successes)
    choices = [any(choice) for choice in itertools.combinations(marks, k)]
    assert st.pass_at_k(attempts, successes, k) == pytest.approx(np.mean(choices))


def test_the_threshold_of_pass_at_k_decides_on_graded_rewards() -> None:
    values = [[0.4, 0.0], [1.0, 0.4], [0.0, 0.0]]
    assert st.mean_pass_at_k(values, 1, threshold=0.1).value == pytest.approx(0.5)
    assert st.mean_pass_at_k(values, 1, threshold=1.0).value == pytest.approx(1 / 6)
    assert st.mean_pass_at_k(values, 2, threshold=0.4).value == pytest.approx(2 / 3)


@pytest.mark.parametrize("size", [1, 3, 4, 10, 15])
def test_iqm_agrees_with_scipy(size: int) -> None:
    values = np.random.default_rng(4).normal(size=(3, size))
    np.testing.assert_allclose(st.iqm(values), scipy_stats.trim_mean(values, 0.25, axis=1))


def test_improvement_agrees_with_mann_whitney() -> None:
    generator = np.random.default_rng(6)
    first, second = generator.integers(0, 5, (7, 3)), generator.integers(0, 5, (4, 3))
    u = [scipy_stats.mannwhitneyu(first[:, j], second[:, j]).statistic / 28 for j in range(3)]
    assert st.improvement(first, second) == pytest.approx(np.mean(u))


def test_linear_combination_of_two_proportions_is_newcombes_interval() -> None:
    # Newcombe 1998, table II, example (a), method 10: 56/70 - 48/80.
    (low1, high1), (low2, high2) = st.wilson(56, 70), st.wilson(48, 80)
    value, low, high = st.linear_combination(
        [1, -1], [56 / 70, 48 / 80], [low1, low2], [high1, high2]
    )
    assert value == pytest.approx(0.2)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


def test_linear_combination_of_symmetric_intervals_adds_in_quadrature() -> None:
    value, low, high = st.linear_combination([0.5, -2.0], [3.0, 1.0], [2.0, 0.5], [4.0, 1.5])
    assert (value, low, high) == pytest.approx(
        (-0.5, -0.5 - math.hypot(0.5, 1.0), -0.5 + math.hypot(0.5, 1.0))
    )


@pytest.mark.parametrize("estimate", [st.over_seeds, st.mean_over_seeds, st.iqm_over_seeds])
def test_there_is_no_interval_with_fewer_than_three_seeds(estimate) -> None:
    for values in ([0.9], [0.4, 0.6]):
        found = estimate(values)
        assert (found.value, found.count) == (np.mean(values), len(values))
        assert found.kind == st.TOO_FEW and not found.has_interval
    assert estimate([0.4, 0.6, 0.5]).has_interval


@pytest.mark.parametrize("estimate", [st.over_seeds, st.mean_over_seeds, st.iqm_over_seeds])
@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1234.5])
def test_there_is_no_interval_where_all_seeds_agree(estimate, value: float) -> None:
    found = estimate([value] * 7)
    assert (found.value, found.kind) == (pytest.approx(value), st.ALIKE) and not found.has_interval


def test_over_seeds_is_students_interval_stretched_to_hold_the_median() -> None:
    values = [0.1, 0.6, 0.9, 0.5]
    low, high = scipy_stats.t.interval(0.95, 3, np.mean(values), scipy_stats.sem(values))
    found = st.over_seeds(values)
    assert (found.kind, found.value) == (st.OVER_SEEDS, pytest.approx(0.55))
    assert (found.low, found.high) == pytest.approx((low, high))
    far = [0.0] * 9 + [0.0001] * 9 + [1e3]
    assert st.over_seeds(far).low <= st.over_seeds(far).value
    assert (st.over_seeds([0, 0.5, 1.0], rate=True).low, found.count) == (0.0, 4)


def test_over_seeds_drops_what_is_not_finite() -> None:
    one = st.over_seeds([math.nan, 0.7])
    assert (one.count, one.value, one.has_interval) == (1, 0.7, False)
    assert st.over_seeds([math.nan]) is st.MISSING and not st.MISSING.measured


@pytest.mark.parametrize("values", [[], [1.0, math.nan], 3.0])
def test_empty_or_broken_values_are_refused(values: object) -> None:
    with pytest.raises(ValueError, match="values: got shape"):
        st.cluster_mean(values)
