"""Disks that are full, read-only or gone: one clear line, and nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_sweep import SMALL

pytestmark = pytest.mark.slow  # whole sweeps

PROGRAM = Path(sys.executable).with_name("jaxagent")


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, and how to mount it anew with other options."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("needs the right to mount")
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], capture_output=True)


@pytest.fixture
def sweep(tmp_path):
    """A sweep of one shard, with many updates."""
    path = tmp_path / "sweep.json"
    axes = {"train.learning_rate": [1e-3, 1e-2]}
    changes = {**SMALL, "train.updates": 5000}
    path.write_text(json.dumps({"name": "s", "plan": "train", "axes": axes, "changes": changes}))
    return path


def run(*arguments: object) -> subprocess.Popen:
    """A worker of a sweep."""
    command = [str(PROGRAM), "sweep", "run", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def last_line(worker: subprocess.Popen) -> str:
    """Of what it said on standard error."""
    return worker.communicate(timeout=300)[1].strip().splitlines()[-1]


def test_a_full_disk_is_told_and_leaves_no_half_checkpoint(disk, sweep):
    place = disk("size=700k")
    worker = run(sweep, "--out", place / "out")
    told = last_line(worker)
    assert worker.returncode == 74
    assert told.startswith("jaxagent: checkpoint ") and "No space left on device" in told
    assert not list(place.rglob("*tmp*")) and not list(place.rglob("checkpoints/[0-9]*"))


def test_a_read_only_disk_is_told(disk, sweep):
    worker = run(sweep, "--out", disk("ro") / "out")
    assert "Read-only file system" in last_line(worker)
    assert worker.returncode == 74


def test_a_disk_that_vanishes_is_told_and_nothing_is_written_in_its_place(disk, sweep):
    place = disk("size=50m")
    worker = run(sweep, "--out", place / "out")
    until = time.monotonic() + 120
    while not list(place.glob("out/shards/*/log.jsonl")) and time.monotonic() < until:
        time.sleep(0.2)
    subprocess.run(["umount", "-l", str(place)], check=True)
    assert "cannot be written: No such file or directory" in last_line(worker)
    assert worker.returncode == 74 and not list(place.iterdir())
