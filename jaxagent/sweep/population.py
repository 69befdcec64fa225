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
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int

from jaxagent.models import Params
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.curriculum import Curriculum
from jaxagent.rl.devices import AXIS as DATA
from jaxagent.rl.devices import first_devices, imitate, place, shard_map
from jaxagent.rl.learner import Learner, train_step
from jaxagent.rl.learner_parts import LearnerState
from jaxagent.rl.updates import Metrics, repeat

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
        if self.lanes < 1:
            raise ValueError(f"lanes={self.lanes}: expected at least 1")
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
            ValueError: the members cannot be shared out evenly.
        """
        count = len(keys)
        if count % (self.lanes * self.devices):
            share = f"lanes={self.lanes} × devices={self.devices}"
            raise ValueError(f"members={count}: expected a multiple of {share}")
        begin = partial(self.learner.initial, updates=updates)
        members = jax.vmap(begin, in_axes=(0 if own else None, 0))(params, keys)
        total = self.learner.updates if updates is None else updates
        state = PopulationState(members, jnp.ones(count, bool), jnp.int32(0), jnp.int32(total))
        return self._placed(state)

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def run(
        self,
        state: PopulationState,
        hyper: Hyper,
        curriculum: Curriculum,
        count: jax.typing.ArrayLike = 1,
    ) -> tuple[PopulationState, Metrics]:
        """Does `count` updates of every member.

        Args:
            state: the members.
            hyper: of each, a leading axis [members] on every leaf: see `stack`.
            curriculum: of each, in the same way.
            count: updates.

        Returns:
            The members, and the means of the metrics of each; not finite for those that died.
        """

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
        done = state.update + jnp.asarray(count, jnp.int32)
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
    """Trees of the members, e.g. `Hyper`, as one with a leading axis [members]."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(x) for x in leaves]), *members)


def _is_finite(x: jax.Array) -> Bool[Array, ""]:
    return jnp.all(jnp.isfinite(x)) if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.bool_(True)
