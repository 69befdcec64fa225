"""Shifts of words and of interface as two factors: what each costs, and both together.

The original study's environments differ in both at once. Here the dynamics stay, so the gain that
training brought can be split: G[words, interface] over the cells that were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from jaxagent.study.grid import Column, Grid
from jaxagent.study.scores import BASE, Scores, Weights, contrast, mean_of
from jaxagent.text import INTERFACES, LEXICONS

IDENTITY, TERSE = LEXICONS[0], INTERFACES[0]


@dataclass(frozen=True)
class Factorial:
    """The tasks of one level by words and interface.

    Attributes:
        level: the plain task, e.g. `textcraft/easy`.
        tasks: (lexicon, interface) -> task.
    """

    level: str
    tasks: dict[tuple[str, str], str]

    def crossed(self, lexicon: str, interface: str) -> bool:
        """Whether the four cells of both shifts were measured."""
        cells = product((IDENTITY, lexicon), (TERSE, interface))
        return all(cell in self.tasks for cell in cells)


def factorials(table: Scores) -> list[Factorial]:
    """The levels that were measured under a shift of words and under one of the interface."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    for task in table.tasks:
        level, *modifiers = task.split("+")
        lexicons = [m for m in modifiers if m in LEXICONS]
        interfaces = [m for m in modifiers if m in INTERFACES]
        if len(lexicons) + len(interfaces) == len(modifiers):
            cell = (lexicons or [IDENTITY])[0], (interfaces or [TERSE])[0]
            found.setdefault(level, {})[cell] = task
    every = [Factorial(level, tasks) for level, tasks in found.items()]
    return [f for f in every if any(f.crossed(x, i) for x, i in f.tasks if _both(x, i))]


def factorial_grid(table: Scores, factorial: Factorial) -> Grid | None:
    """What the shift of words, that of the interface, and both beyond their sum change of every
    phase's gain over the base; None without a base."""
    phases = [phase for phase in table.phases if phase != BASE]
    if BASE not in table.phases or not phases:
        return None
    shifts = [cell for cell in factorial.tasks if _both(*cell) and factorial.crossed(*cell)]
    columns, effects = [], []
    for lexicon, interface in shifts:
        columns += [f"{lexicon} × {interface}: words", "interface", "both beyond the sum"]
        effects.append((lexicon, interface))
    rows = []
    for phase in phases:
        cells = [
            contrast(table, weights)
            for effect in effects
            for weights in _effects(table, factorial, phase, *effect)
        ]
        rows.append((phase, tuple(cells)))
    name = f"factorial-{factorial.level.replace('/', '-')}"
    heads = tuple(Column(each, sign=True) for each in columns)
    return Grid(name, factorial.level, heads, tuple(rows))


def _effects(
    table: Scores, factorial: Factorial, phase: str, lexicon: str, interface: str
) -> Sequence[Weights]:
    """Main effects of words and interface, and their interaction, as weights on the scores."""

    def gain(words: str, manner: str) -> Weights:
        task = [factorial.tasks[words, manner]]
        return mean_of(table, phase, task) - mean_of(table, BASE, task)

    plain, said = gain(IDENTITY, TERSE), gain(lexicon, TERSE)
    shown, both = gain(IDENTITY, interface), gain(lexicon, interface)
    words = np.asarray((said - plain) + (both - shown)) / 2
    manner = np.asarray((shown - plain) + (both - said)) / 2
    return words, manner, (both - shown) - (said - plain)


def _both(lexicon: str, interface: str) -> bool:
    return lexicon != IDENTITY and interface != TERSE
