"""Silence of libraries whose threads tell again what an exception tells."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

_LOGGERS = ("absl", "asyncio")
_CLOSED = "Event loop is closed"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Have nothing but an exception tell that a save fails.

    Orbax logs the error with its whole trace, and TensorStore's threads, which outlive the save,
    complain that nobody waits for them any more. So it stays quiet after a failure.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels, hook = [logger.level for logger in loggers], sys.unraisablehook
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    sys.unraisablehook = partial(_told_unless_closed, hook)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    sys.unraisablehook = hook


def _told_unless_closed(before: Any, what: Any) -> None:
    if str(what.exc_value) != _CLOSED:
        before(what)
