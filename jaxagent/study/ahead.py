"""Programs compiled in the background, while others are compiled or run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any


class Ahead:
    """Calls that compile and run nothing, made one after another."""

    def __init__(self) -> None:
        self._thread: Executor | None = None
        self._calls: dict[str, Future[Any]] = {}

    def start(self, calls: Mapping[str, Callable[[], Any]]) -> None:
        """Begins to make these calls, in their order, in a thread."""
        self._thread = thread = ThreadPoolExecutor(1, "ahead")
        self._calls = {name: thread.submit(call) for name, call in calls.items()}

    def wait(self, name: str) -> None:
        """Returns once the call of this name, if there is one, is over; raises what it raised."""
        if name in self._calls:
            self._calls[name].result()

    def stop(self) -> None:
        """Begins no further call, and returns once the present one is over.

        A thread that still compiles when Python ends would abort the process.
        """
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
