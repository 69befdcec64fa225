"""The environment to copy passes the check as it stands, and one interface is enough for all."""

from __future__ import annotations

import runpy
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxagent
from jaxagent.envs.registry import ENVIRONMENTS

PAGE = Path(__file__).resolve().parents[1] / "examples" / "new_environment.py"


@pytest.fixture(scope="module")
def guess():
    return runpy.run_path(str(PAGE))["Guess"]()


def test_the_example_passes_the_check(guess):
    jaxagent.check_environment(guess, episodes=16)


def test_the_example_runs(capsys):
    runpy.run_path(str(PAGE), run_name="__main__")
    assert "the expert solves 100%" in capsys.readouterr().out


def test_an_interface_that_is_not_spoken_is_refused(guess):
    with pytest.raises(ValueError, match="guess does not speak 'prose', expected terse"):
        jaxagent.make_suite("guess/easy+prose", [guess])
    jaxagent.make_suite("guess/easy, maze/easy+prose", [*ENVIRONMENTS, guess])


def test_a_policy_learns_in_one_interface_beside_others(guess):
    suite = jaxagent.make_suite("guess/easy, guess/easy+renamed+list:every_turn", [guess])
    model = jaxagent.ModelConfig(width=16, layers=1, heads=2, hidden=16)
    actor = jaxagent.Actor(jaxagent.Policy(model, len(suite.language.vocabulary)), suite)
    window = jaxagent.Window(rows=8, turns=4, context=128)
    learner = jaxagent.Learner(actor, window, jaxagent.Algorithm(minibatch=4), updates=1)
    state = learner.start(actor.policy.init(jax.random.key(0)), jax.random.key(1))
    tasks = jaxagent.mixture(suite, suite.names)
    state, metrics = learner.run(state, jaxagent.Hyper(), tasks, 1)
    assert np.isfinite([np.asarray(value).mean() for value in metrics.values()]).all()
    said = {suite.language.vocabulary.words[word] for word in suite.sayable}
    assert {"guess", "7", "<end>"} <= said and "found" not in said
