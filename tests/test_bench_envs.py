"""What is measured of an environment: rows of all kinds, steps counted as the original's."""

from __future__ import annotations

import pytest

from jaxagent.study.bench_envs import measure_environment
from jaxagent.study.timing import Result


def measured(task: str) -> dict[str, Result]:
    return {row.benchmark: row for row in measure_environment(task, [8], 0.02)}


def test_all_is_measured_of_an_environment():
    rows = measured("maze/easy")
    assert list(rows) == ["compile", "env", "env+text", "resets", "resets-expert"]
    assert all(row.value > 0 and row.baseline is None for row in rows.values())
    assert max(rows["resets"].value, rows["resets-expert"].value) < 1


@pytest.mark.slow
def test_a_turn_that_takes_several_steps_counts_as_several():
    rows = measured("babyai/easy")
    turns, steps = rows["env+text"], rows["env+text, steps"]
    assert 1 < steps.value / turns.value < 5
    assert (steps.unit, steps.baseline) == ("steps/s", turns.baseline)
