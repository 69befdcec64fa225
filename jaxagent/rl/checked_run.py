"""A run from Python: defaults filled in, arguments checked, and updates done with their curves."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from jaxagent.checks import check_flag
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.arguments import check_curriculum, check_hyper, updates_left
from jaxagent.rl.curriculum import Curriculum, mixture
from jaxagent.rl.updates import Curves, Metrics, follow

State = TypeVar("State")


class Trainer(Protocol):
    """What is run: a `Learner` or an `Imitator`."""

    @property
    def actor(self) -> Actor:
        """Who plays."""
        ...

    @property
    def settings(self) -> Hyper:
        """The settings of a run that is given none."""
        ...

    def advance(
        self, state: Any, hyper: Hyper, curriculum: Curriculum, count: Any = 1
    ) -> tuple[Any, Metrics]:
        """Do `count` updates in one program, and return the means of their metrics."""
        ...


def checked_run(
    trainer: Trainer,
    state: State,
    hyper: Hyper | None,
    curriculum: Curriculum | None,
    count: int | None,
    title: str,
    progress: bool,
) -> tuple[State, Curves]:
    """Do updates one by one, and keep the metrics of each: see `Learner.run`.

    Args:
        trainer: what is run.
        state: of it, checked by the caller.
        hyper: settings; None for the trainer's.
        curriculum: weights of the tasks; None for all tasks of the suite alike.
        count: updates; None for all that are left.
        title: of the bar.
        progress: whether to show it.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: an argument is out of range, or belongs to another suite.
        Diverged: a metric is not finite; the error names the update.
    """
    suite = trainer.actor.suite
    hyper = trainer.settings if hyper is None else hyper
    curriculum = mixture(suite, suite.names) if curriculum is None else curriculum
    check_hyper(hyper)
    check_curriculum(curriculum, suite)
    check_flag("progress", progress)
    count = updates_left(state, count)

    def advance(state: State) -> tuple[State, Metrics]:
        return trainer.advance(state, hyper, curriculum, 1)

    return follow(advance, state, count, title, progress)
