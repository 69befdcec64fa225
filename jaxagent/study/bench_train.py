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
from jaxagent.rl.curriculum import mixture
from jaxagent.rl.devices import devices_for, own_key, replicate, spread
from jaxagent.rl.imitation import Imitator
from jaxagent.rl.learner import Learner, share
from jaxagent.rl.rollout import rollout
from jaxagent.rl.trajectory import Turn
from jaxagent.rl.window import Window
from jaxagent.study.timing import TURNS, Result, make_pool, nothing_kept, rate_of, result_of

CONTEXTS = {"textcraft/easy": 96, "babyai/easy": 192}
ACTION_TOKENS = 10
DEMONSTRATED = 12
"""Updates on demonstrations, of `DEMONSTRATION_ROWS` rows each, before training is measured."""
DEMONSTRATION_ROWS = 128
ALGORITHM = Algorithm(epochs=1)


def measure_training(task: str, batches: Sequence[int], seconds: float) -> Iterator[Result]:
    """Rollouts and updates of one task, batch by batch."""
    suite = make_suite(task)
    actor = Actor(Policy(SIZES["tiny"], len(suite.language.vocabulary)), suite)
    params = _base(actor)
    for batch in batches:
        yield from _rollout(actor, params, batch, seconds)
        yield from _training(actor, params, batch, seconds)


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
    pool = make_pool(actor.suite, part.rows)

    def play(params: Params, pool: Pool, key: jax.Array) -> Turn:
        return rollout(actor, params, pool, own_key(key, devices), part).turns

    everywhere = jax.jit(spread(play, devices, joined=True))
    arguments = replicate((params, pool, jax.random.key(0)), devices)
    turns = everywhere(*arguments)
    rate = rate_of(everywhere, arguments, seconds)
    acted = jnp.sum(turns.action_length > 0)
    tokens = jnp.sum(turns.message.length) + jnp.sum(turns.action_length)
    yield result_of("rollout", task, batch, rate * float(acted), "turns/s")
    yield result_of("rollout", task, batch, rate * float(tokens), "tokens/s")


def _training(actor: Actor, params: Params, batch: int, seconds: float) -> Iterator[Result]:
    suite, devices = actor.suite, devices_for(batch, ALGORITHM.minibatch)
    learner = Learner(actor, _window(suite, batch), ALGORITHM, devices=devices)
    state = learner.start(params, jax.random.key(1))
    curriculum, hyper = mixture(suite, suite.names), Hyper()
    begin = time.perf_counter()
    with nothing_kept():
        state, metrics = jax.block_until_ready(learner.run(state, hyper, curriculum, 1))
    yield result_of("first-step", suite.names[0], batch, time.perf_counter() - begin, "s")
    box = [state]

    def update() -> Any:
        box[0], metrics = learner.run(box[0], hyper, curriculum, 1)
        return metrics

    rate = rate_of(update, (), seconds)
    yield result_of("train", suite.names[0], batch, rate * float(metrics["turns"]), "turns/s")
    useful = float(metrics["useful_tokens"])
    yield result_of("useful", suite.names[0], batch, useful, "of packed tokens")


def _window(suite: Suite, batch: int) -> Window:
    return Window(batch, TURNS, CONTEXTS[suite.names[0]], ACTION_TOKENS)
