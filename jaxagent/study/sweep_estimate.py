"""What a sweep will take: its groups, shards, turns, memory and time."""

from __future__ import annotations

import jax
from rich.console import RenderableType

from jaxagent.study.estimate import COMPILATION, EFFICIENCY, SECONDS, duration, training_flops
from jaxagent.study.footprint import bytes_text, process_bytes
from jaxagent.study.programs import Programs
from jaxagent.study.roofline import measure_ceilings
from jaxagent.study.sweep_plan import Shard, SweepPlan, shards_of
from jaxagent.study.sweep_rounds import rounds_of
from jaxagent.study.sweep_shard import learner_of
from jaxagent.study.wide_table import WideTable
from jaxagent.sweep.memory import member_bytes, peak_bytes

PROGRAMS = 3
"""Of a group: base policy, training of its members, measurement."""


def show(sweep: SweepPlan) -> tuple[RenderableType, ...]:
    """The groups of the first round, and what all rounds come to.

    Raises:
        ValueError: the sweep takes more turns than its budget.
    """
    updates = rounds_of(sweep)[0][1]
    shards = shards_of(sweep, _first_points(sweep), updates)
    programs = Programs()
    ceiling = measure_ceilings(len(jax.devices()), "float32", SECONDS).flops
    groups: dict[int, list[Shard]] = {}
    for shard in shards:
        groups.setdefault(id(shard.plan), []).append(shard)
    lines = []
    total = seconds = most = environments = 0.0
    for own in groups.values():
        members = sum(len(shard.members) for shard in own)
        learner = learner_of(own[0], programs)
        plan = own[0].plan
        each = (updates or plan.updates_of(plan.stages[own[0].arm][0])) * learner.turns_per_update
        work = training_flops(plan, learner, each) * members / (EFFICIENCY * ceiling)
        memory = peak_bytes(member_bytes(learner))
        cells = [str(members), str(len(own)), f"{each * members:,}", bytes_text(memory)]
        lines.append((_title(sweep, own[0]), [*cells, duration(work + COMPILATION)]))
        total += each * members
        seconds += work + COMPILATION
        most, environments = max(most, memory), max(environments, len(plan.environments))
    rest = _later(sweep, total)
    if sweep.turns and total + rest > sweep.turns:
        raise ValueError(
            f"turns={sweep.turns:,.0f}: the sweep takes {total + rest:,.0f}; expected no more"
        )
    words = f"{len(shards)} shards, {total + rest:,.0f} turns of training in all rounds; "
    words += f"about {duration(seconds * (1 + rest / max(total, 1)))} on this machine alone"
    process = process_bytes(PROGRAMS * len(groups), int(environments), most)
    words += f"; the process of a worker takes about {bytes_text(process)}, within a factor of two"
    heads = ("members", "shards", "turns", "memory of a member", "time")
    return WideTable("group", heads, lines), words


def _first_points(sweep: SweepPlan) -> list:
    """Points of the first round; those of a sampler that is not at hand are taken by chance."""
    return sweep.points()[: rounds_of(sweep)[0][0]]


def _later(sweep: SweepPlan, first: float) -> float:
    """Turns of the rounds behind the first."""
    (count, updates), *rest = rounds_of(sweep)
    return sum(first * n / count * (u / updates if updates else 1) for n, u in rest)


def _title(sweep: SweepPlan, shard: Shard) -> str:
    point = shard.members[0].point
    static = {name: value for name, value in point.items() if not name.startswith("train.")}
    words = ", ".join(f"{name}={value}" for name, value in static.items())
    return f"{words or sweep.plan}: {shard.plan.arms[shard.arm]}"
