"""Intervals: what each number of a study could have been by chance. NumPy only, every draw from an
explicit seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

CONFIDENCE = 0.95
RESAMPLES = 2000
SEEDS_FOR_BOOTSTRAP = 3

OVER_SEEDS = "median over seeds, percentile bootstrap over seeds"
CROSSED = "median over seeds, interval over seeds and instances as crossed random effects"
OVER_EPISODES = "mean, evaluation episodes only (fewer than 3 seeds)"
OVER_INSTANCES = "mean, evaluation instances"
NOT_MEASURED = "not measured"

Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """A number, its interval, the kind of interval it is, and how many seeds (or instances) stand
    behind it."""

    value: float
    low: float
    high: float
    kind: str
    count: int

    @property
    def measured(self) -> bool:
        return math.isfinite(self.value)

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero (False where there is no
        interval)."""
        return self.low > 0 or self.high < 0


MISSING = Estimate(math.nan, math.nan, math.nan, NOT_MEASURED, 0)


def wilson(successes: float, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927, JASA 22, 209-212); sensible at 0 and at 1
    too."""
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(
            f"successes: got {successes} of {trials} trials, expected 0 to trials, and trials >= 1"
        )
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, spread = successes / trials, z * z / trials
    centre = (rate + spread / 2) / (1 + spread)
    half = math.sqrt(spread * rate * (1 - rate) + spread * spread / 4) / (1 + spread)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return (0.0 if successes == 0 else low), (1.0 if successes == trials else high)


@lru_cache(maxsize=4096)
def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t. With t = √ν·tan θ the density of θ is ∝ cos^(ν-1) θ: quadrature,
    then bisection."""
    if not 0 < probability < 1 or freedom < 1:
        raise ValueError(
            f"probability, freedom: got {probability}, {freedom}, expected inside (0, 1) and >= 1"
        )
    nodes, weights = _quadrature()
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    target, low, high = abs(probability - 0.5), 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        mass = scale * angle / 2 * float(weights @ np.cos(angle / 2 * (nodes + 1)) ** (freedom - 1))
        low, high = (angle, high) if mass < target else (low, angle)
    return math.copysign(math.sqrt(freedom) * math.tan(low), probability - 0.5)


@lru_cache(maxsize=1)
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(256)


def cluster_mean(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Mean over instances of the mean over their attempts (avg@k), with a t interval over the
    instance means.

    `values[instances, k]` (or `[instances]`): attempts at one instance resemble each other, so the
    instance is the unit (Miller 2024, arXiv 2411.00640, section 2.2). Successes of 0 and 1 that all
    agree have no variance to estimate from: there the interval is Wilson's over instances. Values
    in [0, 1] keep their interval inside it.
    """
    values = _finite(values)
    means = values.reshape(len(values), -1).mean(axis=1)
    mean, count = float(means.mean()), len(means)
    if mean in (0.0, 1.0) and bool((values == mean).all()):
        low, high = wilson(round(mean * count), count, confidence)
    elif count == 1:
        low, high = math.nan, math.nan
    else:
        half = (
            student_quantile(0.5 + confidence / 2, count - 1)
            * float(means.std(ddof=1))
            / math.sqrt(count)
        )
        low, high = mean - half, mean + half
        if values.min() >= 0 and values.max() <= 1:
            low, high = max(0.0, low), min(1.0, high)
    return Estimate(mean, low, high, OVER_INSTANCES, count)


def paired_difference(
    first: ArrayLike, second: ArrayLike, confidence: float = CONFIDENCE
) -> Estimate:
    """Mean of first - second with a t interval over the per-instance differences.

    Both are `[instances, k]` or `[instances]` on the *same* instances in the same order, which
    removes the instances' own difficulty from the noise (Miller 2024, arXiv 2411.00640, section
    4.2).
    """
    first, second = _finite(first), _finite(second)
    if len(first) != len(second):
        raise ValueError(f"second: got {len(second)} instances, expected {len(first)} as in first")
    difference = first.reshape(len(first), -1).mean(axis=1) - second.reshape(len(second), -1).mean(
        axis=1
    )
    if len(difference) == 1:
        return Estimate(float(difference[0]), math.nan, math.nan, OVER_INSTANCES, 1)
    half = student_quantile(0.5 + confidence / 2, len(difference) - 1) * float(
        difference.std(ddof=1)
    )
    half, mean = half / math.sqrt(len(difference)), float(difference.mean())
    return Estimate(mean, mean - half, mean + half, OVER_INSTANCES, len(difference))


def pass_at_k(attempts: int, successes: int, k: int) -> float:
    """Unbiased chance that one of k attempts succeeds, 1 - C(n-c, k)/C(n, k) (Chen et al. 2021,
    arXiv 2107.03374)."""
    if not 1 <= k <= attempts or not 0 <= successes <= attempts:
        raise ValueError(
            f"k, successes: got {k}, {successes}, expected 1 to {attempts} and 0 to {attempts}"
        )
    return 1.0 - math.comb(attempts - successes, k) / math.comb(attempts, k)


def mean_pass_at_k(values: ArrayLike, k: int, *, threshold: float) -> Estimate:
    """pass@k over `values[instances, n]`: an attempt passes when its value is >= `threshold`;
    instances are the unit."""
    passed: Bool[np.ndarray, "instances n"] = _finite(values) >= threshold
    if passed.ndim != 2:
        raise ValueError(f"values: got {passed.ndim} axes, expected [instances, attempts]")
    return cluster_mean([pass_at_k(passed.shape[1], int(count), k) for count in passed.sum(axis=1)])


def iqm(values: Float[np.ndarray, "*rest n"]) -> np.ndarray:
    """Interquartile mean over the last axis: a quarter of the values cut at each end, rounded down.

    (Agarwal et al. 2021, arXiv 2108.13264, section 4.3.)
    """
    ordered = np.sort(np.asarray(values, float), axis=-1)
    cut = ordered.shape[-1] // 4
    return ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1)


def stratified_bootstrap(
    scores: Float[np.ndarray, "runs tasks"],
    statistic: Statistic,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Percentile interval of `statistic`, resampling runs within each task (Agarwal et al. 2021,
    arXiv 2108.13264).

    `statistic` maps `[resamples, runs, tasks]` to `[resamples]`.
    """
    drawn = statistic(_resample(_finite(scores), np.random.default_rng(seed), resamples))
    return _percentiles(drawn, confidence)


