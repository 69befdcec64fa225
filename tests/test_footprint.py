"""What a process takes of memory: the estimate against peaks of resident memory."""

from __future__ import annotations

import io
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from jaxagent.study import estimate
from jaxagent.study.footprint import bytes_text, process_bytes

GIB = 2**30

MEASURED = {
    # Environments, programs compiled in the process, peak in GiB (two cores, jax 0.10, no cache);
    # of five environments until shortly before the last program was compiled.
    "train on textcraft/easy": (1, 3, 2.0),
    "quickstart": (2, 3, 3.6),
    "five environments, nano": (5, 3, 4.7),
}


@pytest.mark.parametrize("name", MEASURED)
def test_the_estimate_is_within_half_of_what_was_measured(name: str) -> None:
    environments, programs, peak = MEASURED[name]
    found = process_bytes(programs, environments, 50e6) / GIB
    assert peak / 1.5 <= found <= 1.5 * peak


def test_a_process_takes_more_with_every_part() -> None:
    least = process_bytes(0, 5, 0)
    assert 0.3 * GIB < least < 0.5 * GIB
    assert process_bytes(2, 1, 0) < process_bytes(3, 1, 0) < process_bytes(3, 2, 0)
    assert process_bytes(1, 1, 5e9) - process_bytes(1, 1, 0) == pytest.approx(5e9)
    assert (bytes_text(48 * 2**20), bytes_text(2.5 * GIB)) == ("48 MiB", "2.5 GiB")


def test_a_dry_run_tells_what_the_process_takes() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(*estimate.show([], 3, 2))
    printed = console.file.getvalue()
    (told,) = re.findall(r"memory of the process.*?([\d.]+) GiB", printed)
    assert float(told) == pytest.approx(process_bytes(3, 2, 0) / GIB, abs=0.06)
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.slow  # three programs to compile, without a cache
def test_a_training_takes_what_was_estimated(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jaxagent", "train", "--tasks", "textcraft/easy"]
    command += ["--base.updates", "1", "--train.updates", "1", "--output", str(tmp_path / "out")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    surroundings = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}
    surroundings.pop("XLA_FLAGS", None)
    subprocess.run(command, check=True, env=surroundings, capture_output=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    if peak <= before * 1024:
        pytest.skip("an earlier process of this test run took more")
    assert 0.5 <= peak / process_bytes(3, 1, 50e6) <= 2
