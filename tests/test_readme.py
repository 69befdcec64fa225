"""What the README says: its rates are those of the benchmark's file, its example runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from jaxagent.cli import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
ROW = r"^\| (\w+/\w+)(.*?) \| ([\d,]+) \| ([\d,]*) ?\| ([\d,.]*) ?\|$"
STEPS = ", step for step"


def test_rates_are_the_best_that_were_measured() -> None:
    measured = json.loads((ROOT / "benchmarks/environments-cpu.json").read_text("utf-8"))
    rows = re.findall(
        r"^\| (\w+/\w+)(.*?) \| ([\d,]+) \| ([\d,]*) ?\| ([\d,.]*) ?\|$", README, re.M
    )
    assert len(rows) == 5
    for task, remark, *numbers in rows:
        name = "env+text, steps" if remark == STEPS else "env+text"
        same = [r for r in measured if (r["benchmark"], r["environment"]) == (name, task)]
        best = max(same, key=lambda row: row["value"])
        found = [float(number.replace(",", "") or 0) for number in numbers]
        expected = [best[key] or 0 for key in ("value", "baseline", "ratio")]
        assert found == pytest.approx(expected, rel=0.01), task


@pytest.mark.slow
def test_the_example_learns_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)
    names: dict = {}
    exec(compile(example, "README.md", "exec"), names)
    told = re.fullmatch(r"base: (\d+)% success\ntrained: (\d+)% success\n", capsys.readouterr().out)
    assert told and int(told[2]) > 80
    assert int(names["state"].update) == len(names["curves"]["success"])
    evaluate, parts = names["jaxagent"].evaluate, (names["actor"], names["state"].params)
    others, _ = evaluate(*parts, "textcraft/easy", first=5000)  # others than it was looked at with
    assert others.success.mean() > 0.8


@pytest.mark.slow
def test_a_training_by_the_defaults_of_the_shell_learns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["train", "--tasks", "textcraft/easy", "--output", str(tmp_path / "mine"), "--json"])
    rows = json.loads(capsys.readouterr().out)
    success = {row["phase"]: row["value"] for row in rows if is_measured(row)}
    assert success["mixture"] > 0.8
    assert success["mixture"] > success["base"] - 0.02


def is_measured(row: dict) -> bool:
    """Whether a row tells success on instances held out from training."""
    return row["metric"] == "success" and row["split"] == "seen"


PAGES = [ROOT / "README.md", ROOT / "results/README.md", *sorted((ROOT / "docs").glob("*.md"))]
EPISODE = r"^```text\n\$ jaxagent (play .*)\n((?:.*\n)*?)```$"


def episodes() -> list:
    """Every episode shown in a page: the options of the command, and what is printed. Those beside
    the first are slow: an environment each is compiled."""
    every = [each for page in PAGES for each in re.findall(EPISODE, page.read_text("utf-8"), re.M)]
    return [pytest.param(*each, marks=[pytest.mark.slow] * (i > 0)) for i, each in enumerate(every)]


def test_readme_and_first_steps_show_an_episode() -> None:
    for page in (ROOT / "README.md", ROOT / "docs/first-steps.md"):
        assert re.search(EPISODE, page.read_text("utf-8"), re.M), page.name


@pytest.mark.parametrize(("command", "shown"), episodes())
def test_episodes_are_what_the_program_prints(command: str, shown: str, capsys) -> None:
    main(shlex.split(command))
    assert capsys.readouterr().out == shown


def test_every_link_leads_somewhere_and_every_picture_is_linked() -> None:
    linked = set()
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
        for address in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if "://" not in address:
                linked.add((page.parent / address).resolve())
    assert not [path for path in linked if not path.exists()]
    assert not set((ROOT / "docs").glob("*.svg")) - linked
    assert not set((ROOT / "docs").glob("*.md")) - linked
