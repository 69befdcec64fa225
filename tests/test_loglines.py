"""Progress without a terminal: plain lines, each at once."""

from __future__ import annotations

import io
import re
import sys

import pytest

from jaxagent.study import console, loglines
from jaxagent.study.console import Bars, console_progress
from jaxagent.study.loglines import LogLines, duration, time_left


@pytest.fixture
def clock(monkeypatch):
    """A clock that is put forward by hand."""
    now = [100.0]
    monkeypatch.setattr(loglines.time, "monotonic", lambda: now[0])
    return now


def lines(capsys) -> list[str]:
    """What was said, without the time of day."""
    said = capsys.readouterr().err.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in said)
    return [line[9:] for line in said]


def test_every_chunk_is_a_line_with_percent_rate_and_time_left(clock, capsys):
    advance = LogLines().start("base", 40)
    for done in (1, 2, 10, 40):
        clock[0] += 0.5
        advance(done, f"{done} turns/s")
    assert lines(capsys) == [
        "base: 1/40 updates (2%), 1 turns/s",
        "base: 2/40 updates (5%), 2 turns/s, 19 s left",
        "base: 10/40 updates (25%), 10 turns/s, 3 s left",
        "base: 40/40 updates (100%), 40 turns/s",
    ]


def test_what_an_earlier_run_had_done_tells_no_rate(clock, capsys):
    advance = LogLines().start("base", 100)
    advance(60, "")
    clock[0] += 10
    advance(70, "")
    assert lines(capsys)[-1] == "base: 70/100 updates (70%), 30 s left"


def test_batches_that_take_no_time_are_told_now_and_then(clock, capsys):
    advance = LogLines().start("evaluation", 100, "batches")
    for done in range(1, 101):
        clock[0] += 0.1
        advance(done, "maze/easy")
    said = lines(capsys)
    assert 10 <= len(said) <= 12 and said[-1] == "evaluation: 100/100 batches (100%), maze/easy"


def test_compiling_is_told_when_it_begins_and_when_it_ends(clock, capsys):
    log = LogLines()
    with log.compiling("base"):
        assert lines(capsys) == ["compiling base …"]
        clock[0] += 90
    assert lines(capsys) == ["compiled base in 90 s"]


def test_lines_hold_no_hidden_characters_and_the_first_process_alone_speaks(capsys):
    LogLines().note("a[/b]\x1b[31m\nc")
    assert lines(capsys) == ["a[/b]\\x1b[31m\\nc"]
    LogLines(quiet=True).note("nothing")
    assert not lines(capsys)


def test_the_work_goes_on_where_nobody_listens(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    LogLines().note("hello")


def test_bars_are_for_terminals(monkeypatch):
    assert isinstance(console_progress(), LogLines)
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: True, raising=False)
    assert isinstance(console_progress(), Bars)


def test_bars_show_what_is_compiled_as_it_is_named(monkeypatch):
    bars = Bars()
    with bars:
        with bars.compiling("a[/b]"):
            [task] = bars._progress.tasks
            assert task.description == "compiling a[/b]" and task.total is None
        assert not bars._progress.tasks
        bars.start("[red]x", 3)(1, "[/y]")
        bars.note("a[/b]")


@pytest.mark.parametrize(
    ("done", "rest", "seconds", "told"),
    [(0, 5, 1, ""), (5, 0, 1, ""), (1, 1, 30, "30 s left"), (1, 10, 60, "10 min left")],
)
def test_time_left(done, rest, seconds, told):
    assert time_left(done, rest, seconds) == told


def test_durations():
    told = ["0 s", "119 s", "2 min", "120 min", "2 h"]
    assert [duration(seconds) for seconds in (0.2, 119, 120, 7199, 7200)] == told
