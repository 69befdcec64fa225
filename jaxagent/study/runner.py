"""Running a study: every phase once, all its numbers in one table, a report at the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import jax

from jaxagent.envs import Suite, make_suite
from jaxagent.models import SIZES, Params, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.curriculum import Curriculum, adaptive, mixture
from jaxagent.rl.devices import devices_for
from jaxagent.rl.evaluation import evaluate
from jaxagent.rl.imitation import Imitator
from jaxagent.rl.learner import Learner
from jaxagent.rl.window import Window
from jaxagent.study import report, table
from jaxagent.study.ahead import Ahead
from jaxagent.study.checkpoint import load_policy
from jaxagent.study.files import read_json, write_json
from jaxagent.study.folder import claim_folder
from jaxagent.study.measurement import batches, measurements, play_tasks
from jaxagent.study.plan import Phase, StudyPlan, as_json, phases
from jaxagent.study.statistics import wilson
from jaxagent.study.training import Metrics, Run, train
from jaxagent.study.transcript import transcript

_EVALUATION = "evaluation"


class Progress(Protocol):
    """Where the runner tells what it is doing."""

    def start(self, name: str, total: int) -> Callable[[int, str], None]:
        """Begins a piece of work of `total` steps; the result takes steps done and a remark."""
        ...

    def note(self, text: str) -> None:
        """Says one line."""
        ...


@dataclass(frozen=True, eq=False)
class Runner:
    """A plan, where its results go, and whom to tell.

    Attributes:
        plan: the study.
        folder: of its results; must be new or hold the same study.
        progress: told of all long work.
        store: where phases are kept, which several studies may share; by default in `folder`.
    """

    plan: StudyPlan
    folder: Path
    progress: Progress
    store: Path | None = None
    _ahead: Ahead = field(default_factory=Ahead, init=False)

    def run(self) -> Path:
        """Runs the phases that are not finished yet, and writes table, transcripts and report.

        Returns:
            Path of the report.

        Raises:
            ValueError: the folder holds something else.
            Stopped: the run was asked to stop; the same call goes on from there.
        """
        claim_folder(self.folder, as_json(self.plan))
        self._ahead.start(self._needed_later())
        try:
            for phase in phases(self.plan):
                self._run_phase(phase)
                self._collect()
        finally:
            self._ahead.stop()
        return report.build(self.folder)

    @cached_property
    def training_suite(self) -> Suite:
        """The tasks that reinforcement trains on."""
        return make_suite(self.plan.tasks)

    @cached_property
    def evaluation_suite(self) -> Suite:
        """The tasks that policies are measured on."""
        return make_suite(self.plan.measured)

    @cached_property
    def policy(self) -> Policy:
        """The policy, without parameters."""
        return Policy(SIZES[self.plan.model], len(self.training_suite.language.vocabulary))

    @cached_property
    def learner(self) -> Learner:
        """One learner for all stages, so that it is compiled once."""
        train_plan = self.plan.train
        return Learner(
            Actor(self.policy, self.training_suite),
            self.plan.window(train_plan.rows, train_plan.turns),
            self.plan.algorithm(),
            devices=devices_for(train_plan.rows, train_plan.minibatch),
        )

    @cached_property
    def imitator(self) -> Imitator:
        """Makes the base policy."""
        base = self.plan.base
        return Imitator(
            Actor(self.policy, make_suite(self.plan.demonstrated)),
            self.plan.window(base.rows, base.turns),
            base.noise,
            base.slips,
            base.clean,
            base.minibatch,
            devices=devices_for(base.rows, base.minibatch),
        )

    @cached_property
    def _evaluated(self) -> tuple[Actor, Window, int]:
        """Who plays evaluation episodes, how many side by side, and on how many devices."""
        window = self.plan.evaluation_window()
        return Actor(self.policy, self.evaluation_suite), window, devices_for(window.rows)

    def _needed_later(self) -> dict[str, Callable[[], Any]]:
        """Calls of the programs that unfinished phases need, but for the one they begin with."""
        calls: dict[str, Callable[[], Any]] = {}
        for phase in phases(self.plan):
            if not self._is_finished(phase):
                calls.setdefault(_program(phase), partial(self._train_nothing, phase))
                calls.setdefault(_EVALUATION, self._evaluate_nothing)
        return dict([*calls.items()][1:])

    def _train_nothing(self, phase: Phase) -> None:
        params = self.policy.init(jax.random.key(0))
        run, state, hyper, curriculum = self._start(phase, params)
        run.run(state, hyper, curriculum, 0)

    def _evaluate_nothing(self) -> None:
        player, window, devices = self._evaluated
        params = self.policy.init(jax.random.key(0))
        temperature = self.plan.evaluation.temperature
        evaluate(player, params, 0, 1, 1, window, temperature=temperature, devices=devices)

    def _is_finished(self, phase: Phase) -> bool:
        return (self._folder_of(phase) / "measured.json").exists()

    def _run_phase(self, phase: Phase) -> None:
        folder = self._folder_of(phase)
        if self._is_finished(phase):
            self.progress.note(f"{_title(phase)}: finished before")
            return
        folder.mkdir(parents=True, exist_ok=True)
        params, curve = self._train_phase(phase, folder)
        rows, transcripts = self._measure(phase, params)
        content = {"rows": rows + curve, "transcripts": transcripts}
        write_json(folder / "measured.json", content)

    def _train_phase(self, phase: Phase, folder: Path) -> tuple[Params, list[dict[str, Any]]]:
        if phase.parent is None:
            params = self.policy.init(jax.random.split(_phase_key(phase))[0])
        else:
            path = self._folder_of(phase.parent) / "checkpoints"
            params = load_policy(path, self.training_suite)[1]
        advance = self.progress.start(_title(phase), self._updates(phase))
        self._ahead.wait(_program(phase))
        state, log = train(
            *self._start(phase, params),
            folder,
            lambda update, metrics: advance(update, _remark(metrics)),
        )
        return state.params, self._curve(phase, log)

    def _start(self, phase: Phase, params: Params) -> tuple[Run, Any, Hyper, Curriculum]:
        """What is run in a phase that starts with `params`: see `train`."""
        if phase.parent is None:
            run, tasks = self.imitator, self.plan.base_weights()
            hyper = Hyper(learning_rate=self.plan.base.learning_rate, max_gradient=1.0)
        else:
            run, hyper = self.learner, self.plan.hyper()
            tasks = dict.fromkeys(self.plan.stage_tasks(phase.stages[-1]), 1.0)
        key = jax.random.split(_phase_key(phase))[1]
        state = run.start(params, key, self._updates(phase))
        curriculum = mixture(run.actor.suite, tasks)
        if phase.parent is not None:
            curriculum = adaptive(curriculum, self.plan.train.rule)
        return run, state, hyper, curriculum

    def _measure(self, phase: Phase, params: Params) -> tuple[list[dict[str, Any]], dict[str, str]]:
        plan, suite = self.plan.evaluation, self.evaluation_suite
        player, window, devices = self._evaluated
        total = batches(plan.instances, plan.attempts, window) * len(suite)
        advance = self.progress.start(f"{_title(phase)}: evaluation", total)
        self._ahead.wait(_EVALUATION)
        played = play_tasks(
            player,
            params,
            plan.instances,
            plan.attempts,
            window,
            advance,
            temperature=plan.temperature,
            devices=devices,
            first=plan.first,
        )
        rows, transcripts = [], {}
        for number, (name, (outcome, script)) in enumerate(played):
            transcripts[name] = transcript(suite, script)
            for each in measurements(name, outcome):
                values = dataclasses.asdict(each)
                split = suite.tasks[number].split
                rows.append(self._row(phase, suite, number, split, values, self._turns(phase)))
        return rows, transcripts

    def _curve(self, phase: Phase, log: list[Metrics]) -> list[dict[str, Any]]:
        """Success on training instances over a training stage, one row per chunk and task."""
        suite, rows = self.training_suite, []
        if phase.parent is None:
            return rows
        for chunk in log:
            finished = [round(each * chunk["updates"]) for each in chunk["task_finished"]]
            solved = [round(each * chunk["updates"]) for each in chunk["task_solved"]]
            for number, (episodes, successes) in enumerate(zip(finished, solved, strict=True)):
                if not episodes:
                    continue
                low, high = wilson(successes, episodes)
                values = {"metric": "success", "value": successes / episodes, "low": low}
                values |= {"high": high, "episodes": episodes}
                turns = chunk["turns_played"]
                rows.append(self._row(phase, suite, number, "train", values, turns))
        return rows

    def _row(
        self, phase: Phase, suite: Suite, number: int, split: str, values: dict, turns: int
    ) -> dict[str, Any]:
        task = suite.tasks[number]
        place = {
            "study": self.plan.name,
            "phase": phase.name,
            "seed": phase.seed,
            "stage": len(phase.stages),
            "environment": task.environment,
            "difficulty": task.level,
            "split": split,
            "lexicon": task.lexicon,
            "interface": task.interface,
            "turns": turns,
        }
        return {**place, **values, "task": str(task)}

    def _turns(self, phase: Phase) -> int:
        return self._updates(phase) * self.learner.turns_per_update if phase.parent else 0

    def _updates(self, phase: Phase) -> int:
        plan = self.plan
        return plan.updates_of(phase.stages[-1]) if phase.parent else plan.base.updates

    def _folder_of(self, phase: Phase) -> Path:
        return (self.store or self.folder / "phases") / f"{phase.name}-seed{phase.seed}-{phase.key}"

    def _collect(self) -> None:
        """Writes the table and the transcripts of all finished phases of the plan."""
        rows: list[table.Row] = []
        transcripts: dict[str, dict[str, str]] = {}
        for phase in phases(self.plan):
            path = self._folder_of(phase) / "measured.json"
            if not path.exists():
                continue
            content = read_json(path)
            rows += [table.Row(**row) for row in content["rows"]]
            transcripts.setdefault(phase.name, content["transcripts"])
        table.write(self.folder / "results.csv", rows)
        write_json(self.folder / "transcripts.json", transcripts)


def _phase_key(phase: Phase) -> jax.Array:
    """A key that depends on the seed and the stages, not on the order of the phases."""
    return jax.random.fold_in(jax.random.key(phase.seed), crc32(phase.name.encode()))


def _program(phase: Phase) -> str:
    """What a phase is trained by."""
    return "learner" if phase.parent else "imitator"


def _title(phase: Phase) -> str:
    return f"{phase.name} (seed {phase.seed})"


def _remark(metrics: Metrics) -> str:
    rate = f"{metrics['turn_rate']:,.0f} turns/s"
    if "success" in metrics:
        return f"{rate}, success {metrics['success']:.0%}"
    return f"{rate}, {metrics['accuracy']:.0%} of the experts' words"
