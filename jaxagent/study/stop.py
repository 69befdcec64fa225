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

from jaxagent.study.watchdog import SIGNALS, TRAINING, UNWINDING, patient

AGAIN = 0.1
"""Seconds behind which a signal comes again whose exception was swallowed."""


class Stopped(BaseException):
    """The run was asked to stop; what it had done is saved, and the same command goes on.

    No `Exception`: JAX goes on where reading its compilation cache raises one, and a checkpoint
    whose reading raises one is taken for broken.

    Attributes:
        number: of the signal.
    """

    def __init__(self, message: str, number: int = signal.SIGTERM):
        super().__init__(message)
        self.number = number


@contextmanager
def collecting() -> Iterator[list[int]]:
    """Collects signals in a list instead of dying of them, where that is possible."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)

    with _handled(note), patient(TRAINING):
        yield received


@contextmanager
def raising() -> Iterator[None]:
    """Raises `Stopped` once where a signal comes, in work that saves itself by parts.

    Further signals are the watchdog's: raised here, they would break off what the first one has
    begun to undo. Python swallows what is raised in callbacks of its collector and in `__del__`:
    then the signal comes again, if the work goes on until then.
    """
    last = signal.SIGTERM
    raised = False
    timers: list[threading.Timer] = []

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last, raised
        del frame
        if raised:
            return
        last, raised = signal.Signals(number), True
        raise Stopped(f"stopped by signal {number}", number)

    def swallowed(what: Any) -> None:
        nonlocal raised
        if not issubclass(what.exc_type, Stopped):
            before(what)
            return
        raised = False
        again = threading.Timer(AGAIN, os.kill, (os.getpid(), last))
        again.daemon = True
        again.start()
        timers.append(again)

    before, sys.unraisablehook = sys.unraisablehook, swallowed
    try:
        with _handled(stop), patient(UNWINDING):
            yield
    finally:
        if sys.unraisablehook is swallowed:  # nobody has put another before it
            sys.unraisablehook = before
        for timer in timers:  # the work is over: the signal would meet another's handler
            timer.cancel()


@contextmanager
def _handled(handler: Any) -> Iterator[None]:
    """Has `handler` take the signals, where that is possible."""
    try:
        old = {each: signal.signal(each, handler) for each in SIGNALS}
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for each, before in old.items():  # None: not Python's own, as that of jax.distributed
            signal.signal(each, signal.SIG_DFL if before is None else before)
