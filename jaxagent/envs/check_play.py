"""What play shows to be wrong with an environment: the part of its check that runs it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.environment import SPLITS, Environment, Level, Params
from jaxagent.text import (
    INTERFACES,
    INVALID,
    LEXICONS,
    NONE,
    Fact,
    Schema,
    Voice,
    compile_language,
)

_EXPERT, _WANDER, _MUTE = range(3)
_SOLVED, _DOUBT = 0.99, 0.01
"""Share of instances that an expert solves, and how unlikely its failures may be if it does."""
_EXAMPLES = 3


def play_problems(environment: Environment, episodes: int) -> Iterator[str]:
    """Plays `episodes` instances of every level and split in each of three ways.

    Yields:
        What was wrong, a line each.
    """
    turns = max(level.turn_limit for level in environment.levels.values())
    keys = jax.random.split(jax.random.key(0), 3 * episodes)
    manners = jnp.repeat(jnp.arange(3), episodes)
    play = jax.jit(jax.vmap(partial(_play, environment, turns), in_axes=(0, None, 0)))
    commands = []
    for name, level in environment.levels.items():
        contents = []
        for split in SPLITS:
            if (params := level.params_of(split)) is None:
                continue
            seen = jax.tree.map(np.asarray, play(keys, params, manners))
            alive = seen.alive(level.turn_limit)
            commands += [seen.command[alive], seen.valid[alive[..., None] & seen.mask]]
            contents.append(set(seen.content[seen.content >= 0].tolist()))
            where = f"level {name}" if split == "seen" else f"level {name}, {split}"
            yield from _message_problems(environment.schema, seen, alive, where)
            problems = _outcome_problems(environment.schema, seen, alive, manners, level)
            yield from (f"{where}: {problem}" for problem in problems)
        if len(contents) == len(SPLITS) and (both := set.intersection(*contents)):
            yield f"level {name}: content {min(both)} is both seen and unseen"
    yield from _unread(environment, np.unique(np.concatenate(commands), axis=0))


class _Play(flax.struct.PyTreeNode):
    """What was seen of episodes, by turn; `alive` where an episode was still under way.

    Attributes:
        first: the messages that opened the episodes.
        content: the ids of what the instances were about.
        command: the commands carried out.
        valid: the valid commands.
        mask: which of them count.
        tried: whether `command` was one of `valid`.
        facts: the answers.
        reward: the rewards.
        terminated: whether the episode ended there.
        success: whether the goal was fully reached there.
    """

    first: Int[Array, "plays first row"]
    content: Int[Array, "plays content"]
    command: Int[Array, "plays turns row"]
    valid: Int[Array, "plays turns commands row"]
    mask: Bool[Array, "plays turns commands"]
    tried: Bool[Array, "plays turns"]
    facts: Int[Array, "plays turns facts row"]
    reward: Float[Array, "plays turns"]
    terminated: Bool[Array, "plays turns"]
    success: Bool[Array, "plays turns"]

    def alive(self, limit: int) -> np.ndarray:
        """bool[plays, turns]: not terminated before, and within `limit` turns."""
        over = np.cumsum(self.terminated, axis=1) - self.terminated
        return (over == 0) & (np.arange(over.shape[1]) < limit)


def _play(
    environment: Environment, turns: int, key: jax.Array, params: Params, manner: jax.Array
) -> _Play:
    """One episode of `turns` turns, played on behind its end."""
    reset_key, walk_key = jax.random.split(key)
    state, first = environment.reset(reset_key, params)
    turn = partial(_turn, environment, params, manner)
    _, seen = jax.lax.scan(turn, state, jax.random.split(walk_key, turns))
    return _Play(first, environment.content(state), *seen)


def _turn(
    environment: Environment, params: Params, manner: jax.Array, state: Any, key: jax.Array
) -> tuple[Any, tuple]:
    coin_key, choice_key = jax.random.split(key)
    expert = environment.expert(state, params)
    valid, mask = environment.valid_commands(state, params)
    choice = jax.random.categorical(choice_key, jnp.where(mask, 0.0, -jnp.inf))
    tried = (manner == _WANDER) & jax.random.bernoulli(coin_key) & jnp.any(mask)
    mute = jnp.full_like(expert, NONE).at[0].set(INVALID)
    command = jnp.where(manner == _MUTE, mute, jnp.where(tried, valid[choice], expert))
    after = environment.step(state, command, params)
    answer = (after.facts, after.reward, after.terminated, after.success)
    return after.state, (command, valid, mask, tried, *answer)


def _message_problems(schema: Schema, seen: _Play, alive: np.ndarray, where: str) -> Iterator[str]:
    yield from _fact_problems(schema, np.asarray(seen.first), "first", f"{where}, first message")
    yield from _fact_problems(schema, np.asarray(seen.facts)[alive], "step", f"{where}, step")


def _fact_problems(
    schema: Schema, messages: Int[np.ndarray, "n facts row"], bound: str, where: str
) -> Iterator[str]:
    types = messages[..., 0]
    strangers = types[(types < 0) | (types >= len(schema.facts))]
    if strangers.size:
        yield f"{where}: {strangers[0]} is not the type of a fact"
    for kind, fact in enumerate(schema.facts[1:], 1):
        most = int((types == kind).sum(1).max(initial=0))
        if most > getattr(fact, bound):
            yield (
                f"{where}: {fact.name} occurs {most} times in a message, "
                f"expected at most {bound}={getattr(fact, bound)}"
            )
        yield from _argument_problems(schema, fact, messages[types == kind], where)
    if (_errors(schema, types) > 1).any():
        yield f"{where}: a message holds two errors, expected at most one"
    yield from _shape_problems(schema, types, where)


def _shape_problems(schema: Schema, types: Int[np.ndarray, "n facts"], where: str) -> Iterator[str]:
    """A complaint about the first message that keeps to none of the schema's shapes."""
    if not schema.shapes:
        return
    present = (types[..., None] == np.arange(1, len(schema.facts))).any(1)
    errors = np.array([fact.error for fact in schema.facts[1:]])
    masks = np.concatenate([schema.shape_masks[:, 1:], errors[None]])
    stray = ~(~present[:, None] | masks).all(-1).any(-1)
    if stray.any():
        names = [schema.facts[1 + k].name for k in np.flatnonzero(present[stray][0])]
        yield f"{where}: a message of {', '.join(names)}, expected one of the schema's shapes"


