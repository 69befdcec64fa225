"""Suites: lists of tasks compiled to arrays, so that a row of a batch plays any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.environment import Environment, Transition
from jaxagent.envs.task import Task, parse_task
from jaxagent.text import (
    ERRORS,
    INTERFACES,
    LEXICONS,
    LISTINGS,
    NONE,
    Language,
    Voice,
    compile_language,
)


class Instance(flax.struct.PyTreeNode):
    """An episode under way: which task it is, and the state of its world.

    Attributes:
        task: int32[], row of the suite.
        states: one state per environment of the suite; only the task's own has a meaning.
    """

    task: Int[Array, ""]
    states: tuple[Any, ...]


class Message(flax.struct.PyTreeNode):
    """Words for the policy: int32[size] padded, and how many of them count."""

    tokens: Int[Array, " size"]
    length: Int[Array, ""]


class Step(flax.struct.PyTreeNode):
    """What an action did.

    Attributes:
        instance: the instance after it.
        message: what is said about it.
        reward: float32[].
        terminated: bool[], the goal is reached or lost.
        success: bool[], the goal is fully reached.
        invalid: bool[], the action could not be read or had no effect.
    """

    instance: Instance
    message: Message
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    success: Bool[Array, ""]
    invalid: Bool[Array, ""]


@dataclass(frozen=True, eq=False)
class Suite:
    """Tasks compiled to arrays; build it with `make_suite`. All methods are for one row.

    Attributes:
        tasks: the tasks, in the order of their numbers.
        environments: the environments they need.
        language: the words of all environments that a policy may meet.
        places: place in the language of each of `environments`.
    """

    tasks: tuple[Task, ...]
    environments: tuple[Environment, ...]
    language: Language
    places: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tasks)

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks as text."""
        return tuple(str(task) for task in self.tasks)

    @cached_property
    def owner(self) -> np.ndarray:
        """int32[tasks]: place of each task's environment in `environments`."""
        names = [each.name for each in self.environments]
        return np.array([names.index(task.environment) for task in self.tasks], np.int32)

    @cached_property
    def turn_limits(self) -> np.ndarray:
        """int32[tasks]: turns after which an episode is truncated."""
        limits = [self.environments[e].levels[t.level].turn_limit for e, t in self._pairs]
        return np.array(limits, np.int32)

    @cached_property
    def voices(self) -> Voice:
        """int32[tasks] each: how every task is put into words."""
        return Voice(
            environment=np.array([self.places[e] for e, _ in self._pairs], np.int32),
            lexicon=np.array([LEXICONS.index(t.lexicon) for t in self.tasks], np.int32),
            interface=np.array([INTERFACES.index(t.interface) for t in self.tasks], np.int32),
            errors=np.array([ERRORS.index(t.errors) for t in self.tasks], np.int32),
        )

    @cached_property
    def listings(self) -> np.ndarray:
        """int32[tasks]: when the valid commands are listed, as places in `LISTINGS`."""
        return np.array([LISTINGS.index(t.list) for t in self.tasks], np.int32)

    @cached_property
    def first_tokens(self) -> int:
        """Length of the longest message that opens an episode."""
        return self._longest_message(first=True)

    @cached_property
    def step_tokens(self) -> int:
        """Length of the longest message behind an action."""
        return self._longest_message(first=False)

    @cached_property
    def action_tokens(self) -> int:
        """Length of the longest command in words, its end included."""
        interfaces = sorted(set(self.voices.interface.tolist()))
        return self.language.longest_command(self.places, interfaces)

    @cached_property
    def sayable(self) -> np.ndarray:
        """int32[n]: the words that some lexicon of the suite knows, sorted."""
        return np.flatnonzero(self.language.sayable[sorted(set(self.voices.lexicon))].any(0))

    def voice(self, task: Int[Array, ""]) -> Voice:
        """How the task with this number is put into words."""
        return jax.tree.map(lambda table: jnp.asarray(table)[task], self.voices)

    def reset(
        self,
        key: jax.Array,
        task: Int[Array, ""],
        needed: Bool[Array, " environments"] | None = None,
    ) -> tuple[Instance, Message]:
        """A new instance of the task and its first message, of `first_tokens`.

        A caller who maps over tasks may tell which environments own any of them (`owners`): worlds
        of the others, which would have no meaning, are not made then.
        """
        made = [
            _zeros_unless(
                None if needed is None else needed[i], e.reset, key, self._params(i, task)
            )
            for i, e in enumerate(self.environments)
        ]
        instance = Instance(task=task, states=tuple(state for state, _ in made))
        facts = self._of_owner(task, self._aligned([facts for _, facts in made]))
        listed = jnp.asarray(self.listings)[task] >= LISTINGS.index("first")
        listed &= jnp.asarray(self.listings)[task] != LISTINGS.index("on_error")
        return instance, self._message(instance, facts, listed, self.first_tokens)

    def owners(self, tasks: Int[Array, " n"]) -> Bool[Array, " environments"]:
        """Which environments own any of the tasks."""
        return jnp.zeros(len(self.environments), bool).at[jnp.asarray(self.owner)[tasks]].set(True)

    def act(self, instance: Instance, tokens: Int[Array, " size"]) -> Step:
        """Reads an action, carries it out and puts the outcome into words of `step_tokens`."""
        return self.step(instance, self.language.read(tokens, self.voice(instance.task)))

    def step(self, instance: Instance, command: Int[Array, " row"]) -> Step:
        """Carries out a command, as `act` does with its words."""
        move = self.move(instance, command)
        task = instance.task
        invalid = self.language.is_error(move.facts, self.voice(task).environment)
        listing = jnp.asarray(self.listings)[task]
        listed = (listing == LISTINGS.index("every_turn")) | (
            invalid & (listing == LISTINGS.index("on_error"))
        )
        message = self._message(move.state, move.facts, listed, self.step_tokens)
        return Step(move.state, message, move.reward, move.terminated, move.success, invalid)

    def move(self, instance: Instance, command: Int[Array, " row"]) -> Transition:
        """Carries out a command without a word; the transition's state is an instance."""
        task = instance.task
        moves = [
            e.step(state, command[: 1 + e.schema.max_args], self._params(i, task))
            for i, (e, state) in enumerate(zip(self.environments, instance.states, strict=True))
        ]
        return Transition(
            state=Instance(task=task, states=tuple(move.state for move in moves)),
            facts=self._of_owner(task, self._aligned([move.facts for move in moves])),
            reward=self._of_owner(task, [move.reward for move in moves]),
            terminated=self._of_owner(task, [move.terminated for move in moves]),
            success=self._of_owner(task, [move.success for move in moves]),
        )

    def expert(self, instance: Instance) -> Int[Array, " row"]:
        """The expert's command."""
        commands = [
            self._wide(e.expert(state, self._params(i, instance.task)))
            for i, (e, state) in enumerate(zip(self.environments, instance.states, strict=True))
        ]
        return self._of_owner(instance.task, commands)

    def valid_commands(self, instance: Instance) -> tuple[Int[Array, "n row"], Bool[Array, " n"]]:
        """Commands that have an effect now, and which rows count."""
        valid = [
            e.valid_commands(state, self._params(i, instance.task))
            for i, (e, state) in enumerate(zip(self.environments, instance.states, strict=True))
        ]
        commands = self._aligned([rows for rows, _ in valid])
        masks = [jnp.pad(mask, (0, len(commands[0]) - len(mask))) for _, mask in valid]
        return self._of_owner(instance.task, commands), self._of_owner(instance.task, masks)

    def write(self, instance: Instance, command: Int[Array, " row"]) -> Message:
        """The words of a command, of `action_tokens`."""
        voice = self.voice(instance.task)
        return Message(*self.language.write(command, voice, self.action_tokens))

    @property
    def _pairs(self) -> list[tuple[int, Task]]:
        return list(zip(self.owner.tolist(), self.tasks, strict=True))

    @cached_property
    def _lists(self) -> bool:
        return bool((self.listings != LISTINGS.index("never")).any())

    @cached_property
    def _stacked_params(self) -> tuple[Any, ...]:
        """Per environment, its parameters for every task; tasks of others get its first level's."""
        stacks = []
        for i, each in enumerate(self.environments):
            first = next(iter(each.levels.values())).params
            rows = [
                each.levels[t.level].params_of(t.split) if e == i else first for e, t in self._pairs
            ]
            stacks.append(jax.tree.map(lambda *leaves: np.stack(leaves), *rows))
        return tuple(stacks)

    def _params(self, environment: int, task: jax.Array) -> Any:
        return jax.tree.map(lambda x: jnp.asarray(x)[task], self._stacked_params[environment])

    def _of_owner(self, task: jax.Array, values: Sequence[Any]) -> Any:
        """The value of the environment that owns the task; all are computed, one is taken."""
        result, owner = values[0], jnp.asarray(self.owner)[task]
        for i, value in enumerate(values[1:], 1):
            result = jax.tree.map(lambda a, b, i=i: jnp.where(owner == i, b, a), result, value)
        return result

    def _aligned(self, rows: Sequence[jax.Array]) -> list[jax.Array]:
        """Rows of facts or commands of several environments, padded to one shape."""
        count = max(len(each) for each in rows)
        return [jnp.pad(self._wide(each), ((0, count - len(each)), (0, 0))) for each in rows]

    def _wide(self, rows: jax.Array) -> jax.Array:
        columns = 1 + self.language.max_args - rows.shape[-1]
        padding = [(0, 0)] * (rows.ndim - 1) + [(0, columns)]
        return jnp.pad(rows, padding, constant_values=NONE)

    def _message(
        self, instance: Instance, facts: jax.Array, listed: jax.Array, size: int
    ) -> Message:
        voice = self.voice(instance.task)
        if self._lists:
            commands, mask = self.valid_commands(instance)
            rows = self.language.listed(commands, mask)
            facts = jnp.concatenate([facts, jnp.where(listed, rows, 0)])
        return Message(*self.language.say(facts, voice, size))

    def _longest_message(self, first: bool) -> int:
        interfaces = sorted(set(self.voices.interface.tolist()))
        listed = [each.max_commands if self._lists else 0 for each in self.environments]
        return max(
            self.language.longest_message(
                self.places[owner],
                interfaces,
                first,
                listed[owner],
                self.environments[owner].levels[task.level].most,
            )
            for owner, task in self._pairs
        )


