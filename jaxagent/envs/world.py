"""A world: one environment of a suite, from the words of an action to those of its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int8, UInt32

from jaxagent.envs.environment import Environment, State, Transition
from jaxagent.envs.fingerprint import mix
from jaxagent.envs.misstep import missteps
from jaxagent.envs.task import Task
from jaxagent.text import (
    ASIDES,
    ERRORS,
    INTERFACES,
    LEXICONS,
    LISTINGS,
    NONE,
    Language,
    Voice,
    only_if,
)


class Message(flax.struct.PyTreeNode):
    """Words for the policy: int32[size] padded, and how many of them count."""

    tokens: Int[Array, " size"]
    length: Int[Array, ""]


class Outcome(NamedTuple):
    """What an action did, in words: `Step` without the instance (`jaxagent.envs.suite`)."""

    message: Message
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    success: Bool[Array, ""]
    invalid: Bool[Array, ""]
    misstep: Int8[Array, ""]


_traced_once = partial(jax.jit, static_argnums=0, inline=True)
"""For methods: a program takes what is inside as if it stood there, and it is kept for the next."""


@dataclass(frozen=True, eq=False)
class World:
    """One environment and the tasks of a suite, some of which are its own.

    All methods are for one row whose task is one of its own; `task` is the number in the suite.
    They are branches for `dispatch`: a state (or None) and a result. `chance` is what asides are
    drawn by. They are traced once for all programs that call them.

    Attributes:
        environment: the environment.
        place: its place in the language.
        tasks: all tasks of the suite.
        language: the words.
    """

    environment: Environment
    place: int
    tasks: tuple[Task, ...]
    language: Language

    @_traced_once
    def open(
        self, state: State, task: Int[Array, ""], chance: UInt32[Array, ""], key: jax.Array
    ) -> tuple[State, Message]:
        """A new instance and its first message; the state given counts for nothing."""
        del state
        params = self._params(task)
        state, facts = self.environment.reset(key, params)
        listing = jnp.asarray(self._listings)[task]
        listed = (listing == _FIRST) | (listing == _EVERY_TURN)
        return state, self._message(state, task, chance, facts, listed, self.first_tokens)

    @_traced_once
    def act(
        self,
        state: State,
        task: Int[Array, ""],
        chance: UInt32[Array, ""],
        tokens: Int[Array, " size"],
    ) -> tuple[State, Outcome]:
        """Reads an action, carries it out and says what it did."""
        return self.obey(state, task, chance, self.language.read(tokens, self._voice(task)))

    @_traced_once
    def obey(
        self,
        state: State,
        task: Int[Array, ""],
        chance: UInt32[Array, ""],
        command: Int[Array, " row"],
    ) -> tuple[State, Outcome]:
        """Carries out a command and says what it did."""
        move = self._transition(state, task, command)
        invalid = self.language.is_error(move.facts, self.place)
        listing = jnp.asarray(self._listings)[task]
        listed = (listing == _EVERY_TURN) | (invalid & (listing == _ON_ERROR))
        size = self.step_tokens
        message = self._message(move.state, task, chance, move.facts, listed, size)
        misstep = self._misstep(state, task, command, move)
        ended = (move.reward, move.terminated, move.success)
        return move.state, Outcome(message, *ended, invalid, misstep)

    @_traced_once
    def move(
        self, state: State, task: Int[Array, ""], command: Int[Array, " row"]
    ) -> tuple[State, tuple[jax.Array, ...]]:
        """Carries out a command without a word: facts, reward, terminated and success."""
        move = self._transition(state, task, command)
        return move.state, (self._wide(move.facts), move.reward, move.terminated, move.success)

    @_traced_once
    def advise(self, state: State, task: Int[Array, ""]) -> tuple[None, Int[Array, " row"]]:
        """The expert's command."""
        return None, self._wide(self.environment.expert(state, self._params(task)))

    @_traced_once
    def list_valid(
        self, state: State, task: Int[Array, ""]
    ) -> tuple[None, tuple[Int[Array, "n row"], Bool[Array, " n"]]]:
        """Commands that have an effect now, and which rows count."""
        commands, mask = self.environment.valid_commands(state, self._params(task))
        return None, (self._wide(commands), mask)

    @_traced_once
    def counsel(
        self, state: State, task: Int[Array, ""]
    ) -> tuple[None, tuple[Int[Array, " row"], Int[Array, "n row"], Bool[Array, " n"]]]:
        """The expert's command and the valid ones, which have much to compute in common."""
        return None, (self.advise(state, task)[1], *self.list_valid(state, task)[1])

    @_traced_once
    def fingerprint(self, state: State, task: Int[Array, ""]) -> tuple[None, UInt32[Array, ""]]:
        """Hash of the state."""
        del task
        return None, self.environment.fingerprint(state)

    def blank_state(self) -> State:
        """A state of zeros, for rows that play in another world."""
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), self._state_shapes)

    @cached_property
    def first_tokens(self) -> int:
        """Length of the longest message that opens an episode."""
        return self._longest_message(first=True)

    @cached_property
    def step_tokens(self) -> int:
        """Length of the longest message behind an action."""
        return self._longest_message(first=False)

    @cached_property
    def _state_shapes(self) -> Any:
        return jax.eval_shape(
            lambda key: self.environment.reset(key, self._params(jnp.int32(0)))[0],
            jax.random.key(0),
        )

    @cached_property
    def _own(self) -> tuple[Task, ...]:
        return tuple(t for t in self.tasks if t.environment == self.environment.name)

    @cached_property
    def _lists(self) -> bool:
        return any(task.list != "never" for task in self._own)

    @cached_property
    def _listings(self) -> np.ndarray:
        return np.array([LISTINGS.index(task.list) for task in self.tasks], np.int32)

    @cached_property
    def _asides(self) -> np.ndarray:
        counts = [int(t.asides) if t in self._own else 0 for t in self.tasks]
        return np.array(counts, np.int32)

    @cached_property
    def _stacked_params(self) -> Any:
        """The parameters of every task of the suite; of tasks of others, the first level's."""
        levels, own = self.environment.levels, self._own
        first = next(iter(levels.values())).params
        rows = [levels[t.level].params_of(t.split) if t in own else first for t in self.tasks]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *rows)

    def _params(self, task: jax.Array) -> Any:
        return jax.tree.map(lambda x: jnp.asarray(x)[task], self._stacked_params)

    def _voice(self, task: jax.Array) -> Voice:
        """How the task is put into words; the environment is a constant."""
        voices = voices_of(self.tasks, [self.place] * len(self.tasks))
        voice = jax.tree.map(lambda table: jnp.asarray(table)[task], voices)
        return voice._replace(environment=np.int32(self.place))

    def _transition(self, state: State, task: jax.Array, command: jax.Array) -> Transition:
        own = command[: 1 + self.environment.schema.max_args]
        return self.environment.step(state, own, self._params(task))

    def _misstep(
        self, state: State, task: jax.Array, command: jax.Array, move: Transition
    ) -> Int8[Array, ""]:
        judge = getattr(self.environment, "misstep", None)
        if judge is None:
            return missteps(command, False, False)
        own = command[: 1 + self.environment.schema.max_args]
        return judge(state, own, move, self._params(task))

    def _message(
        self,
        state: State,
        task: jax.Array,
        chance: jax.Array,
        facts: jax.Array,
        listed: jax.Array,
        size: int,
    ) -> Message:
        if self._asides.any():
            facts = jnp.concatenate([facts, self._remarks(task, chance)])
        if self._lists:
            commands, mask = self.environment.valid_commands(state, self._params(task))
            rows = self.language.listed(commands, mask)
            facts = jnp.concatenate([facts, jnp.where(listed, rows, 0)])
        return Message(*self.language.say(facts, self._voice(task), size))

    def _remarks(self, task: jax.Array, chance: jax.Array) -> Int[Array, "most row"]:
        """As many asides as the task has, drawn by `chance`, then empty facts."""
        schema, most = self.environment.schema, int(self._asides.max())
        numbers = mix(chance + jnp.arange(most, dtype=jnp.uint32))
        spans = [schema.spans[name] for name in ASIDES]
        drawn = [low + (numbers >> 8 * k) % (high - low) for k, (low, high) in enumerate(spans)]
        rows = jax.vmap(partial(schema.fact, "ASIDE"))(*(n.astype(jnp.int32) for n in drawn))
        return only_if(jnp.arange(most) < jnp.asarray(self._asides)[task], rows)

    def _wide(self, rows: jax.Array) -> jax.Array:
        """Facts or commands with as many columns as the language's widest."""
        columns = 1 + self.language.max_args - rows.shape[-1]
        padding = [(0, 0)] * (rows.ndim - 1) + [(0, columns)]
        return jnp.pad(rows, padding, constant_values=NONE)

    def _longest_message(self, first: bool) -> int:
        interfaces = sorted({INTERFACES.index(task.interface) for task in self._own})
        listed = self.environment.max_commands if self._lists else 0
        levels = self.environment.levels
        bounds = [levels[task.level].most for task in self._own]
        longest = self.language.longest_message
        asides = int(self._asides.max())
        return max(longest(self.place, interfaces, first, listed, asides, most) for most in bounds)


_FIRST, _ON_ERROR, _EVERY_TURN = map(LISTINGS.index, ("first", "on_error", "every_turn"))


def voices_of(tasks: Sequence[Task], places: Sequence[int]) -> Voice:
    """int32[tasks] each: how every task is put into words, its environment at `places`."""
    return Voice(
        environment=np.array(places, np.int32),
        lexicon=np.array([LEXICONS.index(t.lexicon) for t in tasks], np.int32),
        interface=np.array([INTERFACES.index(t.interface) for t in tasks], np.int32),
        errors=np.array([ERRORS.index(t.errors) for t in tasks], np.int32),
    )
