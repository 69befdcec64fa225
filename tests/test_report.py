"""The report on a synthetic study: complete, degraded in every way, and safe to open."""

from __future__ import annotations

import io
import itertools
import json
import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from jaxagent.study import report, table
from jaxagent.study.part import parts_of
from jaxagent.study.stage import trained_tasks
from jaxagent.study.statistics import wilson
from jaxagent.study.terminal import terminal_table

TASKS = ("easy", "easy+renamed", "easy+call", "hard")
EPISODES = 400
TRAINED = {
    "base": "",
    "textcraft": "textcraft/easy",
    "babyai": "babyai/easy",
    "mixture": "textcraft/easy, babyai/easy",
    "textcraft > babyai": "textcraft/easy > babyai/easy",
    "babyai > textcraft": "babyai/easy > textcraft/easy",
}
LEARNED = {"easy": 0.45, "easy+renamed": 0.2, "easy+call": 0.12, "hard": 0.25}


def row(**changes: object) -> table.Row:
    """A row with every field filled in; `changes` replaces some."""
    fields = {
        "study": "transfer",
        "variant": "",
        "phase": "base",
        "trained": "",
        "seed": 0,
        "stage": 0,
        "task": "textcraft/easy",
        "environment": "textcraft",
        "difficulty": "easy",
        "split": "seen",
        "lexicon": "identity",
        "interface": "terse",
        "metric": "success",
        "value": 0.3,
        "episodes": EPISODES,
        "low": 0.26,
        "high": 0.34,
        "turns": 0,
    }
    return table.Row(**{**fields, **changes})


def phases() -> dict[str, tuple[str, ...]]:
    """Phase names and the environments they trained on."""
    return {
        "base": (),
        "textcraft": ("textcraft",),
        "babyai": ("babyai",),
        "mixture": ("textcraft", "babyai"),
        "textcraft > babyai": ("textcraft", "babyai"),
        "babyai > textcraft": ("babyai", "textcraft"),
    }


def sample(seeds: int = 3) -> list[table.Row]:
    """A whole study with every kind of row."""
    generator = np.random.default_rng(0)
    rows = []
    for seed in range(seeds):
        for phase, trained in phases().items():
            stage = len(trained_tasks(TRAINED[phase]))
            for environment in ("textcraft", "babyai"):
                rows += evaluation(generator, seed, phase, trained, stage, environment)
            if trained:
                rows += learning(seed, phase, trained[-1], stage, generator)
    return rows


def evaluation(generator, seed, phase, trained, stage, environment) -> list[table.Row]:
    """Final rows of one phase on the four tasks of one environment."""
    rows = []
    for task in TASKS:
        rate = 0.3 + (LEARNED[task] if environment in trained else -0.06 * bool(trained))
        rate -= 0.05 * (len(trained) == 2 and trained[0] == environment)
        count = int(generator.binomial(EPISODES, np.clip(rate + generator.normal(0, 0.02), 0, 1)))
        low, high = wilson(count, EPISODES)
        shift = task.partition("+")[2]
        shared = {
            "phase": phase,
            "trained": TRAINED[phase],
            "seed": seed,
            "stage": stage,
            "task": f"{environment}/{task}",
            "environment": environment,
            "difficulty": task.partition("+")[0],
            "lexicon": "renamed" if shift == "renamed" else "identity",
            "interface": "call" if shift == "call" else "terse",
            "turns": 200_000 * stage,
        }
        rows.append(row(**shared, value=count / EPISODES, low=low, high=high))
        turns = 14 - 8 * rate
        rows.append(row(**shared, metric="turns", value=turns, low=turns - 0.4, high=turns + 0.4))
        rows.append(row(**shared, metric="invalid", value=0.2 - rate / 5, low=0.01, high=0.2))
        rows.append(row(**shared, metric="pass@4", value=min(1.0, rate + 0.15), low=rate, high=1.0))
    return rows


def learning(seed, phase, environment, stage, generator) -> list[table.Row]:
    """Learning-curve rows of one phase."""
    rows = []
    for turns in range(0, 200_001, 10_000):
        rate = 0.3 + 0.45 * (1 - np.exp(-turns / 60_000)) + generator.normal(0, 0.02)
        values = {
            "success": rate,
            "return": rate,
            "entropy": 1.2 - rate,
            "kl": 0.4 * turns / 200_000,
        }
        for metric, value in values.items():
            rows.append(
                row(
                    phase=phase,
                    trained=TRAINED[phase],
                    seed=seed,
                    stage=stage,
                    task=f"{environment}/easy",
                    split="train",
                    value=value,
                    environment=environment,
                    metric=metric,
                    low=value - 0.04,
                    high=value + 0.04,
                    turns=turns,
                )
            )
    return rows


