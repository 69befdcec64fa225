"""Running a study: every phase once, all its numbers in one table, a report at the end."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax

from jaxagent.models import Params
from jaxagent.rl.evaluation import CUT, context_warning
from jaxagent.rl.updates import remark_on
from jaxagent.study import report, table
from jaxagent.study.ahead import Ahead
from jaxagent.study.config import variants_of
from jaxagent.study.files import read_json, remove_leftovers, with_nan, write_json
from jaxagent.study.folder import claim_folder
from jaxagent.study.lock import lock
from jaxagent.study.machine import MACHINES, Machine, from_json, machines_of, this_machine
from jaxagent.study.measurement import measurements
from jaxagent.study.phase import Phase, evaluation_key, phases
from jaxagent.study.plan import StudyPlan, as_json
from jaxagent.study.policies import CHECKPOINTS, INDEX, TRAINED, Entry, averaged
from jaxagent.study.processes import by_first, exist
from jaxagent.study.programs import Programs
from jaxagent.study.provenance import provenance
from jaxagent.study.rows import curve_rows, kl_row, place_of, task_rows
from jaxagent.study.saved_policy import load_policy
from jaxagent.study.training import Log, Metrics, train
from jaxagent.study.transcript import transcript


class Progress(Protocol):
    """Where the runner tells what it is doing."""

    def start(self, name: str, total: int, unit: str = "updates") -> Callable[[int, str], None]:
        """Begins a piece of work of `total` steps; the result takes steps done and a remark."""
        ...

    def compiling(self, name: str) -> AbstractContextManager[None]:
        """Says what is being compiled as long as the block lasts."""
        ...

    def note(self, text: str) -> None:
        """Says one line."""
        ...


class Work(NamedTuple):
    """A phase of one variant of the study."""

    variant: str
    plan: StudyPlan
    phase: Phase

    @property
    def name(self) -> str:
        """The phase's name, its variant before it."""
        return f"{self.variant}: {self.phase.name}".removeprefix(": ")

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.variant}: {self.phase.title}" if self.variant else self.phase.title