def _zeros_unless(condition: jax.Array | None, function: Callable[..., Any], *args: Any) -> Any:
    """The function's result where the condition holds or is None; else zeros, uncomputed."""
    if condition is None:
        return function(*args)
    shapes = jax.eval_shape(function, *args)
    blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return jax.lax.cond(condition, function, lambda *_: blank, *args)


def make_suite(
    tasks: str | Sequence[str | Task], environments: Sequence[Environment] | None = None
) -> Suite:
    """Compiles tasks into a suite.

    Args:
        tasks: task names or tasks; a single string may hold several, separated by commas.
        environments: the environments to choose from, which all share one vocabulary; a policy
            fits every suite made from the same ones. Default: all registered ones.

    Raises:
        ValueError: a task is not known, given twice, or there is none.
    """
    if environments is None:
        from jaxagent.envs.registry import ENVIRONMENTS as environments
    listed = tasks.split(",") if isinstance(tasks, str) else tasks
    parsed = tuple(parse_task(str(task), environments) for task in listed if str(task).strip())
    if not parsed:
        raise ValueError("tasks: a suite needs at least one task")
    if len(set(parsed)) != len(parsed):
        raise ValueError(f"tasks: one is given twice in {', '.join(map(str, parsed))}")
    names = [each.name for each in environments]
    places = tuple(i for i, name in enumerate(names) if any(t.environment == name for t in parsed))
    used = tuple(environments[i] for i in places)
    return Suite(parsed, used, _language(tuple(environments)), places)


@lru_cache(maxsize=8)
def _language(environments: tuple[Environment, ...]) -> Language:
    return compile_language(environments)
