"""Checks of arguments: each raises one line that names the argument and what was expected."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

MOST = 2**31 - 1
"""The largest whole number that an int32 holds."""

SHOWN = 60
"""Characters of a value that a message shows."""


def brief(value: Any) -> str:
    """Put a value into a few words on one line."""
    if isinstance(value, int) and abs(value) >= 10**SHOWN:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, (str, bytes)):
        text = repr(value[: SHOWN + 1])
    elif isinstance(value, (bool, numbers.Number, np.generic)) or value is None:
        text = str(value)
    elif isinstance(value, (np.ndarray, jax.Array)):
        text = f"an array {value.dtype}{list(value.shape)}"
    elif isinstance(value, (list, tuple)) and len(value) <= 8:
        text = f"[{', '.join(map(brief, value))}]"
    else:
        text = f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def check_whole(name: str, value: Any, least: int = 1, most: int = MOST) -> None:
    """Refuse what is not a whole number from `least` to `most`.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is out of range.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}={brief(value)}: expected a whole number, at least {least}")
    if value < least:
        raise ValueError(f"{name}={brief(value)}: expected at least {least}")
    if value > most:
        raise ValueError(f"{name}={brief(value)}: expected at most {most}")


def check_number(
    name: str,
    value: Any,
    least: float = -math.inf,
    most: float = math.inf,
    positive: bool = False,
) -> None:
    """Refuse what is not one finite number from `least` to `most`, or not above 0.

    Arrays of one number count as numbers.

    Raises:
        TypeError: it is no number.
        ValueError: it is not finite, or out of range.
    """
    expected = _range(least, most, positive)
    if not is_number(value):
        raise TypeError(f"{name}={brief(value)}: expected {expected}")
    finite = abs(value) <= MOST if isinstance(value, int) else math.isfinite(float(value))
    if not finite or not least <= value <= most or (positive and value <= 0):
        raise ValueError(f"{name}={brief(value)}: expected {expected}")


def is_number(value: Any) -> bool:
    """Tell whether a value is one real number, or an array of one; true and false are none."""
    if isinstance(value, (bool, np.bool_)):
        return False
    if isinstance(value, (np.ndarray, jax.Array)):
        return value.shape == () and jax.dtypes.issubdtype(value.dtype, np.number)
    return isinstance(value, numbers.Real)


def check_share(name: str, value: Any) -> None:
    """Refuse what is not a number between 0 and 1: see `check_number`."""
    if is_number(value) and not 0.0 <= value <= 1.0:
        raise ValueError(f"{name}={brief(value)}: expected a share between 0 and 1")
    check_number(name, value, 0.0, 1.0)


def check_option(name: str, value: Any, options: Iterable[str]) -> None:
    """Refuse what is not one of the names that there are.

    Raises:
        TypeError: it is no text.
        ValueError: it is another text.
    """
    told = f"{name}={brief(value)}: expected one of {', '.join(options)}"
    if not isinstance(value, str):
        raise TypeError(told)
    if value not in options:
        raise ValueError(told)


def check_flag(name: str, value: Any) -> None:
    """Refuse with a TypeError what is neither true nor false."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}={brief(value)}: expected True or False")


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], expected: str) -> None:
    """Refuse with a TypeError what is no instance of a class."""
    if not isinstance(value, kind):
        raise TypeError(f"{name}={brief(value)}: expected {expected}")


def check_key(name: str, value: Any, members: bool = False) -> None:
    """Refuse with a TypeError what is no random key, or no vector of keys.

    Args:
        name: of the argument.
        value: what was given.
        members: a vector of keys is expected.
    """
    example = "jax.random.split(jax.random.key(0), members)" if members else "jax.random.key(0)"
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    is_key = dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)
    if not is_key or shape is None or len(shape) != members:
        kind = "a vector of random keys" if members else "a random key"
        raise TypeError(f"{name}={brief(value)}: expected {kind}, e.g. {example}")


def _range(least: float, most: float, positive: bool) -> str:
    ends = "" if least == -math.inf else f" of at least {least:g}"
    ends += "" if most == math.inf else f"{' and' if ends else ' of'} at most {most:g}"
    return f"a finite number{' above 0' if positive else ''}{ends}"
