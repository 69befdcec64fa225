"""Operations counted by hand against those that the compiler counts."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from jaxagent.envs import make_suite
from jaxagent.models import SIZES, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Algorithm
from jaxagent.rl.learner import Learner
from jaxagent.rl.window import Window
from jaxagent.study.roofline import (
    measure_ceilings,
    rollout_bytes,
    token_flops,
    update_flops,
    word_flops,
)


def counted(function, *arguments) -> float:
    return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_a_pass_has_the_operations_that_the_compiler_counts(size):
    policy = Policy(SIZES[size], 500)
    params, context = policy.init(jax.random.key(0)), 64
    row = jnp.zeros(context, jnp.int32)
    every = jnp.arange(context)
    forward = counted(lambda p: policy.encode(p, row, row, row, every).sum(), params)
    assert forward == pytest.approx(context * token_flops(policy.config, context), rel=0.2)
    both = counted(jax.grad(lambda p: policy.encode(p, row, row, row, every).sum()), params)
    assert both == pytest.approx(3 * context * token_flops(policy.config, context), rel=0.3)
    words = jnp.arange(100)
    hidden = jnp.ones((context, policy.config.width))
    logits = counted(lambda p: policy.logits(p, hidden, words), params)
    assert logits == pytest.approx(context * word_flops(policy.config, 100), rel=0.1)


def test_updates_and_rollouts_add_up():
    suite = make_suite("textcraft/easy")
    policy = Policy(
        dataclasses.replace(SIZES["tiny"], dtype="float32"), len(suite.language.vocabulary)
    )
    learner = Learner(Actor(policy, suite), Window(64, 16, 112, 10), Algorithm(epochs=2))
    once = 112 * token_flops(policy.config, 112) + 56 * word_flops(
        policy.config, len(suite.sayable)
    )
    assert update_flops(learner, 10) == 3 * 2 * 10 * once
    # Two layers of one key and one value head, 32 wide, in four bytes.
    cache = 2 * 2 * 32 * 4 * learner.window.slots
    assert rollout_bytes(policy.config, learner.window.slots, 60, 5) == (5 + 10) * cache


def test_ceilings_are_those_of_a_real_machine():
    most = measure_ceilings(1, "float32", 0.1)
    assert 1e8 < most.flops < 1e16 and 1e8 < most.bandwidth < 1e14
