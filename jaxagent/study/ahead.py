"""Programs compiled in the background, while others are compiled or run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any


class Ahead:
    """Calls that are made for what compiling them leaves behind, one after another."""

    def __init__(self) -> None:
        self._calls: dict[str, Future[None]] = {}

    def start(self, calls: Mapping[str, Callable[[], Any]]) -> None:
        """Begins to make these calls, in their order, in a thread that does not outlive others."""
        self._calls = {name: Future() for name in calls}
        Thread(target=self._make, args=(dict(calls),), daemon=True).start()

    def wait(self, name: str) -> None:
        """Returns once the call of this name, if there is one, is over; raises what it raised."""
        if name in self._calls:
            self._calls[name].result()

    def _make(self, calls: Mapping[str, Callable[[], Any]]) -> None:
        for name, call in calls.items():
            try:
                call()
            except BaseException as error:  # it is raised where the program is needed
                self._calls[name].set_exception(error)
            else:
                self._calls[name].set_result(None)
