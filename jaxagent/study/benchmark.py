"""Benchmarks: how fast environments, text, rollouts and training are, each apart.

Batches are shared by the devices at hand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rich.console import Console

from jaxagent.study.bench_envs import measure_environment, measure_mixture
from jaxagent.study.bench_train import measure_population, measure_training
from jaxagent.study.files import write_json
from jaxagent.study.timing import Result
from jaxagent.study.wide_table import WideTable

MIXED = (
    "textcraft/medium",
    "babyai/medium",
    "alfworld/medium",
    "webshop/medium",
    "searchqa/medium",
)
"""Tasks of the mixture, one of each environment."""

TASKS = ("textcraft/easy", "textcraft_procedural/easy", "babyai/easy", *MIXED)
PARTS = ("envs", "train", "population", "all")
MEMBERS = 8
"""Members of the population."""

TRAINED = ("textcraft/easy", "babyai/easy")


def run(
    what: str, batches: Sequence[int], seconds: float, path: str, console: Console
) -> list[Result]:
    """Measures and shows; the arguments are the command line's.

    Raises:
        ValueError: `what` is not known, or a number is out of range.
    """
    if what not in PARTS:
        raise ValueError(f"what={what!r}: expected one of {', '.join(PARTS)}")
    if not batches or min(batches) < 1 or seconds <= 0:
        raise ValueError(f"batches={batches}, seconds={seconds}: expected numbers above 0")
    results: list[Result] = []
    remark = partial(console.print, highlight=False, markup=False, style="dim")
    with console.status("measuring") as status:
        for result in _all(what, batches, seconds, status.update, remark):
            results.append(result)
            console.print(_line(result), highlight=False)
            if path:
                write_json(path, [dataclasses.asdict(each) for each in results])
    console.print(as_table(results))
    return results


def as_table(results: Sequence[Result]) -> WideTable:
    """All results, the best batch of each benchmark with a star."""
    rows = []
    best: dict[tuple[str, str, str], float] = {}
    for each in results:
        name = (each.benchmark, each.environment, each.unit)
        best[name] = max(best.get(name, 0.0), each.value)
    for each in results:
        is_best = each.value == best[each.benchmark, each.environment, each.unit]
        baseline = "" if each.baseline is None else f"{each.baseline:,.0f}"
        ratio = "" if each.ratio is None else f"{each.ratio:,.1f}×"
        value = _number(each.value) + " *" * is_best
        label = f"{each.benchmark} {each.environment}, batch {each.batch}"
        rows.append((label, (value, each.unit, baseline, ratio)))
    return WideTable("benchmark", ("value", "unit", "baseline", "ratio"), rows)


def _all(
    what: str,
    batches: Sequence[int],
    seconds: float,
    tell: Callable[[str], None],
    remark: Callable[[str], None],
) -> Iterator[Result]:
    if what in ("envs", "all"):
        for task in TASKS:
            tell(task)
            yield from measure_environment(task, batches, seconds, remark)
        for batch in batches:
            tell(f"a mixture, {batch} side by side")
            yield measure_mixture(MIXED, batch, seconds)
    if what in ("train", "all"):
        for task in TRAINED:
            tell(f"training on {task}")
            yield from measure_training(task, batches, seconds)
    if what in ("population", "all"):
        for task in TRAINED:
            tell(f"a population of {MEMBERS} on {task}")
            for batch in batches:
                yield from measure_population(task, MEMBERS, batch, seconds)


def _line(result: Result) -> str:
    ratio = "" if result.ratio is None else f", {result.ratio:,.1f}× the baseline"
    value = f"{_number(result.value)} {result.unit}"
    return f"{result.benchmark:<10} {result.environment:<26} {result.batch:>5}  {value}{ratio}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
