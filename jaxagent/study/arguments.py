"""Command lines: dataclasses filled in by tyro, and one line about what is wrong."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import tyro

from jaxagent.study.escapes import is_visible, one_line, quoted
from jaxagent.study.names import LONGEST
from jaxagent.study.stop import Stopped, raising
from jaxagent.study.watchdog import STOPPED, UNWINDING, abandon, patient

USAGE_ERROR, DISK_ERROR = 2, 74
"""Exit codes: wrong arguments or input; and the disk is full or gone."""


def fail(code: int, message: str) -> NoReturn:
    """Leaves with one line on standard error."""
    print(f"jaxagent: {one_line(message)}", file=sys.stderr)
    raise SystemExit(code)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Leaves with `STOPPED` where the work inside was asked to stop."""
    try:
        with raising(), patient(UNWINDING, goes_on=True):
            yield
    except Stopped as stop:
        abandon()
        fail(STOPPED, f"{stop}; the same command goes on from there")


def check_arguments(arguments: Sequence[str]) -> None:
    """Raises `ValueError` for an argument that nothing can be called or be."""
    for each in arguments:
        if not is_visible(each):
            raise ValueError(f"argument {quoted(each)}: expected no hidden characters")
        if len(each) > LONGEST:
            raise ValueError(f"argument {quoted(each)}: expected up to {LONGEST:,} characters")


def parse(kind: type[Any], command: str, arguments: list[str], default: Any = tyro.MISSING) -> Any:
    """An instance of `kind` as the arguments say; `default` has the values that they leave out.

    Raises:
        ValueError: in one line, what is wrong with the arguments.
        SystemExit: help was asked for, and printed.
    """
    output, errors = io.StringIO(), io.StringIO()
    given = {} if default is tyro.MISSING else {"default": default}
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            prog = f"jaxagent {command}"
            return tyro.cli(kind, args=arguments, prog=prog, description=kind.__doc__, **given)
    except SystemExit as stop:
        if stop.code != 0:
            raise ValueError(_one_line(errors.getvalue())) from None
        print(output.getvalue(), end="")
        raise


def names_and_options(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The names that arguments begin with, and the options behind them."""
    count = next((i for i, each in enumerate(arguments) if each.startswith("-")), len(arguments))
    return arguments[:count], arguments[count:]


def _one_line(text: str) -> str:
    """A boxed message of several lines as one line."""
    text = re.sub(r"-{5,}|[─│╭╮╰╯]", " ", text)
    parts = [" ".join(line.split()) for line in text.splitlines()]
    return "; ".join(dict.fromkeys(part for part in parts if part))
