"""The report's section on how a study was made: with which versions, on which devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from jaxagent.study import page
from jaxagent.study.contents import checked
from jaxagent.study.machine import MACHINES, Machine, from_json

Trained = Mapping[str, Sequence[tuple[int, Machine]]]
"""For each phase the machines that it was trained on, and from which update on each."""


def provenance(trained: Trained, measured: Mapping[str, Machine]) -> dict[str, Any]:
    """Returns, as JSON, which phases were trained and measured on which machine.

    Args:
        trained: those that say what they were trained on.
        measured: for each phase the machine that it was measured on, where that is known.

    Returns:
        `machines`, each once, and `trained` and `measured` with their numbers in that list.
    """
    machines: list[Machine] = []

    def number(machine: Machine) -> int:
        if machine not in machines:
            machines.append(machine)
        return machines.index(machine)

    made = {name: [[begun, number(m)] for begun, m in each] for name, each in trained.items()}
    played = {name: number(machine) for name, machine in measured.items()}
    return {"machines": [asdict(m) for m in machines], "trained": made, "measured": played}


def read_section(folder: Path) -> str:
    """Returns the section about the study in a folder; empty where that does not say.

    Raises:
        ValueError: naming the file, if it holds something else.
    """
    path = folder / MACHINES
    content = checked(path, {})
    try:
        return section(content)
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ValueError(f"{path}: expected machines, trained and measured") from None


def section(content: Mapping[str, Any] | None) -> str:
    """Returns the section as HTML; empty where nothing is known."""
    if not content or not content["machines"]:
        return ""
    machines = [from_json(each) for each in content["machines"]]
    if len(machines) == 1:
        text = f"<p>Everything was trained and measured on {escape(machines[0].title)}.</p>"
        return page.section("How it was made", text)
    lines = [f"<li>{escape(machine.title)}</li>" for machine in machines]
    parts = [
        "<p class='note'>Not everything was made under the same versions, devices and flags, on "
        "which numbers depend in their last digits, and with them what is sampled: a training that "
        f"went on under others is neither's.</p><ol>{''.join(lines)}</ol>"
    ]
    went_on = [line for name, each in content["trained"].items() if (line := _went_on(name, each))]
    if went_on:
        parts.append(f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in went_on)}</ul>")
    for number in range(len(machines)):
        trained = [n for n, each in content["trained"].items() if each and each[-1][1] == number]
        measured = [name for name, each in content["measured"].items() if each == number]
        for verb, names in (("Trained to the end", trained), ("Measured", measured)):
            if names:
                parts.append(f"<p>{verb} on {number + 1}: {escape(', '.join(names))}.</p>")
    return page.section("How it was made", "".join(parts))


def _went_on(name: str, begun: Sequence[Sequence[int]]) -> str:
    """What a phase went on from, and where; empty for one that was trained on one machine."""
    if len(begun) < 2:
        return ""
    ways = [f"from update {update} on {number + 1}" for update, number in begun]
    return f"{name}: {', '.join(ways)}"
