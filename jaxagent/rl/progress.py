"""A bar that shows how far a training is, in terminals and notebooks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rich.console import Console
from rich.errors import LiveError
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Tell = Callable[[int, str], None]
"""Takes the steps done, and a remark."""


@contextmanager
def progress_bar(title: str, total: int, shown: bool = True) -> Iterator[Tell]:
    """Show a bar of `total` steps on standard error while the `with` block runs.

    Where nobody looks, in a file or a pipe, nothing is written.

    Args:
        title: what is going on.
        total: steps.
        shown: whether to show anything at all.

    Yields:
        A function that takes the steps done and a remark.
    """
    console = Console(stderr=True)
    if not shown or not (console.is_terminal or console.is_jupyter):
        yield _say_nothing
    elif console.is_jupyter and not find_spec("ipywidgets"):
        yield _line(title, total)  # what rich draws its bars with is not there
        print(file=sys.stderr)
    else:
        with _bar(console, title, total) as tell:
            yield tell


def make_bars(console: Console) -> Progress:
    """Return bars with counts, the time taken and left, and each task's field `remark`."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}", markup=False),
        console=console,
    )


@contextmanager
def _bar(console: Console, title: str, total: int) -> Iterator[Tell]:
    bars = make_bars(console)
    bar = bars.add_task(title, total=total, remark="compiling")

    def tell(done: int, remark: str) -> None:
        bars.update(bar, completed=done, remark=remark)

    try:
        bars.start()
    except LiveError:  # the caller shows a bar of its own
        yield _say_nothing
        return
    try:
        yield tell
    finally:
        bars.stop()


def _line(title: str, total: int) -> Tell:
    def tell(done: int, remark: str) -> None:
        print(f"\r{title} {done}/{total} {remark}", end="", file=sys.stderr, flush=True)

    tell(0, "compiling")
    return tell


def _say_nothing(done: int, remark: str) -> None:
    del done, remark
