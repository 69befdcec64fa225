"""A whole environment in one file, to copy and change: guess a number, told higher or lower.

    python examples/new_environment.py

checks it, plays an episode as text and lets the expert play. What is to be changed is marked TODO.
Environments are pure functions of arrays with static shapes, for one episode; the caller maps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

import jaxagent
from jaxagent.envs.fingerprint import fingerprint_of
from jaxagent.text import Phrases, Schema, fact, only_if, verb

# TODO: what can be stated, how often at most in the first message and in a later one, and what can
# be told. Arguments are categories of words; `number` is there already, others stand in the {}.
SCHEMA = Schema(
    {},
    (
        fact("RANGE", low="number", high="number", first=1, step=0),
        fact("HIGHER"),
        fact("LOWER"),
        fact("FOUND"),
        fact("NOT_A_GUESS", error=True),
    ),
    (verb("guess", number="number"),),
)

# TODO: how that is said. `terse` is enough to begin with; tasks of other interfaces are refused
# until they have phrases, too: prose, call, and paraphrase and tags, on which nobody trains.
PHRASES = {
    "terse": Phrases(
        {
            "RANGE": "from {low} to {high}",
            "HIGHER": "higher",
            "LOWER": "lower",
            "FOUND": "found",
            "NOT_A_GUESS": "what",
        },
        {"guess": "guess {number}"},
    )
}

MOST = 32
"""Numbers that there are at most."""

HELD_OUT = 5
"""Every fifth number is a secret of the unseen split, and of no other."""


class State(flax.struct.PyTreeNode):
    """What is sought, and the numbers that it may still be: int32[] each."""

    secret: jax.Array
    low: jax.Array
    high: jax.Array


def _level(numbers: int, turns: int) -> jaxagent.Level:
    """A difficulty; params are traced, so all levels share one program."""
    params = {"numbers": np.int32(numbers), "unseen": np.bool_(False)}
    summary = f"a number from 1 to {numbers}"
    return jaxagent.Level(params, turns, summary, unseen={**params, "unseen": np.bool_(True)})


LEVELS = {"easy": _level(8, 12), "hard": _level(MOST, 16)}


@dataclass(frozen=True, eq=False)
class Guess:
    """TODO: what is to be done, and after what or whom it is made."""

    name: str = "guess"
    schema: Schema = SCHEMA
    phrases: Mapping[str, Phrases] = field(default_factory=lambda: PHRASES)
    levels: Mapping[str, jaxagent.Level] = field(default_factory=lambda: LEVELS)
    max_commands: int = MOST

    def reset(self, key: jax.Array, params: Any) -> tuple[State, jax.Array]:
        """A new instance and the facts that open it, int32[facts, row]."""
        numbers = jnp.arange(1, MOST + 1)
        there = (numbers <= params["numbers"]) & ((numbers % HELD_OUT == 0) == params["unseen"])
        secret = jax.random.choice(key, numbers, p=there / there.sum())
        state = State(secret, jnp.int32(1), jnp.int32(params["numbers"]))
        return state, self.schema.fact("RANGE", state.low, state.high)[None]

    def step(self, state: State, command: jax.Array, params: Any) -> jaxagent.Transition:
        """Carries out a command; verb 0 is one that could not be read."""
        del params
        said, number = command[0] == self.schema.verb_id("guess"), command[1]
        found, higher = number == state.secret, number < state.secret
        low = jnp.where(said & higher, jnp.maximum(state.low, number + 1), state.low)
        high = jnp.where(said & ~higher & ~found, jnp.minimum(state.high, number - 1), state.high)
        facts = jnp.stack(
            [
                only_if(~said, self.schema.fact("NOT_A_GUESS")),
                only_if(said & higher, self.schema.fact("HIGHER")),
                only_if(said & ~higher & ~found, self.schema.fact("LOWER")),
                only_if(said & found, self.schema.fact("FOUND")),
            ]
        )
        done = said & found
        after = state.replace(low=low, high=high)
        return jaxagent.Transition(after, facts, done.astype(jnp.float32), done, done)

    def valid_commands(self, state: State, params: Any) -> tuple[jax.Array, jax.Array]:
        """All commands that have an effect, and which rows count: those not ruled out yet."""
        del params
        numbers = jnp.arange(1, MOST + 1)
        rows = jax.vmap(lambda number: self.schema.command("guess", number))(numbers)
        return rows, (numbers >= state.low) & (numbers <= state.high)

    def expert(self, state: State, params: Any) -> jax.Array:
        """The command of one who solves every instance in the turns that are given."""
        del params
        return self.schema.command("guess", (state.low + state.high) // 2)

    def content(self, state: State) -> jax.Array:
        """Ids of what the unseen split holds out."""
        return state.secret[None].astype(jnp.int32)

    def fingerprint(self, state: State) -> jax.Array:
        """Hash of the state: equal states, equal hashes."""
        return fingerprint_of((state.secret, state.low, state.high))


def main() -> None:
    """Checks the environment, plays an episode as text, and measures the expert."""
    environments = [Guess()]
    jaxagent.check_environment(environments[0])
    env = jaxagent.TextEnv("guess/easy", environments=environments)
    print(env.reset())
    print(env.step("guess 4"))
    suite = jaxagent.make_suite("guess/easy, guess/hard+unseen", environments)
    outcome, scripts = jaxagent.evaluate(jaxagent.Expert(suite), {}, 1, instances=64)
    print(jaxagent.transcript(suite, scripts))
    print(f"the expert solves {outcome.success.mean():.0%}")


if __name__ == "__main__":
    main()
