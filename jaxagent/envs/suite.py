"""Suites: lists of tasks compiled to arrays, so that a row of a batch plays any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int8, UInt32

from jaxagent.checks import brief, check_key, check_kind
from jaxagent.envs.dispatch import Branch, dispatch
from jaxagent.envs.environment import Environment, Transition
from jaxagent.envs.fingerprint import mix
from jaxagent.envs.task import Task, parse_task
from jaxagent.envs.world import Message, World, voices_of
from jaxagent.text import Language, Voice, compile_language


class Instance(flax.struct.PyTreeNode):
    """An episode under way: which task it is, and the state of its world.

    Attributes:
        task: int32[], row of the suite.
        chance: uint32[], what the asides of the next message are drawn by.
        states: one state per environment of the suite; only the task's own has a meaning.
    """

    task: Int[Array, ""]
    chance: UInt32[Array, ""]
    states: tuple[Any, ...]


class Step(flax.struct.PyTreeNode):
    """What an action did.

    Attributes:
        instance: the instance after it.
        message: what is said about it.
        reward: float32[].
        terminated: bool[], the goal is reached or lost.
        success: bool[], the goal is fully reached.
        invalid: bool[], the action could not be read or had no effect.
        misstep: int8[], what is wrong with it, a sum of bits (`jaxagent.envs.misstep`).
    """

    instance: Instance
    message: Message
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    success: Bool[Array, ""]
    invalid: Bool[Array, ""]
    misstep: Int8[Array, ""]


@dataclass(frozen=True, eq=False)
class Suite:
    """Tasks compiled to arrays; build it with `make_suite`.

    All methods are for one row; mapped over a batch, every row is served by its own environment
    alone (`jaxagent.envs.dispatch`).

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

    def number(self, task: int | str | Task) -> int:
        """Return the number of a task, which may be given by its name or by that number.

        Raises:
            TypeError: it is neither.
            ValueError: there is no such task in the suite.
        """
        told = f"task={brief(task)}: expected one of {', '.join(self.names)}"
        if isinstance(task, (str, Task)):
            name = str(parse_task(str(task), self.environments))
            if name not in self.names:
                raise ValueError(told)
            return self.names.index(name)
        if isinstance(task, bool) or not isinstance(task, (int, np.integer)):
            raise TypeError(told)
        if not 0 <= task < len(self):
            raise ValueError(f"{told}, or 0 to {len(self) - 1}")
        return int(task)

    @cached_property
    def owner(self) -> np.ndarray:
        """int32[tasks]: place of each task's environment in `environments`."""
        names = [each.name for each in self.environments]
        return np.array([names.index(task.environment) for task in self.tasks], np.int32)

    @cached_property
    def turn_limits(self) -> np.ndarray:
        """int32[tasks]: turns after which an episode is truncated."""
        levels = [self.environments[owner].levels for owner in self.owner]
        limits = [own[t.level].turn_limit for own, t in zip(levels, self.tasks, strict=True)]
        return np.array(limits, np.int32)

    @cached_property
    def voices(self) -> Voice:
        """int32[tasks] each: how every task is put into words."""
        return voices_of(self.tasks, [self.places[owner] for owner in self.owner])

    @cached_property
    def first_tokens(self) -> int:
        """Length of the longest message that opens an episode."""
        return max(world.first_tokens for world in self._worlds)

    @cached_property
    def step_tokens(self) -> int:
        """Length of the longest message behind an action."""
        return max(world.step_tokens for world in self._worlds)

    @cached_property
    def action_tokens(self) -> int:
        """Length of the longest command in words, its end included."""
        interfaces = sorted(set(self.voices.interface.tolist()))
        return self.language.longest_command(self.places, interfaces)

    @cached_property
    def in_play(self) -> np.ndarray:
        """bool[T, W]: the words that may be said in each task, those of any environment here."""
        words = np.any(self.language.sayable[list(self.places)], axis=0)
        return words[self.voices.lexicon, self.voices.interface]

    @cached_property
    def sayable(self) -> np.ndarray:
        """int32[n]: the words that some task of the suite allows in commands, sorted."""
        return np.flatnonzero(self.in_play.any(0))

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that messages and commands of the tasks may hold."""
        ways = zip(self.owner, self.voices.lexicon, self.voices.interface, strict=True)
        ids = {w for e, x, i in ways for w in self.language.words_of(self.places[e], x, i).tolist()}
        return frozenset(self.language.vocabulary.words[word] for word in ids)

    def voice(self, task: Int[Array, ""]) -> Voice:
        """How the task with this number is put into words."""
        return jax.tree.map(lambda table: jnp.asarray(table)[task], self.voices)

    def reset(self, key: jax.Array, task: Int[Array, ""] | int | str) -> tuple[Instance, Message]:
        """A new instance of the task and its first message, of `first_tokens`.

        Args:
            key: of everything random in it.
            task: its number, which may be traced, or its name.

        Raises:
            TypeError: `key` is no key, or `task` neither a name nor a number.
            ValueError: there is no such task in the suite.
        """
        check_key("key", key)
        row = task if isinstance(task, jax.Array) else jnp.int32(self.number(task))
        chance = jax.random.key_data(key)[-1]
        blank = Instance(row, mix(chance), tuple(w.blank_state() for w in self._worlds))
        return self._dispatch([world.open for world in self._worlds], blank, blank.chance, key)

    def act(self, instance: Instance, tokens: Int[Array, " size"]) -> Step:
        """Reads an action, carries it out and puts the outcome into words of `step_tokens`."""
        return self._told([world.act for world in self._worlds], instance, tokens)

    def step(self, instance: Instance, command: Int[Array, " row"]) -> Step:
        """Carries out a command, as `act` does with its words."""
        return self._told([world.obey for world in self._worlds], instance, command)

    def move(self, instance: Instance, command: Int[Array, " row"]) -> Transition:
        """Carries out a command without a word; the transition's state is an instance."""
        after, move = self._dispatch([world.move for world in self._worlds], instance, command)
        return Transition(after, *move)

    def expert(self, instance: Instance) -> Int[Array, " row"]:
        """The expert's command."""
        return self._dispatch([world.advise for world in self._worlds], instance)[1]

    def valid_commands(self, instance: Instance) -> tuple[Int[Array, "n row"], Bool[Array, " n"]]:
        """Commands that have an effect now, and which rows count."""
        return self._dispatch([world.list_valid for world in self._worlds], instance)[1]

    def counsel(
        self, instance: Instance
    ) -> tuple[Int[Array, " row"], Int[Array, "n row"], Bool[Array, " n"]]:
        """`expert` and `valid_commands` at once, for less than the two cost one by one."""
        return self._dispatch([world.counsel for world in self._worlds], instance)[1]

    def fingerprint(self, instance: Instance) -> UInt32[Array, ""]:
        """Hash of the state of the instance's world."""
        return self._dispatch([world.fingerprint for world in self._worlds], instance)[1]

    def write(self, instance: Instance, command: Int[Array, " row"]) -> Message:
        """The words of a command, of `action_tokens`."""
        voice = self.voice(instance.task)
        return Message(*self.language.write(command, voice, self.action_tokens))

    def read(self, instance: Instance, tokens: Int[Array, " size"]) -> Int[Array, " row"]:
        """The command that words spell, or `INVALID`."""
        return self.language.read(tokens, self.voice(instance.task))

    @cached_property
    def _worlds(self) -> tuple[World, ...]:
        pairs = zip(self.environments, self.places, strict=True)
        return tuple(World(each, place, self.tasks, self.language) for each, place in pairs)

    def _told(self, branches: Sequence[Branch], instance: Instance, action: jax.Array) -> Step:
        after, outcome = self._dispatch(branches, instance, instance.chance, action)
        return Step(after, *outcome)

    def _dispatch(
        self, branches: Sequence[Branch], instance: Instance, *args: jax.Array
    ) -> tuple[Instance, Any]:
        task = instance.task
        owner = jnp.asarray(self.owner)[task]
        states, result = dispatch(branches, owner, instance.states, task, *args)
        return Instance(task, mix(instance.chance + jnp.uint32(1)), states), result


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
    check_kind("environments", environments, (list, tuple), "a list of environments")
    for each in environments:
        if not hasattr(each, "name") or not hasattr(each, "levels"):
            raise TypeError(f"environments={brief(each)}: expected a list of environments")
    if not environments:
        raise ValueError("environments=[]: expected at least one environment")
    listed = tasks.split(",") if isinstance(tasks, str) else tasks
    check_kind("tasks", listed, (list, tuple), "names of tasks, e.g. 'textcraft/easy, babyai/easy'")
    for task in listed:
        check_kind("tasks", task, (str, Task), "names of tasks, e.g. 'textcraft/easy, babyai/easy'")
    parsed = tuple(parse_task(str(task), environments) for task in listed if str(task).strip())
    if not parsed:
        raise ValueError("tasks: expected at least one task, e.g. 'textcraft/easy'")
    if len(set(parsed)) != len(parsed):
        told = f"one is given twice in {', '.join(map(str, parsed))}"
        raise ValueError(f"tasks: {told}: expected each once")
    names = [each.name for each in environments]
    places = tuple(i for i, name in enumerate(names) if any(t.environment == name for t in parsed))
    used = tuple(environments[i] for i in places)
    return Suite(parsed, used, _language(tuple(environments)), places)


@lru_cache(maxsize=8)
def _language(environments: tuple[Environment, ...]) -> Language:
    return compile_language(environments)
