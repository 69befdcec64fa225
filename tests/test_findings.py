"""The patterns of the original study on tables where they hold and where they do not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

import pytest

from jaxagent.cli import main
from jaxagent.study import curves, metrics, table, tables
from jaxagent.study.difference import difference_grid
from jaxagent.study.factorial import factorial_grid, factorials
from jaxagent.study.findings import FAILS, HOLDS, OPEN, SILENT, findings, judge
from jaxagent.study.grid import Column, Grid
from jaxagent.study.scores import scores
from jaxagent.study.statistics import OVER_SEEDS, Estimate

Scored = Mapping[str, tuple[str, Sequence[float]]]


def rows_of(
    tasks: Sequence[str], phases: Scored, metric: str = "success", variant: str = ""
) -> list[table.Row]:
    """A table of three seeds about half a point apart, in sequences the other way round; phases map
    to what they trained on and their scores."""
    rows = []
    for number, (phase, (trained, values)) in enumerate(phases.items()):
        for place, (task, value) in enumerate(zip(tasks, values, strict=True)):
            for seed in range(3):
                environment, _, level = task.partition("/")
                sign = 0 if phase == "base" else -1 if ">" in phase else 1
                shift = sign * (0.004 + 0.0005 * number * (1 + place)) * (seed - 1)
                rows.append(
                    table.Row(
                        study="s",
                        variant=variant,
                        phase=phase,
                        trained=trained,
                        seed=seed,
                        stage=trained.count(">") + bool(trained),
                        task=task,
                        environment=environment,
                        difficulty=level.partition("+")[0],
                        split="seen",
                        lexicon="identity",
                        interface="terse",
                        metric=metric,
                        value=value + shift,
                        episodes=100,
                        low=value - 0.05,
                        high=value + 0.05,
                        turns=0,
                    )
                )
    return rows


def verdicts(rows: Sequence[table.Row]) -> dict[str, str]:
    """Letter -> verdict, of the patterns that can be told."""
    found = findings(rows, scores(rows))
    assert [each.letter for each in found] == list("ABC") + ["C′"] + list("DEFGHIJ")
    return {each.letter: each.verdict for each in found if each.verdict != SILENT}


LEVELS = ("a/easy", "a/hard")
TWO = ("a/easy", "b/easy")


def test_a_table_without_any_arm_says_nothing():
    assert verdicts(rows_of(TWO, {"base": ("", (0.2, 0.2))})) == {}


@pytest.mark.parametrize(("hard", "expected"), [(0.6, HOLDS), (0.05, FAILS), (0.2, OPEN)])
def test_easy_tasks_lift_hard_ones(hard, expected):
    phases = {"base": ("", (0.3, 0.2)), "e": ("a/easy", (0.9, hard))}
    assert verdicts(rows_of(LEVELS, phases))["A"] == expected


def test_inside_and_outside():
    phases = {
        "base": ("", (0.3, 0.3)),
        "a": ("a/easy", (0.9, 0.2)),
        "b": ("b/easy", (0.4, 0.8)),
    }
    found = verdicts(rows_of(TWO, phases))
    assert found["B"] == HOLDS and found["C"] == HOLDS and found["H"] == OPEN
    phases["b"] = ("b/easy", (0.1, 0.8))
    found = verdicts(rows_of(TWO, phases))
    assert found["C"] == FAILS and found["H"] == FAILS


def test_the_list_of_commands():
    tasks = ("a/easy", "a/easy+list:every_turn")
    phases = {
        "base": ("", (0.2, 0.2)),
        "listed": ("a/easy+list:every_turn", (0.1, 0.9)),
        "plain": ("a/easy", (0.8, 0.5)),
    }
    assert verdicts(rows_of(tasks, phases))["C′"] == HOLDS
    phases["listed"] = ("a/easy+list:every_turn", (0.9, 0.9))
    assert verdicts(rows_of(tasks, phases))["C′"] == FAILS


@pytest.mark.parametrize(("turns", "expected"), [(4.0, HOLDS), (12.0, FAILS)])
def test_shorter_episodes(turns, expected):
    phases = {"base": ("", (0.3, 0.3)), "a": ("a/easy", (0.9, 0.3))}
    lengths = {"base": ("", (10.0, 10.0)), "a": ("a/easy", (turns, 10.0))}
    rows = rows_of(TWO, phases) + rows_of(TWO, lengths, "turns")
    assert verdicts(rows)["D"] == expected


@pytest.mark.parametrize(("kept", "expected"), [(0.89, HOLDS), (0.3, FAILS), (0.85, OPEN)])
def test_sequences_keep_the_first(kept, expected):
    phases = {
        "base": ("", (0.3, 0.3)),
        "a": ("a/easy", (0.9, 0.3)),
        "a > b": ("a/easy > b/easy", (kept, 0.8)),
        "a > b @ kl=0.1": ("a/easy > b/easy", (0.0, 0.8)),
    }
    assert verdicts(rows_of(TWO, phases))["E"] == expected


@pytest.mark.parametrize(("last", "expected"), [(0.81, HOLDS), (0.3, FAILS), (0.7, OPEN)])
def test_sequences_come_to_the_mixture(last, expected):
    phases = {
        "base": ("", (0.3, 0.3)),
        "mixture @ times=2": ("a/easy, b/easy", (0.8, 0.8)),
        "mixture @ bandit": ("a/easy, b/easy", (0.1, 0.1)),
        "a": ("a/easy", (0.9, 0.3)),
        "a > b": ("a/easy > b/easy", (last, 0.8)),
    }
    assert verdicts(rows_of(TWO, phases))["F"] == expected


@pytest.mark.parametrize(
    ("alone", "expected"), [((0.7, 0.5), HOLDS), ((0.9, 0.7), FAILS), ((0.8, 0.6), OPEN)]
)
def test_a_curriculum_has_to_beat_the_better_of_its_parts(alone, expected):
    phases = {
        "base": ("", (0.2, 0.1)),
        "easy": ("a/easy", (0.5, 0.3)),
        "hard": ("a/hard", alone),
        "both": ("a/easy > a/hard", (0.8, 0.6)),
    }
    assert verdicts(rows_of(LEVELS, phases))["G"] == expected


@pytest.mark.parametrize(("share", "expected"), [(0.3, HOLDS), (0.02, FAILS), (0.1, OPEN)])
def test_unverified_beliefs_have_to_be_common_everywhere(share, expected):
    phases = {"base": ("", (0.3, 0.3)), "a": ("a/easy", (0.9, 0.3)), "b": ("b/easy", (0.3, 0.9))}
    beliefs = {
        "base": ("", (0.0, 0.0)),
        "a": ("a/easy", (0.5, 0.0)),
        "b": ("b/easy", (0.0, share)),
    }
    rows = rows_of(TWO, phases) + rows_of(TWO, beliefs, "failure:unverified")
    assert verdicts(rows)["I"] == expected


@pytest.mark.parametrize(("outside", "expected"), [(0.4, HOLDS), (0.1, FAILS)])
def test_remarks_protect_what_transfers(outside, expected):
    phases = {
        "base": ("", (0.3, 0.3)),
        "a": ("a/easy", (0.9, 0.2)),
        "noisy": ("a/easy, a/easy+asides:2", (0.9, outside)),
    }
    assert verdicts(rows_of(TWO, phases))["J"] == expected


def test_a_verdict_follows_from_the_interval():
    def at(low, high):
        return Estimate((low + high) / 2, low, high, OVER_SEEDS, 3)

    assert judge(at(0.1, 0.2), low=0) == HOLDS
    assert judge(at(-0.2, -0.1), low=0) == FAILS
    assert judge(at(-0.1, 0.1), low=0) == OPEN
    assert judge(at(-0.04, 0.04), low=-0.05, high=0.05) == HOLDS
    assert judge(at(0.06, 0.2), low=-0.05, high=0.05) == FAILS


def test_transfer_as_a_share_of_what_own_training_gains():
    phases = {
        "base": ("", (0.2, 0.2)),
        "a": ("a/easy", (0.8, 0.4)),
        "b": ("b/easy", (0.1, 0.7)),
    }
    names, environments, share = metrics.normalised_transfer(scores(rows_of(TWO, phases)))
    assert names == ("a", "b") and environments == ("a", "b")
    assert share[0][1].value == pytest.approx(0.2 / 0.5, rel=1e-6)
    assert share[1][0].value == pytest.approx(-0.1 / 0.6, rel=1e-6)
    assert share[0][1].low <= share[0][1].value <= share[0][1].high
    assert not share[0][0].measured
    flat = {**phases, "b": ("b/easy", (0.1, 0.2))}
    assert not metrics.normalised_transfer(scores(rows_of(TWO, flat)))[2][0][1].measured


def test_forward_transfer_compares_areas_under_curves():
    def curve(phase, values):
        rows = rows_of(("b/easy",), {phase: ("b/easy", (0.0,))})[:1]
        return [
            table.Row(**{**vars(rows[0]), "split": "train", "turns": turns, "value": value})
            for turns, value in values
        ]

    # Areas by hand: 0.25 · 0.4 + 0.75 · 0.8 = 0.7 and 0.5 · 0.2 + 0.5 · 0.6 = 0.4.
    rows = curve("a > b", [(100, 0.4), (400, 0.8)]) + curve("b", [(200, 0.2), (400, 0.6)])
    assert curves.forward_transfer(rows, "a > b").value == pytest.approx((0.7 - 0.4) / 0.6)
    assert not curves.forward_transfer(rows, "b > a").measured


def test_tables_of_difficulty_failures_and_variants():
    phases = {"base": ("", (0.3, 0.2)), "e": ("a/easy", (0.9, 0.5))}
    rows = rows_of(LEVELS, phases, variant="weak")
    (grid,) = tables.difficulty_grids(scores(rows))
    assert [c.name for c in grid.columns] == ["easy", "hard", "easy gain", "hard gain"]
    assert grid.rows[1][1][3].value == pytest.approx(0.3)
    (failures,) = tables.failure_grids(rows_of(LEVELS, phases, "failure:gave_up"))
    assert failures.columns[0].name == "gave up"
    assert failures.rows[1][1][0].value == pytest.approx(0.7)
    assert tables.variant_grid({"weak": scores(rows)}) is None
    both = {"weak": scores(rows_of(TWO, {"base": ("", (0.3, 0.2)), "a": ("a/easy", (0.9, 0.1))}))}
    both["strong"] = both["weak"]
    grid = tables.variant_grid(both)
    assert [round(e.value, 6) for e in grid.rows[0][1]] == [0.25, 0.6, -0.1]


def test_grids_are_written_as_csv_and_latex():
    estimate = Estimate(0.5, 0.4, 0.6, OVER_SEEDS, 3)
    columns = (Column("task"), Column("50 % & more", sign=True))
    grid = Grid("g", "phase", columns, (("a > b_c", ("x/easy", estimate)),))
    lines = list(csv.reader(io.StringIO(grid.csv())))
    assert lines[0] == ["phase", "task", "50 % & more", "50 % & more low", "50 % & more high"]
    assert lines[1] == ["a > b_c", "x/easy", "0.5", "0.4", "0.6"]
    text = grid.latex()
    assert r"phase & task & 50 \% \& more \\" in text
    assert r"a $\rightarrow$ b\_c & x/easy & +50.0 [+40.0 to +60.0] \\" in text
    assert text.startswith("\\begin{tabular}{lrr}\n\\toprule") and "\\bottomrule" in text
    html = grid.html()
    assert "<th>a &gt; b_c</th>" in html.replace("<wbr>", "") and "+50.0" in html


def test_two_studies_are_paired_where_they_measured_the_same(tmp_path, capsys):
    hard = [2, 0, 1, 2, 2, 0, 1, 2]
    better = [2, 1, 2, 2, 2, 1, 1, 2]
    for name, counts in (("first", hard), ("second", better)):
        value = sum(counts) / 16
        rows = rows_of(("a/easy",), {"base": ("", (value,))})
        rows = [table.Row(**{**vars(r), "episodes": 16}) for r in rows]
        table.write(tmp_path / name / "results.csv", rows)
        attempts = {"": {"base": {str(seed): {"a/easy": counts} for seed in range(3)}}}
        (tmp_path / name / "attempts.json").write_text(json.dumps(attempts))
        evaluation = {"first": 0, "instances": 8, "attempts": 2}
        (tmp_path / name / "plan.json").write_text(json.dumps({"evaluation": evaluation}))
    grid = difference_grid(tmp_path / "first", tmp_path / "second")
    ((_, (task, old, new, difference)),) = grid.rows
    assert task == "a/easy" and old.value == 10 / 16 and new.value == 13 / 16
    assert difference.value == pytest.approx(3 / 16)
    assert difference.high - difference.low < old.high - old.low
    plan = {"evaluation": {"first": 5, "instances": 8, "attempts": 2}}
    (tmp_path / "second" / "plan.json").write_text(json.dumps(plan))
    ((_, cells),) = difference_grid(tmp_path / "first", tmp_path / "second").rows
    assert cells[3].high - cells[3].low > difference.high - difference.low
    main(["report", "compare", str(tmp_path / "first"), str(tmp_path / "second"), "--csv"])
    assert capsys.readouterr().out.startswith("phase,task,first,first low")
    table.write(tmp_path / "second" / "results.csv", rows_of(("b/easy",), {"x": ("", (0.5,))}))
    with pytest.raises(SystemExit):
        main(["report", "compare", str(tmp_path / "first"), str(tmp_path / "second")])
    assert "no phase and task in common" in capsys.readouterr().err


def test_words_and_interface_are_two_factors():
    tasks = ("a/easy", "a/easy+renamed", "a/easy+call", "a/easy+renamed+call", "a/easy+tags")
    phases = {
        "base": ("", (0.1, 0.1, 0.1, 0.1, 0.1)),
        "a": ("a/easy", (0.9, 0.6, 0.4, 0.3, 0.2)),
    }
    final = scores(rows_of(tasks, phases))
    (factorial,) = factorials(final)
    grid = factorial_grid(final, factorial)
    (cells,) = [cells for _, cells in grid.rows]
    # By hand: words (-0.3 - 0.1) / 2, interface (-0.5 - 0.3) / 2, interaction -0.1 + 0.3.
    assert [round(each.value, 6) for each in cells] == [-0.2, -0.4, 0.2]
    assert factorials(scores(rows_of(TWO, {"base": ("", (0.1, 0.1))}))) == []
