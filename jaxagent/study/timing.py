"""A measurement, and how rates are taken: what all benchmarks share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.compilation_cache import compilation_cache

from jaxagent.envs import Pool, Suite, draw_pool

TURNS = 16
"""Turns of a row in one call."""


@dataclass(frozen=True)
class Result:
    """One measurement.

    Attributes:
        benchmark: `compile`, `env`, `env+text`, `resets`, `resets-expert`, `mixture`, `rollout`,
            `rollout-bytes`, `train`, `update-flops`, `useful`, `first-step` or `population-8`.
        environment: the task, or several joined by commas.
        batch: episodes side by side.
        value: the measured number.
        unit: its unit.
        baseline: the same number of the original environment, run in the same call, or None; of a
            mixture, the rate at the mean cost of its environments alone; of bytes and operations,
            the most that the machine does; of a population, the rate of one run alone.
        ratio: `value / baseline`, or None.
        device: what it ran on.
    """

    benchmark: str
    environment: str
    batch: int
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    device: str


def rate_of(function: Callable[..., Any], arguments: tuple, seconds: float) -> float:
    """Calls per second: the median over three stretches of at least a third of `seconds`."""
    jax.block_until_ready(function(*arguments))
    rates = []
    for _ in range(3):
        begin, calls = time.perf_counter(), 0
        while (spent := time.perf_counter() - begin) < seconds / 3:
            jax.block_until_ready(function(*arguments))
            calls += 1
        rates.append(calls / spent)
    return sorted(rates)[1]


@contextlib.contextmanager
def nothing_kept() -> Iterator[None]:
    """Compiles everything anew, whatever earlier runs have kept."""
    kept = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()  # jax asks its settings once, until it is told to forget
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", kept)
        compilation_cache.reset_cache()


def make_pool(suite: Suite, batch: int) -> Pool:
    """Instances for a batch and for the resets of some turns, equally many of every task."""
    size = max(2 * batch, 64)
    draw = jax.jit(partial(draw_pool, suite=suite, size=size))
    return draw(jax.random.key(7), weights=jnp.ones(len(suite)))


def result_of(
    name: str, task: str, batch: int, value: float, unit: str, baseline: float | None = None
) -> Result:
    """A measurement on the device at hand, as a ratio too where there is a baseline."""
    ratio = None if baseline is None else value / baseline
    device = f"{jax.devices()[0].device_kind} ({jax.default_backend()})"
    return Result(name, task, batch, value, unit, baseline, ratio, device)
