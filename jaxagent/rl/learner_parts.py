"""What a learner is made of: its static parts, and the state that updates carry on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import flax.struct
import jax
import optax
from jaxtyping import Array, Float, Int

from jaxagent.checks import check_flag, check_kind, check_option, check_whole
from jaxagent.models import Params
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import ALGORITHMS, Algorithm, Hyper
from jaxagent.rl.consolidation import Memory
from jaxagent.rl.devices import check_devices
from jaxagent.rl.layout import Layout, layout_of
from jaxagent.rl.replay import Replay
from jaxagent.rl.standing import Standing
from jaxagent.rl.updates import progress_of
from jaxagent.rl.window import Window


class LearnerState(flax.struct.PyTreeNode):
    """All that a training run is; saved and restored, it goes on bit for bit.

    Attributes:
        params: of the policy.
        reference: of the policy that divergence is measured from; empty if none is.
        memory: of earlier stages, that the parameters are held to; empty if they are not.
        standing: success in every task so far, for the curriculum.
        replay: levels that may be played again; empty if none are.
        optimiser: state of Adam.
        key: of everything random still to come.
        update: int32[], updates done.
        updates: int32[], updates of the whole run, which progress is measured by.
    """

    params: Params
    reference: Params
    memory: Memory
    standing: Standing
    replay: Replay | dict[str, jax.Array]
    optimiser: optax.OptState
    key: jax.Array
    update: Int[Array, ""]
    updates: Int[Array, ""]

    @property
    def progress(self) -> Float[Array, ""]:
        """Share of the training that is done, at most 1."""
        return progress_of(self.update, self.updates)


@dataclass(frozen=True, eq=False)
class LearnerParts:
    """The static parts of training.

    Attributes:
        actor: the policy in the suite.
        window: shape of the rollouts.
        algorithm: static parts of the update, or the name of one of `ALGORITHMS`.
        pool: instances made per update, the same number for every group of rows (what is left over
            is not made); 0 for four of each.
        updates: updates of a whole run, unless `start` is told another number.
        replay: levels that are remembered, to be played again as the curriculum says; 0 for none.
        devices: that share every batch; each plays `window.rows / devices` rows. Where there are
            fewer, one does the work of all.
        split: keep parameters, optimiser and reference in parts, one on each of the devices (see
            `jaxagent.rl.layout`); else all of them on each.
    """

    actor: Actor
    window: Window = Window()
    algorithm: Algorithm = Algorithm()
    pool: int = 0
    updates: int = 40
    replay: int = 0
    devices: int = 1
    split: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.algorithm, str):
            check_option("algorithm", self.algorithm, ALGORITHMS)
            object.__setattr__(self, "algorithm", ALGORITHMS[self.algorithm][0])
        self._check_kinds()
        self.played.check(self.actor.suite)
        check_devices(self.devices, self.window.rows, self.algorithm.minibatch)
        self.played.shared(self.devices)  # checks that no group is torn apart
        if self.pool and self.pool < self.groups:
            raise ValueError(f"pool={self.pool}: expected at least {self.groups}, or 0")
        if self.replay and self.replay < self.instances:
            raise ValueError(f"replay={self.replay}: expected at least {self.instances}, or 0")
        if self.replay and self.devices > 1:
            raise ValueError(f"replay={self.replay}: expected devices=1, got {self.devices}")
        if self.split and self.algorithm.consolidates:
            raise ValueError("split=True: expected an algorithm that does not consolidate")

    def _check_kinds(self) -> None:
        check_kind("actor", self.actor, Actor, 'a jaxagent.Actor, e.g. Actor("tiny", suite)')
        check_kind("window", self.window, Window, "a jaxagent.Window")
        expected = f"a jaxagent.Algorithm, or one of {', '.join(ALGORITHMS)}"
        check_kind("algorithm", self.algorithm, Algorithm, expected)
        for name in ("pool", "replay"):
            check_whole(name, getattr(self, name), 0, 2**24)
        check_whole("updates", self.updates)
        check_flag("split", self.split)

    @property
    def settings(self) -> Hyper:
        """The settings that `run` takes where it is given none: those of the named algorithm with
        the same parts, else `Hyper()`."""
        return next((own for parts, own in ALGORITHMS.values() if self._is_like(parts)), Hyper())

    def _is_like(self, parts: Algorithm) -> bool:
        """Whether the algorithm differs from another in its sizes at most."""
        own = self.algorithm
        sizes = {"group": own.group, "epochs": own.epochs, "minibatch": own.minibatch}
        return (own.group > 1) == (parts.group > 1) and replace(parts, **sizes) == own

    @property
    def turns_per_update(self) -> int:
        """Turns that an update plays."""
        return self.window.rows * self.window.turns

    @cached_property
    def played(self) -> Window:
        """The window as the algorithm needs it played."""
        return self.algorithm.played(self.window)

    @cached_property
    def layout(self) -> Layout:
        """Where parameters lie."""
        return layout_of(self.actor.policy, self.devices, self.split)

    @property
    def visit(self) -> tuple[int, int, int]:
        """Sizes of a minibatch on each device: rows, tokens and words said of each."""
        rows = self.algorithm.minibatch // self.devices
        return rows, self.window.context, self.window.words

    @property
    def groups(self) -> int:
        """Groups of rows that play the same instances."""
        return self.window.rows // self.algorithm.group

    @property
    def instances(self) -> int:
        """Instances made per update."""
        each = self.pool // self.groups or 4
        return each * self.groups
