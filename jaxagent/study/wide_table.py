"""A table for the terminal that is as wide as the terminal at most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from jaxagent.study.escapes import visible
from jaxagent.study.grid import NOTHING, bounds, number
from jaxagent.study.labels import lines_of
from jaxagent.study.statistics import Estimate

HEAD = 16
"""Letters in a line of a heading at most; longer headings take several lines."""

_FRAME = 3
"""Letters that a column takes beside its content."""


@dataclass(frozen=True)
class WideTable:
    """A table in blocks of as many columns as fit, each with the labels of the rows.

    Attributes:
        corner: heading of the labels.
        columns: headings of the others.
        rows: label, and a cell per column; after the first line of a cell comes small print.
    """

    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield the blocks, of the width that rich has for them."""
        labels = [visible(label) for label in (self.corner, *(label for label, _ in self.rows))]
        cells = [[visible(cell, "\n") for cell in line] for _, line in self.rows]
        first = min(max(map(len, labels)), max(options.max_width // 3, 8))
        shown = [lines_of(label, first) for label in labels]
        for block in self._blocks(cells, options.max_width - first - _FRAME - 1):
            table = Table(show_edge=True)
            table.add_column("\n".join(shown[0]), no_wrap=True)
            for column in block:
                table.add_column(Text("\n".join(self._head(column))), justify="right")
            for label, line in zip(shown[1:], cells, strict=True):
                table.add_row(Text("\n".join(label)), *(_cell(line[i]) for i in block))
            yield table

    def _head(self, column: int) -> list[str]:
        return lines_of(visible(self.columns[column]), HEAD)

    def _blocks(self, cells: Sequence[Sequence[str]], room: int) -> Iterator[list[int]]:
        """Columns that are side by side, at least one."""
        block: list[int] = []
        left = room
        for column in range(len(self.columns)):
            texts = [*self._head(column), *(t for line in cells for t in line[column].split("\n"))]
            width = max(map(len, texts)) + _FRAME
            if block and width > left:
                yield block
                block, left = [], room
            block.append(column)
            left -= width
        yield block


def estimate_cell(estimate: Estimate, *, rate: bool = True, sign: bool = False) -> str:
    """Return a number with its interval below it, as a cell."""
    if not estimate.measured:
        return NOTHING
    value = number(estimate.value, rate=rate, sign=sign)
    return f"{value}\n{bounds(estimate, rate=rate, sign=sign)}".strip()


def _cell(text: str) -> Text:
    value, newline, small = text.partition("\n")
    return Text.assemble(value, newline, (small, "dim"))
