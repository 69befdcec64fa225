"""The public names for studies, policies, tasks and text, and the pages that show them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from probes import PROBES, READ
from test_study import PLAN, Told

import jaxagent
from jaxagent.rl.advantage import turn_advantage
from jaxagent.rl.registration import BUILT_IN, NAMED, OWN_ADVANTAGES
from jaxagent.study.config import from_values
from jaxagent.study.phase import phases
from jaxagent.study.plan import StudyPlan

DOCS = Path(__file__).resolve().parents[1] / "docs"


def blocks(page: str) -> list[str]:
    """The Python of a page."""
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.fixture(autouse=True)
def forget():
    """Names that a test registers are gone behind it."""
    yield
    for name in [name for name in NAMED if name not in BUILT_IN]:
        del NAMED[name]
    OWN_ADVANTAGES.clear()


def test_tasks_and_environments_are_listed():
    names = jaxagent.environments()
    tasks = jaxagent.list_tasks()
    assert {"textcraft", "babyai"} <= set(names) == {task.split("/")[0] for task in tasks}
    assert jaxagent.list_tasks("babyai") == tuple(t for t in tasks if t.startswith("babyai/"))
    assert len(jaxagent.make_suite(tasks)) == len(tasks)
    with pytest.raises(ValueError, match="environment='labyrinth': expected one of textcraft"):
        jaxagent.list_tasks("labyrinth")


def test_the_text_loop_solves_an_instance_by_hand():
    env = jaxagent.TextEnv("remember/easy", seed=3, environments=PROBES)
    seen = set()
    for _ in range(6):
        colour = env.reset().split()[1]
        seen.add(colour)
        assert env.step("wait")[1:4] == (0.0, False, False)
        assert env.step("wait")[0] == "now"
        text, reward, terminated, truncated, info = env.step(colour)
        assert (reward, terminated, truncated) == (1.0, True, False) and isinstance(text, str)
        assert info == {"success": True, "invalid": False, "turn": 3}
        with pytest.raises(ValueError, match="no episode is under way; expected reset"):
            env.step("wait")
    assert len(seen) > 1
    again = jaxagent.TextEnv("remember/easy", seed=3, environments=PROBES)
    assert again.reset(instance=5) == env.reset(instance=5)
    assert "red" in env.valid_commands() and "wait" in env.valid_commands()
    assert [again.reset() for _ in range(8)] != [env.reset() for _ in range(8)]  # goes on


def test_what_cannot_be_read_is_an_invalid_action():
    env = jaxagent.TextEnv("textcraft/easy")
    for line in (
        "",
        "   ",
        "fly to the moon",
        "get 1",
        "gét ☃",
        "a" * 5000,
        "get " * 1200,
        "<end>",
    ):
        env.reset()
        _, reward, terminated, truncated, info = env.step(line)
        assert info["invalid"] and (reward, terminated, truncated) == (0.0, False, False)
    env.reset(0)
    assert all(not env.step("what")[3] for _ in range(env.turn_limit - 1))
    assert env.step("what")[2:4] == (False, True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jaxagent.TextEnv("textcraft/easy, babyai/easy"), "expected one task, got 2"),
        (lambda: jaxagent.TextEnv("labyrinth/easy"), "environment 'labyrinth' is not one of"),
        (lambda: jaxagent.TextEnv("textcraft/easy", seed=-1), "seed=-1: expected at least 0"),
        (lambda: jaxagent.TextEnv("textcraft/easy", seed=1.5), "seed=1.5: expected a whole"),
        (lambda: jaxagent.TextEnv("textcraft/easy").step("look"), "expected reset"),
        (lambda: jaxagent.load("/no/where"), "no such folder"),
        (lambda: jaxagent.run_study({"name": "x"}), "tasks: missing"),
        (lambda: jaxagent.run_study("slowstart"), "expected one of"),
        (lambda: jaxagent.save("x", "actor", {}), "actor='actor': expected an Actor"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(call, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_text_that_is_none_is_refused():
    env = jaxagent.TextEnv("read/easy", environments=[READ])
    env.reset()
    with pytest.raises(TypeError, match="action=7: expected a text"):
        env.step(7)  # type: ignore[arg-type]


def test_the_page_about_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    play, keep, _ = blocks("python.md")
    names: dict = {"jax": jax}
    exec(play, names)
    assert names["info"]["turn"] == 1 and names["env"].task == "textcraft/easy"
    exec(keep, names)
    assert names["outcome"].success.shape == (16, 1)
    assert "> " in capsys.readouterr().out
    assert names["window"] == jaxagent.Window(256, 1, 512, 10)
    with pytest.raises(ValueError, match="episode=1: expected 0 to 0"):
        jaxagent.transcript(names["suite"], names["scripts"], 1)


def learnt(algorithm):
    suite = jaxagent.make_suite(["read/easy"], PROBES)
    model = jaxagent.ModelConfig(width=16, layers=1, heads=2, hidden=16)
    actor = jaxagent.Actor(jaxagent.Policy(model, len(suite.language.vocabulary)), suite)
    window = jaxagent.Window(rows=8, turns=4, context=32)
    learner = jaxagent.Learner(actor, window, algorithm, updates=2)
    params = actor.policy.init(jax.random.key(0))
    state = learner.start(params, jax.random.key(1))
    tasks = jaxagent.mixture(suite, suite.names)
    state, _ = learner.run(state, jaxagent.Hyper(), tasks, 1)
    return jax.tree.leaves(state.params)


def test_a_registered_advantage_takes_the_place_of_ours():
    jaxagent.register_advantage("same", turn_advantage)
    jaxagent.register_advantage("other", lambda *row: tuple(-x for x in turn_advantage(*row)))
    build = lambda name: jaxagent.Algorithm(advantage=name, minibatch=4, epochs=1)  # noqa: E731
    ours, same, other = (learnt(build(name)) for name in ("turn", "same", "other"))
    assert all(np.array_equal(a, b) for a, b in zip(ours, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(ours, other, strict=True))


def test_the_page_about_algorithms_registers_one_that_plans_know():
    [code] = blocks("algorithms.md")[:1]
    exec(code, {})
    assert jaxagent.ALGORITHMS["sparing-ppo"][0].advantage == "sparing"
    values = {**PLAN, "train": {**PLAN["train"], "algorithm": "sparing-ppo"}}
    plan = from_values(StudyPlan, values)
    keys = [phase.key for phase in phases(plan)]
    jaxagent.register_advantage("sparing", turn_advantage)
    changed = [phase.key for phase in phases(plan)]
    assert keys[0] == changed[0] and not set(keys[1:]) & set(changed)


def test_what_is_no_advantage_and_no_algorithm_is_refused():
    said = {
        "is built in": ("turn", turn_advantage),
        "expected up to 60 letters": ("a/b", turn_advantage),
        "function=3: expected a function": ("mine", 3),
        "cannot be traced": ("mine", lambda turns: turns),
        r"gives float32\[5\], expected two": ("mine", lambda turns, *_: turns.reward),
        "gives nothing": ("mine", lambda *_: None),
    }
    for message, (name, function) in said.items():
        with pytest.raises((ValueError, TypeError), match=message) as caught:
            jaxagent.register_advantage(name, function)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="name='ppo': is built in"):
        jaxagent.register_algorithm("ppo", jaxagent.Algorithm())
    with pytest.raises(TypeError, match="hyper=.*expected"):
        jaxagent.register_algorithm("mine", jaxagent.Algorithm(), {})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected its name; see register_advantage"):
        jaxagent.Algorithm(advantage=turn_advantage)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="advantage='mine'"):
        jaxagent.Algorithm(advantage="mine")


@pytest.mark.slow  # a whole study
def test_a_study_from_python_is_that_of_the_shell(tmp_path):
    told = Told()
    plan = {**PLAN, "arms": ["textcraft"]}
    path = jaxagent.run_study(plan, tmp_path / "small", progress=told)
    assert path == tmp_path / "small" / "report.html" and told.started
    assert json.loads((tmp_path / "small" / "plan.json").read_text())["name"] == "small"
    page = path.read_text()
    path.unlink()
    assert jaxagent.build_report(tmp_path / "small").read_text() == page
    actor, params, window = jaxagent.load(f"{tmp_path / 'small'}:base", "textcraft/easy+renamed")
    assert window.context == 96 and actor.policy.parameter_count(params) > 0
