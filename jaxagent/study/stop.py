"""Stopping: signals that ask a run to save what it has and leave."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""From the keyboard, from an engine that takes the machine, and from SLURM before its limit."""


AGAIN = 0.1
"""Seconds behind which a signal comes again whose exception was swallowed."""


class Stopped(BaseException):
    """The run was asked to stop; what it had done is saved, and the same command goes on.

    No `Exception`: JAX goes on where reading its compilation cache raises one, and a checkpoint
    whose reading raises one is taken for broken.
    """


@contextmanager
def collecting() -> Iterator[list[int]]:
    """Collects signals in a list instead of dying of them, where that is possible."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)

    with _handled(note, SIGNALS):
        yield received


@contextmanager
def raising() -> Iterator[None]:
    """Raises `Stopped` where a signal of an engine comes, in work that saves itself by parts.

    Python swallows what is raised in callbacks of its collector and in `__del__`: then the signal
    comes again, if the work goes on until then.
    """
    last = signal.SIGTERM
    timers: list[threading.Timer] = []

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        del frame
        last = signal.Signals(number)
        raise Stopped(f"stopped by signal {number}")

    def swallowed(what: Any) -> None:
        if not issubclass(what.exc_type, Stopped):
            before(what)
            return
        again = threading.Timer(AGAIN, os.kill, (os.getpid(), last))
        again.daemon = True
        again.start()
        timers.append(again)

    before, sys.unraisablehook = sys.unraisablehook, swallowed
    try:
        with _handled(stop, SIGNALS[1:]):
            yield
    finally:
        sys.unraisablehook = before
        for timer in timers:  # the work is over: the signal would meet another's handler
            timer.cancel()


@contextmanager
def _handled(handler: Any, signals: tuple[signal.Signals, ...]) -> Iterator[None]:
    try:
        old = {each: signal.signal(each, handler) for each in signals}
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for each, before in old.items():  # None: not Python's own, as that of jax.distributed
            signal.signal(each, signal.SIG_DFL if before is None else before)
