"""What can be done with the policies that a study made, as commands to paste into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from jaxagent.study.files import read_json
from jaxagent.study.policies import entries_of, last_phases

MOST = 4
"""Policies that commands are given for at most."""


def next_steps(folder: Path) -> list[str]:
    """Commands that measure, watch and report what a study made.

    Args:
        folder: of a finished study.

    Returns:
        A command per line, quoted for a shell.
    """
    plan = read_json(folder / "plan.json")
    tasks: Sequence[str] = plan["evaluation"]["tasks"] or plan["tasks"]
    names = list(dict.fromkeys(entry.name for entry in entries_of(folder)))
    last = last_phases(names)
    policies = [f"{folder}:{name}" for name in last[:MOST]] if len(last) > 1 else [str(folder)]
    lines = [["evaluate", f"--policy={each}", "--tasks", *tasks] for each in policies]
    lines += [["play", tasks[0], f"--policy={each}"] for each in policies]
    lines += [["report", str(folder)]]
    return [shlex.join(["jaxagent", *line]) for line in lines]
