"""Progress on the terminal: bars with counts, remarks and the time left, on standard error."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from jaxagent.study.processes import is_first


class ConsoleProgress:
    """Bars of all work so far. Use it in a `with` statement."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, quiet=not is_first())
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}"),
            console=self._console,
        )

    def __enter__(self) -> ConsoleProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._progress.live.is_started:
            self._progress.stop()

    def start(self, name: str, total: int) -> Callable[[int, str], None]:
        """Begins a bar of `total` steps; the result takes steps done and a remark."""
        self._progress.start()
        bar = self._progress.add_task(name, total=total, remark="compiling")

        def advance(done: int, remark: str) -> None:
            self._progress.update(bar, completed=done, remark=remark)

        return advance

    def note(self, text: str) -> None:
        """Says one line above the bars."""
        self._progress.console.print(text)
