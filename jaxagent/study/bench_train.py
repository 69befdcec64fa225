"""Benchmarks of rollouts and training, from a policy that has seen a few demonstrations: one that
has seen none says words without end, which no study does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxagent.envs import Pool, Suite, make_suite
from jaxagent.models import SIZES, Params, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.curriculum import Curriculum, mixture
from jaxagent.rl.devices import devices_for, replicate, row_keys, spread
from jaxagent.rl.imitation import Imitator
from jaxagent.rl.learner import Learner
from jaxagent.rl.rollout import rollout
from jaxagent.rl.trajectory import Turn
from jaxagent.rl.updates import Metrics
from jaxagent.rl.window import Window
from jaxagent.study.roofline import Ceilings, measure_ceilings, rollout_bytes, update_flops
from jaxagent.study.timing import TURNS, Result, make_pool, nothing_kept, rate_of, result_of
from jaxagent.sweep.population import Population, stack

CONTEXTS = {"textcraft/easy": 96, "babyai/easy": 192}
ACTION_TOKENS = 10
DEMONSTRATED = 12
"""Updates on demonstrations, of `DEMONSTRATION_ROWS` rows each, before training is measured."""
DEMONSTRATION_ROWS = 128
ALGORITHM = Algorithm(epochs=1)
GIGA = 1e9


def measure_training(task: str, batches: Sequence[int], seconds: float) -> Iterator[Result]:
    """Rollouts and updates of one task, batch by batch."""
    actor, params = make_base(task)
    config = actor.policy.config
    most = measure_ceilings(devices_for(max(batches), ALGORITHM.minibatch), config.dtype, seconds)
    for batch in batches:
        played = list(_rollout(actor, params, batch, most, seconds))
        yield from played
        yield from _training(actor, params, batch, most, played[0].value, seconds)


def measure_population(task: str, members: int, batch: int, seconds: float) -> Iterator[Result]:
    """Turns per second of all members of a population, beside those of one run on all devices."""
    actor, params = make_base(task)
    suite, window = actor.suite, _window(actor.suite, batch)
    alone = Learner(actor, window, ALGORITHM, devices=devices_for(batch, ALGORITHM.minibatch))
    curriculum, hyper = mixture(suite, suite.names), Hyper()
    single, _ = _update_rate(
        alone, alone.start(params, jax.random.key(1)), hyper, curriculum, seconds
    )
    on_cpu, devices = jax.default_backend() == "cpu", devices_for(members)
    learner = Learner(actor, window, ALGORITHM)
    lanes = 1 if on_cpu else members // devices
    population = Population(learner, lanes, devices)
    state = population.start(params, jax.random.split(jax.random.key(1), members))
    stacked = stack([hyper] * members), stack([curriculum] * members)
    together, _ = _update_rate(population, state, *stacked, seconds)
    name = f"population-{members}"
    yield result_of(name, task, batch, together, "turns/s", single)


def make_base(task: str) -> tuple[Actor, Params]:
    """A tiny policy that has seen a few demonstrations of the task."""
    suite = make_suite(task)
    actor = Actor(Policy(SIZES["tiny"], len(suite.language.vocabulary)), suite)
    return actor, _base(actor)


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
    return jax.device_get(imitator.advance(state, hyper, curriculum, DEMONSTRATED)[0].params)


def _rollout(
    actor: Actor, params: Params, batch: int, most: Ceilings, seconds: float
) -> Iterator[Result]:
    devices, task = devices_for(batch), actor.suite.names[0]
    part = _window(actor.suite, batch).shared(devices)
    pool = make_pool(actor.suite, part.rows)

    def play(params: Params, pool: Pool, key: jax.Array) -> Turn:
        return rollout(actor, params, pool, row_keys(key, part.rows, devices), part).turns

    everywhere = jax.jit(spread(play, devices, joined=True))
    arguments = replicate((params, pool, jax.random.key(0)), devices)
    turns = everywhere(*arguments)
    rate = rate_of(everywhere, arguments, seconds)
    acted = float(jnp.sum(turns.action_length > 0))
    read, said = (float(jnp.sum(x)) for x in (turns.message.length, turns.action_length))
    yield result_of("rollout", task, batch, rate * acted, "turns/s")
    yield result_of("rollout", task, batch, rate * (read + said), "tokens/s")
    traffic = rate * rollout_bytes(actor.policy.config, part.slots, read, said) / GIGA
    yield result_of("rollout-bytes", task, batch, traffic, "GB/s", most.bandwidth / GIGA)


def _training(
    actor: Actor, params: Params, batch: int, most: Ceilings, played: float, seconds: float
) -> Iterator[Result]:
    """An update, and its gradient steps alone: what is left of the time beside the rollout."""
    suite, devices = actor.suite, devices_for(batch, ALGORITHM.minibatch)
    task = suite.names[0]
    learner = Learner(actor, _window(suite, batch), ALGORITHM, devices=devices)
    state = learner.start(params, jax.random.key(1))
    curriculum, hyper = mixture(suite, suite.names), Hyper()
    begin = time.perf_counter()
    with nothing_kept():
        state, metrics = jax.block_until_ready(learner.advance(state, hyper, curriculum, 1))
    yield result_of("first-step", task, batch, time.perf_counter() - begin, "s")
    rate, metrics = _update_rate(learner, state, hyper, curriculum, seconds)
    yield result_of("train", task, batch, rate, "turns/s")
    yield result_of("useful", task, batch, float(metrics["useful_tokens"]), "of packed tokens")
    turns = float(metrics["turns"])
    left = turns / rate - turns / played
    if left > 0:
        flops = update_flops(learner, float(metrics["packed_rows"])) / left / GIGA
        yield result_of("update-flops", task, batch, flops, "GFLOP/s", most.flops / GIGA)


def _update_rate(
    run: Learner | Population, state: Any, hyper: Hyper, curriculum: Curriculum, seconds: float
) -> tuple[float, Metrics]:
    """Turns per second, all members together, and the metrics of an update."""
    box = [state]

    def update() -> Any:
        box[0], metrics = run.advance(box[0], hyper, curriculum, 1)
        return metrics

    metrics = update()
    return rate_of(update, (), seconds) * float(jnp.sum(metrics["turns"])), metrics


def _window(suite: Suite, batch: int) -> Window:
    return Window(batch, TURNS, CONTEXTS[suite.names[0]], ACTION_TOKENS)
