"""Transfer, forgetting and the continual-learning numbers on studies worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from jaxagent.study import continual, curves, metrics, table
from jaxagent.study import scores as sc
from jaxagent.study.stage import described, parse_arm, trained_tasks
from jaxagent.study.statistics import OVER_SEEDS, TOO_FEW

# Success in percent by phase: a/easy, a/easy+renamed, b/easy, b/hard. Intervals are ±2 points.
WORKED = {
    "base": (20, 20, 10, 10),
    "a": (80, 50, 30, 0),
    "b": (10, 20, 70, 40),
    "a, b": (70, 60, 60, 30),
    "a > b": (65, 40, 80, 50),
}
TRAINED = {
    "base": "",
    "a": "a/easy",
    "b": "b/easy, b/hard",
    "a, b": "a/easy, b/easy",
    "a > b": "a/easy > b/easy, b/hard",
    "a > b @ rehearsal=0.1": "a/easy > b/easy, b/hard",
    "b > a, b": "b/easy > a/easy, b/easy",
    "b/easy": "b/easy",
    "b/medium": "b/medium",
    "b/easy > b/hard": "b/easy > b/hard",
}
TASKS = ("a/easy", "a/easy+renamed", "b/easy", "b/hard")


def row(**changes: object) -> table.Row:
    """A row with every field filled in; `changes` replaces some."""
    fields = {
        "study": "s",
        "variant": "",
        "phase": "base",
        "trained": "",
        "seed": 0,
        "stage": 0,
        "task": "a/easy",
        "environment": "a",
        "difficulty": "easy",
        "split": "seen",
        "lexicon": "identity",
        "interface": "terse",
        "metric": "success",
        "value": 0.5,
        "episodes": 100,
        "low": 0.4,
        "high": 0.6,
        "turns": 0,
    }
    return table.Row(**{**fields, **changes})


def study(
    values: Mapping[str, tuple[float, ...]], seed: int = 0, shift: float = 0.0
) -> list[table.Row]:
    """Final evaluation rows, `shift` added to the success of every trained phase."""
    rows = []
    for phase, line in values.items():
        for task, percent in zip(TASKS, line, strict=True):
            value = percent / 100 + shift * (phase != "base")
            place = {
                "phase": phase,
                "seed": seed,
                "task": task,
                "environment": task[0],
                "trained": TRAINED[phase],
                "stage": len(trained_tasks(TRAINED[phase])),
            }
            rows.append(row(**place, value=value, low=value - 0.02, high=value + 0.02))
    return rows


@pytest.fixture(scope="module")
def worked() -> sc.Scores:
    return sc.scores(study(WORKED))


def test_transfer_is_the_gain_over_the_base(worked: sc.Scores) -> None:
    matrix = metrics.transfer(worked)
    gains = np.array([[estimate.value for estimate in line] for line in matrix.gain])
    expected = (np.array(list(WORKED.values())) - np.array(WORKED["base"])) / 100
    order = [list(WORKED).index(phase) for phase in matrix.phases]
    np.testing.assert_allclose(gains[1:], expected[order][1:], atol=1e-12)
    assert np.isnan(gains[0]).all()
    assert not matrix.gain[1][0].has_interval and matrix.gain[1][0].kind == TOO_FEW


def test_held_in_and_held_out_count_plain_tasks_and_every_environment_once(
    worked: sc.Scores,
) -> None:
    delta = metrics.deltas(worked, "a")
    assert delta.held_in.value == pytest.approx(0.6)
    assert delta.held_out.value == pytest.approx((0.2 - 0.1) / 2)
    assert delta.overall.value == pytest.approx((0.6 + 0.05) / 2)


@pytest.mark.parametrize(
    "arm", ["babyai*0, textcraft", "textcraft, babyai*0.0", "mixture, babyai*0", "textcraft*3"]
)
def test_a_task_without_weight_is_held_out(arm: str) -> None:
    tasks = ("textcraft/easy", "babyai/easy")
    trained = described(parse_arm(arm, tasks))
    assert trained == "textcraft/easy"
    rows = []
    for phase, values in {"base": (0.5, 0.5), arm: (0.9, 0.1)}.items():
        for task, value in zip(tasks, values, strict=True):
            place = {"phase": phase, "task": task, "environment": task.partition("/")[0]}
            stage = {"trained": trained, "stage": 1} if phase == arm else {}
            interval = {"value": value, "low": value - 0.02, "high": value + 0.02}
            rows.append(row(**place, **stage, **interval))
    found = metrics.deltas(sc.scores(rows), arm)
    assert found.held_in.value == pytest.approx(0.4)
    assert found.held_out.value == pytest.approx(-0.4)


def test_a_mixture_holds_nothing_out(worked: sc.Scores) -> None:
    delta = metrics.deltas(worked, "a, b")
    assert not delta.held_out.measured
    assert delta.held_in == delta.overall and delta.overall.value == pytest.approx((0.5 + 0.35) / 2)


def test_average_deltas_leave_out_mixtures_and_sequences(worked: sc.Scores) -> None:
    count, inside, outside = metrics.average_deltas(worked)
    assert count == 2
    assert inside.value == pytest.approx((0.6 + 0.45) / 2)
    assert outside.value == pytest.approx((0.05 - 0.1) / 2)


def test_forgetting_compares_with_the_end_of_the_own_stage(worked: sc.Scores) -> None:
    found = continual.forgetting(worked)
    assert [(f.phase, f.own_stage, f.task) for f in found] == [
        ("a > b", "a", "a/easy"),
        ("a > b", "a", "a/easy+renamed"),
    ]
    assert [f.lost.value for f in found] == pytest.approx([0.15, 0.1])
    assert (found[0].before.value, found[0].after.value) == pytest.approx((0.8, 0.65))
    assert continual.average_forgetting(worked).value == pytest.approx(0.15)


def test_what_holds_on_to_the_first_stage_does_not_count_as_forgetting(
    worked: sc.Scores,
) -> None:
    held = sc.scores(study({**WORKED, "a > b @ rehearsal=0.1": WORKED["a"]}))
    assert len(continual.forgetting(held)) == 2 * len(continual.forgetting(worked))
    expected = continual.average_forgetting(worked).value
    assert continual.average_forgetting(held).value == pytest.approx(expected)


def test_continual_numbers_follow_their_definitions(worked: sc.Scores) -> None:
    numbers = continual.numbers(worked, "a > b")
    assert numbers is not None
    assert numbers.accuracy.value == pytest.approx((0.65 + 0.65) / 2)
    assert numbers.backward.value == pytest.approx(0.65 - 0.8)
    assert numbers.forward.value == pytest.approx((0.3 + 0.0) / 2 - 0.1)
    assert continual.numbers(worked, "a") is None


def test_a_sequence_of_levels_forgets_what_each_stage_trained_on() -> None:
    levels = {
        "base": (20, 20, 10, 10),
        "b/easy": (20, 20, 70, 0),
        "b/easy > b/hard": (20, 20, 60, 50),
    }
    table = sc.scores(study(levels))
    (lost,) = continual.forgetting(table)
    assert (lost.task, lost.lost.value) == ("b/easy", pytest.approx(0.1))
    found = continual.numbers(table, "b/easy > b/hard")
    assert found is not None
    assert found.accuracy.value == pytest.approx((0.6 + 0.5) / 2)
    assert found.backward.value == pytest.approx(-0.1)
    assert found.forward.value == pytest.approx(0.0 - 0.1)


def test_a_level_that_was_not_measured_stands_for_its_environment() -> None:
    numbers = sc.scores(study({"base": (20, 20, 10, 10), "b/medium": (20, 20, 70, 0)}))
    assert sc.stage_tasks(numbers, "b/medium") == (("b/easy", "b/hard"),)
    assert sc.stage_tasks(numbers, "base") == ()


def test_a_sequence_without_its_own_stage_has_no_forgetting() -> None:
    partial = sc.scores(study({name: WORKED[name] for name in ("base", "a > b")}))
    assert continual.forgetting(partial) == ()
    assert continual.numbers(partial, "a > b") is None
    assert not continual.average_forgetting(partial).measured


def test_what_carries_over_a_shift_is_a_difference_of_gains(worked: sc.Scores) -> None:
    (shift,) = metrics.shifts(worked)
    assert shift == metrics.Shift("a/easy", ("a/easy+renamed",))
    assert metrics.carried(worked, "a", shift.plain, shift.variants[0]).value == pytest.approx(
        0.3 - 0.6
    )


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("base", ()),
        ("a", (("a",),)),
        ("a > b", (("a",), ("b",))),
        ("a, b", (("a", "b"),)),
        ("b > a, b", (("b",), ("a", "b"))),
        ("not there", ()),
    ],
)
def test_stages_come_from_what_was_trained_on(phase: str, expected: object) -> None:
    found = sc.scores(study({**WORKED, "b > a, b": WORKED["a, b"]}))
    assert sc.stages(found, phase) == expected


def test_three_seeds_give_the_median_of_differences_within_seeds() -> None:
    rows = [r for seed, shift in enumerate((0.0, 0.1, -0.05)) for r in study(WORKED, seed, shift)]
    # Easier instances for one seed move base and trained alike: the paired gain must not notice.
    rows = [
        table.Row(**{**vars(r), "value": r.value + 0.3})
        if r.seed == 1 and r.task == "a/easy"
        else r
        for r in rows
    ]
    gain = sc.gain(sc.scores(rows), "a", ["a/easy"])
    # Gains of .6, .7 and .55, of which Student's interval has two degrees of freedom.
    half = 4.302653 * np.std([0.6, 0.7, 0.55], ddof=1) / math.sqrt(3)
    mean = (0.6 + 0.7 + 0.55) / 3
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.6, mean - half, mean + half))
    assert (gain.kind, gain.count) == (OVER_SEEDS, 3)


def test_a_base_measured_once_is_shared_by_all_seeds() -> None:
    rows = [r for seed in range(3) for r in study(WORKED, seed) if r.phase != "base" or seed == 0]
    final = sc.scores(rows)
    assert sc.gain(final, "a", ["a/easy"]).count == 3
    own = sc.contrast(final, sc.mean_of(final, "base", ["a/easy"]))
    assert (own.count, own.kind) == (1, TOO_FEW) and not own.has_interval


def test_unfinished_seeds_are_left_out_of_a_difference() -> None:
    rows = study(WORKED) + study({"base": (90, 90, 90, 90)}, seed=1)
    gain = sc.gain(sc.scores(rows), "a", ["a/easy"])
    assert (gain.count, gain.value) == (1, pytest.approx(0.6))


def test_the_last_checkpoint_counts_not_the_best() -> None:
    rows = [
        row(value=0.4, turns=200),
        row(value=0.9, turns=100),
        row(value=0.1, split="train", turns=300),
    ]
    assert sc.scores(rows).value.item() == 0.4


def test_without_a_base_there_are_scores_but_no_gains() -> None:
    final = sc.scores(study({"a": WORKED["a"]}))
    assert metrics.transfer(final).score[0][0].value == pytest.approx(0.8)
    assert not metrics.transfer(final).gain[0][0].measured
    assert not metrics.deltas(final, "a").overall.measured


def test_robust_summaries_need_three_seeds() -> None:
    rows = [r for seed in range(3) for r in study(WORKED, seed, 0.01 * seed)]
    summary = metrics.aggregate(sc.scores(rows), "a, b")
    assert summary.improvement.value == 1.0
    assert not summary.improvement.has_interval and not summary.iqm.has_interval
    # Nine values 70 60 30 (+0 1 2): two cut at each end.
    assert summary.iqm.value == pytest.approx(np.mean([0.32, 0.60, 0.61, 0.62, 0.70]))
    assert not metrics.aggregate(sc.scores(study(WORKED)), "a, b").iqm.measured


def learning(seed: int, turns: int, value: float, task: str = "a/easy") -> table.Row:
    return row(
        phase="a",
        split="train",
        seed=seed,
        turns=turns,
        value=value,
        low=value,
        high=value,
        task=task,
    )


def test_curves_are_averaged_over_tasks_then_taken_over_seeds() -> None:
    rows = [
        learning(seed, turns, 0.1 * seed + turns / 1000) for seed in range(3) for turns in (0, 100)
    ]
    rows += [
        learning(seed, turns, 0.1 * seed + turns / 1000 + 0.2, "a/hard")
        for seed in range(3)
        for turns in (0, 100)
    ]
    (curve,) = curves.learning_curves(rows)
    np.testing.assert_allclose(curve.turns, [0, 100])
    np.testing.assert_allclose(curve.value, [0.2, 0.3])
    half = 4.302653 * 0.1 / math.sqrt(3)
    np.testing.assert_allclose(curve.low, np.maximum([0.2 - half, 0.3 - half], 0), atol=1e-6)
    np.testing.assert_allclose(curve.high, [0.2 + half, 0.3 + half], atol=1e-6)


def test_curves_stop_where_a_seed_stopped() -> None:
    rows = [learning(0, 0, 0.1), learning(0, 100, 0.2), learning(1, 0, 0.3)]
    (curve,) = curves.learning_curves(rows)
    np.testing.assert_allclose((curve.turns, curve.value), [[0], [0.2]])
    assert curves.learning_curves([learning(0, 5, 0.1), learning(1, 6, 0.1)]) == ()
    assert curves.learning_curves(rows, "entropy") == ()


def test_the_table_reads_back_what_was_written(tmp_path: Path) -> None:
    path, rows = tmp_path / "deep" / "results.csv", study(WORKED)
    table.append(path, rows[:3])
    table.append(path, rows[3:])
    assert table.read(path) == rows
    assert path.read_text().splitlines()[0] == (
        "study,variant,phase,trained,seed,stage,task,environment,difficulty,split,lexicon,interface,metric,value,"
        "episodes,low,high,turns"
    )
    assert [entry.name for entry in path.parent.iterdir()] == ["results.csv"]


def test_the_table_takes_array_scalars_and_awkward_text(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    rows = [row(study='a "b", c', seed=np.int64(3), value=np.float32(0.1), low=math.inf)]
    table.write(path, rows)
    (back,) = table.read(path)
    assert (back.study, back.seed, back.value, back.low) == (
        rows[0].study,
        3,
        float(np.float32(0.1)),
        math.inf,
    )


def test_what_is_unknown_is_an_empty_cell(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    table.write(path, [row(low=math.nan, high=math.nan)])
    assert ",100,,,0" in path.read_text() and "nan" not in path.read_text()
    (back,) = table.read(path)
    assert math.isnan(back.low) and math.isnan(back.high)
    path.write_text(path.read_text().replace(",,,", ",nan,nan,"))
    assert math.isnan(table.read(path)[0].low)


def test_a_failed_append_leaves_the_table_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    table.write(path, study(WORKED))
    before = path.read_bytes()
    with pytest.raises(ValueError):
        table.append(path, [row(), row(seed="three")])
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phase,value\n", "header of .*expected 'study,variant,phase"),
        ("", "header of"),
        ("{h}\na,b\n", "line 2: got 2 cells"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "results.csv"
    path.write_text(text.replace("{h}", ",".join(table.HEADER)))
    with pytest.raises(ValueError, match=message):
        table.read(path)


def test_a_broken_cell_is_named(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    table.write(path, [row()])
    path.write_text(path.read_text().replace(",100,", ",many,"))
    with pytest.raises(ValueError, match="line 2: episodes: got 'many', expected int"):
        table.read(path)
