"""Studies that are killed, or run by two processes at once: every number as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxagent.study.config import design_names

pytestmark = pytest.mark.slow  # whole studies

PLAN = {
    "name": "small",
    "tasks": ["textcraft/easy"],
    "arms": ["textcraft", "textcraft > textcraft @ average=0.5", "textcraft > textcraft @ ewc=10"],
    "context": 96,
    "action_tokens": 10,
    "base": {"updates": 2, "rows": 8, "turns": 4, "minibatch": 4},
    "train": {"updates": 60, "rows": 8, "turns": 4, "epochs": 1, "minibatch": 4},
    "evaluation": {"instances": 8, "attempts": 2},
}


def start(plan: Path, out: Path, *options: str) -> subprocess.Popen:
    """A process that runs the plan, saving often."""
    code = (
        "import sys; from jaxagent.study import training; training.SAVE_SECONDS = 0.2; "
        "training.SAVE_SHARE = 1.0; "
        "training.CHUNK_SECONDS = 0.2; from jaxagent.cli import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "study", "run", str(plan), "--out", str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The plan's file, and the folder of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("resume")
    plan, out = folder / "plan.json", folder / "undisturbed"
    plan.write_text(json.dumps(PLAN))
    assert start(plan, out).wait() == 0
    return plan, out


def numbers(out: Path) -> list[str]:
    """What was measured; curves have a row per chunk, whose length is up to the clock."""
    lines = (out / "results.csv").read_text().splitlines()
    rows = [line for line in lines if ",train," not in line]
    return [*rows, *((out / name).read_text() for name in ("attempts.json", "transcripts.json"))]


def test_killed_at_any_moment_it_goes_on_to_the_same_numbers(undisturbed, tmp_path):
    plan, whole = undisturbed
    out, kills = tmp_path / "killed", 0
    for seconds in (8, 11, 14, 17, 20, 25, 30):
        process = start(plan, out)
        time.sleep(seconds)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills >= 2
    assert start(plan, out).wait() == 0
    assert numbers(out) == numbers(whole)


def test_two_processes_share_a_folder(undisturbed, tmp_path):
    plan, whole = undisturbed
    out = tmp_path / "shared"
    both = [start(plan, out) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert numbers(out) == numbers(whole)


@pytest.mark.parametrize("name", design_names())
def test_the_smoke_of_every_design_makes_a_report(name, tmp_path):
    process = start(Path(name), tmp_path / name, "--preset", "smoke")
    begun = time.monotonic()
    assert process.wait() == 0
    print(f"{name}: {time.monotonic() - begun:.0f} s")
    page = (tmp_path / name / "report.html").read_text()
    assert "Transfer" in page and list((tmp_path / name / "tables").rglob("*.tex"))
