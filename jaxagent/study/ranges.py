"""What every number of a plan, a sweep and a command may be: one table, checked by one function."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from jaxagent.rl.ranges import RANGES
from jaxagent.rl.window import SIZES
from jaxagent.study.escapes import quoted


class Range(NamedTuple):
    """Numbers from `low` to `high`, both included unless `open`, which leaves out the lower end."""

    low: float
    high: float
    open: bool = False

    def __contains__(self, value: object) -> bool:
        """Tell whether `value` is a number in the range; NaN is in none."""
        if not isinstance(value, int | float):
            return False
        return (self.low < value if self.open else self.low <= value) and value <= self.high

    def __str__(self) -> str:
        """Say the range for a message."""
        low, high = (_text(end) for end in (self.low, self.high))
        if self == SHARE:
            return f"{low} to {high}"
        return f"{'more than' if self.open else 'at least'} {low}, at most {high}"


SHARE = Range(0, 1)
_UPDATES, _SEED = Range(1, 10**6), Range(0, 2**32 - 1)
_ROWS, _TURNS, _CONTEXT, _WORDS = (
    Range(*SIZES[name]) for name in ("rows", "turns", "context", "action_tokens")
)
_RATE, _WEIGHT = Range(*RANGES["learning_rate"]), Range(*RANGES["kl"])

PLAN = MappingProxyType(
    {
        "seeds": Range(1, 1000),
        "context": _CONTEXT,
        "action_tokens": _WORDS,
        "think": _WORDS,
        "base.shares": Range(0, 10**6),
        "base.updates": Range(0, 10**6),
        "base.noise": SHARE,
        "base.slips": SHARE,
        "base.rows": _ROWS,
        "base.turns": _TURNS,
        "base.minibatch": _ROWS,
        "base.learning_rate": _RATE,
        "train.updates": _UPDATES,
        "train.stage_updates": _UPDATES,
        "train.rows": _ROWS,
        "train.turns": _TURNS,
        "train.epochs": Range(1, 1000),
        "train.minibatch": _ROWS,
        "train.learning_rate": _RATE,
        "train.gamma": SHARE,
        "train.lam": SHARE,
        "train.final_rate": SHARE,
        "train.invalid_penalty": _WEIGHT,
        "train.clip": _WEIGHT,
        "train.entropy": _WEIGHT,
        "train.kl": _WEIGHT,
        "evaluation.instances": Range(1, 2**20),
        "evaluation.first": Range(0, 2**31 - 1),
        "evaluation.attempts": Range(1, 2**16),
        "evaluation.temperature": Range(0, 100, open=True),
        "evaluation.context": Range(0, 2**17),
    }
)
"""Fields of a plan."""

STAGE = MappingProxyType(
    {
        "weight": Range(0, 10**6),
        "times": Range(0, 1000, open=True),
        "temperature": Range(0.2, 100),
        "rehearsal": SHARE,
        "kl": _WEIGHT,
        "ewc": Range(0, 10**6),
        "average": SHARE,
    }
)
"""Options of a stage; powers of the counts of tasks stay below what float32 holds."""

COMMAND = MappingProxyType(
    {
        "instance": Range(0, 2**31 - 1),
        "seed": _SEED,
        "context": _CONTEXT,
        "episodes": Range(1, 2**24),
        "attempts": Range(1, 2**16),
        "temperature": Range(0, 100, open=True),
        "batches": Range(1, 2**20),
        "seconds": Range(0, 86_400, open=True),
    }
)
"""Options of commands that are no fields of a plan."""

LONGEST = MappingProxyType(
    {
        "tasks": 100,
        "arms": 1000,
        "variants": 1000,
        "base.tasks": 100,
        "base.shares": 100,
        "train.stage_updates": 100,
        "evaluation.tasks": 500,
        "algorithms": 100,
        "batches": 100,
    }
)
"""How many values a list has at most."""

STAGES = 100
"""Stages of an arm at most."""

PHASES = 100_000
"""Phases of a study at most, over all variants and seeds."""


def check(field: str, value: object, ranges: Mapping[str, Range]) -> None:
    """Raise `ValueError` if a number is outside the range of its field.

    Args:
        field: its name, a key of `ranges`.
        value: the number, or a list whose numbers are all checked; None where a field may be empty.
        ranges: one of the tables above.
    """
    if isinstance(value, tuple | list):
        check_length(field, value)
        for each in value:
            check(field, each, ranges)
    elif value is not None and value not in ranges[field]:
        raise ValueError(f"{field}={quoted(value)}: expected {ranges[field]}")


def check_length(field: str, values: Iterable[object]) -> None:
    """Raise `ValueError` if a list has more values than its field may have."""
    count, most = len(list(values)), LONGEST[field]
    if count > most:
        raise ValueError(f"{field}: {count:,} values, expected up to {most:,}")


def _text(number: float) -> str:
    whole = isinstance(number, int) or (math.isfinite(number) and number == int(number))
    return f"{int(number):,}" if whole else f"{number:g}"