TRANSCRIPTS = {
    "base": {"textcraft/easy": "> get <b>1 oak log</b>\nGot & kept\n<script>alert(1)</script>"},
    "textcraft": {"textcraft/easy": "> craft 4 oak planks"},
}
HEADINGS = (
    "Which findings hold here?",
    "Transfer",
    "Held-in and held-out",
    "Difficulty",
    "Forgetting",
    "Shift of words and interface",
    "Learning curves",
    "Other measures",
    "Episodes before and after",
    "How the intervals were computed",
    "Configuration",
)


class Reader(HTMLParser):
    """Collects headings and addresses, and fails on tags that do not nest."""

    void = {"meta", "wbr", "line", "circle", "polyline", "polygon"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.headings, self.addresses = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["h2"]:
            self.headings.append(data)


def built(
    folder: Path, rows: list[table.Row], transcripts: object = None, plan: object = None
) -> str:
    """Writes what is given into the folder, builds the report and returns its text."""
    table.write(folder / "results.csv", rows)
    for name, content in (("transcripts.json", transcripts), ("plan.json", plan)):
        if content is not None:
            (folder / name).write_text(json.dumps(content))
    path = report.build(folder)
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


def test_a_complete_study_has_every_section(tmp_path: Path) -> None:
    text = built(tmp_path, sample(), TRANSCRIPTS, {"seeds": [0, 1, 2]})
    assert tuple(Reader(text).headings) == HEADINGS
    assert "median over seeds, Student&#x27;s" in text or "median over seeds, Student's" in text
    assert "nan" not in re.sub(r"<pre>.*?</pre>", "", text, flags=re.S).lower()


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    text = built(tmp_path, sample(1), TRANSCRIPTS, {})
    assert Reader(text).addresses == []
    assert "http" not in text and "url(" not in text and "@import" not in text


def test_transcripts_and_names_are_escaped(tmp_path: Path) -> None:
    rows = [row(study="<i>study</i>", phase="<u>p</u>", task="<s>t</s>", environment="<em>")]
    text = built(
        tmp_path,
        rows,
        {"<u>p</u>": {"<s>t</s>": "<script>"}, **TRANSCRIPTS},
        {"x": "</pre><script>"},
    )
    for raw in ("<script", "<i>study", "<u>", "<s>", "<em>", "<b>1 oak"):
        assert raw not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    Reader(text)


def test_sections_without_data_are_left_out(tmp_path: Path) -> None:
    rows = [r for r in sample() if r.is_held_out and r.metric == "success" and "+" not in r.task]
    rows = [r for r in rows if r.stage < 2]
    found = Reader(built(tmp_path, rows)).headings
    told = ["Which findings hold here?", "Transfer", "Held-in and held-out", "Difficulty"]
    assert found == [*told, "How the intervals were computed"]


@pytest.mark.parametrize(
    "rows",
    [
        [row()],
        [row(phase="distilled")],
        [row(phase="webshop > textcraft", stage=2), row()],
        [row(low=float("nan"), high=float("nan"))],
        [row(value=float("nan"))],
        [row(metric="return", value=1234.5)],
        [row(split="train", metric="kl", task="", environment="")],
        [row(phase="textcraft", split="train", turns=turns) for turns in (0, 10)],
        [
            row(value=0.0, low=0.0, high=0.0),
            row(phase="textcraft", trained="textcraft/easy", stage=1, value=0.0, low=0.0, high=0.0),
        ],
    ],
)
def test_fragments_of_a_study_still_make_a_page(tmp_path: Path, rows: list[table.Row]) -> None:
    text = built(tmp_path, rows)
    Reader(text)
    assert escape(rows[0].phase) in text or rows[0].split == "train"
    Console(file=io.StringIO()).print(terminal_table(parts_of(rows, {})))


def test_the_numbers_are_those_of_the_table(tmp_path: Path) -> None:
    trained = row(
        phase="textcraft", trained="textcraft/easy", stage=1, value=0.72, low=0.70, high=0.74
    )
    text = built(tmp_path, [row(), trained])
    for shown in ("72.0", "+42.0", "30.0", "no interval with fewer than 3 seeds"):
        assert shown in text
    assert "70.0–74.0" not in text


def test_three_seeds_have_intervals(tmp_path: Path) -> None:
    rows = [row(seed=seed, value=0.3 + seed / 100) for seed in range(3)]
    text = built(tmp_path, rows)
    assert "31.0" in text and "28.5–33.5" in text and "No intervals" not in text
    assert (tmp_path / "tables" / "success.csv").read_text().count(",") > 3


def test_unknown_ends_are_empty_cells(tmp_path: Path) -> None:
    built(tmp_path, [row()])
    for path in (tmp_path / "tables").rglob("*.csv"):
        assert "nan" not in path.read_text()
    assert "base,0.3,," in (tmp_path / "tables" / "success.csv").read_text()


def test_losses_and_gains_are_told_apart(tmp_path: Path) -> None:
    worse = row(
        phase="textcraft", trained="textcraft/easy", stage=1, value=0.1, low=0.08, high=0.12
    )
    assert "rgba(214,106,38" in built(tmp_path, [row(), worse])
    better = row(
        phase="textcraft", trained="textcraft/easy", stage=1, value=0.9, low=0.88, high=0.92
    )
    assert "rgba(46,122,190" in built(tmp_path, [row(), better])


def test_the_summary_names_the_key_numbers(tmp_path: Path) -> None:
    lead = re.search(r'<p class="lead">(.*?)</p>', built(tmp_path, sample()), re.S)
    assert lead is not None
    for words in ("Training on one environment", "elsewhere", "mixture", "afterwards cost"):
        assert words in lead[1]
    one = re.search(r'<p class="lead">(.*?)</p>', built(tmp_path / "one", sample(1)), re.S)
    assert one is not None and " to " not in one[1]
    assert one[1].endswith("No intervals: fewer than 3 seeds.") and "No intervals" not in lead[1]


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "results.csv"))):
        report.build(tmp_path)


