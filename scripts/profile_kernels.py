"""Which kernels of a training update take how long: a trace of what the compiled program runs.

On a CPU XLA fuses cheap operations into everything that uses them, so that one line of code may be
computed many times over: such kernels take long for their shape.

    python scripts/profile_kernels.py textcraft/easy
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import jax
from rich.console import Console
from rich.table import Table

from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.curriculum import mixture
from jaxagent.rl.learner import Learner
from jaxagent.rl.window import Window
from jaxagent.study.bench_train import ACTION_TOKENS, CONTEXTS, make_base
from jaxagent.study.timing import TURNS

ROWS, SHOWN = 128, 40


def main(task: str) -> None:
    """Prints the kernels that take longest: milliseconds of one update, runs, shape, operation."""
    actor, params = make_base(task)
    window = Window(ROWS, TURNS, CONTEXTS[task], ACTION_TOKENS)
    learner = Learner(actor, window, Algorithm(epochs=1))
    state = learner.start(params, jax.random.key(1))
    rest = (Hyper(), mixture(actor.suite, actor.suite.names))
    program = jax.jit(lambda state: learner.advance(state, *rest, 1)).lower(state).compile()
    jax.block_until_ready(program(state))
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(program(state))
        (trace,) = Path(folder).rglob("*.xplane.pb")
        spent, runs = _kernels(trace)
    table = Table("ms", "runs", "kernel", "shape", "operation")
    shapes = _instructions(program.as_text())
    for name, nanoseconds in spent.most_common():
        if name in shapes and table.row_count < SHOWN:
            shape, operation = shapes[name]
            table.add_row(f"{nanoseconds / 1e6:.1f}", str(runs[name]), name, shape, operation)
    Console().print(table)


def _kernels(trace: Path) -> tuple[Counter[str], Counter[str]]:
    """Nanoseconds and runs by the names of what was run."""
    spent, runs = Counter(), Counter()
    for plane in jax.profiler.ProfileData.from_file(str(trace)).planes:
        for line in plane.lines:
            for event in line.events:
                spent[event.name] += event.duration_ns
                runs[event.name] += 1
    return spent, runs


def _instructions(program: str) -> dict[str, tuple[str, str]]:
    """Shape, and end of the operation's name, of every instruction that is no loop or branch."""
    found = re.finditer(r'%([\w.\-]+) = (\S+) [^\n]*?op_name="([^"]*)"', program)
    return {
        name: (re.sub(r"\{.*", "", shape), operation[-60:])
        for name, shape, operation in (match.groups() for match in found)
        if not name.startswith(("while", "cond"))
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
