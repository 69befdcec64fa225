"""Whatever stands on an axis: no training is lost or done twice, and the table is always there."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from test_sweep import finish, sweep_of

from jaxagent.cli import main
from jaxagent.study import sweep_report
from jaxagent.study.files import write_json
from jaxagent.study.sweep import claim_sweep, status
from jaxagent.study.sweep_plan import SweepPlan, as_values, load_sweep
from jaxagent.study.sweep_rounds import known_shards, rounds_of, shard_folder
from jaxagent.study.sweep_shard import RESULT
from jaxagent.sweep.space import key, parse_axis, random

TASKS = ["textcraft/easy", "babyai/easy"]

AXES = {
    "null": ({"train.clip": [None, 0.1, 0.2]}, ["null", "0.1", "0.2"]),
    "null beside null": ({"train.epochs": [None, 2], "train.gamma": [None]}, ["null", "2"]),
    "twice": ({"train.entropy": [0.1, 0.1, 0.2]}, ["0.1", "0.2"]),
    "written in two ways": ({"train.learning_rate": [1e-3, 0.001, 1, 1.0]}, ["0.001", "1"]),
    "signs of zero": ({"train.entropy": [0, 0.0, -0.0]}, ["0"]),
    "nearly the same": ({"train.entropy": [0.12345678, 0.12345679]}, ["0.12345678", "0.12345679"]),
    "texts": ({"train.rule": ["static", "bandit"]}, ["static", "bandit"]),
    "booleans": ({"base.clean": [True, False]}, ["true", "false"]),
    "lists": ({"arms": [["textcraft"], ["babyai"]]}, ['["textcraft"]', '["babyai"]']),
    "objects": ({"train": [{"entropy": 0.5}, {"kl": None}]}, ['{"entropy": 0.5}', '{"kl": null}']),
    "objects in another order": (
        {"train": [{"lam": 0.5, "kl": 0.1}, {"kl": 0.1, "lam": 0.5}]},
        ['{"kl": 0.1, "lam": 0.5}'],
    ),
    "the same in other words": ({"train": [{"kl": None}, {"lam": 0.95}]}, ['{"kl": null}']),
    "updates": ({"train.updates": [2, 4, 8]}, ["2", "4", "8"]),
}
"""Axes -> what the first column of the table of the best says, in some order."""


def begin(folder: Path, **values) -> SweepPlan:
    """A sweep whose folder is claimed."""
    changes = {"tasks": TASKS, "train.updates": 4, "evaluation.instances": 8}
    sweep = sweep_of(**{"changes": changes, **values})
    sweep.check()
    claim_sweep(sweep, folder)
    return sweep


def run(sweep: SweepPlan, folder: Path, **given) -> list[str]:
    """Writes the results of all rounds, and returns the names of the members."""
    while not status(sweep, folder).complete:
        shards, _ = known_shards(sweep, folder)
        left = [s for s in shards if not (shard_folder(folder, s) / RESULT).exists()]
        finish(folder, left, **given)
    return [m.name for s in known_shards(sweep, folder)[0] for m in s.members]


def lines(path: Path) -> list[list[str]]:
    """The lines of a table without its header."""
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.mark.parametrize(("axes", "shown"), AXES.values(), ids=AXES)
def test_every_axis_ends_in_a_table_and_a_page(axes, shown, tmp_path, capsys):
    sweep = begin(tmp_path, axes=axes)
    names = run(sweep, tmp_path)
    assert len(names) == len(set(names)) == len(shown)
    main(["sweep", "collect", str(tmp_path)])
    assert f"page: {tmp_path}/sweep.html" in capsys.readouterr().out
    assert sorted(line[1] for line in lines(tmp_path / "best.csv")) == sorted(shown)
    assert len(lines(tmp_path / "members.csv")) == len(shown)
    assert "Marginal effects" in (tmp_path / "sweep.html").read_text()


def test_texts_that_look_like_other_values_are_told_apart():
    shown = [sweep_report._text(value) for value in (None, "null", 1, "1", 1.5, True, "true", "é")]
    assert shown == ["null", '"null"', "1", '"1"', "1.5", "true", '"true"', "é"]


def test_numbers_are_the_same_however_they_are_written():
    assert key(1e-3) == key(0.001) and key(1) == key(1.0) and key(0.0) == key(-0.0)
    assert key(True) != key(1) and key("1") != key(1) and key(None) != key("null")
    assert key({"a": [1, {"b": 2.0}], "c": 3}) == key({"c": 3.0, "a": [1.0, {"b": 2}]})
    assert key(2**60) != key(2**60 + 1)


def test_chance_draws_no_point_twice_and_takes_all_there_are():
    axes = [parse_axis("a", [1, 2]), parse_axis("b", [3, 4, 5])]
    for seed in range(20):
        points = random(axes, 6, seed)
        assert len({key(point) for point in points}) == 6
        assert random(axes, 4, seed) == points[:4] and random(axes, 50, seed) == points
    many = [parse_axis("a", list(range(100))), parse_axis("b", list(range(50)))]
    assert len({key(point) for point in random(many, 5000)}) == 5000
    narrow = [parse_axis("a", {"low": 1.0, "high": 1.00001})]
    assert len({key(point) for point in random(narrow, 100)}) == len(random(narrow, 100)) <= 11


@pytest.mark.parametrize("sampler", ["random", "halving", "optuna"])
def test_every_sampler_trains_a_member_once(sampler, tmp_path):
    """Four points, asked for eight."""
    if sampler == "optuna":
        pytest.importorskip("optuna")
    axes = {"train.learning_rate": [1e-3, 1e-4], "train.entropy": [0.0, 0.01]}
    sweep = begin(tmp_path, sampler=sampler, samples=8, seeds=2, axes=axes, members=4)
    run(sweep, tmp_path, value=lambda member: member.point["train.entropy"])
    shards, more = known_shards(sweep, tmp_path)
    trained = [(m.name, s.updates) for s in shards for m in s.members]
    assert not more and len(trained) == len(set(trained))
    assert len({name for name, _ in trained}) == 4 * 2
    found = sweep_report.collect(tmp_path)
    assert len(found.best.rows) == 4 and found.notes == ()
    assert sampler != "halving" or rounds_of(sweep) == [(4, 1), (1, 4)]


def test_optuna_chooses_among_anything(tmp_path):
    pytest.importorskip("optuna")
    axes = {"arms": [["textcraft"], ["babyai"], ["textcraft"]], "train.clip": [None, 0.1]}
    sweep = begin(tmp_path, sampler="optuna", samples=9, axes=axes, members=2)
    assert len(run(sweep, tmp_path)) == 4


def test_an_arm_that_is_there_twice_is_trained_once(tmp_path):
    changes = {"tasks": TASKS, "arms": ["textcraft", "babyai", "textcraft"]}
    sweep = begin(tmp_path, axes={"train.entropy": [0.1]}, changes=changes)
    assert [s.arm for s in known_shards(sweep, tmp_path)[0]] == [0, 1]


def test_an_older_folder_with_members_trained_twice_is_collected_and_not_gone_on_with(tmp_path):
    """As an earlier version left it: four members where chance had drawn one point twice, and the
    plan's file gone since."""
    axes = {"train.entropy": [0.0, 0.1, 0.2]}
    sweep = sweep_of(axes=axes, seeds=2, sampler="random", samples=3)
    [shard], _ = known_shards(sweep, tmp_path)
    finish(tmp_path, [shard], value=lambda member: member.point["train.entropy"])
    path = shard_folder(tmp_path, shard) / RESULT
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows[:4], *rows[:2], ""]))
    write_json(tmp_path / "sweep.json", {**as_values(sweep), "plan": "gone.json"})
    found = sweep_report.collect(tmp_path)
    assert len(found.best.rows) == 2 and len(lines(tmp_path / "members.csv")) == 4
    assert found.notes == ("2 numbers are there twice; the first of each is kept",)
    write_json(tmp_path / "sweep.json", as_values(sweep))
    with pytest.raises(ValueError, match="other members than this version would train; collect"):
        claim_sweep(sweep, tmp_path)
    assert status(sweep, tmp_path).finished == 4 and not status(sweep, tmp_path).complete


