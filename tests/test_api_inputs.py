"""Every public name of jaxagent × kinds of wrong values: one line that names the argument and says
what was expected, before anything is computed."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from probes import PROBES

import jaxagent
from jaxagent import (
    Actor,
    Algorithm,
    Expert,
    Hyper,
    Imitator,
    Learner,
    ModelConfig,
    Policy,
    Population,
    Task,
    Weights,
    Window,
)
from jaxagent.envs import Message
from jaxagent.rl.consolidation import Memory
from jaxagent.rl.evaluation import Script
from jaxagent.rl.imitation import ImitatorState
from jaxagent.rl.learner_parts import LearnerState
from jaxagent.rl.ranges import RANGES

NAMES = ("read/easy", "remember/easy")
SUITE = jaxagent.make_suite(NAMES, PROBES)
OTHER = jaxagent.make_suite(["delayed/easy", "read/easy"], PROBES)
SINGLE = jaxagent.make_suite(["read/easy"], PROBES)
MODEL = ModelConfig(width=16, layers=1, heads=2, hidden=16)
WORDS = len(SUITE.language.vocabulary)
ACTOR = Actor(Policy(MODEL, WORDS), SUITE)
WINDOW = Window(rows=8, turns=4, context=32)
PARAMS = jax.tree.map(lambda like: np.zeros(like.shape, like.dtype), ACTOR.policy.shapes)
NARROW = jax.tree.map(lambda leaf: leaf[..., :1], PARAMS)
KEY = jax.random.key(0)
TASKS = jaxagent.mixture(SUITE, NAMES)
LEARNER = Learner(ACTOR, WINDOW, Algorithm(minibatch=4), updates=3)
IMITATOR = Imitator(ACTOR, WINDOW, minibatch=4, updates=3)
POPULATION = Population(LEARNER)
STATE = LEARNER.start(PARAMS, KEY)
DONE = STATE.replace(update=STATE.updates)
TAUGHT = IMITATOR.start(PARAMS, KEY)
MEMBERS = POPULATION.start(PARAMS, jax.random.split(KEY, 2))

NO_NUMBER = (None, "1", "", [], [1.0], {}, (1,), object(), True, 1j)
NOT_FINITE = (math.nan, math.inf, -math.inf, np.float32(np.nan))
WHOLE = (*NO_NUMBER, *NOT_FINITE, 2.5, -1, -(10**30), 10**30, 10**5000)
COUNT = (*WHOLE, 0)
NUMBER = (*NO_NUMBER, *NOT_FINITE, -1.0, -1e30, 1e30, 10**400)
UNBOUNDED = tuple(value for value in NUMBER if value not in (1e30, math.inf))
FLAG = (None, "yes", "", 1, 0.0, [], math.nan)
TEXT = (None, "", "nothing", 7, math.nan, [], ["read/easy"], True, "a\nb", "\x00")
THING = (None, "", "nothing", 7, math.nan, [], {}, object(), SUITE.language)
KEYS = (None, 0, -1, 1.5, math.nan, "key", [], PARAMS, np.zeros(2, np.uint32))
PARAMETERS = (None, {}, [], 0, math.nan, "params", KEY, NARROW, {"params": PARAMS})
LIST = (None, 3, math.nan, [], {}, True, [None], [3], [[]])


def weights(**changes: Any) -> Any:
    """The right curriculum with some fields changed."""
    return TASKS.replace(**changes)


CURRICULA = (
    *(each for each in THING if each is not None),
    jaxagent.mixture(OTHER, OTHER.names),
    jaxagent.mixture(SINGLE, SINGLE.names),
    weights(tasks=(), weights=TASKS.weights[:, :1]),
    weights(weights=-TASKS.weights),
    weights(weights=TASKS.weights * np.nan),
    weights(weights=2 * TASKS.weights),
    weights(weights=0 * TASKS.weights),
    weights(progress=TASKS.progress[::-1] + np.arange(16, 0, -1, dtype=np.float32) / 32),
    weights(horizon=0 * TASKS.horizon),
    weights(horizon=np.inf * TASKS.horizon),
    weights(temperature=np.float32(0)),
    weights(rule=np.int32(9)),
    weights(replay=np.float32(2)),
    weights(rank=None),
    jaxagent.stack([TASKS] * 3),
)
HYPERS = (
    *(each for each in THING if each is not None),
    Hyper(gamma=None),
    Hyper(gamma=True),
    Hyper(learning_rate=np.asarray(np.nan)),
    Hyper(learning_rate=jax.numpy.inf * jax.numpy.ones(())),
    Hyper(lam=np.asarray("x")),
    Hyper(lam=np.ones(3)),
    Hyper(weights=None),
    Hyper(weights=7),
    Hyper(weights=Weights(entropy=np.asarray(-1.0))),
    jaxagent.stack([Hyper()] * 3),
)
STAGES = (None, 3, math.nan, [], {}, "", "nothing", [3], [None], {"nothing": 1.0}, True)
SHARES = [{"read/easy": value} for value in (*NUMBER, 0.0) if value != 1e30]
"""However large they are, weights are shares of their sum."""

Call = Callable[[Any], Any]
ENTRIES: dict[str, tuple[Call, tuple]] = {}


def entry(name: str, call: Call, *values: Any) -> None:
    """Adds an argument, a call that gives it a value, and values that are wrong for it."""
    assert name not in ENTRIES and values
    ENTRIES[name] = call, values


def entries(kind: Any, values: tuple, names: str, **rest: Any) -> None:
    """Adds arguments of the same kind of one class or function."""
    for name in names.split():
        entry(
            f"{kind.__name__}.{name}",
            lambda value, name=name: kind(**{**rest, name: value}),
            *values,
        )


entries(Window, COUNT, "rows turns context group")
entries(Window, WHOLE, "action_tokens think")
entries(Window, FLAG, "whole anchors")
entries(ModelConfig, COUNT, "width layers heads kv_heads hidden")
entries(ModelConfig, (*WHOLE, 3), "head_dim")
entries(ModelConfig, (*NUMBER, 1.0), "rope_base")
entries(ModelConfig, TEXT, "dtype")
entries(Policy, THING, "config", vocabulary=WORDS)
entries(Policy, (*COUNT, 1), "vocabulary", config="nano")
entries(Actor, THING, "policy", suite=SUITE)
entries(Actor, THING, "suite", policy="nano")
entry("Actor.order", lambda _: Actor(SUITE, ACTOR.policy), None)
entry("Policy.init.key", ACTOR.policy.init, *KEYS)
entries(Algorithm, TEXT, "advantage cut normalisation ratio objective aggregation kl")
entries(Algorithm, COUNT, "group epochs minibatch")
entries(Algorithm, FLAG, "drop_decided consolidates")
ARRAYS_PASS = tuple(v for v in NUMBER if isinstance(v, (int, float, str, list)) and v is not True)
HYPER = [f.name for f in dataclasses.fields(Hyper) if f.name != "weights"]
entries(Hyper, ARRAYS_PASS, " ".join(HYPER))
entries(Weights, ARRAYS_PASS, " ".join(f.name for f in dataclasses.fields(Weights)))
entries(Task, (None, 7, math.nan, [], True), "environment level", environment="read", level="easy")
entries(Task, TEXT, "split lexicon interface list errors asides", environment="read", level="easy")
entries(Expert, THING, "suite")
entries(Expert, NUMBER, "noise slips", suite=SUITE)
entry("Expert.sum", lambda _: Expert(SUITE, 0.6, 0.6), None)

RUN = {"actor": ACTOR, "window": WINDOW}
entries(Imitator, THING, "actor window", **{**RUN, "minibatch": 4})
entries(Imitator, NUMBER, "noise slips", **RUN)
entries(Imitator, FLAG, "clean split", **RUN)
entries(Imitator, COUNT, "minibatch updates devices", **RUN)
entries(Learner, THING, "actor window algorithm", **{**RUN, "algorithm": Algorithm(minibatch=4)})
entries(Learner, WHOLE, "pool replay", **RUN)
entries(Learner, COUNT, "updates devices", **RUN)
entries(Learner, FLAG, "split", **RUN)
for run, state, kind in ((LEARNER, STATE, LearnerState), (IMITATOR, TAUGHT, ImitatorState)):
    name = type(run).__name__
    entry(f"{name}.start.params", lambda v, run=run: run.start(v, KEY), *PARAMETERS)
    entry(f"{name}.start.key", lambda v, run=run: run.start(PARAMS, v), *KEYS)
    entry(
        f"{name}.start.updates",
        lambda v, run=run: run.start(PARAMS, KEY, v),
        *(v for v in COUNT if v is not None),
    )
    wrong = (*THING, PARAMS, TAUGHT if kind is LearnerState else STATE, MEMBERS)
    entry(f"{name}.run.state", run.run, *wrong, state.replace(params=NARROW))
    entry(f"{name}.run.hyper", lambda v, r=run, s=state: r.run(s, v), *HYPERS)
    entry(f"{name}.run.curriculum", lambda v, r=run, s=state: r.run(s, None, v), *CURRICULA)
    counts = (*(v for v in COUNT if v is not None), 4)
    entry(f"{name}.run.count", lambda v, r=run, s=state: r.run(s, count=v), *counts)
    entry(f"{name}.run.progress", lambda v, r=run, s=state: r.run(s, progress=v), *FLAG)
entry("Learner.start.reference", lambda v: LEARNER.start(PARAMS, KEY, None, v), *PARAMETERS[1:])
MEMORIES = (*THING[1:], Memory({}, {}), Memory(NARROW, PARAMS), Memory(PARAMS, NARROW))
entry("Learner.start.memory", lambda v: LEARNER.start(PARAMS, KEY, memory=v), *MEMORIES)
entry("Learner.run.count of a finished run", lambda v: LEARNER.run(DONE, count=v), None, 1)
entry("Learner.start.order", lambda _: LEARNER.start(KEY, PARAMS), None)

entries(Population, THING, "learner")
entries(Population, COUNT, "lanes devices", learner=LEARNER)
SPLIT = jax.random.split(KEY, 2)
entry("Population.start.params", lambda v: POPULATION.start(v, SPLIT), *PARAMETERS)
entry("Population.start.keys", lambda v: POPULATION.start(PARAMS, v), *KEYS, KEY, SPLIT[:0])
entry(
    "Population.start.updates",
    lambda v: POPULATION.start(PARAMS, SPLIT, v),
    *(v for v in COUNT if v is not None),
)
entry("Population.start.own", lambda v: POPULATION.start(PARAMS, SPLIT, own=v), *FLAG, True)
entry("Population.run.state", POPULATION.run, *THING, STATE, PARAMS)
entry("Population.run.hyper", lambda v: POPULATION.run(MEMBERS, v), *HYPERS)
entry("Population.run.curriculum", lambda v: POPULATION.run(MEMBERS, None, v), *CURRICULA)
entry("Population.run.count", lambda v: POPULATION.run(MEMBERS, count=v), *counts)
entry("Population.member.state", lambda v: POPULATION.member(v, 0), *THING, STATE)
entry("Population.member.number", lambda v: POPULATION.member(MEMBERS, v), *WHOLE, 2)
entry("stack.members", jaxagent.stack, *(None, 3, math.nan, [], {}, "ab", True), [Hyper(), TASKS])

MEASURED = {"player": ACTOR, "params": PARAMS, "task": 0, "window": WINDOW}
entries(jaxagent.evaluate, THING, "player window", **MEASURED)
entries(jaxagent.evaluate, PARAMETERS, "params", **MEASURED)
entries(jaxagent.evaluate, (*TEXT, -1, 2, 10**30, "delayed/easy"), "task", **MEASURED)
entries(jaxagent.evaluate, COUNT, "instances attempts devices recorded", **MEASURED)
entries(jaxagent.evaluate, WHOLE, "seed first", **MEASURED)
entries(jaxagent.evaluate, NUMBER, "temperature", **MEASURED)
entries(jaxagent.evaluate, tuple(each for each in THING if each is not None), "report", **MEASURED)
entry("Suite.reset.key", lambda v: SUITE.reset(v, 0), *KEYS)
entry("Suite.reset.task", lambda v: SUITE.reset(KEY, v), *TEXT, -1, 2, 10**30, "delayed/easy")
entry("Suite.number.task", SUITE.number, *TEXT, -1, 2, 10**30, "delayed/easy")
entry("evaluate.order", lambda _: jaxagent.evaluate(PARAMS, ACTOR, 0), None)

entry("make_suite.tasks", lambda v: jaxagent.make_suite(v, PROBES), *LIST, "", "nothing", "a/b,")
entry("make_suite.tasks twice", jaxagent.make_suite, ["textcraft/easy"] * 2)
entry(
    "make_suite.environments",
    lambda v: jaxagent.make_suite("read/easy", v),
    *(3, math.nan, [], {}, "read", True, [3], [None]),
)
entry("check_environment.episodes", lambda v: jaxagent.check_environment(PROBES[1], v), *COUNT)

entry("mixture.suite", lambda v: jaxagent.mixture(v, NAMES), *THING)
entry("mixture.weights", lambda v: jaxagent.mixture(SUITE, v), *STAGES, *SHARES)
entry("single.suite", lambda v: jaxagent.single(v, "read/easy"), *THING)
entry("single.task", lambda v: jaxagent.single(SUITE, v), *TEXT)
entry("tempered.weights", lambda v: jaxagent.tempered(v, 1.0), *THING[:-1][:5], *SHARES[:-1])
entry("tempered.temperature", lambda v: jaxagent.tempered({"a": 1.0}, v), *UNBOUNDED, 0.0)
for name in ("sequence", "gated"):
    make: Any = getattr(jaxagent, name)
    entry(f"{name}.suite", lambda v, make=make: make(v, [NAMES]), *THING)
    stages = (*(each for each in STAGES), *([each] for each in STAGES), *([s] for s in SHARES))
    entry(f"{name}.stages", lambda v, make=make: make(SUITE, v), *stages, [NAMES] * 99)
    entry(f"{name}.rehearsal", lambda v, make=make: make(SUITE, [NAMES], rehearsal=v), *NUMBER)
entry("gated.threshold", lambda v: jaxagent.gated(SUITE, [NAMES], v), *NUMBER)
entry("ramp.suite", lambda v: jaxagent.ramp(v, NAMES), *THING)
entry("ramp.tasks", lambda v: jaxagent.ramp(SUITE, v), *STAGES, ["read/easy"] * 99)
entry("ramp.rehearsal", lambda v: jaxagent.ramp(SUITE, NAMES, v), *NUMBER)
entry("with_horizon.curriculum", lambda v: jaxagent.with_horizon(v, [1.0]), *THING)
HORIZONS = (*(value for value in LIST if value is not True), *([v] for v in (*NUMBER, 0.0)))
entry("with_horizon.shares", lambda v: jaxagent.with_horizon(TASKS, v), *HORIZONS, "ab", [1.0] * 99)
entry("adaptive.curriculum", lambda v: jaxagent.adaptive(v, "balance"), *THING)
entry("adaptive.rule", lambda v: jaxagent.adaptive(TASKS, v), *TEXT, "gate")
entry("adaptive.temperature", lambda v: jaxagent.adaptive(TASKS, "balance", v), *NUMBER, 0.0)
entry("adaptive.explore", lambda v: jaxagent.adaptive(TASKS, "balance", 1.0, v), *NUMBER)
entry("with_replay.curriculum", lambda v: jaxagent.with_replay(v, 0.5), *THING)
entry("with_replay.share", lambda v: jaxagent.with_replay(TASKS, v), *NUMBER)

PATHS = (3, math.nan, [], {}, True, "", __file__, "a\x00b", "x" * 5000)
entry("enable_compilation_cache.folder", jaxagent.enable_compilation_cache, *PATHS)

NAMED = (None, "", 7, math.nan, [], True, "a\nb", "a/b", "x" * 100, "ppo turn")
_EMPTY = Message(np.zeros((1, 4), np.int32), np.zeros(1, np.int32))
SCRIPTS = Script(_EMPTY, _EMPTY, _EMPTY, None)  # pyright: ignore[reportArgumentType]
entry("TextEnv.task", jaxagent.TextEnv, *TEXT, "textcraft/easy,babyai/easy")
entry("TextEnv.seed", lambda v: jaxagent.TextEnv("read/easy", v, PROBES), *WHOLE)
entry("TextEnv.environments", lambda v: jaxagent.TextEnv("read/easy", 0, v), 3, [], "read", [3])
entry("list_tasks.environment", jaxagent.list_tasks, *TEXT[1:])
entry("load.policy", jaxagent.load, None, *PATHS, "/no/where", "/no/where:base")
entry("load.suite", lambda v: jaxagent.load(".", v), 3, math.nan, {}, True)
entry("load.tasks", lambda v: jaxagent.load(".", v), [], "nothing", [3])
entry("save.folder", lambda v: jaxagent.save(v, ACTOR, PARAMS), None, *PATHS)
entry("save.actor", lambda v: jaxagent.save("x", v, PARAMS), *THING, SUITE)
entry("save.params", lambda v: jaxagent.save("x", ACTOR, v), *PARAMETERS)
entry("save.window", lambda v: jaxagent.save("x", ACTOR, PARAMS, v), *THING[1:])
entry("transcript.suite", lambda v: jaxagent.transcript(v, None), *THING)
entry("transcript.scripts", lambda v: jaxagent.transcript(SUITE, v), *THING)
entry("transcript.episode", lambda v: jaxagent.transcript(SUITE, SCRIPTS, v), *WHOLE, 1)
entry("run_study.plan", jaxagent.run_study, None, 3, math.nan, [], "", "nothing", True)
entry("run_study.folder", lambda v: jaxagent.run_study("quickstart", v), *PATHS)
entry("run_study.preset", lambda v: jaxagent.run_study("quickstart", preset=v), *TEXT)
entry("run_study.progress", lambda v: jaxagent.run_study("quickstart", progress=v), *THING[1:])
entry("build_report.folder", jaxagent.build_report, None, *PATHS, "/no/where")
entry("register_advantage.name", lambda v: jaxagent.register_advantage(v, len), *NAMED, "turn")
entry("register_advantage.function", lambda v: jaxagent.register_advantage("x", v), *THING, len)
entry("register_advantage.critic", lambda v: jaxagent.register_advantage("x", len, v), *FLAG)
entry("register_algorithm.name", lambda v: jaxagent.register_algorithm(v, Algorithm()), *NAMED)
entry("register_algorithm.algorithm", lambda v: jaxagent.register_algorithm("x", v), *THING)
entry(
    "register_algorithm.hyper",
    lambda v: jaxagent.register_algorithm("x", Algorithm(), v),
    *(value for value in HYPERS if value is not None),
)

DATA = {"ALGORITHMS", "SIZES", "Curriculum", "Diverged", "Environment", "Level", "Outcome", "Suite"}
DATA |= {"Transition", "environments"}
"""What is read or is made by others of these names: `check_environment` looks at environments and
levels, `make_suite` makes suites, and who takes a curriculum checks it."""


ALSO = {
    "stages": "weights",
    "tasks": "task",
    "order": "",
    "sum": "",
    "own": "params",
    "keys": "members",
    "first": "last instance",
    "shares": "share",
    "instances": "last instance",
    "environments": "environment",
}
"""Other names by which messages may call an argument, or a part of it."""


class Played(AssertionError):
    """Something was computed."""


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be trained or played."""

    def play(*_: Any, **__: Any) -> None:
        raise Played

    for kind in (Learner, Imitator, Population):
        monkeypatch.setattr(kind, "advance", play)
    monkeypatch.setattr("jaxagent.rl.evaluation._play_batch", play)


