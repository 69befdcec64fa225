"""Benchmarks: how fast environments, text, rollouts and training are, each apart.

Batches are shared by the devices at hand. Rollouts and training start from a policy that has seen
a few demonstrations: one that has seen none says words without end, which no study does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.compilation_cache import compilation_cache
from rich.console import Console
from rich.table import Table

from jaxagent.envs import Message, Pool, Suite, deal, draw_pool, make_suite
from jaxagent.models import SIZES, Params, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.curriculum import mixture
from jaxagent.rl.devices import devices_for, own_key, replicate, spread
from jaxagent.rl.imitation import Expert, Imitator
from jaxagent.rl.learner import Learner, share
from jaxagent.rl.rollout import Window, rollout
from jaxagent.rl.trajectory import Turn
from jaxagent.study.files import write_json
from jaxagent.study.originals import original_rate

TASKS = ("textcraft/easy", "textcraft_procedural/easy", "babyai/easy")
TRAINED = ("textcraft/easy", "babyai/easy")
CONTEXTS = {"textcraft/easy": 96, "babyai/easy": 192}
TURNS = 16
ACTION_TOKENS = 10
DEMONSTRATED = 12
"""Updates on demonstrations, of `DEMONSTRATION_ROWS` rows each, before training is measured."""
DEMONSTRATION_ROWS = 128
ALGORITHM = Algorithm(epochs=1)


@dataclass(frozen=True)
class Result:
    """One measurement.

    Attributes:
        benchmark: `env`, `env+text`, `rollout`, `train`, `useful` or `first-step`.
        environment: the task.
        batch: episodes side by side.
        value: the measured number.
        unit: its unit.
        baseline: the same number of the original environment, run in the same call, or None.
        ratio: `value / baseline`, or None.
        device: what it ran on.
    """

    benchmark: str
    environment: str
    batch: int
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    device: str


def run(
    what: str, batches: Sequence[int], seconds: float, path: str, console: Console
) -> list[Result]:
    """Measures and shows; the arguments are the command line's.

    Raises:
        ValueError: `what` is not known, or a number is out of range.
    """
    if what not in ("envs", "train", "all"):
        raise ValueError(f"what={what!r}: expected one of envs, train, all")
    if not batches or min(batches) < 1 or seconds <= 0:
        raise ValueError(f"batches={batches}, seconds={seconds}: expected numbers above 0")
    results: list[Result] = []
    with console.status("measuring") as status:
        for result in _all(what, batches, seconds, status.update):
            results.append(result)
            console.print(_line(result), highlight=False)
            if path:
                write_json(path, [dataclasses.asdict(each) for each in results])
    console.print(as_table(results))
    return results


def as_table(results: Sequence[Result]) -> Table:
    """All results, the best batch of each benchmark in bold."""
    table = Table("benchmark", "task", "batch", "value", "unit", "original", "ratio")
    best: dict[tuple[str, str, str], float] = {}
    for each in results:
        name = (each.benchmark, each.environment, each.unit)
        best[name] = max(best.get(name, 0.0), each.value)
    for each in results:
        is_best = each.value == best[each.benchmark, each.environment, each.unit]
        baseline = "" if each.baseline is None else f"{each.baseline:,.0f}"
        ratio = "" if each.ratio is None else f"{each.ratio:,.1f}×"
        cells = (each.benchmark, each.environment, str(each.batch), _number(each.value))
        table.add_row(*cells, each.unit, baseline, ratio, style="bold" if is_best else "")
    return table


def _all(
    what: str, batches: Sequence[int], seconds: float, tell: Callable[[str], None]
) -> Iterator[Result]:
    if what != "train":
        for task in TASKS:
            tell(f"{task}: the original")
            baseline = original_rate(task, seconds)
            for batch in batches:
                tell(f"{task}: {batch} side by side")
                yield from _environment(task, batch, seconds, baseline)
    if what != "envs":
        for task in TRAINED:
            tell(f"training on {task}: demonstrations")
            suite = make_suite(task)
            actor = Actor(Policy(SIZES["tiny"], len(suite.language.vocabulary)), suite)
            params = _base(actor)
            for batch in batches:
                tell(f"training on {task}: {batch} side by side")
                yield from _rollout(actor, params, batch, seconds)
                yield from _training(actor, params, batch, seconds)


def _environment(task: str, batch: int, seconds: float, baseline: float | None) -> Iterator[Result]:
    """Replays random valid commands, first as commands, then read and answered in words."""
    suite, devices = make_suite(task), devices_for(batch)
    pool = _pool(suite, batch // devices)
    commands, words = jax.jit(partial(_random_play, suite))(pool, jax.random.key(0))
    for name, play, actions in (
        ("env", _step_all, commands),
        ("env+text", _act_all, words),
    ):
        everywhere = jax.jit(spread(partial(play, suite), devices))
        rate = _rate(everywhere, replicate((pool, actions), devices), seconds) * batch * TURNS
        yield _result(name, task, batch, rate, "turns/s", baseline)


def _base(actor: Actor) -> Params:
    """A policy that has seen a few demonstrations."""
    suite, rows = actor.suite, DEMONSTRATION_ROWS
    window = _window(suite, rows)
    minibatch = ALGORITHM.minibatch
    devices = devices_for(rows, minibatch)
    imitator = Imitator(actor, window, minibatch=minibatch, devices=devices)
    params = actor.policy.init(jax.random.key(0))
    state = imitator.start(params, jax.random.key(1), DEMONSTRATED)
    curriculum, hyper = mixture(suite, suite.names), Hyper(learning_rate=2e-3)
    return jax.device_get(imitator.run(state, hyper, curriculum, DEMONSTRATED)[0].params)


def _rollout(actor: Actor, params: Params, batch: int, seconds: float) -> Iterator[Result]:
    devices, task = devices_for(batch), actor.suite.names[0]
    part = share(_window(actor.suite, batch), devices)
    pool = _pool(actor.suite, part.rows)

    def play(params: Params, pool: Pool, key: jax.Array) -> Turn:
        return rollout(actor, params, pool, own_key(key, devices), part).turns

    everywhere = jax.jit(spread(play, devices, joined=True))
    arguments = replicate((params, pool, jax.random.key(0)), devices)
    turns = everywhere(*arguments)
    rate = _rate(everywhere, arguments, seconds)
    acted = jnp.sum(turns.action_length > 0)
    tokens = jnp.sum(turns.message.length) + jnp.sum(turns.action_length)
    yield _result("rollout", task, batch, rate * float(acted), "turns/s")
    yield _result("rollout", task, batch, rate * float(tokens), "tokens/s")


def _training(actor: Actor, params: Params, batch: int, seconds: float) -> Iterator[Result]:
    suite, devices = actor.suite, devices_for(batch, ALGORITHM.minibatch)
    learner = Learner(actor, _window(suite, batch), ALGORITHM, devices=devices)
    state = learner.start(params, jax.random.key(1))
    curriculum, hyper = mixture(suite, suite.names), Hyper()
    begin = time.perf_counter()
    with _nothing_kept():
        state, metrics = jax.block_until_ready(learner.run(state, hyper, curriculum, 1))
    yield _result("first-step", suite.names[0], batch, time.perf_counter() - begin, "s")
    box = [state]

    def update() -> Any:
        box[0], metrics = learner.run(box[0], hyper, curriculum, 1)
        return metrics

    rate = _rate(update, (), seconds)
    yield _result("train", suite.names[0], batch, rate * float(metrics["turns"]), "turns/s")
    useful = float(metrics["useful_tokens"])
    yield _result("useful", suite.names[0], batch, useful, "of packed tokens")


@contextlib.contextmanager
def _nothing_kept() -> Iterator[None]:
    """Compiles everything anew, whatever earlier runs have kept."""
    kept = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()  # jax asks its settings once, until it is told to forget
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", kept)
        compilation_cache.reset_cache()


def _window(suite: Suite, batch: int) -> Window:
    return Window(batch, TURNS, CONTEXTS[suite.names[0]], ACTION_TOKENS)


def _pool(suite: Suite, batch: int) -> Pool:
    size = max(2 * batch, 64)
    draw = jax.jit(partial(draw_pool, suite=suite, size=size))
    return draw(jax.random.key(7), weights=jnp.ones(len(suite)))


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


def _step_all(suite: Suite, pool: Pool, commands: jax.Array) -> jax.Array:
    """Carries out commands with resets from the pool, without a word; returns a checksum."""

    def turn(carry: tuple, commands: jax.Array) -> tuple[tuple, jax.Array]:
        instances, dealt = carry
        move = jax.vmap(suite.move)(instances, commands)
        check = jnp.sum(move.facts) + jnp.sum(move.reward).astype(jnp.int32)
        return _dealt(pool, move.state, move.terminated, dealt), check

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


def _rate(function: Callable[..., Any], arguments: tuple, seconds: float) -> float:
    """Calls per second: the median over three stretches of at least a third of `seconds`."""
    jax.block_until_ready(function(*arguments))
    rates = []
    for _ in range(3):
        begin, calls = time.perf_counter(), 0
        while (spent := time.perf_counter() - begin) < seconds / 3:
            jax.block_until_ready(function(*arguments))
            calls += 1
        rates.append(calls / spent)
    return sorted(rates)[1]


def _result(
    name: str, task: str, batch: int, value: float, unit: str, baseline: float | None = None
) -> Result:
    ratio = None if baseline is None else value / baseline
    device = f"{jax.devices()[0].device_kind} ({jax.default_backend()})"
    return Result(name, task, batch, value, unit, baseline, ratio, device)


def _line(result: Result) -> str:
    ratio = "" if result.ratio is None else f", {result.ratio:,.1f}× the original"
    value = f"{_number(result.value)} {result.unit}"
    return f"{result.benchmark:<10} {result.environment:<26} {result.batch:>5}  {value}{ratio}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
