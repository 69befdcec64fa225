"""A study from plan to report, as small as it can be."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from html import escape

import pytest

from jaxagent.study import table
from jaxagent.study.config import from_values
from jaxagent.study.plan import StudyPlan
from jaxagent.study.runner import Runner

pytestmark = pytest.mark.slow  # three programs to compile

TASKS = ["textcraft/easy", "textcraft/easy+renamed"]
PLAN = {
    "name": "small",
    "tasks": TASKS[:1],
    "arms": ["textcraft", "textcraft > textcraft"],
    "context": 96,
    "action_tokens": 10,
    "base": {"updates": 2, "slips": 0.2, "rows": 8, "turns": 4, "minibatch": 4},
    "train": {"stage_updates": [2], "rows": 8, "turns": 4, "epochs": 1, "minibatch": 4},
    "evaluation": {"tasks": TASKS, "instances": 8, "attempts": 2},
}
PHASES = ["base", "textcraft", "textcraft > textcraft"]


@dataclass
class Told:
    """Progress that only remembers."""

    started: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    compiled: list = field(default_factory=list)

    def compiling(self, name):
        self.compiled.append(name)
        return nullcontext()

    def start(self, name, total, unit="updates"):
        self.started.append(name)
        done = [0]

        def advance(count, remark):
            assert done[0] <= count <= total
            done[0] = count

        return advance

    def note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "small"
    told = Told()
    report = Runner(from_values(StudyPlan, PLAN), folder, told).run()
    assert report == folder / "report.html"
    assert len(told.started) == 2 * len(PHASES) and not told.notes
    return folder


def test_every_phase_is_measured_on_every_task(folder):
    rows = table.read(folder / "results.csv")
    measured = [row for row in rows if row.is_held_out and row.metric == "success"]
    assert [(row.phase, row.task) for row in measured] == [(p, t) for p in PHASES for t in TASKS]
    for row in measured:
        assert row.episodes == 16 and 0 <= row.low <= row.value <= row.high <= 1
    assert [row.lexicon for row in measured[:2]] == ["identity", "renamed"]
    curves = {row.phase for row in rows if row.split == "train"}
    assert curves <= set(PHASES[1:])


def test_the_report_names_every_phase_and_needs_nothing_else(folder):
    page = (folder / "report.html").read_text()
    for phase in PHASES:
        assert escape(phase) in page
    assert 'src="http' not in page and "<link" not in page
    assert set(json.loads((folder / "transcripts.json").read_text())) == set(PHASES)


def test_finished_phases_are_not_run_again_and_another_study_is_refused(folder):
    before = (folder / "results.csv").read_bytes()
    told = Told()
    Runner(from_values(StudyPlan, PLAN), folder, told).run()
    assert told.started == [] and len(told.notes) == len(PHASES)
    assert (folder / "results.csv").read_bytes() == before
    other = from_values(StudyPlan, {**PLAN, "seeds": 2})
    with pytest.raises(ValueError, match="holds another study: seeds is"):
        Runner(other, folder, Told()).run()
    assert (folder / "results.csv").read_bytes() == before
