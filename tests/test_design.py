"""Arms, designs, variants and phases: what a line of a plan means."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from jaxagent.cli import main
from jaxagent.rl.algorithm import ALGORITHMS
from jaxagent.study.config import design_names, from_values, load_plan, preset_names, variants_of
from jaxagent.study.console import console_progress
from jaxagent.study.design import expand, latin_square, merged
from jaxagent.study.estimate import estimates
from jaxagent.study.files import write_json
from jaxagent.study.phase import evaluation_key, phases, played_tasks
from jaxagent.study.plan import StudyPlan
from jaxagent.study.runner import Runner
from jaxagent.study.stage import TASK_COUNTS, described, parse_arm, trained_tasks

TASKS = ("textcraft/easy", "babyai/easy", "babyai/hard")


def plan(**changes) -> StudyPlan:
    """A small plan."""
    values = {"name": "p", "tasks": list(TASKS), "train": {"rows": 8, "turns": 4, "minibatch": 4}}
    return from_values(StudyPlan, merged(values, changes))


def test_a_stage_is_its_tasks_with_weights_and_options():
    first, second = parse_arm("babyai > textcraft/medium*3, babyai/easy @ kl=0.1 bandit", TASKS)
    assert first.tasks == ("babyai/easy", "babyai/hard") and first.weights == (1, 1)
    assert second.tasks == ("textcraft/medium", "babyai/easy") and second.weights == (3, 1)
    assert second.method == {"rule": "bandit", "kl": 0.1} and first.method == {}
    assert second.label == "textcraft/medium*3, babyai/easy @ kl=0.1 bandit"
    (rest,) = parse_arm("mixture, !babyai", TASKS)
    assert rest.tasks == ("textcraft/easy",)


def test_a_temperature_flattens_the_numbers_of_tasks():
    (natural,) = parse_arm("mixture @ temperature=1", TASKS)
    counts = TASK_COUNTS["textcraft"], TASK_COUNTS["babyai"] / 2, TASK_COUNTS["babyai"] / 2
    assert natural.weights == pytest.approx(counts)
    (flat,) = parse_arm("mixture @ temperature=4", TASKS)
    assert flat.weights == pytest.approx([count**0.25 for count in counts])


def test_what_was_trained_on_is_read_back_from_the_table():
    stages = parse_arm("mixture > babyai/hard @ ewc=2", TASKS)
    assert trained_tasks(described(stages)) == tuple(stage.tasks for stage in stages)
    assert trained_tasks(described(())) == ()


def test_rehearsal_plays_the_tasks_of_earlier_stages():
    stages = parse_arm("textcraft > babyai/easy > babyai/hard @ rehearsal=0.2", TASKS)
    played = played_tasks(stages)
    assert played == pytest.approx({"babyai/hard": 0.8, "textcraft/easy": 0.1, "babyai/easy": 0.1})
    assert played_tasks(stages[:2]) == {"babyai/easy": 1.0}


def test_a_task_without_weight_is_neither_played_nor_rehearsed_nor_brought_back():
    stages = parse_arm("textcraft/easy, babyai/easy*0 > babyai/hard @ rehearsal=0.2", TASKS)
    assert described(stages) == "textcraft/easy > babyai/hard"
    assert stages[0].environments == ("textcraft",)
    assert played_tasks(stages) == pytest.approx({"babyai/hard": 0.8, "textcraft/easy": 0.2})
    (flat,) = parse_arm("mixture, babyai*0 @ temperature=4", TASKS)
    assert flat.tasks == ("textcraft/easy",)
    (arm,) = plan(arms=["mixture, babyai*0"], train={"stage_updates": [7, 100]}).stages
    made = plan(arms=["mixture, babyai*0"], train={"stage_updates": [7, 100]})
    assert made.updates_of(arm[0]) == 7
    trained = [phase for phase in phases(made) if phase.parent]
    assert [phase.trained for phase in trained] == ["textcraft/easy"]


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ("babyai > textcraft @ rehearsal=1", "rehearsal=1: expected less"),
        ("webshop", "'webshop': expected a task or one of textcraft, babyai, mixture"),
        ("babyai*x", "weight of 'babyai'='x': expected a number"),
        ("babyai*0", "a stage needs tasks, with weights of at least 0"),
        ("babyai, !babyai", "a stage needs tasks"),
        ("babyai @ speed=3", "option 'speed=3' is not one of static, balance"),
        ("babyai @ kl", "option 'kl' is not one of"),
        ("babyai @ times=0", "times=0: expected more than 0"),
        ("babyai > textcraft @ average=2", "average=2: expected 0 to 1"),
        ("babyai @ rehearsal=0.1", "rehearsal needs a stage before"),
        ("babyai @ ewc=1", "ewc needs a stage before"),
        ("babyai > ", "'': expected a task"),
        ("babyai/easy+tags", "babyai/easy.tags is for evaluation alone"),
        ("babyai/easy+unseen", "unseen is for evaluation alone"),
    ],
)
def test_bad_arms_are_named(arm, message):
    with pytest.raises(ValueError, match=message):
        plan(arms=[arm])


def test_phases_share_what_they_begin_with_and_know_their_parents():
    found = {p.name: p for p in phases(plan(arms=["babyai > textcraft", "babyai"]))}
    assert list(found) == ["base", "babyai", "babyai > textcraft"]
    assert found["babyai > textcraft"].parent is found["babyai"]
    assert found["babyai"].parent is found["base"]
    assert all(phase.suite == tuple(sorted(TASKS)) for phase in found.values() if phase.parent)


@pytest.mark.parametrize(
    ("changes", "same_base", "same_stage"),
    [
        ({"evaluation": {"instances": 3}}, True, True),
        ({"seeds": 2}, True, True),
        ({"about": "something else"}, True, True),
        ({"train": {"learning_rate": 1e-5}}, True, False),
        ({"train": {"rule": "bandit"}}, True, False),
        ({"arms": ["babyai*2 @ times=2"]}, True, False),
        ({"model": "small"}, False, False),
        ({"base": {"updates": 7}}, False, False),
        ({"context": 300}, False, False),
    ],
)
def test_a_key_is_all_that_determines_a_phase(changes, same_base, same_stage):
    old, new = phases(plan(arms=["babyai"])), phases(plan(**{"arms": ["babyai"], **changes}))
    assert (old[0].key == new[0].key) is same_base
    assert (old[1].key == new[1].key) is same_stage


def test_keys_follow_what_an_algorithm_is_not_what_it_is_called(monkeypatch):
    before = phases(plan(arms=["babyai"]))[1].key
    static, traced = ALGORITHMS["ppo"]
    monkeypatch.setattr(
        "jaxagent.study.plan.ALGORITHMS", {"ppo": (static, traced.replace(max_gradient=9.0))}
    )
    assert phases(plan(arms=["babyai"]))[1].key != before


def test_a_measurement_is_known_by_its_tasks_and_instances():
    key = evaluation_key(plan())
    assert key == evaluation_key(plan(train={"learning_rate": 1e-5}))
    assert key != evaluation_key(plan(evaluation={"first": 7}))
    assert key != evaluation_key(plan(evaluation={"tasks": ["babyai/easy"]}))
    assert key == evaluation_key(plan(evaluation={"tasks": list(plan().tasks)}))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_latin_squares_are_balanced(count):
    names = "abcde"[:count]
    rows = latin_square(names)
    assert all(sorted(row) == list(names) for row in rows)
    for place in range(count):
        column = [row[place] for row in rows]
        assert len({column.count(name) for name in names}) == 1
    pairs = [pair for row in rows for pair in zip(row, row[1:], strict=False)]
    assert len({pairs.count((a, b)) for a in names for b in names if a != b}) <= 1


def test_designs_are_filled_in_by_presets():
    sizes = {
        "environments": ["textcraft", "babyai"],
        "shares": {"textcraft": 4},
        "updates": {"textcraft": 3, "babyai": 5},
        "train": {"rows": 8},
    }
    design = {
        "tasks": ["{env}/easy"],
        "arms": ["{env}", "{env} > {other}", "{order}", "mixture @ times={count}"],
        "base": {"tasks": ["{env}/easy", "babyai/hard"]},
        "scale": {"mini": {"train": {"turns": 9}}, "full": {"train": {"turns": 99}}},
    }
    found = expand(design, "mini", sizes)
    assert found["tasks"] == ["textcraft/easy", "babyai/easy"]
    pairs = ["textcraft > babyai", "babyai > textcraft"]
    assert found["arms"] == ["textcraft", "babyai", *pairs, "mixture @ times=2"]
    assert found["train"] == {"stage_updates": [3, 5], "rows": 8, "turns": 9}
    assert found["base"] == {
        "shares": [4, 0.5, 0.5],
        "tasks": ["textcraft/easy", "babyai/easy", "babyai/hard"],
    }
    with pytest.raises(ValueError, match="updates.babyai: missing"):
        expand(design, "mini", {**sizes, "updates": {"textcraft": 3}})
    with pytest.raises(ValueError, match=r"environments=\[\]: expected a list of names"):
        expand(design, "mini", {"environments": []})


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("name", design_names())
def test_every_design_is_a_plan_in_every_size(name, preset):
    found = load_plan(name, preset)
    assert found.name == name and found.about.endswith("?")
    for variant in variants_of(found).values():
        assert phases(variant)


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match="preset 'huge': expected one of smoke, mini, full"):
        load_plan("axis2-transfer", "huge")


def test_variants_change_fields_of_the_plan():
    texts = ["weak: base.updates=3 model=small", "rate: train.learning_rate=0.5"]
    found = variants_of(plan(variants=texts))
    assert list(found) == ["weak", "rate"]
    assert found["weak"].base.updates == 3 and found["weak"].model == "small"
    assert found["rate"].train.learning_rate == 0.5 and found["rate"].model == "tiny"
    assert variants_of(plan()) == {"": plan()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base.updates=3", "expected a name of its own"),
        ("weak: base.colour=3", "'base.colour=3': expected a field of the plan"),
        ("weak: base.updates", "expected a field of the plan"),
        ("weak: name.first=3", "expected a field of the plan"),
        ("weak: model=huge", "model='huge': expected one of"),
    ],
)
def test_bad_variants_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        variants_of(plan(variants=[text]))


def test_a_dry_run_tells_the_phases_and_runs_nothing(tmp_path, capsys):
    out = tmp_path / "study"
    main(["study", "run", "axis3-sequence", "--preset", "smoke", "--dry-run", "--out", str(out)])
    told = capsys.readouterr().out
    assert "babyai @ rehearsal=0.1" in told and "turns of training" in told and "memory" in told
    assert not out.exists()


def test_what_is_left_of_a_phase_is_what_it_still_takes(tmp_path, monkeypatch):
    ceilings = SimpleNamespace(flops=1e9)
    monkeypatch.setattr("jaxagent.study.estimate.measure_ceilings", lambda *_: ceilings)
    runner = Runner(plan(arms=["babyai"], seeds=1), tmp_path, console_progress())
    (base, whole), _ = estimates(runner)
    assert not whole.trained and not whole.finished
    folder = runner.folder_of(base.phase)
    write_json(folder / "trained.json", {})
    (_, measuring), (_, arm) = estimates(runner)
    assert measuring.trained and 0 < measuring.seconds < whole.seconds
    assert not arm.trained
    write_json(folder / f"measured-{evaluation_key(base.plan)}.json", {})
    _, finished = estimates(runner)[0]
    assert finished.finished and finished.seconds == 0


def test_several_studies_share_their_phases(capsys, monkeypatch):
    seen = []
    monkeypatch.setattr("jaxagent.study.commands.Study.run", lambda study: seen.append(study))
    names = ["axis2-transfer", "mixture"]
    main(["study", "run", *names, "--preset", "smoke", "--out", "x", "--seeds", "4"])
    assert [study.out for study in seen] == ["x/axis2-transfer", "x/mixture"]
    assert {study.store for study in seen} == {"x/phases"} and {s.plan.seeds for s in seen} == {4}
    first, second = (phases(study.plan) for study in seen)
    assert [p.key for p in first if not p.parent] == [p.key for p in second if not p.parent]
    assert json.dumps(capsys.readouterr().out) == '""'
