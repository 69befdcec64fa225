"""The compiled programs of a study: equal ones are built once, so that they compile once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax

from jaxagent.envs import Suite, make_suite
from jaxagent.models import SIZES, Params, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.consolidation import Memory, remember
from jaxagent.rl.curriculum import Curriculum, adaptive, mixture
from jaxagent.rl.devices import devices_for
from jaxagent.rl.divergence import divergence
from jaxagent.rl.evaluation import Outcome, Script, compile_evaluation
from jaxagent.rl.imitation import Imitator
from jaxagent.rl.importance import importance
from jaxagent.rl.learner import Learner
from jaxagent.rl.window import Window
from jaxagent.study.measurement import batches, play_tasks
from jaxagent.study.phase import Phase, played_tasks
from jaxagent.study.plan import EvaluationPlan, StudyPlan
from jaxagent.study.training import Run
from jaxagent.sweep.memory import device_bytes, must_split

T = TypeVar("T")

RECORDED = 256
"""Episodes of a task whose words are kept, to see in how far the policy has moved."""


def drop_programs() -> None:
    """Frees the compiled code of all programs, whose `Programs` should be dropped too.

    It stays as long as it may be called again, in a thousand mappings of memory or more per
    program, of which Linux grants a process 65,530 by default; beyond them it dies.
    """
    jax.clear_caches()


@dataclass(frozen=True)
class Evaluator:
    """Who plays evaluation episodes, which, in which window, and on how many devices."""

    actor: Actor
    plan: EvaluationPlan
    window: Window
    devices: int

    @property
    def suite(self) -> Suite:
        """What is measured."""
        return self.actor.suite

    @property
    def batches(self) -> int:
        """How many batches all tasks take."""
        plan = self.plan
        return batches(plan.instances, plan.attempts, self.window) * len(self.suite)

    def play(
        self, params: Params, advance: Callable[[int, str], None]
    ) -> Iterator[tuple[str, tuple[Outcome, Script]]]:
        """Plays all tasks: see `play_tasks`."""
        plan = self.plan
        return play_tasks(
            self.actor,
            params,
            plan.instances,
            plan.attempts,
            self.window,
            advance,
            temperature=plan.temperature,
            devices=self.devices,
            first=plan.first,
            recorded=self.recorded,
        )

    @property
    def recorded(self) -> int:
        """Episodes of every task whose words are kept."""
        return min(RECORDED, self.window.rows)

    def moved(self, params: Params, base: Params, scripts: Script, task: str) -> float:
        """KL of a policy from the base, in nats per word of its recorded episodes of a task."""
        number = self.suite.names.index(task)
        return float(divergence(self.actor, self.window, params, base, scripts, number))


@dataclass(frozen=True, eq=False)
class Programs:
    """Builds learners, imitators and evaluators of plans, each kind once."""

    _made: dict[Any, Any] = field(default_factory=dict)
    _compiled: set[str] = field(default_factory=set)

    def suite(self, tasks: tuple[str, ...]) -> Suite:
        """The suite of these tasks."""
        return self._once(("suite", tasks), lambda: make_suite(tasks))

    def policy(self, plan: StudyPlan) -> Policy:
        """The policy, without parameters."""
        words = len(self.suite(plan.tasks).language.vocabulary)
        return self._once(("policy", plan.model), lambda: Policy(SIZES[plan.model], words))

    def actor(self, plan: StudyPlan, tasks: tuple[str, ...]) -> Actor:
        """The policy in the suite of these tasks."""
        build = lambda: Actor(self.policy(plan), self.suite(tasks))  # noqa: E731
        return self._once(("actor", plan.model, tasks), build)

    def run(self, plan: StudyPlan, phase: Phase) -> Run:
        """What a phase is trained by."""
        return self.imitator(plan, phase) if phase.parent is None else self.learner(plan, phase)

    def learner(self, plan: StudyPlan, phase: Phase) -> Learner:
        """Trains a stage."""
        actor, train = self.actor(plan, phase.suite), plan.train
        window = plan.window(train.rows, train.turns)
        algorithm = plan.algorithm(phase.stages[-1])
        devices = devices_for(train.rows // algorithm.group, train.minibatch)
        split = must_split(actor.policy, devices, device_bytes()) and not algorithm.consolidates
        sizes = {"devices": devices, "split": split}
        build = lambda: Learner(actor, window, algorithm, **sizes)  # noqa: E731
        return self._once((actor, window, algorithm), build)

    def imitator(self, plan: StudyPlan, phase: Phase) -> Imitator:
        """Makes the base policy."""
        base, actor = plan.base, self.actor(plan, phase.suite)
        window = plan.window(base.rows, base.turns)
        chances = (base.noise, base.slips, base.clean, base.minibatch)
        devices = devices_for(base.rows, base.minibatch)
        sizes = {"devices": devices, "split": must_split(actor.policy, devices, device_bytes())}
        build = lambda: Imitator(actor, window, *chances, **sizes)  # noqa: E731
        return self._once((actor, window, chances), build)

    def evaluator(self, plan: StudyPlan) -> Evaluator:
        """Measures policies."""
        window = plan.evaluation_window()
        actor = self.actor(plan, self.suite(plan.measured).names)
        return Evaluator(actor, plan.evaluation, window, devices_for(window.rows))

    def start(
        self,
        plan: StudyPlan,
        phase: Phase,
        params: Params,
        earlier: Callable[[Phase], Params] | None,
    ) -> tuple[Run, Any, Hyper, Curriculum]:
        """What is run in a phase that starts with `params`: see `train`.

        Args:
            plan: the phase's.
            phase: a phase.
            params: to start from.
            earlier: gives the policies behind earlier phases, if what they have learnt is to hold
                this one.
        """
        key, run = jax.random.split(phase.random)[1], self.run(plan, phase)
        if isinstance(run, Imitator):
            hyper = run.settings.replace(learning_rate=plan.base.learning_rate)
            state = run.start(params, key, plan.base.updates)
            return run, state, hyper, mixture(run.actor.suite, plan.base_weights())
        assert isinstance(run, Learner)
        stage = phase.stages[-1]
        memory = self._memory(plan, phase, earlier) if stage.ewc and earlier else None
        state = run.start(params, key, plan.updates_of(stage), memory=memory)
        curriculum = mixture(run.actor.suite, played_tasks(phase.stages))
        return run, state, plan.hyper(stage), adaptive(curriculum, stage.rule or plan.train.rule)

    def compile_once(
        self, name: str, call: Callable[[], object], announced: AbstractContextManager[None]
    ) -> None:
        """Makes a call that compiles a program, in the block that announces it, unless one of this
        name was made. Several processes compile where they run, all in one order."""
        if name in self._compiled or jax.process_count() > 1:
            return
        with announced:
            call()
        self._compiled.add(name)

    def compile_training(self, plan: StudyPlan, phase: Phase) -> None:
        """Compiles what trains a phase, and runs nothing of it.

        It may be done in a thread: a program that ran there would hold one device, while another
        waits for that one within a program that needs both, and XLA waits 40 seconds at most.
        """
        params = self.policy(plan).init(jax.random.key(0))
        run, state, hyper, curriculum = self.start(plan, phase, params, None)
        run.compile(state, hyper, curriculum)

    def compile_evaluation(self, plan: StudyPlan) -> None:
        """Compiles what measures the policies of a plan, and runs nothing of it."""
        params, by = self.policy(plan).init(jax.random.key(0)), self.evaluator(plan)
        compile_evaluation(by.actor, params, by.window, by.devices, by.recorded)

    def _memory(
        self, plan: StudyPlan, phase: Phase, earlier: Callable[[Phase], Params]
    ) -> Memory | None:
        """What the stages before this one have learnt."""
        memory: Memory | None = None
        chain = phase.parent
        before: list[Phase] = []
        while chain is not None and chain.parent is not None:
            before.insert(0, chain)
            chain = chain.parent
        for each in before:
            learner = self.learner(plan, each)
            curriculum = mixture(learner.actor.suite, played_tasks(each.stages))
            params = earlier(each)
            key = jax.random.fold_in(each.random, 1)
            matters = importance(learner, params, curriculum, key)
            memory = remember(memory or Memory({}, {}), params, matters)
        return memory

    def _once(self, key: Any, build: Callable[[], T]) -> T:
        if key not in self._made:
            self._made[key] = build()
        return self._made[key]
