"""An environment as strings: what is read, what is said, and the five values of Gymnasium."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxagent.checks import check_kind, check_whole
from jaxagent.envs import Environment, Message, Suite, evaluation_keys, make_suite
from jaxagent.envs.pool import training_keys
from jaxagent.study.english import as_english, as_words
from jaxagent.text import END, INVALID, PAD

MOST_READINGS = 64
"""Ways to take a line apart that are tried."""


class TextEnv:
    """One task, played by text: `reset` gives what is read first, `step` what comes of a command.

        env = jaxagent.TextEnv("textcraft/easy", seed=0)
        text = env.reset()
        text, reward, terminated, truncated, info = env.step("get 1 allium")

    Everything is compiled once per task and process. In the interface `prose` text reads as English
    and may be written so; other interfaces show words as a policy sees them.
    """

    def __init__(
        self, task: str, seed: int = 0, environments: Sequence[Environment] | None = None
    ) -> None:
        """Compile a task; no episode is begun.

        Args:
            task: name of one task, e.g. `babyai/medium+prose`.
            seed: of the instances that `reset` draws, 0 to 2**31 - 1.
            environments: to choose from, as in `make_suite`; by default all registered ones.

        Raises:
            ValueError: the task is not known, or there are several; the seed is out of range.
        """
        check_kind("task", task, str, "the name of a task, e.g. 'textcraft/easy'")
        check_whole("seed", seed, 0)
        self._seed = seed
        if environments is not None:
            check_kind("environments", environments, (list, tuple), "a list of environments")
        self._play = _program(task, None if environments is None else tuple(environments))
        self._resets, self._turn = 0, 0
        self._state: Any = None

    @property
    def task(self) -> str:
        """Name of the task."""
        return self._play.suite.names[0]

    @property
    def turn_limit(self) -> int:
        """Turns after which an episode is truncated."""
        return int(self._play.suite.turn_limits[0])

    def reset(self, instance: int | None = None) -> str:
        """Begin an episode and return its first message.

        Args:
            instance: number of a held-out instance, as in `jaxagent play --instance`; by default
                the next instance of training content that the seed draws.
        """
        if instance is None:
            drawn = jax.random.fold_in(jax.random.key(self._seed), self._resets)
            key = training_keys(drawn, 1)[0]
            self._resets += 1
        else:
            check_whole("instance", instance, 0)
            key = evaluation_keys(jnp.array([instance], jnp.uint32))[0]
        self._state, message = self._play.reset(key, jnp.int32(0))
        self._turn = 0
        return self._play.text(message)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carry out a command and return what comes of it.

        Words that are no command are an invalid action, which takes a turn like any other.

        Args:
            action: the command's words.

        Returns:
            The next message, the reward of this step, whether the goal is reached or lost, whether
            the turns are up, and `success`, `invalid` (the command could not be read or had no
            effect) and `turn` (commands so far).

        Raises:
            ValueError: no episode is under way.
            TypeError: the action is no text.
        """
        if self._state is None:
            raise ValueError("step: no episode is under way; expected reset() before it")
        check_kind("action", action, str, "a text, e.g. 'inventory'")
        after = self._play.act(self._state, self._play.command(self._state, action))
        self._state, self._turn = after.instance, self._turn + 1
        terminated = bool(after.terminated)
        truncated = not terminated and self._turn >= self.turn_limit
        if terminated or truncated:
            self._state = None
        info = {
            "success": bool(after.terminated & after.success),
            "invalid": bool(after.invalid),
            "turn": self._turn,
        }
        return self._play.text(after.message), float(after.reward), terminated, truncated, info

    def valid_commands(self) -> list[str]:
        """Return the commands that have an effect now; none where no episode is under way."""
        if self._state is None:
            return []
        commands, mask = self._play.valid(self._state)
        written = (self._play.write(self._state, row) for row in commands[np.asarray(mask)])
        return [self._play.text(message) for message in written]


@dataclass(frozen=True, eq=False)
class _Program:
    """The compiled functions of one task."""

    suite: Suite
    reset: Callable[..., Any]
    act: Callable[..., Any]
    read: Callable[..., Any]
    valid: Callable[..., Any]
    write: Callable[..., Any]

    def command(self, state: Any, line: str) -> jax.Array:
        """The tokens of what a person wrote: the first way to take it that is a command."""
        taken = islice(as_words(line, self.suite.language.vocabulary), MOST_READINGS)
        written = [_padded(self.suite, words) for words in taken]
        return next((w for w in written if self.read(state, w)[0] != INVALID), written[0])

    def text(self, message: Message) -> str:
        """A message's words, in prose as English."""
        words = self.suite.language.vocabulary.decode(message.tokens[: int(message.length)])
        return shown(self.suite, words)


def shown(suite: Suite, text: str) -> str:
    """The words of a suite's first task as a person reads them."""
    return as_english(text) if suite.tasks[0].interface == "prose" else text


@lru_cache(maxsize=32)
def _program(task: str, environments: tuple[Environment, ...] | None) -> _Program:
    suite = make_suite(task, environments)
    if len(suite) != 1:
        raise ValueError(f"task={task!r}: expected one task, got {len(suite)}")
    methods = (suite.reset, suite.act, suite.read, suite.valid_commands, suite.write)
    return _Program(suite, *map(jax.jit, methods))


def _padded(suite: Suite, words: list[int]) -> jax.Array:
    """The words, the end mark, and padding; what is too long is cut, and is no command then."""
    tokens = np.full(suite.action_tokens, PAD, np.int32)
    words = [*words, END][: len(tokens)]
    tokens[: len(words)] = words
    return jnp.asarray(tokens)
