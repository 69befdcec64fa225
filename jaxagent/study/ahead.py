"""Programs compiled in the background, while others are compiled or run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from jaxagent.study.watchdog import abandon

Call = Callable[[], Any]


class Ahead:
    """Calls that compile and run nothing, made one after another."""

    def __init__(self) -> None:
        self._thread: Executor | None = None
        self._own: dict[str, Call] = {}
        self._calls: dict[str, Future[Any]] = {}

    def start(
        self, calls: Mapping[str, Call], own: Mapping[str, Call] = MappingProxyType({})
    ) -> None:
        """Begins to make calls in a thread.

        Args:
            calls: which, by name, in their order.
            own: others, each of which is made by whoever waits for it.
        """
        self._thread = thread = ThreadPoolExecutor(1, "ahead")
        self._own = dict(own)
        self._calls = {name: thread.submit(call) for name, call in calls.items()}

    def wait(self, name: str) -> None:
        """Returns once the call of this name, if there is one, is over; raises what it raised."""
        if name in self._own:
            self._own.pop(name)()
        elif name in self._calls:
            self._calls[name].result()

    def stop(self, wait: bool = True) -> None:
        """Begins no further call.

        Args:
            wait: whether to return once the present call is over. A thread that still compiles when
                Python ends would abort the process: without waiting the shell's command ends
                without Python's own end.
        """
        if self._thread is not None:
            self._thread.shutdown(wait=wait, cancel_futures=True)
            if not wait:
                abandon()