def test_what_cannot_be_read_is_left_out_and_told(tmp_path, capsys):
    sweep = begin(tmp_path, axes={"train.entropy": [0.0, 0.1, 0.2, 0.3]}, members=1)
    shards, _ = known_shards(sweep, tmp_path)
    finish(tmp_path, shards[:3], alive="no")
    first, second = (shard_folder(tmp_path, shard) / RESULT for shard in shards[:2])
    first.write_text(first.read_text()[:-20])
    second.write_text(second.read_text().replace('"{""train.entropy"": 0.1}"', "[1]"))
    main(["sweep", "collect", str(tmp_path)])
    told = capsys.readouterr().out
    assert f"note: left out: {first}" in told and f"note: left out: {second}: point='[1]'" in told
    [line] = lines(tmp_path / "best.csv")
    assert line[1] == "0.2" and line[-1] == "1"  # one seed that diverged
    assert not list(tmp_path.glob("*.tmp"))
    shutil.rmtree(tmp_path / "shards")
    with pytest.raises(SystemExit):
        main(["sweep", "collect", str(tmp_path)])
    assert "no shard is finished yet" in capsys.readouterr().err


def test_a_sweep_and_its_plan_are_one_file_in_the_folder(tmp_path):
    """So that whoever has the folder can go on with it, and notices a plan that was changed."""
    plan = {"name": "own", "tasks": ["textcraft/easy"], "train": {"updates": 2}}
    write_json(tmp_path / "plan.json", plan)
    values = {"name": "a", "plan": str(tmp_path / "plan.json"), "axes": {"train.entropy": [0.0]}}
    write_json(tmp_path / "a.json", values)
    sweep = load_sweep(tmp_path / "a.json")
    claim_sweep(sweep, tmp_path / "out")
    claim_sweep(sweep, tmp_path / "out")
    (tmp_path / "plan.json").rename(tmp_path / "moved.json")
    kept = load_sweep(tmp_path / "out" / "sweep.json")
    assert kept.base == sweep.base and as_values(kept) == as_values(sweep)
    claim_sweep(kept, tmp_path / "out")
    write_json(tmp_path / "plan.json", {**plan, "train": {"updates": 3}})
    with pytest.raises(ValueError, match="holds another study: contents.train.updates is 2 there"):
        claim_sweep(load_sweep(tmp_path / "a.json"), tmp_path / "out")


def test_a_folder_that_names_its_plans_file_is_gone_on_with(tmp_path):
    """As earlier versions wrote it."""
    plan = {"name": "own", "tasks": ["textcraft/easy"], "train": {"updates": 2}}
    write_json(tmp_path / "plan.json", plan)
    values = {"name": "a", "plan": str(tmp_path / "plan.json"), "axes": {"train.entropy": [0.0]}}
    write_json(tmp_path / "a.json", values)
    old = as_values(load_sweep(tmp_path / "a.json"))
    del old["contents"]
    write_json(tmp_path / "out" / "sweep.json", old)
    claim_sweep(load_sweep(tmp_path / "a.json"), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "sweep.json").read_text()) == old