@pytest.mark.parametrize("name", ENTRIES)
def test_wrong_values_are_refused_in_one_line(name: str, idle: None) -> None:
    call, values = ENTRIES[name]
    argument, complaints = name.split(".")[-1].split()[0], []
    for value in values:
        shown = type(value).__name__ if hasattr(value, "shape") else repr(type(value))
        try:
            call(value)
        except (ValueError, TypeError) as error:
            text = str(error)
            told = "expected" in text or "is not one of" in text
            named = not argument or argument in text or ALSO.get(argument, "\n") in text
            if "\n" in text or not told or not named or len(text) > 600:
                complaints.append(f"{shown}: no line that says what was expected: {text[:300]!r}")
        except BaseException as error:
            complaints.append(f"{shown}: {type(error).__name__}: {error}"[:300])
        else:
            complaints.append(f"{shown} {value if isinstance(value, float) else ''}: accepted")
    assert not complaints, "\n".join(complaints)


RIGHT = (
    jaxagent.single(SUITE, "read/easy"),
    jaxagent.mixture(SUITE, "read/easy, remember/easy"),
    jaxagent.sequence(SUITE, ["read/easy", {"remember/easy": 2.0}], rehearsal=0.1),
    jaxagent.ramp(SUITE, NAMES),
    jaxagent.gated(SUITE, [[name] for name in NAMES]),
    jaxagent.with_replay(jaxagent.with_horizon(TASKS, (1 / 3, 2 / 3, 1.0)), 0.5),
    jaxagent.adaptive(TASKS, "bandit"),
)


