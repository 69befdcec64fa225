"""Sweeps that are really run: stopped, killed, by several workers, alone and together."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_sweep import SMALL

pytestmark = pytest.mark.slow  # whole sweeps

SWEEP = {
    "name": "small",
    "plan": "train",
    "axes": {
        "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True, "count": 4},
        "train.entropy": [0.0, 0.01],
    },
    "members": 2,
    "changes": {**SMALL, "train.updates": 40},
}
SHARDS = 4
SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))


def start(
    sweep: Path,
    out: Path,
    *options: str,
    save: float = 0.2,
    devices: int = 2,
    told: Path = Path(os.devnull),
) -> subprocess.Popen:
    """A worker that saves often and takes others for dead soon; what it says goes to a file."""
    code = (
        "import sys; from jaxagent.study import training, sweep as runs; "
        f"training.SAVE_SECONDS = {save}; training.CHUNK_SECONDS = {save}; "
        "training.SAVE_SHARE = 1.0; runs.WAIT = 0.5; "
        "from jaxagent.sweep import shards; shards.BEAT = 0.5; shards.DEAD = 4.0; "
        "from jaxagent.__main__ import main; main()"
    )
    command = [sys.executable, "-c", code, "sweep", "run", str(sweep), "--out", str(out), *options]
    known = {**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)}
    with told.open("w") as errors:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=known)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The sweep's file, and the folder of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("sweep")
    sweep, out = folder / "sweep.json", folder / "undisturbed"
    sweep.write_text(json.dumps(SWEEP))
    assert start(sweep, out).wait() == 0
    return sweep, out


def results(out: Path) -> dict[str, str]:
    """What every shard's file holds."""
    return {path.parent.name: path.read_text() for path in out.glob("shards/*/result.csv")}


def test_one_shard_by_its_index(undisturbed, tmp_path):
    sweep, whole = undisturbed
    assert start(sweep, tmp_path / "one", "--index", f"2/{SHARDS}").wait() == 0
    assert results(tmp_path / "one") == {"00002": results(whole)["00002"]}
    before = time.monotonic()
    assert start(sweep, tmp_path / "one", "--index", f"2/{SHARDS}").wait() == 0
    assert time.monotonic() - before < 30
    assert start(sweep, tmp_path / "one", "--index", "9/9").wait() == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("where", ["shards/*/claim", "shards/*/checkpoints/*/rest"])
def test_a_signal_saves_and_leaves_with_75(number, where, undisturbed, tmp_path):
    """While programs compile, and in the middle of the training."""
    sweep, whole = undisturbed
    out = tmp_path / "stopped"
    worker = start(sweep, out)
    until = time.monotonic() + 120
    while not list(out.glob(where)) and time.monotonic() < until:
        time.sleep(0.1)
    worker.send_signal(number)
    assert worker.wait(timeout=60) == 75
    assert not list(out.glob("shards/*/claim"))
    assert start(sweep, out).wait() == 0
    assert results(out) == results(whole)


def test_workers_that_are_killed_lose_nothing_and_do_nothing_twice(undisturbed, tmp_path):
    sweep, whole = undisturbed
    out, chance = tmp_path / "chaos", random.Random(0)
    workers = [start(sweep, out) for _ in range(2)]
    until, kills = time.monotonic() + SECONDS, 0
    while time.monotonic() < until and len(results(out)) < SHARDS:
        time.sleep(chance.uniform(2, 14))
        victim = chance.randrange(len(workers))
        if workers[victim].poll() is None:
            workers[victim].kill()
            workers[victim].wait()
            kills += 1
        workers[victim] = start(sweep, out)
    assert [worker.wait() for worker in workers] == [0] * len(workers)
    print(f"{kills} workers killed")
    assert kills >= 2 and results(out) == results(whole)


@pytest.mark.parametrize("where", ["shards/*/checkpoints/*tmp*", "shards/*/checkpoints/*/rest"])
def test_a_suspended_worker_that_lost_its_shard_ends_in_one_line(where, undisturbed, tmp_path):
    """In the middle of a save, and between two."""
    sweep, whole = undisturbed
    out = tmp_path / "suspended"
    worker = start(sweep, out, told=tmp_path / "told")
    until = time.monotonic() + 120
    while not list(out.glob(where)) and time.monotonic() < until:
        time.sleep(0.005)
    worker.send_signal(signal.SIGSTOP)
    assert start(sweep, out).wait() == 0
    worker.send_signal(signal.SIGCONT)
    assert worker.wait(timeout=120) == 0
    told = (tmp_path / "told").read_text()
    assert "meanwhile" in told and "Error" not in told and "Traceback" not in told
    assert results(out) == results(whole)


def test_a_member_is_what_it_is_in_another_shard(undisturbed, tmp_path):
    """Members of two shards in one: the same numbers, whoever they are trained with."""
    sweep, whole = undisturbed
    together = tmp_path / "together.json"
    together.write_text(json.dumps({**SWEEP, "members": 4}))
    assert start(together, tmp_path / "together").wait() == 0

    def numbers(out: Path) -> set[str]:
        lines = (line for text in results(out).values() for line in text.splitlines()[1:])
        return {line.partition(",")[2] for line in lines}

    assert numbers(tmp_path / "together") == numbers(whole)


def test_members_that_share_devices_are_the_same_on_one(tmp_path):
    """From the same base policies, since those are made by all devices at hand."""
    sweep, two, one = tmp_path / "sweep.json", tmp_path / "two", tmp_path / "one"
    sweep.write_text(json.dumps({**SWEEP, "axes": {"train.entropy": [0.0, 0.01]}, "devices": 2}))
    assert start(sweep, two).wait() == 0
    shutil.copytree(two, one, ignore=shutil.ignore_patterns("shards"))
    assert start(sweep, one, devices=1).wait() == 0
    assert results(one) == results(two) != {}
