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


def test_paired_difference_agrees_with_scipy() -> None:
    generator = np.random.default_rng(3)
    first, second = generator.random((30, 4)), generator.random((30, 4))
    reference = scipy_stats.ttest_rel(first.mean(1), second.mean(1)).confidence_interval(0.95)
    result = st.paired_difference(first, second)
    np.testing.assert_allclose((result.low, result.high), reference)
    assert result.value == pytest.approx(first.mean() - second.mean())


def test_paired_difference_needs_the_same_instances() -> None:
    with pytest.raises(ValueError, match="second: got 2 instances, expected 3"):
        st.paired_difference([1.0, 2.0, 3.0], [1.0, 2.0])


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


def test_stratified_bootstrap_resamples_within_tasks() -> None:
    # Runs that agree within each task leave nothing to resample, however much the tasks differ.
    scores = np.tile([0.1, 0.9], (5, 1))
    low, high = st.stratified_bootstrap(scores, lambda x: x.mean(axis=(1, 2)))
    assert low == pytest.approx(0.5) and high == pytest.approx(0.5)


def test_stratified_bootstrap_agrees_with_all_resamples() -> None:
    scores = np.array([[0.0], [0.2], [1.0], [0.5]])
    means = [np.mean(draw) for draw in itertools.product(scores[:, 0], repeat=4)]
    drawn = st.stratified_bootstrap(scores, lambda x: x.mean(axis=(1, 2)), resamples=50_000)
    np.testing.assert_allclose(drawn, np.quantile(means, [0.025, 0.975]), atol=0.03)


def test_bootstraps_repeat_for_a_seed_and_differ_between_seeds() -> None:
    scores = np.random.default_rng(5).random((6, 3))
    intervals = [
        st.stratified_bootstrap(scores, lambda x: x.mean(axis=(1, 2)), seed=s, resamples=50)
        for s in (0, 0, 1)
    ]
    assert intervals[0] == intervals[1] != intervals[2]


def test_improvement_agrees_with_mann_whitney() -> None:
    generator = np.random.default_rng(6)
    first, second = generator.integers(0, 5, (7, 3)), generator.integers(0, 5, (4, 3))
    u = [scipy_stats.mannwhitneyu(first[:, j], second[:, j]).statistic / 28 for j in range(3)]
    result = st.probability_of_improvement(first, second)
    assert result.value == pytest.approx(np.mean(u))
    assert result.low <= result.value <= result.high


def test_median_over_seeds_agrees_with_all_resamples() -> None:
    values = np.array([0.1, 0.4, 0.5, 0.9])
    medians = [np.median(draw) for draw in itertools.product(values, repeat=4)]
    value, low, high = st.median_over_seeds(values, resamples=50_000)
    assert value == pytest.approx(0.45)
    np.testing.assert_allclose((low, high), np.quantile(medians, [0.025, 0.975]), atol=0.05)


def test_median_over_seeds_of_a_curve_is_the_median_of_each_point() -> None:
    curve = np.random.default_rng(7).random((5, 4))
    value, low, high = st.median_over_seeds(curve, seed=3)
    single = [st.median_over_seeds(curve[:, i], seed=3) for i in range(4)]
    np.testing.assert_allclose(np.stack([value, low, high]), np.transpose(single))


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


def test_over_seeds_says_which_kind_of_interval_it_is() -> None:
    two = st.over_seeds([0.4, 0.6], [0.3, 0.5], [0.5, 0.7])
    assert two.kind == st.OVER_EPISODES and two.value == pytest.approx(0.5)
    assert two.high - two.value == pytest.approx(0.1 / math.sqrt(2))
    three = st.over_seeds([0.1, 0.6, 0.9], [0.0] * 3, [1.0] * 3)
    assert (three.kind, three.value, three.low, three.high) == (st.OVER_SEEDS, 0.6, 0.1, 0.9)


def test_over_seeds_keeps_one_seed_as_it_is_and_drops_what_is_not_finite() -> None:
    one = st.over_seeds([math.nan, 0.7], [math.nan, 0.6], [math.nan, 0.8])
    assert (one.count, one.value) == (1, 0.7)
    assert (one.low, one.high) == pytest.approx((0.6, 0.8))
    assert st.over_seeds([math.nan], [0.0], [1.0]) is st.MISSING and not st.MISSING.measured


@pytest.mark.parametrize("values", [[], [1.0, math.nan], 3.0])
def test_empty_or_broken_values_are_refused(values: object) -> None:
    with pytest.raises(ValueError, match="values: got shape"):
        st.cluster_mean(values)
