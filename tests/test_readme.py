"""What the README says: its rates are those of the benchmark's file, its example runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

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
def test_the_example_runs() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)
    names: dict = {}
    exec(compile(example, "README.md", "exec"), names)
    assert float(names["outcome"].success.mean()) >= 0
    assert int(names["state"].update) == 20
