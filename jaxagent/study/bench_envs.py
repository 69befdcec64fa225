"""Benchmarks of environments: their rules, their words, their resets, their compilation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

from jaxagent.envs import Message, Pool, Suite, deal, draw_pool, make_suite
from jaxagent.rl.devices import devices_for, replicate, spread
from jaxagent.rl.imitation import Expert
from jaxagent.study.originals import NoOriginal, original_rate, step_counter
from jaxagent.study.timing import TURNS, Result, make_pool, nothing_kept, rate_of, result_of

COMPILED = (256, 257, 258)
"""Rows for which a step is compiled, each once: the same program would be kept."""

ROUNDS = 5
"""Of a mixture and its environments alone, each measured once in every round."""

MANY_TURNS = 512
"""Turns in which ends are counted: many episodes, however long they are."""


def measure_environment(
    task: str, batches: Sequence[int], seconds: float, remark: Callable[[str], None] = print
) -> Iterator[Result]:
    """All that is measured of one task, beside the original; a `remark` says why not, if not."""
    try:
        baseline = original_rate(task, seconds)
    except NoOriginal as reason:
        baseline = None
        remark(f"{task}: measured without an original ({reason})")
    yield _compilation(task)
    for batch in batches:
        yield from _rates(task, batch, seconds, baseline)
        yield from _resets(task, batch, seconds)


def measure_mixture(tasks: Sequence[str], batch: int, seconds: float) -> Result:
    """The rate with text of all tasks in one batch, against the mean cost of each by itself.

    They are measured in turn, round by round, because the speed of a machine drifts.

    Args:
        tasks: of several environments.
        batch: rows, shared equally by the tasks.
        seconds: to measure each for.
    """
    suites = [make_suite(names) for names in (*tasks, list(tasks))]
    plays = [_text_play(suite, batch) for suite in suites]
    rounds = [[_turn_rate(play, batch, seconds / ROUNDS) for play in plays] for _ in range(ROUNDS)]
    *alone, rate = (median(rates) for rates in zip(*rounds, strict=True))
    baseline = len(alone) / sum(1 / each for each in alone)
    return result_of("mixture", ",".join(tasks), batch, rate, "turns/s", baseline)


def _rates(task: str, batch: int, seconds: float, baseline: float | None) -> Iterator[Result]:
    """Replays random valid commands, first as commands, then read and answered in words."""
    suite = make_suite(task)
    play = _replay(suite, batch)
    for name, step, actions in (("env", _step_all, play[1]), ("env+text", _act_all, play[2])):
        rate = _turn_rate(_everywhere(suite, step, batch, (play[0], actions)), batch, seconds)
        yield result_of(name, task, batch, rate, "turns/s", baseline)
    counter = step_counter(task)
    if counter:
        taken = partial(_step_all, suite, check=lambda a, b: jnp.sum(counter(b.state) - counter(a)))
        steps = float(jax.jit(taken)(*play[:2])) / math.prod(play[1].shape[:2])
        yield result_of("env+text, steps", task, batch, steps * rate, "steps/s", baseline)


def _turn_rate(play: tuple[Callable[..., jax.Array], tuple], batch: int, seconds: float) -> float:
    """Turns per second of a function that plays `TURNS` turns of a batch, with its arguments."""
    return rate_of(*play, seconds) * batch * TURNS


def _text_play(suite: Suite, batch: int) -> tuple[Callable[..., jax.Array], tuple]:
    """Plays the turns of a batch in words: a compiled function and its arguments."""
    pool, _, words = _replay(suite, batch)
    return _everywhere(suite, _act_all, batch, (pool, words))


def _replay(suite: Suite, batch: int) -> tuple[Pool, jax.Array, jax.Array]:
    """A pool, and random valid commands of one device's part of a batch, plain and in words."""
    pool = make_pool(suite, batch // devices_for(batch))
    return pool, *jax.jit(partial(_random_play, suite))(pool, jax.random.key(0))


def _everywhere(
    suite: Suite, step: Any, batch: int, replay: tuple
) -> tuple[Callable[..., jax.Array], tuple]:
    """A replay on all devices that a batch can use: a compiled function and its arguments."""
    devices = devices_for(batch)
    return jax.jit(spread(partial(step, suite), devices)), replicate(replay, devices)


def _resets(task: str, batch: int, seconds: float) -> Iterator[Result]:
    """Shares of the time that resets take, by chance and by the expert, whose episodes are short.

    Episodes end at the turn limit, too; both shares are of the same turns by chance, in words.
    """
    suite = make_suite(task)
    devices = devices_for(batch)
    draw = partial(draw_pool, suite=suite, weights=jnp.ones(len(suite)), size=batch // devices)
    everywhere = jax.jit(spread(draw, devices))
    resets = rate_of(everywhere, replicate((jax.random.key(0),), devices), seconds) * batch
    turns = _turn_rate(_text_play(suite, batch), batch, seconds)
    pool = make_pool(suite, 64)
    for name, noise in (("resets", 1.0), ("resets-expert", 0.0)):
        ends = jax.jit(partial(_ends_per_turn, Expert(suite, noise)))(pool, jax.random.key(1))
        spent = float(ends) / resets
        yield result_of(name, task, batch, spent / (spent + 1 / turns), "of the time")


def _compilation(task: str) -> Result:
    """Seconds to compile the bare step of an environment for a batch, the median of three."""
    suite = make_suite(task)
    environment = suite.environments[0]
    params = environment.levels[suite.tasks[0].level].params
    step = jax.jit(jax.vmap(environment.step, (0, 0, None)))
    seconds = []
    for rows in COMPILED:
        keys = jax.random.split(jax.random.key(0), rows)
        states, _ = jax.eval_shape(jax.vmap(environment.reset, (0, None)), keys, params)
        row = jax.ShapeDtypeStruct((rows, 1 + environment.schema.max_args), jnp.int32)
        lowered = step.lower(states, row, params)
        begin = time.perf_counter()
        with nothing_kept():
            lowered.compile()
        seconds.append(time.perf_counter() - begin)
    return result_of("compile", task, COMPILED[0], median(seconds), "s")


def _ends_per_turn(player: Expert, pool: Pool, key: jax.Array) -> jax.Array:
    """Ends of episodes per turn where `player` plays up to the turn limits."""
    suite = player.suite
    limits = jnp.asarray(suite.turn_limits)

    def turn(carry: tuple, key: jax.Array) -> tuple[tuple, jax.Array]:
        (instances, dealt), turns = carry
        keys = jax.random.split(key, len(instances.task))
        commands, _ = jax.vmap(player.command)(keys, instances)
        step = jax.vmap(suite.move)(instances, commands)
        done = step.terminated | (turns + 1 >= limits[instances.task])
        return (_dealt(pool, step.state, done, dealt), jnp.where(done, 0, turns + 1)), done

    start = _start(pool)
    carry = (start, jnp.zeros(len(start[0].task), jnp.int32))
    return jnp.mean(jax.lax.scan(turn, carry, jax.random.split(key, MANY_TURNS))[1])


def _random_play(suite: Suite, pool: Pool, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Random valid commands of a whole batch [turns, rows, …], as commands and as words."""
    player = Expert(suite, noise=1.0)

    def turn(carry: tuple, key: jax.Array) -> tuple[tuple, tuple[jax.Array, jax.Array]]:
        instances, dealt = carry
        keys = jax.random.split(key, len(instances.task))
        commands, _ = jax.vmap(player.command)(keys, instances)
        words: Message = jax.vmap(suite.write)(instances, commands)
        step = jax.vmap(suite.step)(instances, commands)
        return _dealt(pool, step.instance, step.terminated, dealt), (commands, words.tokens)

    return jax.lax.scan(turn, _start(pool), jax.random.split(key, TURNS))[1]


def _checksum(before: Any, move: Any) -> jax.Array:
    del before
    return jnp.sum(move.facts) + jnp.sum(move.reward).astype(jnp.int32)


def _step_all(
    suite: Suite,
    pool: Pool,
    commands: jax.Array,
    check: Callable[[Any, Any], jax.Array] = _checksum,
) -> jax.Array:
    """Carries out commands with resets from the pool, without a word.

    Returns:
        The sum over turns of what `check` makes of the instances before it and of the moves.
    """

    def turn(carry: tuple, commands: jax.Array) -> tuple[tuple, jax.Array]:
        instances, dealt = carry
        move = jax.vmap(suite.move)(instances, commands)
        return _dealt(pool, move.state, move.terminated, dealt), check(instances, move)

    return jnp.sum(jax.lax.scan(turn, _start(pool), commands)[1])


def _act_all(suite: Suite, pool: Pool, words: jax.Array) -> jax.Array:
    """The same with commands read from words and facts put into words."""

    def turn(carry: tuple, words: jax.Array) -> tuple[tuple, jax.Array]:
        instances, dealt = carry
        step = jax.vmap(suite.act)(instances, words)
        check = jnp.sum(step.message.tokens) + jnp.sum(step.reward).astype(jnp.int32)
        return _dealt(pool, step.instance, step.terminated, dealt), check

    return jnp.sum(jax.lax.scan(turn, _start(pool), words)[1])


def _start(pool: Pool) -> tuple[Any, jax.Array]:
    rows = pool.size // 2
    return jax.tree.map(lambda x: x[:rows], pool.instances), jnp.int32(rows)


def _dealt(pool: Pool, instances: Any, done: jax.Array, dealt: jax.Array) -> tuple[Any, jax.Array]:
    """The instances with those that are done replaced by the next of the pool."""
    entry, dealt = deal(done, dealt, pool.size)

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(done.reshape(done.shape + (1,) * (old.ndim - 1)), new[entry], old)

    return jax.tree.map(choose, pool.instances, instances), dealt