@dataclass(frozen=True, eq=False)
class Runner:
    """A plan, where its results go, and whom to tell.

    Attributes:
        plan: the study.
        folder: of its results; must be new or hold the same study.
        progress: told of all long work.
        store: where phases are kept, which several studies and processes may share; by default in
            `folder`.
        programs: that train and measure; studies that are run one after another may share them.
        strict: refuse to go on with what was made under other versions, devices or flags.
    """

    plan: StudyPlan
    folder: Path
    progress: Progress
    store: Path | None = None
    programs: Programs = field(default_factory=Programs)
    strict: bool = False
    _ahead: Ahead = field(default_factory=Ahead, init=False)

    def run(self) -> Path:
        """Runs the phases that are not finished yet, and writes table, transcripts and report.

        Phases that another process is at are left to it until nothing else is to be done.

        Returns:
            Path of the report.

        Raises:
            ValueError: the folder holds something else.
            Stopped: the run was asked to stop; the same call goes on from there.
        """
        every = self.works()  # what is wrong with a variant is said before anything is written
        by_first(partial(claim_folder, self.folder, as_json(self.plan)), ValueError, OSError)
        by_first(self._tidy, OSError)
        by_first(self._check_machine, ValueError, OSError)
        by_first(partial(self._write_index, every), ValueError, OSError)
        if jax.process_count() == 1:  # several have to run all programs in one order
            first, *later = self._needed(every).items() or [("", lambda: None)]
            self._ahead.start(dict(later), own=dict([first]))
        try:
            while every:
                every = self._pass(every)
        except BaseException:
            self._ahead.stop(wait=False)
            raise
        self._ahead.stop()
        self._collect()
        by_first(partial(report.build, self.folder), ValueError, OSError)
        return self.folder / report.PAGE

    def _tidy(self) -> None:
        """Removes what earlier processes left half-written; phases are tidied by who locks them."""
        for place in (self.folder, *self.folder.glob("tables/**/")):
            remove_leftovers(place)

    def _check_machine(self) -> None:
        """Says what finished phases were made under otherwise, if others are to follow on them."""
        here, every = this_machine(), {work.phase.folder: work for work in self.works()}
        done = [w for w in every.values() if self._trained(w.phase).exists()]
        made = [machines_of(self.folder_of(work.phase))[-1:] for work in done]
        changes = dict.fromkeys(machine.changes(here) for each in made for _, machine in each)
        told = "; ".join(each for each in changes if each)
        if not told or all(self._measured(work).exists() for work in every.values()):
            return
        if self.strict:
            raise ValueError(f"{self.folder}: finished phases not made on this machine: {told}")
        self.progress.note(f"finished phases were made on another machine: {told}")

    def works(self) -> list[Work]:
        """All phases of all variants, each behind its parent."""
        variants = variants_of(self.plan).items()
        return [Work(name, plan, phase) for name, plan in variants for phase in phases(plan)]

    def _pass(self, every: list[Work]) -> list[Work]:
        """Does what no other process is at, and waits for one if that is all; returns the rest."""
        left = [work for work in every if not self._attempt(work, wait=False)]
        if len(left) == len(every):
            self.progress.note(f"{left[0].title}: waiting for another process")
            self._attempt(left[0], wait=True)
            left = left[1:]
        return left

    def _attempt(self, work: Work, wait: bool) -> bool:
        """Finishes a phase if it can be had; returns whether it is finished."""
        if work.phase.parent and not self.is_trained(work.phase.parent):
            return False
        if self.is_finished(work):
            self.progress.note(f"{work.title}: finished before")
            return True
        with lock(self.folder_of(work.phase), wait) as held:
            if held and not self.is_finished(work):
                self._finish(work)
                self._collect()
        return held

    def make(self, work: Work) -> None:
        """Trains a phase unless it is, waiting for another process that is at it."""
        with lock(self.folder_of(work.phase), wait=True):
            if not self.is_trained(work.phase):
                self._compile_training(work)
            self._train(work)

    def _finish(self, work: Work) -> None:
        self._train(work)
        params = self.policy_behind(work.phase)
        rows, transcripts, attempts = self._measure(work, params)
        content = {"rows": rows, "transcripts": transcripts, "attempts": attempts}
        content["machine"] = dataclasses.asdict(this_machine())
        write_json(self._measured(work), content)

    def _train(self, work: Work) -> None:
        phase, folder = work.phase, self.folder_of(work.phase)
        if self.is_trained(phase):
            return
        if phase.parent is None:
            params = self.programs.policy(work.plan).init(jax.random.split(phase.random)[0])
        else:
            params = self.policy_behind(phase.parent)
        self._ahead.wait(_program(work))
        advance = self.progress.start(work.title, updates_of(work))
        train(
            *self.programs.start(work.plan, phase, params, self.policy_behind),
            folder,
            lambda update, metrics: advance(update, _remark(metrics)),
            note=lambda text: self.progress.note(f"{work.title}: {text}"),
            strict=self.strict,
        )
        write_json(self._trained(phase), {"name": phase.name, "updates": updates_of(work)})

    def _measure(
        self, work: Work, params: Params
    ) -> tuple[list[dict[str, Any]], dict[str, str], dict[str, list[int]]]:
        """Rows of the table without their place in the study, an episode of every task as text, and
        the successful attempts at every instance."""
        by = self.programs.evaluator(work.plan)
        self._ahead.wait(_measuring(work))
        advance = self.progress.start(f"{work.title}: evaluation", by.batches, "batches")
        played = by.play(params, advance)
        trained = work.phase.stages[-1].tasks if work.phase.stages else ()
        base = self._base_of(work.phase) if trained else params
        turns = self._turns(work)
        rows: list[dict[str, Any]] = []
        transcripts: dict[str, str] = {}
        attempts: dict[str, list[int]] = {}
        for task, (name, (outcome, scripts)) in zip(by.suite.tasks, played, strict=True):
            transcripts[name] = transcript(by.suite, jax.tree.map(lambda x: x[0], scripts))
            attempts[name] = outcome.success.sum(axis=1).tolist()
            rows += task_rows(task, measurements(name, outcome), turns)
            if told := context_warning(name, outcome, by.window.context):
                self.progress.note(f"{work.title}: {told}")
            if name in trained:
                moved = partial(by.moved, params, base, scripts, name)
                told = self.progress.compiling(f"{work.title}: distance from the base")
                self.programs.compile_once(f"distance, {_measuring(work)}", moved, told)
                rows.append(kl_row(task, moved(), turns))
        return rows, transcripts, attempts

    def _base_of(self, phase: Phase) -> Params:
        """Parameters of the base policy that a phase goes back to."""
        while phase.parent is not None:
            phase = phase.parent
        return self.policy_behind(phase)

    def _turns(self, work: Work) -> int:
        """Turns of training that the phase takes."""
        if work.phase.parent is None:
            return 0
        return updates_of(work) * self.programs.run(work.plan, work.phase).turns_per_update

    def policy_behind(self, phase: Phase) -> Params:
        """Parameters of the policy that a finished phase leaves."""
        suite = self.programs.suite(phase.suite)
        params = load_policy(self.folder_of(phase) / CHECKPOINTS, suite)[1]
        share = phase.stages[-1].average if phase.stages else 0.0
        if not share or phase.parent is None:
            return params
        return averaged(share, self.policy_behind(phase.parent), params)

    def folder_of(self, phase: Phase) -> Path:
        """Where a phase is kept."""
        return (self.store or self.folder / "phases") / phase.folder

    def _measured(self, work: Work) -> Path:
        return self.folder_of(work.phase) / f"measured-{evaluation_key(work.plan)}.json"

    def _trained(self, phase: Phase) -> Path:
        return self.folder_of(phase) / TRAINED

    def is_trained(self, phase: Phase) -> bool:
        """Whether a phase needs no more training."""
        return all(exist([self._trained(phase)]))

    def is_finished(self, work: Work) -> bool:
        """Whether a phase is trained and measured."""
        return all(exist([self._trained(work.phase), self._measured(work)]))

    def programs_left(self) -> int:
        """How many programs the unfinished phases need."""
        return len(self._needed(self.works()))

    def _needed(self, every: list[Work]) -> dict[str, Callable[[], Any]]:
        """Calls of the programs that unfinished phases need."""
        calls: dict[str, Callable[[], Any]] = {}
        for work in every:
            if not self.is_trained(work.phase):
                calls.setdefault(_program(work), partial(self._compile_training, work))
            if not self.is_finished(work):
                calls.setdefault(_measuring(work), partial(self._compile_measuring, work))
        return calls

    def _write_index(self, every: list[Work]) -> None:
        """Writes where the policy of each phase is kept, for those who look for it by name."""
        content = [dataclasses.asdict(self._entry(work)) for work in every]
        write_json(self.folder / INDEX, content)

    def _entry(self, work: Work) -> Entry:
        phase = work.phase
        folder, parent = (
            os.path.relpath(self.folder_of(each), self.folder) if each else ""
            for each in (phase, phase.parent)
        )
        average = phase.stages[-1].average if phase.stages else 0.0
        return Entry(work.name, phase.seed, folder, average, parent)

    def _compile_training(self, work: Work) -> None:
        call = partial(self.programs.compile_training, work.plan, work.phase)
        self.programs.compile_once(_program(work), call, self.progress.compiling(work.title))

    def _compile_measuring(self, work: Work) -> None:
        call = partial(self.programs.compile_evaluation, work.plan)
        announced = self.progress.compiling(f"{work.title}: evaluation")
        self.programs.compile_once(_measuring(work), call, announced)

    def _collect(self) -> None:
        """Writes the table and the transcripts of all finished phases of the study."""
        finished = [work for work in self.works() if self.is_finished(work)]
        by_first(partial(self._write, finished), ValueError, OSError)

    def _write(self, finished: list[Work]) -> None:
        rows: list[table.Row] = []
        trained: dict[str, list[tuple[int, Machine]]] = {}
        measured: dict[str, Machine] = {}
        transcripts: dict[str, dict[str, str]] = {}
        attempts: dict[str, dict[str, dict[str, Any]]] = {}
        for work in finished:
            place, content = place_of(self.plan.name, *work), read_json(self._measured(work))
            rows += [table.Row(**place, **row) for row in with_nan(content["rows"])]
            if work.phase.parent:
                log = Log(self.folder_of(work.phase) / "log.jsonl").metrics
                suite = self.programs.suite(work.phase.suite)
                rows += [table.Row(**place, **row) for row in curve_rows(suite.tasks, log)]
            transcripts.setdefault(work.name, content["transcripts"])
            seeds = attempts.setdefault(work.variant, {}).setdefault(work.phase.name, {})
            seeds[str(work.phase.seed)] = content["attempts"]
            trained[work.title] = machines_of(self.folder_of(work.phase))
            if "machine" in content:
                measured[work.title] = from_json(content["machine"])
        table.write(self.folder / "results.csv", rows)
        write_json(self.folder / MACHINES, provenance(trained, measured))
        write_json(self.folder / "transcripts.json", transcripts)
        write_json(self.folder / "attempts.json", attempts)


def updates_of(work: Work) -> int:
    """Updates that a phase takes."""
    stages = work.phase.stages
    return work.plan.updates_of(stages[-1]) if stages else work.plan.base.updates


def _program(work: Work) -> str:
    """What a phase is trained by: phases of one name share their program."""
    plan, phase = work.plan, work.phase
    parts = [plan.model, phase.suite]
    parts += [plan.algorithm(phase.stages[-1])] if phase.stages else [plan.base.rows]
    return repr(parts)


def _measuring(work: Work) -> str:
    return f"{work.plan.model} {evaluation_key(work.plan)}"


def _remark(metrics: Metrics) -> str:
    rate = f"{metrics['turn_rate']:,.0f} turns/s"
    if metrics.get("truncated_by_context", 0.0) > CUT:
        rate += f", {metrics['truncated_by_context']:.0%} cut by the context"
    return f"{rate}, {remark_on(metrics)}"
