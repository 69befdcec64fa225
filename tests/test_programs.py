"""Programs compiled ahead: nothing of them runs, and who needs them finds them compiled."""

from __future__ import annotations

import contextlib
import logging

import jax
import pytest

from jaxagent.rl.evaluation import evaluate
from jaxagent.study.config import from_values
from jaxagent.study.phase import phases
from jaxagent.study.plan import StudyPlan
from jaxagent.study.programs import Programs

PLAN = {
    "name": "p",
    "tasks": ["maze/easy"],
    "arms": ["maze/easy"],
    "seeds": 1,
    "model": "nano",
    "context": 96,
    "base": {"updates": 1, "rows": 4, "turns": 2, "minibatch": 2},
    "train": {"updates": 1, "rows": 4, "turns": 2, "minibatch": 2},
    "evaluation": {"instances": 4, "attempts": 1},
}
PLAY, RUN = "_play_batch", "jit(_advance)"


@pytest.fixture
def compiled(caplog: pytest.LogCaptureFixture):
    """What has been compiled, by the messages of JAX, and how often."""
    jax.clear_caches()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        yield lambda name: sum(
            record.getMessage().startswith("Compiling") and name in record.getMessage()
            for record in caplog.records
        )


def test_an_evaluation_finds_its_program(compiled, monkeypatch) -> None:
    programs, plan = Programs(), from_values(StudyPlan, PLAN)
    programs.compile_evaluation(plan)
    assert compiled(PLAY) == 1
    by = programs.evaluator(plan)
    params = programs.policy(plan).init(jax.random.key(3))
    outcome, _ = evaluate(
        by.actor, params, 0, 4, 1, by.window, devices=by.devices, recorded=by.recorded
    )
    assert outcome.success.shape == (4, 1)
    assert compiled(PLAY) == 1


@pytest.mark.parametrize("number", [0, 1], ids=["base", "arm"])
def test_a_training_finds_its_program(number: int, compiled) -> None:
    programs, plan = Programs(), from_values(StudyPlan, PLAN)
    phase = phases(plan)[number]
    programs.compile_training(plan, phase)
    assert compiled(RUN) == 1
    params = programs.policy(plan).init(jax.random.key(3))
    run, *rest = programs.start(plan, phase, params, lambda _: params)
    state, _ = run.advance(*rest, 1)
    assert int(state.update) == 1
    assert compiled(RUN) == 1


def test_a_program_is_compiled_and_announced_once() -> None:
    programs, said = Programs(), []

    @contextlib.contextmanager
    def announced():
        said.append("begin")
        yield
        said.append("end")

    for _ in range(2):
        programs.compile_once("a", lambda: said.append("a"), announced())
    programs.compile_once("b", lambda: said.append("b"), announced())
    assert said == ["begin", "a", "end", "begin", "b", "end"]
    with pytest.raises(ValueError, match="none"):
        programs.compile_once("c", lambda: int("none"), announced())
    programs.compile_once("c", lambda: said.append("c"), announced())
    assert said[-2:] == ["c", "end"]
