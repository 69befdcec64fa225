"""BabyAI as an environment: rules, generator, expert and words put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int8, UInt32

from jaxagent.envs.babyai.commands import listed, options, path_of, understand
from jaxagent.envs.babyai.expert import advise
from jaxagent.envs.babyai.generator import generate
from jaxagent.envs.babyai.holdout import mission_names
from jaxagent.envs.babyai.layout import DOORS
from jaxagent.envs.babyai.levels import DIFFICULTIES, original_levels
from jaxagent.envs.babyai.messages import mission_facts, objection, observation, outcome
from jaxagent.envs.babyai.params import Params
from jaxagent.envs.babyai.rules import NO_ACTION, execute, reward
from jaxagent.envs.babyai.sentences import PHRASES
from jaxagent.envs.babyai.state import RUNNING, SUCCESS, State, settled
from jaxagent.envs.babyai.view import View, look
from jaxagent.envs.babyai.words import babyai_schema
from jaxagent.envs.environment import Level, Transition
from jaxagent.envs.fingerprint import fingerprint_of
from jaxagent.envs.misstep import missteps, stated
from jaxagent.text import Phrases, Schema, only_if


@dataclass(frozen=True, eq=False)
class BabyAI:
    """The grid world of BabyAI under macro commands, one row.

    Attributes:
        size: side of the grid; levels need `rows * (room - 1) + 1`.
        objects: rows for objects, 12 of which are doors.
        seen: how many of the visible objects are told, the nearest first.
        clauses: most clauses of a mission, 2 or 4; sizes the first message.
        levels: the difficulties.
    """

    size: int = 16
    objects: int = 32
    seen: int = 8
    clauses: int = 2
    levels: Mapping[str, Level] = field(default_factory=lambda: DIFFICULTIES)
    name: str = "babyai"
    phrases: Mapping[str, Phrases] = field(default_factory=lambda: PHRASES)

    def __post_init__(self) -> None:
        if self.objects < DOORS + 3:
            raise ValueError(f"objects={self.objects}: expected at least {DOORS + 3}")
        if self.clauses not in (2, 4):
            raise ValueError(f"clauses={self.clauses}: expected 2 or 4")
        for name, level in self.levels.items():
            needed = max(level.params.rows, level.params.cols) * (level.params.room - 1) + 1
            if needed > self.size:
                raise ValueError(f"size={self.size}: level {name!r} needs {needed}")

    @property
    def schema(self) -> Schema:
        """Facts, verbs and concepts."""
        return babyai_schema(self.seen, self.clauses)

    @property
    def max_commands(self) -> int:
        """Rows of `valid_commands`: two for every visible object and five more."""
        return 2 * self.seen + 5

    def reset(self, key: jax.Array, params: Params) -> tuple[State, Int[Array, "first row"]]:
        """A new instance, and the facts that open it: the mission and the first view."""
        state, clauses = generate(key, params, self.size, self.objects)
        mission = mission_facts(self.schema, state.mission, clauses)
        view = observation(self.schema, state, look(state, self.seen))
        return state, jnp.concatenate([mission, view])

    def step(self, state: State, command: Int[Array, "row"], params: Params) -> Transition:
        """Carries out a macro; what is wrong with a command is said instead of the view."""
        # A loop of two: looking takes long to compile.
        act = partial(self._look_and_act, command)
        (after, error), views = jax.lax.scan(act, (state, jnp.int32(0)), jnp.array([False, True]))
        view = observation(self.schema, after, jax.tree.map(lambda seen: seen[-1], views))
        running = state.progress.status == RUNNING
        verdict = outcome(self.schema, after)
        verdict = jnp.where(error > 0, objection(self.schema, error, command), verdict)
        won = running & (after.progress.status == SUCCESS)
        return Transition(
            state=after,
            facts=jnp.concatenate([only_if(error == 0, view), verdict[None]]),
            reward=jnp.where(won, reward(after), 0.0).astype(jnp.float32),
            terminated=after.progress.status != RUNNING,
            success=won,
        )

    def _look_and_act(
        self, command: Int[Array, "row"], carry: tuple[State, Array], is_over: Bool[Array, ""]
    ) -> tuple[tuple[State, Array], View]:
        """Looks, and carries out the command unless that is over; what it sees comes second.

        Carried along are the state and what is wrong with the command, or 0.
        """
        state, _ = carry
        view = settled(look(state, self.seen))
        carry = jax.lax.cond(is_over, lambda: carry, lambda: self._act(state, view, command))
        return carry, view

    def _act(self, state: State, view: View, command: Int[Array, "row"]) -> tuple[State, Array]:
        """The state after a command, and what is wrong with the command, or 0."""
        plan = settled(understand(self.schema, state, view, command))
        path = settled(path_of(state, view, plan))
        idle = plan.named & (path.length == 0) & (plan.tail[0] == NO_ACTION)
        error = jnp.where(idle, self.schema.fact_id("NO_CHANGE"), plan.error)
        error = jnp.where(state.progress.status == RUNNING, error, 0)
        after, _ = execute(state, path, jnp.where(error == 0, plan.tail, NO_ACTION))
        return after, error

    def valid_commands(
        self, state: State, params: Params
    ) -> tuple[Int[Array, "max_commands row"], Bool[Array, "max_commands"]]:
        """The text version's list of available actions, in its order."""
        view = look(state, self.seen)
        return listed(self.schema, view, options(state, view), self.max_commands)

    def expert(self, state: State, params: Params) -> Int[Array, "row"]:
        """The command of a planner that knows the whole grid."""
        return advise(self.schema, state, self.seen)

    def misstep(
        self, state: State, command: Int[Array, "row"], move: Transition, params: Params
    ) -> Int8[Array, ""]:
        """Unverified: naming what is not in sight. Inconsistent: dropping nothing or on something,
        walking against a barrier, or through a door that is closed, or to which one has no key."""
        del state, params
        against = "BARRIER", "CANNOT_DROP", "NOTHING_TO_DROP", "DOOR_CLOSED", "NO_KEY", "WRONG_KEY"
        out_of_sight = stated(self.schema, move.facts, "UNKNOWN")
        return missteps(command, out_of_sight, stated(self.schema, move.facts, *against))

    def content(self, state: State) -> Int[Array, "sets"]:
        """The names that the mission is about."""
        return mission_names(state)

    def fingerprint(self, state: State) -> UInt32[Array, ""]:
        """Hash of the state, which holds no randomness."""
        return fingerprint_of(state)


def original() -> BabyAI:
    """BabyAI's own levels by their names, in the room that the largest of them needs."""
    levels = original_levels()
    return BabyAI(size=22, objects=40, clauses=4, levels=levels, name="babyai_original")
