"""Intervals where every training seed was measured on the same instances.

A score X[seed, instance] varies with both, and neither is the population: other seeds would have
trained other policies, other instances would have been harder or easier. They are crossed random
effects, whose mean has the variance `σ²(seed)/n + σ²(instance)/m + σ²(rest)/(nm)`; it is estimated
by mean squares (Cornfield and Tukey 1956, Ann. Math. Stat. 27, 907-949; Searle, Casella and
McCulloch 1992, chapter 4), its degrees of freedom after Satterthwaite (1946, Biometrics 2,
110-114).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxagent.study.statistics import (
    CONFIDENCE,
    CROSSED,
    MISSING,
    SEEDS_FOR_INTERVAL,
    TOO_FEW,
    WITHOUT,
    Estimate,
    student_quantile,
)

Scores = Float[np.ndarray, "seeds instances"]


def crossed_sum(parts: Sequence[Scores], confidence: float = CONFIDENCE) -> Estimate:
    """The sum over tasks of the mean score, with its interval.

    Differences between policies are taken on every instance before they are given here, so that
    they are paired.

    Args:
        parts: of every task the scores, already weighed; all have the same seeds, and tasks have
            instances of their own.
        confidence: of the interval.

    Returns:
        The median over seeds, and the interval of the mean over seeds and instances, stretched to
        hold the median. Under three seeds their mean without an interval. Without one too where a
        task has one instance, which says nothing about others. `MISSING` where nothing varies, so
        that no interval can be estimated.
    """
    if not parts or not all(part.size for part in parts):
        return MISSING
    seeds = len(parts[0])
    each = np.sum([part.mean(axis=1) for part in parts], axis=0)
    mean, middle = float(each.mean()), float(np.median(each))
    if seeds < SEEDS_FOR_INTERVAL:
        return Estimate(mean, math.nan, math.nan, TOO_FEW, seeds)
    if min(part.shape[1] for part in parts) == 1:
        return Estimate(middle, math.nan, math.nan, WITHOUT, seeds)
    rest = [_rest(part) for part in parts]
    # The seeds' and the instances' mean squares both hold the rest, which counts once.
    terms = [(float(each.var(ddof=1)) / seeds, seeds - 1)]
    terms += [_instances(part.mean(axis=0)) for part in parts]
    variance = max(sum(v for v, _ in terms) - sum(v for v, _ in rest), max(terms)[0])
    terms += rest
    if not variance > 0:
        return MISSING
    freedom = variance**2 / sum(v**2 / df for v, df in terms if df > 0)
    half = _quantile(0.5 + confidence / 2, freedom) * math.sqrt(variance)
    low, high = min(mean - half, middle), max(mean + half, middle)
    return Estimate(middle, low, high, CROSSED, seeds)


def _instances(means: Float[np.ndarray, " instances"]) -> tuple[float, int]:
    """Variance of the mean over instances, and its degrees of freedom."""
    count = len(means)
    return float(means.var(ddof=1)) / count, count - 1


def _rest(part: Scores) -> tuple[float, int]:
    """Variance of the mean from what neither seed nor instance explains."""
    seeds, instances = part.shape
    freedom = (seeds - 1) * (instances - 1)
    left = part - part.mean(axis=0) - part.mean(axis=1, keepdims=True) + part.mean()
    return float(np.sum(left**2)) / freedom / part.size, freedom


def _quantile(probability: float, freedom: float) -> float:
    """Of Student's t, between whole degrees of freedom by those of 1/freedom."""
    low = max(math.floor(freedom), 1)
    if freedom > 200 or freedom <= low:
        return student_quantile(probability, min(low, 10_000))
    share = (1 / low - 1 / freedom) / (1 / low - 1 / (low + 1))
    ends = (student_quantile(probability, low), student_quantile(probability, low + 1))
    return (1 - share) * ends[0] + share * ends[1]
