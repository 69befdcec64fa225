"""Progress as plain lines: what a log keeps of a run that nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from jaxagent.study.escapes import visible

RARELY = 1.0
"""Seconds between two lines about steps that may each take no time."""


class LogLines:
    """One line on standard error for whatever is begun and done, with the time of day."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    def __enter__(self) -> LogLines:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def start(self, name: str, total: int, unit: str = "updates") -> Callable[[int, str], None]:
        """Begins a piece of work of `total` steps; the result takes steps done and a remark, and
        says them in a line: of updates each time, of anything else now and then."""
        began, at_first, said = time.monotonic(), None, 0.0

        def advance(done: int, remark: str) -> None:
            nonlocal began, at_first, said
            now = time.monotonic()
            if at_first is None:  # the first step, or what an earlier run had done, tells no rate
                at_first, began = done, now
            elif unit != "updates" and done < total and now - said < RARELY:
                return
            said = now
            left = time_left(done - at_first, total - done, now - began)
            parts = (f"{done:,}/{total:,} {unit} ({done / max(total, 1):.0%})", remark, left)
            self.note(f"{name}: {', '.join(part for part in parts if part)}")

        return advance

    @contextmanager
    def compiling(self, name: str) -> Iterator[None]:
        """Says what is being compiled, and how long it has taken."""
        began = time.monotonic()
        self.note(f"compiling {name} …")
        yield
        self.note(f"compiled {name} in {duration(time.monotonic() - began)}")

    def note(self, text: str) -> None:
        """Says one line."""
        if self._quiet:
            return
        with suppress(OSError, ValueError):  # the work goes on where nobody listens any more
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} {visible(text)}\n")  # at once: threads
            sys.stderr.flush()


def time_left(done: int, rest: int, seconds: float) -> str:
    """What is left of some work by its speed so far, e.g. `3 min left`; empty if that says nothing.

    Args:
        done: steps since the clock began.
        rest: steps to be done.
        seconds: on the clock.
    """
    if done < 1 or rest < 1:
        return ""
    return f"{duration(seconds / done * rest)} left"


def duration(seconds: float) -> str:
    """A time for people, in the largest unit of which it is at least two, else in seconds."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
