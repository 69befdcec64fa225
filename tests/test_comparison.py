"""Comparing algorithms: the table, its round trip, and what is refused before anything is run."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
from rich.console import Console
from test_study import PLAN, Told

from jaxagent.rl.algorithm import ALGORITHMS
from jaxagent.study.comparison import Row, compare, plan_for, show
from jaxagent.study.config import from_values, load_plan
from jaxagent.study.plan import StudyPlan
from jaxagent.study.statistics import iqm
from jaxagent.study.table import read_rows, write_rows

ARMS = {**PLAN, "arms": ["textcraft"], "seeds": 2}


def make_rows() -> list[Row]:
    rng = np.random.default_rng(0)
    return [
        Row(name, task, seed, metric, float(rng.random()), 64, "cpu x2")
        for name in ("base", "ppo", "grpo")
        for task in ("textcraft/easy", "babyai/easy")
        for seed in range(5)
        for metric in ("success", "turns")
    ]


def test_rows_survive_their_file(tmp_path):
    rows = make_rows()
    write_rows(tmp_path / "algorithms.csv", rows, Row)
    assert read_rows(tmp_path / "algorithms.csv", Row) == rows


def test_the_table_shows_interquartile_means_best_first():
    rows = make_rows()
    console = Console(file=io.StringIO(), width=80)
    console.print(show(rows))
    text = console.file.getvalue()
    means = {}
    for name in ("base", "ppo", "grpo"):
        own = [r for r in rows if r.algorithm == name and r.metric == "success"]
        tasks = [[r.value for r in own if r.task == f"{n}/easy"] for n in ("textcraft", "babyai")]
        means[name] = iqm(np.mean(tasks, axis=0))
        for value in (*map(iqm, tasks), means[name]):
            assert f"{100 * value:.1f}" in text
    best = sorted(means, key=lambda name: -means[name])
    names = [line.split()[1] for line in text.splitlines() if line.startswith("\u2502")]
    assert [name for name in names if name in means] == best


@pytest.mark.parametrize("name", ALGORITHMS)
def test_only_what_defines_an_algorithm_differs_from_the_plan(name):
    plan = plan_for(load_plan("algorithms"), name)
    algorithm, hyper = ALGORITHMS[name]
    own, used = plan.algorithm(), plan.hyper()
    shared = {"minibatch": plan.train.minibatch, "epochs": plan.train.epochs}
    assert own == dataclasses.replace(algorithm, **shared)
    assert (used.gamma, used.weights.clip_low) == (hyper.gamma, hyper.weights.clip_low)
    assert used.learning_rate == plan.train.learning_rate
    assert plan_for(plan, "ppo") == plan_for(load_plan("algorithms"), "ppo")


def test_what_cannot_be_compared_is_refused(tmp_path):
    plan = from_values(StudyPlan, ARMS)
    with pytest.raises(ValueError, match="train.algorithm='best': expected one of ppo"):
        compare(plan, ["best"], tmp_path / "out", Told())
    stages = dataclasses.replace(plan, arms=("textcraft > textcraft",))
    with pytest.raises(ValueError, match="'textcraft > textcraft' has several stages"):
        compare(stages, ["ppo"], tmp_path / "out", Told())
    with pytest.raises(ValueError, match="turns=4: whole episodes"):
        compare(plan, ["reinforce"], tmp_path / "out", Told())
    assert not (tmp_path / "out").exists()


@pytest.mark.slow  # three programs to compile
def test_a_comparison_shares_base_policies_and_goes_on(tmp_path):
    plan = from_values(StudyPlan, ARMS)
    told = Told()
    rows = compare(plan, ["ppo", "ppo-token"], tmp_path, told)
    assert sum(name.startswith("base") for name in told.started) == 4  # and their evaluations
    for name in ("base", "ppo", "ppo-token"):
        own = [r for r in rows if r.algorithm == name and r.metric == "success"]
        assert [(r.task, r.seed, r.episodes) for r in own] == [
            ("textcraft/easy", seed, 16) for seed in range(2)
        ]
    assert read_rows(tmp_path / "algorithms.csv", Row) == rows
    settings = json.loads((tmp_path / "algorithms.json").read_text())
    assert settings["algorithms"]["ppo-token"]["advantage"] == "token"
    again = Told()
    assert compare(plan, ["ppo-token", "ppo"], tmp_path, again) == rows and not again.started
    for name in ("algorithms.csv", "algorithms.json"):
        shutil.copy(tmp_path / name, tmp_path / "phases" / name)
    elsewhere = (tmp_path / "other", Told(), tmp_path / "phases")
    assert compare(plan, ["ppo"], *elsewhere) == rows and not (tmp_path / "other").exists()
    half = {"base": 0.5}
    begun = [dataclasses.replace(r, value=r.value * half.get(r.algorithm, 1)) for r in rows]
    write_rows(tmp_path / "phases" / "algorithms.csv", begun, Row)
    settings["algorithms"] = {}
    (tmp_path / "phases" / "algorithms.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="begins from other base policies than those in"):
        compare(plan, ["ppo"], tmp_path, Told(), tmp_path / "phases")
    assert read_rows(tmp_path / "phases" / "algorithms.csv", Row) == begun
    longer = dataclasses.replace(plan, seeds=3)
    with pytest.raises(ValueError, match="holds another plan's results"):
        compare(longer, ["ppo"], *elsewhere)
