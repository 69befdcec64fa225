"""Real studies that are stopped while they compile, train and go on elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxagent.study.machine import machines_of

pytestmark = pytest.mark.slow  # whole studies

PLAN = {
    "name": "small",
    "tasks": ["textcraft/easy"],
    "arms": ["textcraft"],
    "model": "nano",
    "context": 112,
    "action_tokens": 10,
    "base": {"updates": 2, "rows": 16, "turns": 4, "minibatch": 8},
    "train": {"updates": 40, "rows": 16, "turns": 4, "epochs": 1, "minibatch": 8},
    "evaluation": {"instances": 16, "attempts": 1},
}
SECONDS = 20.0


@pytest.fixture
def plan(tmp_path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN))
    return path


def start(plan: Path, out: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """A study in a process, whose standard error can be read line by line."""
    code = (
        "from jaxagent.study import training; training.CHUNK_SECONDS = 0.1\n"
        "training.SAVE_SECONDS, training.SAVE_SHARE = 0.2, 1.0\n"
        "from jaxagent.__main__ import main; main()"
    )
    command = [sys.executable, "-c", code, "study", "run", str(plan), "--out", str(out), *options]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env={**os.environ, **environment}, **pipes)


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """What it says up to a line with this text."""
    said = []
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line.rstrip("\n"))
        if text in line:
            return said
    raise AssertionError("\n".join(said))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_while_programs_are_compiled(number, plan, tmp_path):
    """With no cache, so that each takes long; in the main thread and in the background."""
    process = start(plan, tmp_path / "out", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "cache"))
    read_until(process, "compiling base (seed 0) …")
    time.sleep(3)
    began = time.monotonic()
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert time.monotonic() - began < SECONDS and process.returncode == 75
    assert said.count("jaxagent: stopped by signal") == 1 and "Traceback" not in said


def test_a_study_that_goes_on_elsewhere_says_so_or_is_refused(plan, tmp_path):
    out = tmp_path / "out"
    process = start(plan, out, JAX_NUM_CPU_DEVICES="2")
    said = read_until(process, "textcraft (seed 0): 1/40 updates")
    assert any("2/2 updates (100%)" in line and "turns/s" in line for line in said)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 75
    strict = start(plan, out, "--strict-machine", JAX_NUM_CPU_DEVICES="1")
    told = strict.communicate(timeout=120)[1].splitlines()
    assert strict.returncode == 2 and "devices 2 → 1" in told[-1]
    process = start(plan, out, JAX_NUM_CPU_DEVICES="1")
    told = process.communicate(timeout=400)[1]
    assert process.returncode == 0 and told.count("on another machine: devices 2 → 1") >= 1
    [arm] = out.glob("phases/textcraft-*")
    assert [machine.devices for _, machine in machines_of(arm)] in ([2, 1], [1])
    page = (out / "report.html").read_text()
    assert "How it was made" in page and "2 cpu devices" in page and "1 cpu device " in page
