"""A population on one device, on four, and on two processes with two devices each; members with a
device of their own, and members that share several."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent


def trained(folder: Path, processes: int, devices: int, shared: int) -> list[np.ndarray]:
    """The members' parameters."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    file = folder / f"{processes}-{devices}-{shared}.npz"
    known = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_PLATFORMS", "XLA_"))}
    known["PYTHONPATH"] = str(HERE)
    started = [
        subprocess.Popen(
            [
                *(sys.executable, str(HERE / "two_processes.py")),
                *map(str, (processes, number, port, devices, shared, file)),
            ],
            env=known,
        )
        for number in range(processes)
    ]
    assert [process.wait(timeout=300) for process in started] == [0] * processes
    with np.load(file) as found:
        return list(found.values())


@pytest.mark.slow
@pytest.mark.parametrize("shared", [1, 2, 4])
def test_where_members_are_trained_changes_nothing(shared, tmp_path):
    """Whether a member has one device, shares its batch between two, or has all four."""
    one = trained(tmp_path, 1, 1, shared)
    four, two = trained(tmp_path, 1, 4, shared), trained(tmp_path, 2, 2, shared)
    for a, b, c in zip(one, four, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
        if shared == 1:
            np.testing.assert_array_equal(b, c)
        else:
            np.testing.assert_allclose(b, c, rtol=0, atol=1e-6)
