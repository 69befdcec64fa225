"""What a study will take, told before anything is computed: phases, turns, time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from jaxagent.rl.learner import Learner
from jaxagent.study.escapes import visible
from jaxagent.study.footprint import bytes_text, process_bytes
from jaxagent.study.plan import StudyPlan
from jaxagent.study.roofline import measure_ceilings, token_flops
from jaxagent.study.runner import Runner, Work, updates_of
from jaxagent.study.training import Run
from jaxagent.sweep.memory import member_bytes, peak_bytes

EFFICIENCY = 0.3
"""Share of the machine's matrix products that training reaches: 0.28 to 0.37 with `tiny` on two
cores (`benchmarks/training-cpu.json`). On an accelerator, where small policies reach far less, the
estimate is a lower bound."""

COMPILATION = 30.0
"""Seconds that a program takes to compile, unless it is cached."""

SECONDS = 0.3
"""For measuring the machine."""


@dataclass(frozen=True)
class Estimate:
    """What one phase takes, and what is left of it.

    Attributes:
        turns: of training.
        episodes: of evaluation.
        seconds: of what is left of both, without compilation.
        bytes: of memory at the peak of training; 0 for a base policy.
        trained: whether only its evaluation is left.
        finished: whether nothing is.
    """

    turns: int
    episodes: int
    seconds: float
    bytes: int
    trained: bool
    finished: bool


def estimates(runner: Runner) -> list[tuple[Work, Estimate]]:
    """All phases of a study with what they will take.

    Every word is counted as one pass through the policy when it is played and three per epoch when
    it is learnt from; an episode as taking half of its turns and of its context.
    """
    plan = runner.plan
    dtype = runner.programs.policy(plan).config.resolve().dtype
    ceiling = measure_ceilings(len(jax.devices()), dtype, SECONDS).flops
    works = runner.works()
    runs = {id(run): run for run in (runner.programs.run(w.plan, w.phase) for w in works)}
    memory = {
        key: peak_bytes(member_bytes(run)) if isinstance(run, Learner) else 0
        for key, run in runs.items()
    }
    return [(work, _estimate(runner, work, EFFICIENCY * ceiling, memory)) for work in works]


def show(
    found: Sequence[tuple[Work, Estimate]], programs: int, environments: int
) -> tuple[Tree, Table]:
    """The graph of the phases and what they come to, for people.

    Args:
        found: every phase with what it takes.
        programs: that are left to compile.
        environments: that they play.
    """
    tree = Tree("phases")
    nodes: dict[str, Tree] = {}
    for work, each in found:
        parent = work.phase.parent
        above = nodes.get(parent.key, tree) if parent else tree
        name = work.title if not parent else work.phase.stages[-1].label
        state = "finished" if each.finished else duration(each.seconds)
        label = Text.assemble(visible(name), (f"  {each.turns:,} turns, {state}", "dim"))
        nodes.setdefault(work.phase.key, above.add(label))
    every = [each for _, each in found]
    left = [each for each in every if not each.finished]
    untrained = [each for each in every if not each.trained]
    table = Table("", "all", "left", show_header=True)
    table.add_row("phases", str(len(found)), str(len(left)))
    turns = (f"{sum(each.turns for each in group):,}" for group in (every, untrained))
    table.add_row("turns of training", *turns)
    episodes = (f"{sum(each.episodes for each in group):,}" for group in (every, left))
    table.add_row("episodes", *episodes)
    table.add_row(
        "programs to compile", "", f"up to {programs}, {duration(programs * COMPILATION)}"
    )
    seconds = duration(sum(each.seconds for each in every))
    table.add_row("time, within a factor of two or so", "", seconds)
    most = max((each.bytes for each in untrained), default=0)
    table.add_row("memory of what is played and learnt, at most", "", bytes_text(most))
    process = bytes_text(process_bytes(programs, environments, most))
    table.add_row("memory of the process, within a factor of two", "", process)
    return tree, table


def _estimate(runner: Runner, work: Work, flops: float, memory: dict[int, int]) -> Estimate:
    plan, run = work.plan, runner.programs.run(work.plan, work.phase)
    config = run.actor.policy.config
    window = plan.evaluation_window()
    turns = updates_of(work) * run.turns_per_update
    episodes = plan.evaluation.instances * plan.evaluation.attempts * len(plan.measured)
    trained, finished = runner.is_trained(work.phase), runner.is_finished(work)
    work_left = 0.0 if trained else training_flops(plan, run, turns)
    if not finished:
        work_left += episodes * window.context / 2 * token_flops(config, window.context)
    turns = turns if work.phase.parent else 0
    return Estimate(turns, episodes, work_left / flops, memory[id(run)], trained, finished)


def training_flops(plan: StudyPlan, run: Run, turns: int) -> float:
    """Operations of so many turns of training, an episode taking half of its turns and context."""
    learns = 3 * run.algorithm.epochs if isinstance(run, Learner) else 3
    words = turns * plan.context / float(run.actor.suite.turn_limits.mean())
    return words * (1 + learns) * token_flops(run.actor.policy.config, plan.context)


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
