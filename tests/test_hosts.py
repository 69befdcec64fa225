"""One command in several processes: what it writes is what one process writes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxagent.rl.devices import devices_for
from jaxagent.study import table
from jaxagent.study.processes import all_say, by_first, count_processes, exist, first_says
from jaxagent.study.sweep_shard import Row

PLAN = {
    "name": "hosts",
    "tasks": ["textcraft/easy"],
    "arms": ["textcraft"],
    "model": "nano",
    "context": 112,
    "action_tokens": 10,
    "base": {"updates": 2, "rows": 16, "turns": 8, "minibatch": 8},
    "train": {"updates": 3, "rows": 16, "turns": 8, "minibatch": 8, "epochs": 1},
    "evaluation": {"instances": 16, "attempts": 1},
}


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({}, 1),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, 1),  # a batch script, which runs once
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "2"}, 4),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, 2),
        ({"TPU_WORKER_HOSTNAMES": "a,b,c"}, 3),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, 1),
        ({"JAXAGENT_HOSTS": "4"}, 4),
        ({"JAX_NUM_PROCESSES": "2", "OMPI_COMM_WORLD_SIZE": "8"}, 2),
    ],
)
def test_engines_tell_how_many_processes_there_are(variables, count):
    assert count_processes(variables) == count


def test_a_count_that_is_none_is_named():
    with pytest.raises(ValueError, match="OMPI_COMM_WORLD_SIZE='two': expected a number"):
        count_processes({"OMPI_COMM_WORLD_SIZE": "two"})


def test_alone_everything_is_as_one_says_itself(tmp_path):
    assert all_say(3, 4).tolist() == [[3, 4]] and first_says(5) == [5]
    assert exist([tmp_path, tmp_path / "no"]) == [True, False] and exist([]) == []
    with pytest.raises(ValueError, match="once"):
        by_first(lambda: int("once"), ValueError)


def test_what_the_first_does_for_all_asks_no_other(monkeypatch, tmp_path):
    """They wait to be told that it is done, and would take a question for that."""
    asked = []

    def gather(said: np.ndarray) -> np.ndarray:
        asked.append(said.tolist())
        return np.stack([said, said])

    monkeypatch.setattr("jax.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("jaxagent.study.processes.multihost_utils.process_allgather", gather)
    found = []
    by_first(lambda: found.append(exist([tmp_path])), ValueError)
    assert found == [[True]] and asked == [[0]]
    with pytest.raises(ValueError, match="once"):
        by_first(lambda: by_first(lambda: int("once"), ValueError), ValueError)
    assert asked == [[0], [1]]
    assert exist([tmp_path]) == [True] and asked[2:] == [[1]]


def test_processes_that_cannot_share_a_batch_are_told(monkeypatch):
    monkeypatch.setattr("jax.process_count", lambda: 3)
    with pytest.raises(ValueError, match=r"expected multiples of the 3 processes"):
        devices_for(16, 8)


def start(processes: int, devices: int, *arguments: object) -> list[subprocess.Popen]:
    """`jaxagent` in so many processes with so many devices each."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    known = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_NUM", "XLA_"))}
    known |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices)}
    if processes > 1:
        known["JAX_COORDINATOR_ADDRESS"] = f"localhost:{port}"
        known["JAX_NUM_PROCESSES"] = str(processes)
    command = [
        sys.executable,
        "-c",
        "from jaxagent.__main__ import main; main()",
        *map(str, arguments),
    ]
    each = [known | {"JAX_PROCESS_ID": str(n)} for n in range(processes)]
    return [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for env in each]


def ended(started: list[subprocess.Popen]) -> tuple[list[int], list[str]]:
    """Exit codes and what was printed."""
    printed = [process.communicate(timeout=600)[0] for process in started]
    return [process.returncode for process in started], printed


def same_numbers(a: list, b: list) -> None:
    """All fields equal, values to what the order of sums leaves."""
    assert len(a) == len(b) > 0
    for one, two in zip(a, b, strict=True):
        left, right = (dict(vars(row)) for row in (one, two))
        ends = [{name: row.pop(name) for name in ("value", "low", "high")} for row in (left, right)]
        assert left == right
        np.testing.assert_allclose(*[list(each.values()) for each in ends], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_a_study_in_two_processes_is_that_of_one(tmp_path):
    """On four devices in both cases."""
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    found = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        run = ("study", "run", tmp_path / "plan.json", "--out", out)
        codes, printed = ended(start(processes, 4 // processes, *run))
        assert codes == [0] * processes
        assert "report:" in printed[0] and not any(printed[1:])
        assert (out / "report.html").exists()
        found.append(table.read(out / "results.csv"))
    same_numbers(*found)


@pytest.mark.slow
def test_a_sweep_in_two_processes_is_that_of_one(tmp_path):
    """Three members on two processes of two devices each, of which one is told to stop."""
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    sweep = {
        "name": "rates",
        "plan": str(tmp_path / "plan.json"),
        "axes": {"train.learning_rate": [1e-4, 1e-3, 3e-3]},
        "changes": {"train.updates": 400},
    }
    (tmp_path / "sweep.json").write_text(json.dumps(sweep))
    run = ("sweep", "run", tmp_path / "sweep.json", "--out")
    assert ended(start(1, 4, *run, tmp_path / "1"))[0] == [0]
    both = start(2, 2, *run, tmp_path / "2")
    log = tmp_path / "2" / "shards" / "00000" / "log.jsonl"
    while not log.exists() or log.read_text().count("\n") < 2:
        assert all(process.poll() is None for process in both)
        time.sleep(0.2)
    both[1].send_signal(signal.SIGTERM)
    assert ended(both)[0] == [75, 75]
    assert not (log.parent / "result.csv").exists()
    assert ended(start(2, 2, *run, tmp_path / "2"))[0] == [0, 0]
    same_numbers(
        *(table.read_rows(tmp_path / n / "shards/00000/result.csv", Row) for n in ("1", "2"))
    )


@pytest.mark.slow
def test_a_signal_to_one_process_ends_all_while_they_compile(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    out = tmp_path / "out"
    both = start(2, 1, "study", "run", tmp_path / "plan.json", "--out", out)
    while not list(out.glob("phases/*/machines.json")):  # the training is begun, and compiled first
        assert all(process.poll() is None for process in both)
        time.sleep(0.2)
    time.sleep(1)
    began = time.monotonic()
    both[1].send_signal(signal.SIGTERM)
    assert ended(both)[0] == [75, 75]
    assert time.monotonic() - began < 20
