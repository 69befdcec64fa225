"""Labels of phases that are short enough for the rows of a table."""

from __future__ import annotations

import re
from html import escape
from textwrap import wrap

PLAIN = "plain"
"""What a task without modifiers is called beside its versions."""

LONGEST = 18
"""Letters in a row, without a place to break a line at."""


def short_label(phase: str) -> str:
    """Return the name of a phase with every task said once, and its versions after it in brackets.

    `a/easy, a/easy+call, b/easy > a/easy` becomes `a/easy (plain, call), b/easy > a/easy`. Labels
    of different phases differ, and a name that has nothing to shorten stays as it is.
    """
    return " > ".join(map(_stage, phase.split(" > ")))


def breakable(text: str) -> str:
    """Return HTML of a label whose lines may break after `/`, `:` and `=`, before `+`, and where
    more than `LONGEST` letters are in a row."""
    return "<wbr>".join(escape(piece) for piece in _pieces(text))


def lines_of(text: str, width: int) -> list[str]:
    """Return the lines of a label, each of at most `width` letters, broken at the same places."""
    lines = [""]
    for piece in re.split(r"(?<= )", text):
        for part in _pieces(piece) if len(piece) > width else [piece]:
            for bit in wrap(part, width, drop_whitespace=False) or [part]:
                if len((lines[-1] + bit).rstrip()) > width and lines[-1]:
                    lines.append("")
                lines[-1] += bit
    return [line.strip() for line in lines]


def _pieces(text: str) -> list[str]:
    found = re.split(r"(?<=[/:=])(?=[^ ])|(?<=[._])(?=[a-z])|(?=\+)", text)
    long = rf"(?<=\S{{{LONGEST}}})(?=\S)"
    return [part for piece in found for part in _chunks(piece, long)]


def _chunks(text: str, place: str) -> list[str]:
    """The text in parts, cut where so many letters are in a row."""
    parts = []
    while found := re.search(place, text):
        parts.append(text[: found.start()])
        text = text[found.start() :]
    return [*parts, text]


def _stage(stage: str) -> str:
    terms, at, options = stage.partition(" @ ")
    versions: dict[str, list[str]] = {}
    for term in terms.split(", "):
        task, _, version = term.partition("+")
        versions.setdefault(task, []).append(version or PLAIN)
    return ", ".join(_task(task, found) for task, found in versions.items()) + at + options


def _task(task: str, versions: list[str]) -> str:
    if versions == [PLAIN]:
        return task
    if len(versions) == 1:
        return f"{task}+{versions[0]}"
    return f"{task} ({', '.join(versions)})"
