"""What the numbers of an algorithm may be: one table, checked by one function."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from jaxagent.checks import brief, check_number, is_number

_SHARE, _WEIGHT, _BAND = (0.0, 1.0), (0.0, 1000.0), (0.0, 1e9)

RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "learning_rate": _SHARE,
        "warmup": _SHARE,
        "final_rate": _WEIGHT,
        "gamma": _SHARE,
        "lam": _SHARE,
        "anchor": _WEIGHT,
        "invalid_penalty": _WEIGHT,
        "overlong": _WEIGHT,
        "overlong_share": _SHARE,
        "reference_decay": _SHARE,
        "consolidation": (0.0, 1e6),
        "max_gradient": (1e-9, 1e9),
        "clip_low": _WEIGHT,
        "clip_high": _WEIGHT,
        "dual_clip": (1.0, 1e9),
        "value_clip": _BAND,
        "value": _WEIGHT,
        "entropy": _WEIGHT,
        "kl": _WEIGHT,
    }
)
"""Least and most of every number of `Hyper` and `Weights`."""


def check_written(settings: Any) -> None:
    """Refuse texts and numbers out of range among the fields of `Hyper` or `Weights`.

    Arrays pass: they may be traced, or hold the numbers of a whole population.

    Raises:
        TypeError: a field is a text or a list.
        ValueError: a number is not finite, or out of range.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        written = isinstance(value, (str, list, int, float, np.number))
        if written and not isinstance(value, bool) and field.name in RANGES:
            check_number(field.name, value, *RANGES[field.name])


def check_ranges(prefix: str, settings: Any, members: int = 0) -> None:
    """Refuse settings of which one is no number, not finite, or out of range.

    Args:
        prefix: what comes before the names of the fields in messages.
        settings: a `Hyper` or `Weights`.
        members: of a population, whose numbers are vectors of so many; 0 for a single run.

    Raises:
        TypeError: a field is no number, or no vector of numbers.
        ValueError: one is not finite, out of range, or of another shape.
    """
    for field in dataclasses.fields(settings):
        name, value = f"{prefix}{field.name}", getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            check_ranges(f"{name}.", value, members)
        elif not members:
            check_number(name, value, *RANGES[field.name])
        else:
            _check_vector(name, value, members, *RANGES[field.name])


def _check_vector(name: str, value: Any, members: int, least: float, most: float) -> None:
    """Refuse what is no vector of one number per member."""
    if is_number(value) or np.shape(value) != (members,):
        told = f"{members} numbers, one per member, as jaxagent.stack makes them"
        raise ValueError(f"{name}={brief(value)}: expected {told}")
    for each in np.asarray(jax.device_get(value)):
        check_number(name, each, least, most)
