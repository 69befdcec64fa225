"""Progress on standard error: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from jaxagent.rl.progress import make_bars
from jaxagent.study.escapes import visible
from jaxagent.study.loglines import LogLines
from jaxagent.study.processes import is_first


def console_progress() -> Bars | LogLines:
    """Progress for people who watch a terminal, or for a log. Use it in a `with` statement."""
    return Bars() if sys.stderr.isatty() else LogLines(quiet=not is_first())


class Bars:
    """Bars of all work so far, with counts, remarks and the time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, quiet=not is_first())
        self._progress = make_bars(self._console)

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._progress.live.is_started:
            self._progress.stop()

    def start(self, name: str, total: int, unit: str = "updates") -> Callable[[int, str], None]:
        """Begins a bar of `total` steps; the result takes steps done and a remark."""
        del unit
        self._progress.start()
        bar = self._progress.add_task(visible(name), total=total, remark="")

        def advance(done: int, remark: str) -> None:
            self._progress.update(bar, completed=done, remark=visible(remark))

        return advance

    @contextmanager
    def compiling(self, name: str) -> Iterator[None]:
        """Shows what is being compiled, and for how long, until the block ends."""
        self._progress.start()
        bar = self._progress.add_task(f"compiling {visible(name)}", total=None, remark="")
        try:
            yield
        finally:
            self._progress.remove_task(bar)

    def note(self, text: str) -> None:
        """Says one line above the bars."""
        self._progress.console.print(escape(visible(text)))
