"""Labels of phases: short, told apart, and breakable into lines."""

from __future__ import annotations

import itertools
import re

import pytest

from jaxagent.study.labels import LONGEST, breakable, lines_of, short_label
from jaxagent.study.page import document

SHIFT = (
    "textcraft/easy, textcraft/easy+renamed, textcraft/easy+swapped, textcraft/easy+call, "
    "textcraft/easy+renamed+call"
)
NAMES = [
    "base",
    "textcraft > babyai @ rehearsal=0.1",
    "mixture, !textcraft @ times=2",
    "textcraft/easy+renamed",
    "a/easy+call, a/easy, b/easy > a/easy @ kl=0.05",
    SHIFT,
    "a" * 300,
    "<b>&x</b>",
    "",
]


@pytest.mark.parametrize(
    ("phase", "label"),
    [
        (SHIFT, "textcraft/easy (plain, renamed, swapped, call, renamed+call)"),
        (
            "a/easy+call, a/easy, b/easy > a/easy @ k=1",
            "a/easy (call, plain), b/easy > a/easy @ k=1",
        ),
        *((name, name) for name in NAMES[:4]),
    ],
)
def test_every_task_is_said_once(phase: str, label: str) -> None:
    assert short_label(phase) == label


def test_labels_of_different_phases_differ() -> None:
    for first, second in itertools.combinations(NAMES, 2):
        assert short_label(first) != short_label(second)


@pytest.mark.parametrize("name", NAMES)
def test_labels_break_into_lines_and_lose_nothing(name: str) -> None:
    pieces = re.split(r"<wbr>| ", breakable(name))
    assert max(len(re.sub(r"&\w+;", "&", piece)) for piece in pieces) <= LONGEST + 1
    assert breakable(name).replace("<wbr>", "").count("<") == 0
    lines = lines_of(name, 20)
    assert max(map(len, lines)) <= 20
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")


def test_nothing_in_a_row_of_a_table_is_kept_on_one_line() -> None:
    style = document("", "", [])
    for rule in re.findall(r"([^{}]+)\{([^{}]*)\}", style):
        if "nowrap" in rule[1]:
            # Numbers and their intervals, and the two or three words of a verdict.
            assert rule[0].strip().endswith(("td b", "td small", ".verdict b")), rule