def _argument_problems(
    schema: Schema, fact: Fact, rows: Int[np.ndarray, "n row"], where: str
) -> Iterator[str]:
    for k, (name, categories) in enumerate(fact.args, 1):
        spans = [schema.spans[category] for category in categories.split("|")]
        inside = np.any([(rows[:, k] >= low) & (rows[:, k] < high) for low, high in spans], axis=0)
        if not inside.all():
            value = rows[~inside][0, k]
            ranges = " or ".join(f"{low} … {high - 1}" for low, high in spans)
            yield f"{where}: {fact.name}.{name} is {value}, expected {categories} ({ranges})"


def _errors(schema: Schema, types: Int[np.ndarray, "*n facts"]) -> Int[np.ndarray, "*n"]:
    """How many errors every message tells of."""
    errors = [kind for kind, fact in enumerate(schema.facts) if fact.error]
    return np.isin(types, errors).sum(-1)


def _outcome_problems(
    schema: Schema, seen: _Play, alive: np.ndarray, manners: jax.Array, level: Level
) -> Iterator[str]:
    errors = _errors(schema, np.asarray(seen.facts)[..., 0])
    manner = np.asarray(manners)
    mute = alive & (manner == _MUTE)[:, None]
    won = alive & seen.success
    solved = (won & seen.terminated)[manner == _EXPERT].any(1)
    if not np.isfinite(seen.reward).all():
        yield "a reward is not finite"
    if (won & ~seen.terminated).any():
        yield "a step with success did not terminate"
    if (won & ~(seen.reward > 0)).any():
        yield "a step with success gave no reward"
    for command in seen.command[alive & seen.tried & (errors > 0)][:_EXAMPLES]:
        yield f"the valid command {_spell(schema, command)} gives an error"
    if (mute & (errors == 0)).any():
        yield "a command that cannot be read gives no error"
    if (mute & (seen.reward != 0)).any():
        yield "commands that cannot be read give a reward"
    if _chance_of_failures(solved.size, int((~solved).sum())) < _DOUBT:
        yield (
            f"the expert solves {100 * solved.mean():.1f} % of {solved.size} instances "
            f"in {level.turn_limit} turns, expected at least {100 * _SOLVED:.0f} %"
        )


def _chance_of_failures(instances: int, failures: int) -> float:
    """How likely an expert that solves as many as it should fails at least as often."""
    rest = instances - failures + 1
    return float(betainc(failures, rest, 1 - _SOLVED)) if failures else 1.0


def _unread(environment: Environment, commands: Int[np.ndarray, "n row"]) -> Iterator[str]:
    """Writes and reads all `commands` in every lexicon and in every interface that is spoken."""
    language = compile_language([environment])
    spoken = [i for i, name in enumerate(INTERFACES) if name in environment.phrases]
    lexicon, interface = np.indices((len(LEXICONS), len(spoken))).reshape(2, -1)
    interface = np.array(spoken)[interface]
    size = language.longest_command([0], spoken)

    def back(command: jax.Array, x: jax.Array, i: jax.Array) -> jax.Array:
        voice = Voice(jnp.int32(0), x, i, jnp.int32(0))
        return language.read(language.write(command, voice, size)[0], voice)

    over_voices = jax.vmap(back, in_axes=(None, 0, 0))
    result = jax.jit(jax.vmap(over_voices, in_axes=(0, None, None)))(commands, lexicon, interface)
    wrong = np.argwhere((np.asarray(result) != commands[:, None]).any(-1))
    for n, v in wrong[:_EXAMPLES]:
        yield (
            f"command {_spell(environment.schema, commands[n])} is not read as it is written "
            f"({LEXICONS[lexicon[v]]}, {INTERFACES[interface[v]]}); {len(wrong)} cases in all"
        )


def _spell(schema: Schema, command: Int[np.ndarray, "row"]) -> str:
    """The command for people, e.g. `get(3, log)`; what is out of range stays a number."""
    verbs, concepts = dict(enumerate(schema.verbs)), dict(enumerate(schema.concepts))
    verb, *args = command.tolist()
    if verb not in verbs:
        return str(command.tolist())
    words = [str(concepts.get(a, a)) for a in args[: len(verbs[verb].args)]]
    return f"{verbs[verb].name}({', '.join(words)})"
