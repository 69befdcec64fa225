"""Text of strangers: nothing hidden in the terminal, no formulas in tables, no LaTeX commands."""

from __future__ import annotations

import pytest

from jaxagent.study.escapes import csv_text, one_line, quoted, tex, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, größe, 字", "plain, größe, 字"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("a\x00b\rc\nd", "a\\x00b\\rc\\nd"),
        ("\u202eright", "\\u202eright"),
        ("\ud800", "\\ud800"),
        ("\u2028", "\\u2028"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_is_hidden_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown
    visible(text).encode("utf-8")


def test_line_feeds_may_stay() -> None:
    assert visible("a\n\x1bb", kept="\n") == "a\n\\x1bb"


def test_messages_are_one_line() -> None:
    assert one_line("no\n  such\n\nfile\x1b") == "no; such; file\\x1b"
    assert len(one_line("x" * 10**6)) < 2100


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-cmd|x", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert csv_text(text) == f"'{text}"


def test_other_cells_stay() -> None:
    for text in ("a=b-c", "-1", "+0.5", "-2.5e-05", ""):
        assert csv_text(text) == text


def test_latex_shows_what_was_written() -> None:
    assert tex("\\input{x}") == "\\textbackslash{}input\\{x\\}"
    assert tex("~^<&%$#_\x1b") == (
        "\\textasciitilde{}\\textasciicircum{}$<$\\&\\%\\$\\#\\_\\textbackslash{}x1b"
    )


def test_values_in_messages_are_short() -> None:
    deep: list = []
    for _ in range(10**5):
        deep = [deep]
    assert quoted(deep) == "a list"
    assert quoted(10**5000) == "a int"
    assert len(quoted("x" * 1000)) == 80
