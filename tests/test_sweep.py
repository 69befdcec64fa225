"""Sweeps: spaces, shards and their claims, rounds."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxagent.cli import main
from jaxagent.study import sweep_report
from jaxagent.study.config import from_values
from jaxagent.study.sweep import status
from jaxagent.study.sweep_plan import SweepPlan, as_values, changed, shards_of
from jaxagent.study.sweep_rounds import known_shards, rounds_of, scored, shard_folder
from jaxagent.study.sweep_shard import RESULT, Row, Workshop
from jaxagent.study.table import write_rows
from jaxagent.sweep.shards import Lost, claim, is_claimed, own_shards
from jaxagent.sweep.space import grid, halving, parse_axis, random

SMALL = {
    "base.updates": 2,
    "base.rows": 8,
    "base.turns": 4,
    "base.minibatch": 4,
    "train.updates": 4,
    "train.rows": 8,
    "train.turns": 4,
    "train.minibatch": 4,
    "evaluation.instances": 8,
    "evaluation.attempts": 1,
}


def sweep_of(**values) -> SweepPlan:
    """A small sweep of the plan `train`."""
    axes = {"train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True, "count": 3}}
    given = {"name": "small", "plan": "train", "axes": axes, "changes": SMALL, **values}
    return from_values(SweepPlan, given)


def test_a_grid_has_every_combination_and_ranges_have_both_ends():
    axes = [
        parse_axis("a", ["x", "y"]),
        parse_axis("b", {"low": 1e-3, "high": 1e-1, "log": True, "count": 3}),
        parse_axis("c", {"low": 0, "high": 1, "count": 1}),
    ]
    points = grid(axes)
    assert len(points) == 6 and points[0] == {"a": "x", "b": 0.001, "c": 0.5}
    assert [p["b"] for p in points[:3]] == pytest.approx([1e-3, 1e-2, 1e-1])


def test_random_points_stay_inside_and_more_of_them_go_on():
    axes = [parse_axis("a", [1, 2, 3]), parse_axis("b", {"low": 1e-4, "high": 1, "log": True})]
    points = random(axes, 400, seed=3)
    assert points[:7] == random(axes, 7, seed=3) != random(axes, 7, seed=4)
    assert {p["a"] for p in points} == {1, 2, 3}
    assert all(1e-4 <= p["b"] <= 1 for p in points)
    assert 150 < sum(p["b"] < 1e-2 for p in points) < 250


def test_halving_gives_the_best_more_updates():
    assert halving(27, 27, 3, 1) == [(27, 1), (9, 3), (3, 9), (1, 27)]
    assert halving(27, 27, 3, 3) == [(27, 3), (9, 9), (3, 27)]
    assert halving(4, 100, 3, 1) == [(4, 33), (1, 100)]
    assert halving(1, 100, 3, 1) == [(1, 100)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"axes": {}}, "axes: expected at least one"),
        ({"axes": {"a": []}}, r"axes.a=\[\]: expected at least one value"),
        ({"axes": {"a": 3}}, "axes.a=3: expected a list, or an object"),
        ({"axes": {"a": {"low": 1}}}, "expected low, high and perhaps log, count"),
        ({"axes": {"a": {"low": 0, "high": 1, "log": True, "count": 2}}}, "0 < low < high"),
        ({"axes": {"a": {"low": 1, "high": 2}}}, "axes.a.count: missing"),
        ({"axes": {"train.colour": ["red"]}}, "train.colour: no such field"),
        ({"axes": {"train.gamma": [3.0]}}, "train.gamma=3.0: expected 0 to 1"),
        ({"seeds": 0}, "seeds=0: expected at least 1"),
        ({"sampler": "magic"}, "sampler='magic': expected one of grid, random"),
        ({"sampler": "random"}, "samples=0: random needs at least 1"),
        ({"changes": {"arms": ["textcraft > textcraft"]}}, "a sweep's have one"),
        ({"name": "../../out"}, r"name='\.\./\.\./out': expected up to 100 letters"),
        ({"name": "my sweep: #1"}, "name='my sweep: #1': expected"),
        ({"name": ""}, "name='': expected"),
        ({"axes": {"a": {"low": "x", "high": 1}}}, "axes.a.low='x': expected a finite number"),
        ({"axes": {"a": {"low": 1, "high": 1e999}}}, "axes.a.high=inf: expected a finite"),
        ({"axes": {"a": {"low": float("nan"), "high": 1}}}, "axes.a.low=nan: expected a finite"),
        ({"axes": {"a": {"low": True, "high": 2}}}, "axes.a.low=True: expected a finite number"),
        ({"axes": {"a": {"low": 1, "high": 2, "log": "yes"}}}, "axes.a.log='yes': expected true"),
        (
            {"axes": {"a": {"low": 1, "high": 2, "count": 2.5}}},
            "axes.a.count=2.5: expected a whole",
        ),
        ({"axes": {"a": {"low": 1, "high": 2, "count": 10**12}}}, "count=1000000000000: expected"),
        ({"axes": {a: list(range(1000)) for a in "abcd"}}, "= 1,000,000,000,000 points; expected"),
        ({"seeds": 10**20}, "seeds=100000000000000000000: expected 0 to 200,000"),
        ({"seeds": 70_000}, "3 points × 70,000 seeds × 1 arms: expected at most 200,000 trainings"),
        ({"samples": 10**9, "sampler": "random"}, "samples=1000000000: expected 0 to 20,000"),
        ({"seed": -1}, "seed=-1: expected 0 to"),
        ({"seed": 10**30}, "seed=1.*: expected 0 to"),
        ({"devices": 10**12}, "devices=1000000000000: expected 0 to"),
        ({"turns": float("nan")}, "turns=nan: expected a finite number"),
        ({"turns": float("inf")}, "turns=inf: expected a finite number"),
        ({"turns": -5}, "turns=-5.0: expected a finite number"),
        ({"axes": {"seeds": [1, 2]}}, "axes.seeds: makes no difference to a training"),
        ({"axes": {"variants": [["a: seeds=2"]]}}, "axes.variants: makes no difference"),
        ({"changes": {"seeds": 3}}, "changes.seeds: a sweep makes no use of it"),
        (
            {"sampler": "halving", "samples": 2, "axes": {"train.updates": [2, 4]}},
            "axes.train.updates: halving sets the updates itself",
        ),
    ],
)
def test_bad_sweeps_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        sweep_of(**values).check()


def test_what_is_traced_shares_a_program_and_the_rest_makes_groups():
    axes = {
        "train.learning_rate": [1e-4, 1e-3],
        "train.rule": ["static", "bandit"],
        "model": ["tiny", "small"],
        "train.kl": [None, 0.1],
    }
    sweep = sweep_of(axes=axes, seeds=3, members=100)
    shards = shards_of(sweep, sweep.points())
    # A weight of KL brings a forward pass of the reference with it, so it is a group of its own.
    assert len(shards) == 4 and {len(s.members) for s in shards} == {2 * 2 * 3}
    names = [m.name for s in shards for m in s.members]
    assert len(set(names)) == len(names) == 48
    cut = shards_of(sweep_of(axes=axes, seeds=3, members=5), sweep.points(), first=7)
    assert [len(s.members) for s in cut] == [5, 5, 2] * 4
    assert [s.number for s in cut] == list(range(7, 19))


def test_members_are_named_by_what_they_are():
    sweep = sweep_of(seeds=2)
    names = [m.name for s in shards_of(sweep, sweep.points()) for m in s.members]
    longer = [m.name for s in shards_of(sweep, sweep.points(), 50) for m in s.members]
    assert names == longer and len(set(names)) == 6
    assert changed(sweep.base, {"train.clip": 0.3}).train.clip == 0.3


def test_only_one_worker_has_a_claim(tmp_path):
    with claim(tmp_path / "s") as first:
        assert first is not None and is_claimed(tmp_path / "s")
        with claim(tmp_path / "s") as second:
            assert second is None
        first.check()
    assert not is_claimed(tmp_path / "s")
    with claim(tmp_path / "s") as third:
        assert third is not None


def test_of_many_workers_that_race_one_wins(tmp_path):
    for number in range(20):
        folder, won, gate = tmp_path / str(number), [], threading.Barrier(8)

        def race(folder=folder, won=won, gate=gate):
            gate.wait()
            with claim(folder) as held:
                if held is not None:
                    won.append(held)
                gate.wait()

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1


def test_a_dead_workers_claim_is_taken_over_and_it_notices(tmp_path):
    folder = tmp_path / "s"
    with claim(folder, beat=60) as dead:
        assert dead is not None
        past = time.time() - 100
        os.utime(dead.path, (past, past))
        assert not is_claimed(folder)
        with claim(folder) as heir:
            assert heir is not None
            with pytest.raises(Lost, match="claimed by"):
                dead.check()
            heir.check()
            # The dead worker's end must not free what is the heir's.
        with claim(folder) as other:
            assert other is not None


def test_a_living_worker_keeps_its_claim(tmp_path):
    with claim(tmp_path / "s", beat=0.05) as held:
        assert held is not None
        time.sleep(0.5)
        with claim(tmp_path / "s", dead=0.3) as other:
            assert other is None


@pytest.mark.parametrize(
    ("index", "environment", "expected"),
    [
        ("auto", {}, None),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3"}, [3]),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, [0]),
        ("auto", {"BATCH_TASK_INDEX": "2"}, [2]),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "1"}, [1]),
        ("2/4", {"SLURM_ARRAY_TASK_ID": "3"}, [2]),
        ("claim", {"SLURM_ARRAY_TASK_ID": "900"}, None),
        ("1/3", {}, [1]),
        ("0/3", {}, [0, 3]),
        ("0/1", {}, [0, 1, 2, 3]),
    ],
)
def test_the_index_comes_from_the_command_or_the_engine(index, environment, expected):
    found = own_shards(index, 4, environment)
    assert found == expected if found is None else list(found) == expected


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ("x", "expected auto"),
        ("4/4", "4 shards"),
        ("1/5", ""),
        ("-1/4", ""),
        ("0/0", ""),
        ("²/4", ""),
    ],
)
def test_bad_indices_are_named(index, told):
    with pytest.raises(ValueError, match=f"index=.*{told}"):
        own_shards(index, 4, {})


def finish(folder: Path, shards, value=lambda member: 0.5, alive="yes") -> None:
    """Writes results as a worker would."""
    for shard in shards:
        rows = [
            Row(
                shard=shard.number,
                member=member.name,
                point=json.dumps(member.point, sort_keys=True),
                seed=member.seed,
                arm=shard.plan.arms[shard.arm],
                updates=shard.updates or 4,
                alive=alive,
                task="textcraft/easy",
                metric="success",
                value=value(member),
                low=0.0,
                high=1.0,
                episodes=8,
            )
            for member in shard.members
        ]
        write_rows(shard_folder(folder, shard) / RESULT, rows, Row)


def test_status_counts_members(tmp_path):
    sweep = sweep_of(seeds=2, members=2)
    shards, more = known_shards(sweep, tmp_path)
    assert len(shards) == 3 and not more
    finish(tmp_path, shards[:1], alive="no")
    with claim(shard_folder(tmp_path, shards[1])):
        found = status(sweep, tmp_path).as_json
    numbers = {"members": 6, "finished": 2, "running": 2, "failed": 2, "missing": 2}
    assert found == {**numbers, "complete": False}
    finish(tmp_path, shards[1:])
    assert status(sweep, tmp_path).complete


def test_the_best_go_on_in_halving(tmp_path):
    sweep = sweep_of(
        sampler="halving", samples=9, axes={"train.learning_rate": {"low": 1e-4, "high": 1.0}}
    )
    assert rounds_of(sweep) == [(9, 1), (3, 4)]
    shards, more = known_shards(sweep, tmp_path)
    assert more and sum(len(s.members) for s in shards) == 9
    finish(tmp_path, shards, value=lambda member: 1 - member.point["train.learning_rate"])
    after, more = known_shards(sweep, tmp_path)
    kept = [m.point["train.learning_rate"] for s in after[len(shards) :] for m in s.members]
    rates = sorted(m.point["train.learning_rate"] for s in shards for m in s.members)
    assert not more and kept == rates[:3] and {s.updates for s in after[len(shards) :]} == {4}


def test_optuna_is_asked_round_by_round_and_learns(tmp_path):
    """Towards low rates and one model; the same shards for every worker that looks."""
    pytest.importorskip("optuna")
    axes = {
        "train.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "train.entropy": [0.0, 0.1],
    }
    sweep = sweep_of(sampler="optuna", samples=40, members=8, axes=axes)
    rounds = []
    for _ in range(5):
        shards, more = known_shards(sweep, tmp_path)
        assert shards == known_shards(sweep, tmp_path)[0]
        done = {member.name for points in rounds for member in points}
        rounds.append([m for s in shards for m in s.members if m.name not in done])
        finish(
            tmp_path,
            shards,
            value=lambda m: -np.log10(m.point["train.learning_rate"]) - m.point["train.entropy"],
        )
    assert [len(points) for points in rounds] == [8] * 5 and not more
    rates = [[m.point["train.learning_rate"] for m in points] for points in rounds]
    assert all(1e-4 <= rate <= 1e-1 for points in rates for rate in points)
    assert np.median(np.log(rates[-1])) < np.median(np.log(rates[0]))
    assert known_shards(sweep, tmp_path)[1] is False


def test_points_are_ranked_by_their_mean_over_seeds(tmp_path):
    sweep = sweep_of(seeds=2)
    shards, _ = known_shards(sweep, tmp_path)
    finish(tmp_path, shards, value=lambda m: m.point["train.learning_rate"] * (1 + m.seed))
    (tmp_path / "sweep.json").write_text(json.dumps(as_values(sweep)))
    found = sweep_report.collect(tmp_path)
    table, path = found.best, found.page
    assert found.notes == ()
    assert [cells[0] for _, cells in table.rows] == ["0.01", "0.001", "0.0001"]
    assert table.rows[0][1][1].value == pytest.approx(0.015)
    page = path.read_text()
    assert "Parallel coordinates" in page and "Marginal effects" in page
    assert 'src="http' not in page and "<script" not in page
    lines = (tmp_path / "members.csv").read_text().splitlines()
    assert len(lines) == 1 + 6
    rows = [shard_folder(tmp_path, s) / RESULT for s in shards]
    assert scored([], 3) == [] and all(each.exists() for each in rows)


def test_shards_of_a_group_share_their_programs(monkeypatch):
    """A program for every shard would end the process behind some dozens of them."""
    dropped = []
    monkeypatch.setattr("jaxagent.study.sweep_shard.drop_programs", lambda: dropped.append(1))
    sweep = sweep_of(axes={"train.entropy": [0.0, 0.1, 0.2], "train.rows": [8, 16]}, members=1)
    shards = shards_of(sweep, sweep.points())
    progress = SimpleNamespace(note=lambda _: None)
    workshop, made = Workshop(), []
    for shard in shards:
        workshop.enter(shard)
        made.append(workshop.crowd(shard, progress).population)
    assert len(shards) == 6 and len(set(map(id, made))) == 2
    assert made[0] is made[2] and made[3] is made[5] and len(dropped) == 1 + 2


def test_a_member_that_is_there_twice_is_kept_once_and_told(tmp_path):
    sweep = sweep_of(members=1)
    (tmp_path / "sweep.json").write_text(json.dumps(as_values(sweep)))
    shards, _ = known_shards(sweep, tmp_path)
    finish(tmp_path, shards)
    (shard_folder(tmp_path, shards[0]) / RESULT).write_bytes(
        (shard_folder(tmp_path, shards[1]) / RESULT).read_bytes()
    )
    found = sweep_report.collect(tmp_path)
    assert found.notes[0] == "1 numbers are there twice; the first of each is kept"
    assert len(found.best.rows) == 2 and "twice" in found.page.read_text()


def test_a_budget_of_turns_is_kept(tmp_path, capsys):
    path = tmp_path / "sweep.json"
    values = {"name": "x", "plan": "train", "axes": {"train.entropy": [0.0, 0.1]}, "turns": 100}
    path.write_text(json.dumps({**values, "changes": SMALL}))
    with pytest.raises(SystemExit):
        main(["sweep", "plan", str(path)])
    assert "turns=100: the sweep takes 256; expected no more" in capsys.readouterr().err
    path.write_text(json.dumps({**values, "changes": SMALL, "turns": 256}))
    main(["sweep", "plan", str(path)])
    assert "256 turns of training" in capsys.readouterr().out
