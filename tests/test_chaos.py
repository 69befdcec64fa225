"""A thousand members whose workers are killed with -9 all the time."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from test_sweep import SMALL
from test_sweep_run import results, start

from jaxagent.study.sweep_plan import load_sweep
from jaxagent.study.sweep_shard import read_results

pytestmark = [pytest.mark.slow, pytest.mark.chaos]

WORKERS, MEMBERS, PER_SHARD = 4, 1000, 20
SECONDS = float(os.environ.get("CHAOS_SECONDS", "300"))
SWEEP = {
    "name": "thousand",
    "plan": "train",
    "axes": {
        "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True, "count": 50},
        "train.entropy": {"low": 0.0, "high": 0.01, "count": 4},
    },
    "seeds": 5,
    "members": PER_SHARD,
    "changes": {**SMALL, "train.updates": 8, "evaluation.tasks": ["textcraft/easy"]},
}


def members(sweep: Path, out: Path) -> Counter:
    """How often every member's success was written."""
    shards = sorted(path.parent for path in out.glob("shards/*/result.csv"))
    rows = [row for row in read_results(shards) if row.metric == "success"]
    return Counter((row.member, row.seed) for row in rows)


def test_none_is_lost_and_none_is_there_twice(tmp_path, capsys):
    sweep, whole, out = tmp_path / "sweep.json", tmp_path / "whole", tmp_path / "chaos"
    sweep.write_text(json.dumps(SWEEP))
    assert len(load_sweep(sweep).points()) * SWEEP["seeds"] == MEMBERS
    begun = time.monotonic()
    assert {worker.wait() for worker in [start(sweep, whole, save=1.0) for _ in range(2)]} == {0}
    undisturbed = time.monotonic() - begun
    chance, begun, kills, left = random.Random(0), time.monotonic(), 0, 0
    workers = [start(sweep, out, save=1.0) for _ in range(WORKERS)]
    while (gone := time.monotonic() - begun) < SECONDS:
        time.sleep(chance.uniform(1, 8))
        left = MEMBERS - len(members(sweep, out))
        if not left:
            break
        victim = chance.randrange(WORKERS)
        if workers[victim].poll() is None:
            workers[victim].kill()
            workers[victim].wait()
            kills += 1
        workers[victim] = start(sweep, out, save=1.0)
    assert {worker.wait() for worker in workers} == {0}
    took = time.monotonic() - begun
    with capsys.disabled():
        print(
            f"\n{MEMBERS} members, {WORKERS} workers: {kills} killed with -9 in {gone:.0f} s, "
            f"{left} members were left then; {took:.0f} s in all, {undisturbed:.0f} s undisturbed "
            "with two workers"
        )
    found = members(sweep, out)
    assert len(found) == MEMBERS and set(found.values()) == {1}
    assert results(out) == results(whole)
