"""The protocol of an environment: a pure state machine that states facts and obeys commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import flax.struct
import jax
from jaxtyping import Array, Bool, Float, Int, UInt32

from jaxagent.text import Speaker

State = Any
"""Pytree of arrays with static shapes: all that an instance is and has become."""

Params = Any
"""Pytree of numbers and arrays, the same structure for every level of an environment: traced."""

SPLITS = ("seen", "unseen")
"""Content of an instance: that of training (under keys that training never uses, when it is for
evaluation), or content that is held out of training."""


class Transition(flax.struct.PyTreeNode):
    """What a command did.

    Attributes:
        state: the state after it.
        facts: int32[step facts, 1 + max_args], the message after it; `NOTHING` rows are empty.
        reward: float32[], the reward of this step.
        terminated: bool[], the goal is reached or lost. Turn limits are not the environment's.
        success: bool[], the goal is fully reached by this very command; where rewards are graded,
            the full score. It implies `terminated`.
    """

    state: State
    facts: Int[Array, "facts row"]
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    success: Bool[Array, ""]


@dataclass(frozen=True)
class Level:
    """A difficulty: parameters of the generator and the rules, and the turns that are given.

    Attributes:
        params: pytree of NumPy values, of one structure for all levels of an environment.
        turn_limit: commands after which an episode is truncated.
        summary: one line for people.
        most: fact name -> how often it occurs at most in the first message and in a later one at
            this level, where that is less than the schema's bound; it makes messages shorter.
        unseen: parameters that draw only the content which `params` never draws, or None where
            the level holds nothing out.
    """

    params: Params
    turn_limit: int
    summary: str = ""
    most: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    unseen: Params = None

    def params_of(self, split: str) -> Params:
        """The parameters of a split, one of `SPLITS`."""
        return self.unseen if split == "unseen" else self.params


class Environment(Speaker, Protocol):
    """Rules, generator, expert and words of one environment, written for one row.

    All methods are pure, jittable and of static shapes; callers `vmap`. Facts and commands are
    rows of concept ids (`jaxagent.text.schema`). Of the interfaces, `terse` has to have
    phrases; tasks in others are refused until they have, too.

    An environment may also have `misstep(state, command, move, params) -> int8[]`, which tells
    what is wrong with a command in the state that it was given in (`jaxagent.envs.misstep`), `move`
    being what came of it. It is for counting failure modes; without it some are not counted.
    """

    @property
    def levels(self) -> Mapping[str, Level]:
        """Difficulty -> its level."""
        ...

    @property
    def max_commands(self) -> int:
        """Most commands that are valid at once."""
        ...

    def reset(self, key: jax.Array, params: Params) -> tuple[State, Int[Array, "first row"]]:
        """A new instance, solvable within the level's turn limit, and the facts that open it."""
        ...

    def step(self, state: State, command: Int[Array, "row"], params: Params) -> Transition:
        """Carries out `command` (verb 0, `INVALID`, for what could not be read)."""
        ...

    def valid_commands(
        self, state: State, params: Params
    ) -> tuple[Int[Array, "max_commands row"], Bool[Array, "max_commands"]]:
        """Commands that have an effect now, at most `max_commands`, and which rows count."""
        ...

    def expert(self, state: State, params: Params) -> Int[Array, "row"]:
        """The command of a policy that solves every instance within the turn limit."""
        ...

    def content(self, state: State) -> Int[Array, "content"]:
        """Ids of what the instance is about and the unseen split holds out, -1 behind.

        No instance of a level's `params` has an id in common with one of its `unseen`.
        """
        ...

    def fingerprint(self, state: State) -> UInt32[Array, ""]:
        """Hash of the state without its key: equal states, equal hashes."""
        ...
