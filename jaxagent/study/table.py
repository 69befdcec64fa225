"""The tidy table of a study: one row is one number, measured once. Everything a report shows comes
from here."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from jaxagent.study.escapes import quoted
from jaxagent.study.files import read_text, write_text
from jaxagent.study.names import check_label, check_text


@dataclass(frozen=True)
class Row:
    """One measurement.

    `phase` is `base` or the labels of the training stages so far, which `stage` counts, and
    `trained` the tasks of each of them; `variant` is the version of the study, if it has several.
    `split` is `train` (learning curves), or the task's: `seen` (held-out instances
    with the content of training) or `unseen` (held-out content). `metric`
    is `success`, `pass@4`, `return`, `turns`, `tokens`, `invalid`, `entropy`, `kl`, ... `low` and
    `high` bound the 95 % interval over the `episodes` that `value` averages (NaN, in the file an
    empty cell, where there is none); `turns` is the training turns of this phase so far.
    """

    study: str
    variant: str
    phase: str
    trained: str
    seed: int
    stage: int
    task: str
    environment: str
    difficulty: str
    split: str
    lexicon: str
    interface: str
    metric: str
    value: float
    episodes: int
    low: float
    high: float
    turns: int

    @property
    def is_held_out(self) -> bool:
        """Whether it was measured on instances that training never met."""
        return self.split != "train"


HEADER: tuple[str, ...] = tuple(field.name for field in fields(Row))


def _number(value: Any) -> float:
    """A number; NaN for what stands for it: null in JSON, an empty cell in CSV."""
    return math.nan if value is None or value == "" else float(value)


def _whole(value: Any) -> int:
    """A whole number that arrays hold."""
    number = int(value)
    if not -(2**53) < number < 2**53:
        raise ValueError("too large")
    return number


_CONVERT = {"str": str, "int": _whole, "float": _number}
_KINDS = {str: "str", _whole: "int", _number: "float"}

T = TypeVar("T")


def read(path: Path | str) -> list[Row]:
    """Every row of the table at `path`, which may be a stranger's: see `read_rows`.

    Raises ValueError, too, for a name that hides something, or that no file can be called by.
    """
    rows = read_rows(path, Row)
    for number, row in enumerate(rows, start=2):
        try:
            _check_names(row)
        except ValueError as error:
            raise ValueError(f"{path} line {number}: {error}") from None
    return rows


def read_rows(path: Path | str, kind: type[T]) -> list[T]:
    """Every row of a table of dataclasses at `path`, in file order.

    Raises FileNotFoundError naming the path, or ValueError naming the line that is not a row.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no table of results at {path}")
    lines = csv.reader(io.StringIO(read_text(path), newline=""))
    try:
        _check_header(path, next(lines, []), _header(kind))
        parse = partial(_parse, kind, path)
        return [parse(number, cells) for number, cells in enumerate(lines, start=2) if cells]
    except csv.Error as error:
        raise ValueError(f"{path} line {lines.line_num}: {error}") from None


def write(path: Path | str, rows: Iterable[Row]) -> None:
    """Replaces the table at `path` by these rows, all or nothing."""
    write_rows(path, rows, Row)


def write_rows(path: Path | str, rows: Iterable[T], kind: type[T]) -> None:
    """Replaces the table of dataclasses at `path` by these rows, all or nothing."""
    write_text(path, ",".join(_header(kind)) + "\n" + _text(rows, kind))


def append(path: Path | str, rows: Iterable[Row]) -> None:
    """Adds rows to the table at `path`, all or nothing, creating it if needed. One writer at a
    time.

    Raises ValueError if the file that is there has another header.
    """
    path = Path(path)
    if not path.exists():
        return write(path, rows)
    present = read_text(path)
    _check_header(path, next(csv.reader(io.StringIO(present)), []), HEADER)
    if not present.endswith("\n"):
        present += "\n"
    write_text(path, present + _text(rows, Row))


def _header(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _types(kind: type) -> tuple[type, ...]:
    return tuple(_CONVERT[str(field.type)] for field in fields(kind))


def _check_header(path: Path, header: Sequence[str], expected: Sequence[str]) -> None:
    if tuple(header) != tuple(expected):
        raise ValueError(
            f"header of {path}: got {quoted(','.join(header))}, expected {','.join(expected)!r}"
        )


def _check_names(row: Row) -> None:
    """Variants and metrics name files; of all other texts every character is to be seen."""
    for name in ("variant", "metric"):
        if getattr(row, name):
            check_label(name, getattr(row, name))
    for field in fields(Row):
        if field.type == "str":
            check_text(field.name, getattr(row, field.name))


def _parse(kind: type[T], path: Path, number: int, cells: Sequence[str]) -> T:
    header = _header(kind)
    if len(cells) != len(header):
        raise ValueError(f"{path} line {number}: got {len(cells)} cells, expected {len(header)}")
    values = []
    for name, convert, cell in zip(header, _types(kind), cells, strict=True):
        try:
            values.append(convert(cell))
        except ValueError:
            expected = _KINDS[convert]
            raise ValueError(
                f"{path} line {number}: {name}: got {quoted(cell)}, expected {expected}"
            ) from None
    return kind(*values)


def _text(rows: Iterable[Any], kind: type) -> str:
    # Converting by column lets numpy and jax scalars in; csv writes floats so that they read back.
    text = io.StringIO()
    types = _types(kind)
    lines = (
        [_shown(convert(value)) for convert, value in zip(types, astuple(row), strict=True)]
        for row in rows
    )
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _shown(value: Any) -> Any:
    """The value, or nothing where it is not a number."""
    return "" if isinstance(value, float) and math.isnan(value) else value
