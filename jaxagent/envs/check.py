"""Is an environment what the protocol asks for? Tells its author all that is wrong at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxagent.checks import check_whole
from jaxagent.envs.check_play import play_problems
from jaxagent.envs.environment import Environment, Level
from jaxagent.text import INTERFACES, Schema, compile_language
from jaxagent.text.interface import fact_template, verb_template
from jaxagent.text.vocabulary import SPECIALS

_ATTRIBUTES = {
    "name": str,
    "schema": Schema,
    "phrases": Mapping,
    "levels": Mapping,
    "max_commands": int,
}
_METHODS = ("reset", "step", "valid_commands", "expert", "content", "fingerprint")


def check_environment(environment: Environment, episodes: int = 64) -> None:
    """Compares `environment` with the protocol, its words and some play on every level.

    On each level and split `episodes` instances are played by the expert, as many by a mixture of
    the expert's and random valid commands, and as many by commands that cannot be read. What
    needs the earlier parts to be in order (attributes; words and levels; shapes; play) is only
    looked at when they are.

    Args:
        environment: what to check.
        episodes: instances of every level and split for each of the three ways to play.

    Raises:
        ValueError: listing every problem found, one per line, by level, method or field.
    """
    check_whole("episodes", episodes, 1, 2**20)
    problems = list(_attribute_problems(environment))
    problems = problems or [*_word_problems(environment), *_level_problems(environment.levels)]
    problems = problems or list(_shape_problems(environment))
    problems = problems or list(play_problems(environment, episodes))
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
    if "-" in environment.name:
        yield f"name {environment.name!r}: expected no '-', which joins names to sequences"
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
    for name in set(environment.phrases) - {*INTERFACES}:
        yield f"phrases: {name!r} is not one of {', '.join(INTERFACES)}"
    spoken = [n for n in INTERFACES if n in environment.phrases or n == INTERFACES[0]]
    phrasing = [problem for name in spoken for problem in _phrase_problems(environment, name)]
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
        for field in ("params", "unseen"):
            outline = _outline(getattr(level, field))
            if field == "unseen" and level.unseen is None:
                continue
            if jax.tree.structure(outline) != jax.tree.structure(wanted):
                yield f"level {name}: {field} differ in structure from the params of {first}"
            elif outline != wanted:
                yield (
                    f"level {name}: {field} are {outline}, "
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
        content = jax.eval_shape(environment.content, state)
        fingerprint = jax.eval_shape(environment.fingerprint, state)
    except Exception as error:
        yield f"a method cannot be traced: {type(error).__name__}: {error}"
        return
    yield from _unlike("reset, facts", first, **message)
    yield from _unlike("step, facts", after.facts, **message)
    yield from _unlike("step, reward", after.reward, jnp.float32, ())
    yield from _unlike("step, terminated", after.terminated, jnp.bool_, ())
    yield from _unlike("step, success", after.success, jnp.bool_, ())
    count = environment.max_commands
    yield from _unlike("valid_commands, commands", commands, jnp.int32, (count, *row.shape))
    yield from _unlike("valid_commands, mask", mask, jnp.bool_, (count,))
    yield from _unlike("expert", expert, jnp.int32, row.shape)
    yield from _unlike("content", content, jnp.int32, (None,))
    yield from _unlike("fingerprint", fingerprint, jnp.uint32, ())
    yield from _changed(state, after.state)


def _unlike(what: str, got: Any, dtype: Any, shape: tuple[int | None, ...]) -> Iterator[str]:
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
