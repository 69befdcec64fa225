"""Stop a study of five environments at random moments, and see that nothing is lost by it.

    python scripts/stop_at_random.py [--stops 20] [--seed 0] [--work FOLDER] [--seconds 120]

Runs the study once undisturbed, then again with SIGTERM at random moments, each time going on with
the same command, and once more where it ends before all signals are sent. Every third start finds
no compiled programs, so that the signal comes while they are compiled. Prints a table, and ends
with 1 unless each process was gone within 20 s with code 75 and all results are bit for bit those
of the undisturbed run: measurements, attempts, transcripts, and the parameters of every phase.
Curves are left out, since the clock says how many updates are averaged in a row of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxagent.study.saved_policy import read_policy

ENVIRONMENTS = ("textcraft", "babyai", "alfworld", "webshop", "searchqa")
PLAN = {
    "name": "stopped",
    "tasks": [f"{name}/easy" for name in ENVIRONMENTS],
    "arms": ["mixture", "textcraft > babyai"],
    "seeds": 1,
    "model": "nano",
    "context": 448,
    "action_tokens": 10,
    "base": {"updates": 30, "rows": 8, "turns": 4, "minibatch": 4},
    "train": {"updates": 60, "rows": 8, "turns": 4, "epochs": 1, "minibatch": 4},
    "evaluation": {"instances": 16, "attempts": 2},
}
SECONDS, CODE = 20.0, 75
"""In which a process has to be gone, and its exit code."""

QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
"""Environment variables with which compiling takes half the time."""

SOONEST = 0.1
"""Seconds to the earliest moment from when a process listens: before, it is Python's alone."""

COLD = 3
"""Of so many starts one finds no compiled programs."""


class Stop(NamedTuple):
    """One signal, and what came of it."""

    moment: float
    cold: bool
    doing: str
    took: float
    code: int

    @property
    def is_good(self) -> bool:
        """Whether the process went as it should."""
        return self.took <= SECONDS and self.code == CODE


def main() -> None:
    """Runs the studies and prints what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stops", type=int, default=20, help="signals to be sent")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the latest moment")
    parser.add_argument("--work", type=Path, help="folder for everything; default a temporary one")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="stop-at-random-"))
    work.mkdir(parents=True, exist_ok=True)
    (work / "plan.json").write_text(json.dumps(PLAN))
    print(f"in {work}", flush=True)
    whole, cache = work / "undisturbed", work / "cache"
    finish(work, whole, cache)
    chance = random.Random(options.seed)
    stops, outs = disturb(work, cache, options.seconds, options.stops, chance)
    wrong = [line for out in outs for line in differences(whole, out)]
    good = all(stop.is_good for stop in stops)
    print(f"{len(stops)} stops in {len(outs)} studies, the longest {longest(stops):.1f} s")
    print("\n".join(wrong) if wrong else "all results are those of the undisturbed run")
    sys.exit(bool(wrong) or not good)


def longest(stops: list[Stop]) -> float:
    """Seconds that the slowest process took to be gone."""
    return max((stop.took for stop in stops), default=0.0)


def disturb(
    work: Path, cache: Path, latest: float, count: int, chance: random.Random
) -> tuple[list[Stop], list[Path]]:
    """Stops studies so many times, one after the other, and lets each end.

    Half of the moments are spread evenly, half evenly on a logarithmic scale: there is more to go
    wrong in the first seconds than in any later ones.
    """
    stops: list[Stop] = []
    outs: list[Path] = []
    print(f"{'':>4} {'moment':>8} {'programs':>9} {'gone in':>8} {'code':>5}  it was at")
    while len(stops) < count:
        outs.append(work / f"stopped-{len(outs)}")
        while len(stops) < count:
            cold = len(stops) % COLD == COLD - 1
            place = Path(tempfile.mkdtemp(dir=work)) if cold else cache
            early = SOONEST * (latest / SOONEST) ** chance.random()
            moment = chance.choice((early, chance.uniform(SOONEST, latest)))
            stop = disturbed(work, outs[-1], place, moment, cold)
            if stop is None:  # the study had ended before
                break
            stops.append(stop)
            show(len(stops), stop)
        finish(work, outs[-1], cache)
    return stops, outs


def show(number: int, stop: Stop) -> None:
    """Prints a line of the table."""
    programs = "none" if stop.cold else "compiled"
    mark = "" if stop.is_good else "  WRONG"
    print(
        f"{number:>4} {stop.moment:>6.1f} s {programs:>9} {stop.took:>6.1f} s {stop.code:>5}  "
        f"{stop.doing}{mark}",
        flush=True,
    )


def start(work: Path, out: Path, cache: Path) -> subprocess.Popen[bytes]:
    """Begins a study or goes on with it; what it says is added to a file beside its folder."""
    command = [sys.executable, "-m", "jaxagent", "study", "run", str(work / "plan.json")]
    known = {**QUICK, **os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache)}
    with out.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=log, env=known
        )


def finish(work: Path, out: Path, cache: Path) -> None:
    """Lets a study end."""
    if code := start(work, out, cache).wait():
        sys.exit(f"{out}: ended with {code}: see {out.with_suffix('.log')}")


def disturbed(work: Path, out: Path, cache: Path, moment: float, cold: bool) -> Stop | None:
    """Starts a study and stops it; None if it ends before by itself."""
    log = out.with_suffix(".log")
    before = log.stat().st_size if log.exists() else 0
    process = start(work, out, cache)
    while process.poll() is None and not listens(process.pid):
        time.sleep(0.005)
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        said = log.read_bytes()[before:].decode().splitlines()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait()
        took = time.monotonic() - began
        return Stop(moment, cold, said[-1] if said else "(importing)", took, code)
    if process.returncode:
        sys.exit(f"{out}: ended with {process.returncode}: see {log}")
    return None


def listens(process: int) -> bool:
    """Whether a process has a handler for SIGTERM."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return False
    caught = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")]
    return any(mask >> (signal.SIGTERM - 1) & 1 for mask in caught)


def differences(whole: Path, out: Path) -> list[str]:
    """What a study has otherwise than the undisturbed one, and what dead processes left in it."""
    files = ("attempts.json", "transcripts.json", "results.csv")
    wrong = [f"{out}: {each}" for each in files if numbers(whole / each) != numbers(out / each)]
    wrong += [f"{out}: left behind: {path}" for path in out.rglob("*") if is_leftover(path)]
    for folder in sorted((whole / "phases").iterdir()):
        one, two = (parameters(place / "phases" / folder.name) for place in (whole, out))
        same = jax.tree.map(np.array_equal, one, two)
        if not all(jax.tree.leaves(same)):
            wrong.append(f"{out}: the parameters of {folder.name}")
    return wrong


def parameters(folder: Path) -> Any:
    """Of the policy that a phase left."""
    return read_policy(folder / "checkpoints").params


def numbers(path: Path) -> list[str]:
    """The lines of a file without those of curves."""
    return [line for line in path.read_text().splitlines() if ",train," not in line]


def is_leftover(path: Path) -> bool:
    """Whether a file or folder is half-written."""
    return "orbax-checkpoint-tmp" in path.name or path.name.startswith(".")


if __name__ == "__main__":
    main()