def improvement(
    first: Float[np.ndarray, "runs tasks"], second: Float[np.ndarray, "runs tasks"]
) -> np.ndarray:
    """P(first > second) + P(first = second)/2 between runs, averaged over tasks; leading axes are
    kept.

    The Mann-Whitney statistic divided by the number of pairs (Agarwal et al. 2021, arXiv
    2108.13264, section 4.3).
    """
    difference = first[..., :, None, :] - second[..., None, :, :]
    return np.mean((np.sign(difference) + 1) / 2, axis=(-3, -2, -1))


def probability_of_improvement(
    first: ArrayLike,
    second: ArrayLike,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """`improvement` of `first[runs, tasks]` over `second[runs, tasks]` with its stratified
    bootstrap interval."""
    first, second = _finite(first), _finite(second)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"second: got shape {second.shape}, expected [runs, tasks] as {first.shape}"
        )
    generator = np.random.default_rng(seed)
    drawn = improvement(
        _resample(first, generator, resamples), _resample(second, generator, resamples)
    )
    return Estimate(
        float(improvement(first, second)), *_percentiles(drawn, confidence), OVER_SEEDS, len(first)
    )


def median_over_seeds(
    values: Float[np.ndarray, "seeds *rest"],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median over the first axis and its percentile bootstrap interval (Efron and Tibshirani 1993,
    chapter 13).

    Seeds are drawn jointly for all of `rest`. With n seeds the interval lies within their range,
    which itself holds the true median with probability 1 - 2^(1-n) only: 75 % for three, 94 % for
    five, 97 % for six.
    """
    values = _finite(values)
    chosen: Int[np.ndarray, "resamples seeds"] = np.random.default_rng(seed).integers(
        len(values), size=(resamples, len(values))
    )
    drawn = np.median(values[chosen], axis=1)
    low, high = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    return np.median(values, axis=0), low, high


def linear_combination(
    weights: ArrayLike, values: ArrayLike, lows: ArrayLike, highs: ArrayLike
) -> tuple[float, float, float]:
    """Σ w·v of independent estimates with its interval, recovered from theirs (Zou and Donner 2008,
    Stat. Med. 27).

    Each estimate's distance to its own bound, on the side that moves the sum, adds in quadrature
    ("MOVER"; for two proportions with Wilson bounds it is Newcombe's 1998 method 10).
    """
    weights, values, lows, highs = (np.asarray(x, float) for x in (weights, values, lows, highs))
    down = np.where(weights >= 0, values - lows, values - highs) * weights
    up = np.where(weights >= 0, highs - values, lows - values) * weights
    total = float(weights @ values)
    return total, total - float(np.linalg.norm(down)), total + float(np.linalg.norm(up))


def over_seeds(values: ArrayLike, lows: ArrayLike, highs: ArrayLike, *, seed: int = 0) -> Estimate:
    """One number for a quantity measured once per training seed, all arguments `[seeds]`.

    Three seeds or more: their median, bootstrapped over seeds. One or two: their mean, and only the
    noise of the evaluation episodes, pooled; `kind` says which. Seeds that are not finite are left
    out; with none left: `MISSING`.
    """
    table = np.array([values, lows, highs], float)
    table = table[:, np.isfinite(table[0])]
    count = table.shape[1]
    if count == 0:
        return MISSING
    if count >= SEEDS_FOR_BOOTSTRAP:
        value, low, high = (float(x) for x in median_over_seeds(table[0], seed=seed))
        return Estimate(value, low, high, OVER_SEEDS, count)
    return Estimate(*linear_combination(np.full(count, 1 / count), *table), OVER_EPISODES, count)


def _resample(scores: np.ndarray, generator: np.random.Generator, resamples: int) -> np.ndarray:
    runs, tasks = scores.shape
    chosen = generator.integers(runs, size=(resamples, runs, tasks))
    return scores[chosen, np.arange(tasks)]


def _percentiles(drawn: np.ndarray, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def _finite(values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, float)
    if values.ndim == 0 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(
            f"values: got shape {values.shape}, expected at least one entry and all of them finite"
        )
    return values