@pytest.mark.parametrize("curriculum", RIGHT)
def test_what_is_right_is_played(curriculum: Any, idle: None) -> None:
    for hyper in (None, Hyper(gamma=1), *(hyper for _, hyper in jaxagent.ALGORITHMS.values())):
        for run, state in ((LEARNER, STATE), (IMITATOR, TAUGHT), (POPULATION, MEMBERS)):
            with pytest.raises(Played):
                run.run(state, hyper, curriculum, progress=False)
    both = jaxagent.stack([Hyper(), Hyper(gamma=0.9)]), jaxagent.stack([curriculum] * 2)
    with pytest.raises(Played):
        POPULATION.run(MEMBERS, *both, count=2)
    for task in ("read/easy", 1, np.int64(0), SUITE.tasks[0]):
        with pytest.raises(Played):
            jaxagent.evaluate(ACTOR, PARAMS, task, window=WINDOW)


def test_every_public_name_is_tried() -> None:
    tried = {name.split(".")[0] for name in ENTRIES}
    assert set(jaxagent.__all__) - tried - DATA == set()


def test_every_argument_is_tried() -> None:
    """Of all that is called by its public name; `check_environment` finds faults by itself."""
    missing = []
    for name in sorted(set(jaxagent.__all__) - DATA):
        arguments = inspect.signature(getattr(jaxagent, name)).parameters
        tried = {each.split(".")[1] for each in ENTRIES if each.split(".")[0] == name}
        missing += [f"{name}.{each}" for each in arguments if each not in tried]
    assert missing == ["Hyper.weights", "check_environment.environment"]


def test_every_traced_number_has_a_range() -> None:
    fields = [*dataclasses.fields(Hyper), *dataclasses.fields(Weights)]
    assert {field.name for field in fields} - {"weights"} == set(RANGES)
