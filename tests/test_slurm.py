"""Sweeps under a real SLURM: an array whose tasks are requeued, drained and run out of time.

SLURM is fetched from Debian's packages and run on this machine alone (`slurm_box`); where they are
not to be had, these tests are skipped. A requeued task waits two minutes before it starts again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slurm_box
from test_sweep import SMALL

from jaxagent.sweep.batch import job_name

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

PROGRAM = Path(sys.executable).with_name("jaxagent")
SWEEP = {
    "name": "small",
    "plan": "train",
    "axes": {
        "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True, "count": 4},
        "train.entropy": [0.0, 0.003, 0.01, 0.03],
    },
    "members": 2,
    "changes": {**SMALL, "train.updates": 400},
}
SHARDS, WORKERS = 8, 2


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A running SLURM."""
    folder = tmp_path_factory.mktemp("slurm")
    try:
        root = slurm_box.unpack(folder / "packages")
    except RuntimeError as why:
        pytest.skip(str(why))
    with slurm_box.running(root, folder / "run") as box:
        yield box


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The sweep's file, and the folder of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("sweep")
    sweep, out = folder / "sweep.json", folder / "undisturbed"
    sweep.write_text(json.dumps(SWEEP))
    subprocess.run([PROGRAM, "sweep", "run", sweep, "--out", out], check=True, capture_output=True)
    return sweep, out


def submit(slurm: slurm_box.Slurm, sweep: Path, out: Path, *options: str) -> None:
    """As a user does."""
    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(out.parent / "cache"))
    command = [PROGRAM, "sweep", "submit", sweep, "--engine", "slurm", "--out", out]
    command += ["--job", out.parent / "job.sbatch", "--program", PROGRAM, "--memory", "1"]
    env = {**slurm.env, "JAX_COMPILATION_CACHE_DIR": cache}
    subprocess.run([*command, "--cpus", "1", *options], env=env, check=True, capture_output=True)


def results(out: Path) -> dict[str, str]:
    """What every shard's file holds."""
    return {path.parent.name: path.read_text() for path in out.glob("shards/*/result.csv")}


def logs(out: Path) -> str:
    """All that workers said."""
    return "\n".join(path.read_text() for path in out.glob("logs/*"))


def in_training(slurm: slurm_box.Slurm, out: Path) -> str:
    """A task of the array, once all of its workers train."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        begun = [c for c in out.glob("shards/*/claim") if (c.parent / "log.jsonl").exists()]
        tasks = [job for job, state in slurm.jobs().items() if state == "RUNNING"]
        if tasks and len(begun) == len(tasks) == WORKERS:
            return tasks[0]
        time.sleep(0.2)
    raise AssertionError(f"nothing trains: {slurm.jobs()}\n{logs(out)}")


def test_texts_reach_slurm_as_they_are(slurm, tmp_path):
    """Spaces, quotes, patterns and commands in a folder's name, and a program that only listens."""
    out = tmp_path / 'it\'s "b" # $(touch pwned) {c}: é' / "demo"
    program = tmp_path / "my program"
    program.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@"\ncat > {tmp_path}/told\necho "task $0"\n')
    program.chmod(0o755)
    sweep = tmp_path / "demo.json"
    sweep.write_text(json.dumps({**SWEEP, "name": "2026"}))
    command = [PROGRAM, "sweep", "submit", sweep, "--out", out, "--program", program]
    command += ["--memory", "1", "--cpus", "1", "--partition", "all", "--parallel", "2"]
    done = subprocess.run(command, env=slurm.env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"JobName={job_name('2026')}" in slurm.call("scontrol", "show", "jobs")
    slurm.wait(60)
    found = sorted(path.read_text() for path in (out / "logs").iterdir())
    arguments = ["sweep", "run", "-", "--out", str(out), "--index", "claim"]
    assert found == ["\n".join([*arguments, f"task {program}", ""])] * 2
    assert json.loads((tmp_path / "told").read_text())["name"] == "2026"
    assert not list(tmp_path.rglob("pwned"))


def test_an_array_whose_task_is_requeued_and_whose_node_is_drained(slurm, undisturbed, tmp_path):
    sweep, whole = undisturbed
    out = tmp_path / "array"
    submit(slurm, sweep, out, "--parallel", str(WORKERS))
    assert len(slurm.jobs()) == WORKERS
    victim = in_training(slurm, out)
    slurm.call("scontrol", "requeue", victim)
    node = f"nodename={slurm.node}"
    slurm.call("scontrol", "update", node, "state=drain", "reason=test")
    until = time.monotonic() + 200
    while "RUNNING" in slurm.jobs().values() or "COMPLETING" in slurm.jobs().values():
        assert time.monotonic() < until, slurm.jobs()
        time.sleep(0.5)
    assert len(results(out)) < SHARDS
    slurm.call("scontrol", "update", node, "state=resume")
    slurm.wait(900)
    assert logs(out).count("stopped by signal 15") == 1, logs(out)
    assert results(out) == results(whole)


def test_an_array_that_runs_out_of_time_is_queued_again(slurm, undisturbed, tmp_path):
    """Workers get their signal two minutes before the limit: here after one."""
    sweep, whole = undisturbed
    long = {**SWEEP, "axes": {"train.entropy": [0.0, 0.01]}}
    long["changes"] = {**long["changes"], "train.updates": 2500}
    out, file = tmp_path / "late", tmp_path / "long.json"
    file.write_text(json.dumps(long))
    submit(slurm, file, out, "--hours", "0.05")
    slurm.wait(2400)
    assert "stopped by signal 10" in logs(out), logs(out)
    assert list(results(out)) == ["00000"]