def test_broken_neighbours_are_named(tmp_path: Path) -> None:
    table.write(tmp_path / "results.csv", [])
    with pytest.raises(ValueError, match="at least one row"):
        report.build(tmp_path)
    table.write(tmp_path / "results.csv", [row()])
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ValueError, match="plan.json: expected JSON"):
        report.build(tmp_path)


def test_the_terminal_table_holds_every_phase_and_task() -> None:
    shown = terminal_table(parts_of(sample(), {}))
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(shown)
    text = console.export_text()
    assert all(phase in text for phase in phases())
    assert text.count("renamed") == 2


def test_the_terminal_table_shows_percent_and_interval() -> None:
    for seeds in (1, 3):
        console = Console(width=100, record=True, file=io.StringIO())
        rows = [row(value=0.305 + seed / 100, seed=seed) for seed in range(seeds)]
        console.print(terminal_table(parts_of(rows, {})))
        text = console.export_text()
        assert ("31.5" in text and "29.0–34.0" in text) == (seeds == 3)
        assert ("no interval with fewer than 3 seeds" in text) == (seeds == 1)


def test_the_transfer_matrix_can_be_drawn_alone(tmp_path: Path) -> None:
    table.write(tmp_path / "results.csv", sample())
    report.draw(tmp_path, tmp_path / "matrix.svg")
    picture = ElementTree.parse(tmp_path / "matrix.svg").getroot()
    texts = [each.text for each in picture.iter() if each.tag.endswith("text")]
    assert all(phase in texts for phase in phases())
    widths = [len(text) * 6 for text in texts if text]
    assert max(widths) < int(picture.get("width", 0))
    assert "rgb(46,122,190)" in (tmp_path / "matrix.svg").read_text()


def test_the_summary_is_told_in_the_terminal_too(tmp_path: Path) -> None:
    said = report.plain_summary(parts_of(sample(), {})[0].final)
    assert said.startswith("Training on one environment changed success there by +")
    assert "<" not in said


def test_a_picture_leaves_out_what_nobody_can_do_and_says_so(tmp_path: Path) -> None:
    rows = [
        row(phase=phase, trained=TRAINED[phase], stage=i, task=f"textcraft/{task}", value=value)
        for i, phase in enumerate(("base", "textcraft"))
        for task, value in (("easy", 0.4 + i / 10), ("easy+tags", 0.0), ("easy+renamed+call", 0.2))
    ]
    table.write(tmp_path / "results.csv", rows)
    report.draw(tmp_path, tmp_path / "matrix.svg")
    picture = ElementTree.parse(tmp_path / "matrix.svg").getroot()
    texts = [each.text or "" for each in picture.iter() if each.tag.endswith("text")]
    assert "under 1 % in every row: textcraft/easy+tags" in texts and "easy+tags" not in texts
    assert "easy+renamed" in texts and "+call" in texts


@pytest.mark.parametrize("seeds", [1, 3])
def test_headings_of_a_picture_do_not_overlap(tmp_path: Path, seeds: int) -> None:
    table.write(tmp_path / "results.csv", sample(seeds))
    report.draw(tmp_path, tmp_path / "matrix.svg")
    picture = ElementTree.parse(tmp_path / "matrix.svg").getroot()
    spans: dict[str, list[tuple[float, float]]] = {}
    for each in picture.iter():
        if each.tag.endswith("text"):
            half = 0.32 * float(each.get("font-size", 0)) * len(each.text or "")
            middle = float(each.get("x", 0)) + half * (each.get("text-anchor") == "start")
            spans.setdefault(each.get("y", ""), []).append((middle - half, middle + half))
    for line in spans.values():
        for (_, end), (start, _) in itertools.pairwise(sorted(line)):
            assert start >= end
