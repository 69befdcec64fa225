"""Populations: many training runs as one program, sharing nothing but the code.

Seeds, learning rates and all else that is traced differ between members; shapes and algorithms do
not. Members are spread over the devices without any communication, and on each device some of them
run side by side, in *lanes*, the others behind. On an accelerator lanes fill the machine; a
processor core is busy with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int

from jaxagent.checks import check_flag, check_key, check_kind, check_whole
from jaxagent.models import Params
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.arguments import (
    check_curriculum,
    check_hyper,
    check_params,
    check_state,
    updates_left,
)
from jaxagent.rl.curriculum import Curriculum, mixture
from jaxagent.rl.devices import AXIS as DATA
from jaxagent.rl.devices import first_devices, imitate, place, shard_map
from jaxagent.rl.learner import Learner, train_step
from jaxagent.rl.learner_parts import LearnerState
from jaxagent.rl.updates import Curves, Metrics, as_traced, compiled, follow, repeat

AXIS = "member"
_EVERYWHERE, _BY_MEMBER = PartitionSpec(), PartitionSpec(AXIS)


class PopulationState(flax.struct.PyTreeNode):
    """All members, a leading axis [members] on every leaf.

    Attributes:
        members: their states.
        alive: bool[members], false once an update gave a number that is not finite: the member
            stays as it was before, and its counter of updates tells when.
        update: int32[], updates done, by those that live.
        updates: int32[], updates of the whole run.
    """

    members: LearnerState
    alive: Bool[Array, " members"]
    update: Int[Array, ""]
    updates: Int[Array, ""]


@dataclass(frozen=True, eq=False)
class Population:
    """Static parts of a population.

    Attributes:
        learner: of every member; its `devices` share a member's batch.
        lanes: members side by side on a device; a divisor of the members on it.
        devices: that the members are spread over, times those of the learner; if there are not so
            many, one does the work of a learner's.
    """

    learner: Learner
    lanes: int = 1
    devices: int = 1

    def __post_init__(self) -> None:
        check_kind("learner", self.learner, Learner, "a jaxagent.Learner")
        check_whole("lanes", self.lanes, 1, 2**20)
        check_whole("devices", self.devices)
        if not 1 <= self.devices <= len(jax.devices()):
            raise ValueError(f"devices={self.devices}: expected 1 to {len(jax.devices())}")

    def start(
        self, params: Params, keys: jax.Array, updates: int | None = None, own: bool = False
    ) -> PopulationState:
        """The state before the first update.

        Args:
            params: to start from, the same for all members.
            keys: [members], of everything random in each.
            updates: of the whole run; by default those of the learner.
            own: every member starts from parameters of its own, a leading axis [members].

        Raises:
            TypeError: an argument is of another kind.
            ValueError: the members cannot be shared out evenly, or the parameters are not those of
                the policy.
        """
        check_key("keys", keys, members=True)
        check_flag("own", own)
        count = len(keys)
        check_whole("members", count)
        check_params("params", self.actor.policy, params, count if own else 0)
        if updates is not None:
            check_whole("updates", updates)
        if count % (self.lanes * self.devices):
            share = f"lanes={self.lanes} × devices={self.devices}"
            raise ValueError(f"members={count}: expected a multiple of {share}")
        begin = partial(self.learner.initial, updates=updates)
        members = jax.vmap(begin, in_axes=(0 if own else None, 0))(params, keys)
        total = self.learner.updates if updates is None else updates
        state = PopulationState(members, jnp.ones(count, bool), jnp.int32(0), jnp.int32(total))
        return self._placed(state)

    @property
    def actor(self) -> Actor:
        """Who plays."""
        return self.learner.actor

    def member(self, state: PopulationState, number: int) -> LearnerState:
        """Cut out one member, which the population's learner goes on with.

        Args:
            state: of the population.
            number: of the member, from 0.

        Raises:
            TypeError: an argument is of another kind.
            ValueError: there is no such member.
        """
        check_kind("state", state, PopulationState, "a PopulationState, as start(…) returns it")
        check_whole("number", number, 0, len(state.alive) - 1)
        return self.learner.placed(jax.tree.map(lambda leaf: leaf[number], state.members))

    def run(
        self,
        state: PopulationState,
        hyper: Hyper | None = None,
        curriculum: Curriculum | None = None,
        count: int | None = None,
        progress: bool = True,
    ) -> tuple[PopulationState, Curves]:
        """Train every member: do `count` updates, show a bar, return the members and their curves.

        The state that is given stays as it is and may be used again. A member that diverges stays
        as it was before (`PopulationState.alive`).

        Args:
            state: the members.
            hyper: of each, a leading axis [members] on every leaf (see `stack`), or one `Hyper` for
                all; by default the learner's `settings`.
            curriculum: of each, in the same way; by default all tasks of the suite alike.
            count: updates; by default all that are left.
            progress: show a bar in a terminal or notebook.

        Returns:
            The members, and their metrics as NumPy arrays with leading axes [count, members]; not
            finite for those that died.

        Raises:
            TypeError: an argument is of another kind.
            ValueError: an argument is out of range, or belongs to another policy, suite or number
                of members.
        """
        check_kind("state", state, PopulationState, "a PopulationState, as start(…) returns it")
        members, suite = len(state.alive), self.actor.suite
        check_state(state, PopulationState, self.actor.policy, members)
        hyper = self.learner.settings if hyper is None else hyper
        curriculum = mixture(suite, suite.names) if curriculum is None else curriculum
        check_kind("hyper", hyper, Hyper, "a jaxagent.Hyper, or several as stack(…) makes them")
        if np.shape(hyper.learning_rate) == ():
            check_hyper(hyper)
            hyper = cast(Hyper, stack([hyper] * members))
        check_hyper(hyper, members)
        if isinstance(curriculum, Curriculum) and np.ndim(curriculum.rule) == 0:
            check_curriculum(curriculum, suite)
            curriculum = stack([curriculum] * members)
        check_curriculum(curriculum, suite, members)
        check_flag("progress", progress)
        count = updates_left(state, count)
        settings, tasks = self.place(as_traced(hyper)), self.place(as_traced(curriculum))
        return follow(
            lambda state: self.advance(state, settings, tasks, 1),
            state,
            count,
            "training",
            progress,
            finite=False,
        )

    def advance(
        self,
        state: PopulationState,
        hyper: Hyper,
        curriculum: Curriculum,
        count: jax.typing.ArrayLike = 1,
    ) -> tuple[PopulationState, Metrics]:
        """Do `count` updates of every member in one program.

        It checks nothing, and uses up the arrays of the state that it is given.

        Args:
            state: the members.
            hyper: of each, a leading axis [members] on every leaf: see `stack`.
            curriculum: of each, in the same way.
            count: updates.

        Returns:
            The members, and the means of the metrics of each; not finite for those that died.
        """
        return self._advance(state, *as_traced((hyper, curriculum, count)))

    def compile(
        self, state: PopulationState, hyper: Hyper, curriculum: Curriculum
    ) -> jax.stages.Compiled:
        """Compile what `advance` runs, run nothing of it, and return the program."""
        return compiled(self, state, hyper, curriculum)

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def _advance(
        self, state: PopulationState, hyper: Hyper, curriculum: Curriculum, count: jax.Array
    ) -> tuple[PopulationState, Metrics]:
        def each(member: tuple) -> tuple[tuple[LearnerState, Bool[Array, ""]], Metrics]:
            *state, hyper, curriculum = member
            step = partial(survive, self.learner, hyper=hyper, curriculum=curriculum)
            return repeat(step, tuple(state), count)

        if self._shared < self.learner.devices:
            each = imitate(each, self.learner.devices)

        def mapped(*members: Any) -> tuple[tuple[LearnerState, Bool[Array, "members"]], Metrics]:
            return jax.lax.map(each, members, batch_size=self.lanes if self.lanes > 1 else None)

        if self._mesh.size > 1:
            mapped = shard_map(mapped, self._mesh, _BY_MEMBER, _BY_MEMBER)
        after, metrics = mapped(state.members, state.alive, hyper, curriculum)
        members, alive = after
        done = state.update + count
        return PopulationState(members, alive, done, state.updates), metrics

    def _placed(self, state: PopulationState) -> PopulationState:
        """The state with every member on its device, where a checkpoint brings it back to."""
        return PopulationState(
            self.place(state.members),
            self.place(state.alive),
            self.place(state.update, _EVERYWHERE),
            self.place(state.updates, _EVERYWHERE),
        )

    def place(self, tree: Any, spec: PartitionSpec = _BY_MEMBER) -> Any:
        """Arrays with a leading axis [members], each member's part on its device.

        With several processes (`jax.distributed`) all of them have to give the same arrays, and the
        devices are those of all: what a population is given has to be placed then.
        """
        return tree if self._mesh.size == 1 else place(tree, NamedSharding(self._mesh, spec))

    @property
    def _shared(self) -> int:
        """Devices that a member has."""
        wanted = self.learner.devices
        return wanted if self.devices * wanted <= len(jax.devices()) else 1

    @property
    def _mesh(self) -> Mesh:
        shape = (self.devices, self._shared)
        chosen = first_devices(self.devices * self._shared)
        return jax.make_mesh(shape, (AXIS, DATA), axis_types=(AxisType.Auto,) * 2, devices=chosen)


def survive(
    learner: Learner,
    state: tuple[LearnerState, Bool[Array, ""]],
    hyper: Hyper,
    curriculum: Curriculum,
) -> tuple[tuple[LearnerState, Bool[Array, ""]], Metrics]:
    """One update of one member, given with whether it lives, unless it is or would be beyond
    repair. Pure."""
    before, lives = state
    after, metrics = train_step(learner, before, hyper, curriculum)
    numbers = (after.params, after.optimiser, metrics)
    lives &= jnp.all(jnp.stack([_is_finite(x) for x in jax.tree.leaves(numbers)]))
    member = jax.tree.map(partial(jnp.where, lives), after, before)
    metrics = {name: jnp.where(lives, value, jnp.nan) for name, value in metrics.items()}
    return (member, lives), metrics


def stack(members: Sequence[Any]) -> Any:
    """Trees of the members, e.g. `Hyper`, as one with a leading axis [members].

    Raises:
        TypeError: what is given is no list of trees.
        ValueError: there is none, or they differ in structure.
    """
    check_kind("members", members, (list, tuple), "a list, e.g. stack([Hyper(), Hyper(gamma=0.9)])")
    if not members:
        raise ValueError("members=[]: expected at least one")
    if len({jax.tree.structure(member) for member in members}) > 1:
        raise ValueError("members: expected trees of one structure, of one suite if curricula")
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(x) for x in leaves]), *members)


def _is_finite(x: jax.Array) -> Bool[Array, ""]:
    return jnp.all(jnp.isfinite(x)) if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.bool_(True)
