"""Is an environment what the protocol asks for? Tells its author all that is wrong at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxagent.envs.environment import Environment, Level, Params
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
from jaxagent.text.interface import fact_template, verb_template
from jaxagent.text.vocabulary import SPECIALS

_ATTRIBUTES = {
    "name": str,
    "schema": Schema,
    "phrases": Mapping,
    "levels": Mapping,
    "max_commands": int,
}
_METHODS = ("reset", "step", "valid_commands", "expert", "fingerprint")
_EXPERT, _WANDER, _MUTE = range(3)
_SOLVED = 0.99
_EXAMPLES = 3


def check_environment(environment: Environment, episodes: int = 64) -> None:
    """Compares `environment` with the protocol, its words and some play on every level.

    On each level `episodes` instances are played by the expert, as many by a mixture of the
    expert's and random valid commands, and as many by commands that cannot be read. What
    needs the earlier parts to be in order (attributes; words and levels; shapes; play) is only
    looked at when they are.

    Args:
        environment: what to check.
        episodes: instances of every level for each of the three ways to play.

    Raises:
        ValueError: listing every problem found, one per line, by level, method or field.
    """
    problems = list(_attribute_problems(environment))
    problems = problems or [*_word_problems(environment), *_level_problems(environment.levels)]
    problems = problems or list(_shape_problems(environment))
    problems = problems or list(_play_problems(environment, episodes))
    if problems:
        name = getattr(environment, "name", type(environment).__name__)
        raise ValueError(f"environment {name!r}:" + "".join(f"\n- {line}" for line in problems))


def _attribute_problems(environment: Environment) -> Iterator[str]:
    for name, kind in _ATTRIBUTES.items():
        value = getattr(environment, name, None)
        if not isinstance(value, kind):
            yield f"{name}: is {value!r}, expected a {kind.__name__}"
        elif not value and kind is not Schema:
            yield f"{name}: is {value!r}, expected something that is not empty"
    for name in _METHODS:
        if not callable(getattr(environment, name, None)):
            yield f"{name}: expected a method of this name"


def _word_problems(environment: Environment) -> Iterator[str]:
    schema = environment.schema
    for name in (environment.name, *environment.levels):
        if set(name) & set("+/,") or name.split() != [name]:
            yield f"name {name!r}: expected a word without '+', '/' and ','"
    for category, words in schema.categories.items():
        for word in words:
            if word.split() != [word] or word != word.lower() or {*word} & {*"{}"}:
                yield f"categories, {category}: {word!r} is not one lower-case word"
    for fact in schema.facts:
        if min(fact.first, fact.step) < 0 or (fact.error and fact.first):
            yield f"{fact.name}: first={fact.first}, step={fact.step} with error={fact.error}"
    phrasing = [problem for name in INTERFACES for problem in _phrase_problems(environment, name)]
    yield from phrasing or _raised(compile_language, [environment])


def _phrase_problems(environment: Environment, interface: str) -> Iterator[str]:
    schema, phrases = environment.schema, environment.phrases.get(interface)
    if phrases is None:
        yield f"phrases: none for {interface!r}"
        return
    for fact in schema.facts:
        yield from _raised(fact_template, schema, phrases, interface, fact)
    for verb in schema.verbs:
        yield from _raised(verb_template, schema, phrases, interface, verb)
    for kind, templates, items in (
        ("fact", phrases.facts, schema.own_facts),
        ("verb", phrases.verbs, schema.own_verbs),
    ):
        for name in sorted({*templates} - {item.name for item in items}):
            yield f"{interface} {kind}s: {name} is not a {kind} of the schema"
        for name, template in templates.items():
            for word in template.split():
                if word in SPECIALS or word != word.lower() and word[0] != "{":
                    yield f"{interface} {kind}s, {name}: {word!r} is reserved or not lower-case"


def _raised(function: Callable[..., Any], *args: Any) -> list[str]:
    """What `function` has to say against `args`."""
    try:
        function(*args)
    except ValueError as error:
        return [str(error)]
    return []


def _level_problems(levels: Mapping[str, Level]) -> Iterator[str]:
    first, *_ = levels
    wanted = _outline(levels[first].params)
    for name, level in levels.items():
        if not isinstance(level.turn_limit, int) or level.turn_limit < 1:
            yield f"level {name}: turn_limit is {level.turn_limit!r}, expected a positive integer"
        if jax.tree.structure(_outline(level.params)) != jax.tree.structure(wanted):
            yield f"level {name}: params differ in structure from those of {first}"
        elif _outline(level.params) != wanted:
            yield (
                f"level {name}: params are {_outline(level.params)}, "
                f"expected the types and shapes of {first}, {wanted}"
            )


def _outline(tree: Any) -> Any:
    """Types and shapes of the leaves, as text."""
    return jax.tree.map(lambda leaf: f"{np.asarray(leaf).dtype}{list(np.shape(leaf))}", tree)


def _shape_problems(environment: Environment) -> Iterator[str]:
    """Traces every method once, without running it."""
    params = next(iter(environment.levels.values())).params
    key = jax.eval_shape(lambda: jax.random.key(0))
    row = jax.ShapeDtypeStruct((1 + environment.schema.max_args,), jnp.int32)
    message = {"dtype": jnp.int32, "shape": (None, *row.shape)}
    try:
        state, first = jax.eval_shape(environment.reset, key, params)
        after = jax.eval_shape(environment.step, state, row, params)
        commands, mask = jax.eval_shape(environment.valid_commands, state, params)
        expert = jax.eval_shape(environment.expert, state, params)
        fingerprint = jax.eval_shape(environment.fingerprint, state)
    except Exception as error:
        yield f"a method cannot be traced: {type(error).__name__}: {error}"
        return
    yield from _unlike("reset, facts", first, **message)
    yield from _unlike("step, facts", after.facts, **message)
    yield from _unlike("step, reward", after.reward, jnp.float32, ())
    yield from _unlike("step, terminated", after.terminated, jnp.bool_, ())
    count = environment.max_commands
    yield from _unlike("valid_commands, commands", commands, jnp.int32, (count, *row.shape))
    yield from _unlike("valid_commands, mask", mask, jnp.bool_, (count,))
    yield from _unlike("expert", expert, jnp.int32, row.shape)
    yield from _unlike("fingerprint", fingerprint, jnp.uint32, ())
    yield from _changed(state, after.state)


def _unlike(
    what: str, got: Any, dtype: Any, shape: tuple[int | None, ...]
) -> Iterator[str]:
    """A complaint if `got` is not of `dtype` and `shape`, where None stands for one or more."""
    fits = len(got.shape) == len(shape) and all(
        size == wanted or (wanted is None and size > 0)
        for size, wanted in zip(got.shape, shape, strict=True)
    )
    if got.dtype != dtype or not fits:
        sizes = ", ".join("n" if size is None else str(size) for size in shape)
        found = f"{got.dtype}{list(got.shape)}"
        yield f"{what}: is {found}, expected {np.dtype(dtype).name}[{sizes}]"


def _changed(before: Any, after: Any) -> Iterator[str]:
    if jax.tree.structure(before) != jax.tree.structure(after):
        yield "step, state: differs in structure from the state of reset"
        return
    old, new = jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after)
    for (path, a), b in zip(old, new, strict=True):
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            where = f"state{jax.tree_util.keystr(path)}"
            yield f"step, {where}: {a.dtype}{list(a.shape)} became {b.dtype}{list(b.shape)}"


@flax.struct.dataclass
class _Play:
    """What was seen of episodes, by turn; `alive` where an episode was still under way.

    Attributes:
        first: the messages that opened the episodes.
        command: the commands carried out.
        valid: the valid commands.
        mask: which of them count.
        tried: whether `command` was one of `valid`.
        facts: the answers.
        reward: the rewards.
        terminated: whether the episode ended there.
    """

    first: Int[Array, "plays first row"]
    command: Int[Array, "plays turns row"]
    valid: Int[Array, "plays turns commands row"]
    mask: Bool[Array, "plays turns commands"]
    tried: Bool[Array, "plays turns"]
    facts: Int[Array, "plays turns facts row"]
    reward: Float[Array, "plays turns"]
    terminated: Bool[Array, "plays turns"]

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
    return _Play(first, *seen)


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
    answer = (after.facts, after.reward, after.terminated)
    return after.state, (command, valid, mask, tried, *answer)


def _play_problems(environment: Environment, episodes: int) -> Iterator[str]:
    turns = max(level.turn_limit for level in environment.levels.values())
    keys = jax.random.split(jax.random.key(0), 3 * episodes)
    manners = jnp.repeat(jnp.arange(3), episodes)
    play = jax.jit(jax.vmap(partial(_play, environment, turns), in_axes=(0, None, 0)))
    commands = []
    for name, level in environment.levels.items():
        seen = jax.tree.map(np.asarray, play(keys, level.params, manners))
        alive = seen.alive(level.turn_limit)
        commands += [seen.command[alive], seen.valid[alive[..., None] & seen.mask]]
        schema = environment.schema
        yield from _fact_problems(schema, seen.first, "first", f"level {name}, first message")
        yield from _fact_problems(schema, seen.facts[alive], "step", f"level {name}, step")
        for problem in _outcome_problems(schema, seen, alive, np.asarray(manners), level):
            yield f"level {name}: {problem}"
    yield from _unread(environment, np.unique(np.concatenate(commands), axis=0))


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
    schema: Schema, seen: _Play, alive: np.ndarray, manners: np.ndarray, level: Level
) -> Iterator[str]:
    errors = _errors(schema, seen.facts[..., 0])
    mute = alive & (manners == _MUTE)[:, None]
    paid = alive & (seen.reward > 0)
    solved = (paid & seen.terminated)[manners == _EXPERT].any(1)
    if not np.isfinite(seen.reward).all():
        yield "a reward is not finite"
    if (paid & ~seen.terminated).any():
        yield "a step with a positive reward did not terminate"
    for command in seen.command[alive & seen.tried & (errors > 0)][:_EXAMPLES]:
        yield f"the valid command {_spell(schema, command)} gives an error"
    if (mute & (errors == 0)).any():
        yield "a command that cannot be read gives no error"
    if (mute & (seen.reward != 0)).any():
        yield "commands that cannot be read give a reward"
    if solved.mean() < _SOLVED:
        yield (
            f"the expert solves {100 * solved.mean():.1f} % of {len(solved)} instances "
            f"in {level.turn_limit} turns, expected at least {100 * _SOLVED:.0f} %"
        )


def _unread(environment: Environment, commands: Int[np.ndarray, "n row"]) -> Iterator[str]:
    """Writes and reads all `commands` in every interface and lexicon."""
    language = compile_language([environment])
    lexicon, interface = np.indices((len(LEXICONS), len(INTERFACES))).reshape(2, -1)
    size = language.longest_command([0], range(len(INTERFACES)))

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
