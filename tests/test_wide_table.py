"""Everything that commands print as a table fits a terminal of 80 columns, whole."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console
from test_report import sample

from jaxagent.rl.failures import MODES
from jaxagent.study import benchmark, comparison, difference, listing, terminal
from jaxagent.study.grid import Column, Grid
from jaxagent.study.measurement import Measurement
from jaxagent.study.part import parts_of
from jaxagent.study.scorecard import scorecard
from jaxagent.study.statistics import OVER_SEEDS, Estimate
from jaxagent.study.timing import Result
from jaxagent.study.wide_table import WideTable

TASKS = [
    "textcraft/easy",
    "babyai/medium+prose+list:every_turn",
    "babyai_original/PutNextS7N4Carrying+renamed+call",
    "searchqa/hard+unseen+errors:silent+asides:2",
    "wordle/easy",
]
METRICS = ["success", "return", "turns", "tokens", "invalid", *(f"failure:{m}" for m in MODES)]


def printed(what: object, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    return console.file.getvalue()


def measured() -> list[Measurement]:
    return [
        Measurement(task, metric, 0.123 + i / 10, 0.1, 0.234 + i / 10, 512)
        for i, task in enumerate(TASKS)
        for metric in METRICS
    ]


def compared() -> list[comparison.Row]:
    rng = np.random.default_rng(0)
    return [
        comparison.Row(name, task, seed, "success", float(rng.random()), 64, "cpu")
        for name in ("reinforce++-baseline", "ppo")
        for task in TASKS
        for seed in range(3)
    ]


def wide_grid() -> Grid:
    found = Estimate(-0.123, -0.234, 0.345, OVER_SEEDS, 3)
    names = ("task", "train.learning_rate", "success", "second - first", "diverged")
    columns = tuple(Column(name, sign=True) for name in names)
    return Grid("x", "phase", columns, (("a > b", (TASKS[2], "0.0001", found, found, "0")),))


def benches() -> list[Result]:
    return [Result("environment", TASKS[2], 4096, 1.2e6, "turns/s", 1.6e5, 7.5, "cpu x2")]


TABLES = {
    "evaluate": scorecard(measured(), every=True),
    "compare": comparison.show(compared()),
    "study": terminal.terminal_table(parts_of(sample(), {})),
    "difference": difference.show(wide_grid()),
    "bench": benchmark.as_table(benches()),
}


@pytest.mark.parametrize("width", [80, 60, 120])
@pytest.mark.parametrize("name", TABLES)
def test_tables_fit_the_terminal_and_are_whole(name: str, width: int) -> None:
    text = printed(TABLES[name], width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_environments_fit_the_terminal_and_are_whole() -> None:
    console = Console(file=io.StringIO(), width=80)
    listing.show(console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    for environment in listing.as_json()["environments"]:
        assert all(level["task"] in text for level in environment["levels"])


def test_an_evaluation_has_metrics_as_rows_and_failures_on_request() -> None:
    found = measured()
    short, every = printed(scorecard(found)), printed(scorecard(found, every=True))
    labels = [line.split("│")[1].strip() for line in short.splitlines() if line.startswith("│")]
    once = list(dict.fromkeys(label for label in labels if label))
    assert once == ["success, %", "return", "turns", "tokens", "invalid, %", "episodes"]
    assert "--all" in short and "--all" not in every
    assert all(mode.replace("_", " ") + ", %" in every for mode in MODES)
    assert "12.3" in short and "10.0–23.4" in short


def test_no_number_is_lost_between_blocks() -> None:
    columns = [f"column {i}" for i in range(23)]
    rows = [(f"row {j}", [f"{100 * j + i}" for i in range(23)]) for j in range(3)]
    text = printed(WideTable("corner", columns, rows))
    found = re.findall(r"\b\d{1,3}\b", re.sub(r"(row|column) \d+", "", text))
    assert sorted(map(int, found)) == sorted(100 * j + i for j in range(3) for i in range(23))


def test_names_are_no_markup() -> None:
    text = printed(WideTable("[b]", ["[red]x"], [("a[/b]\x1b[31m", ["[i]"])]))
    assert "a[/b]" in text and "[red]x" in text and "\x1b" not in text
