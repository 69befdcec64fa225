"""Wrong input: every command × option × kind, and every field of plan, design and sweep files.

What is asked of each: one line on standard error, exit code 2 or 74, and nothing written.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from input_cases import (
    HIDDEN,
    NO_NUMBERS,
    bad_files,
    bad_places,
    guarded,
    is_number,
    leaves,
    plain,
    said_of,
    tree,
    wrong_values,
)

import jaxagent
from jaxagent.cli import main
from jaxagent.study import ranges, table
from jaxagent.study.commands import COMMANDS, Difference
from jaxagent.study.config import load_plan
from jaxagent.study.measurement import Measurement
from jaxagent.study.plan import StudyPlan
from jaxagent.study.sweep_commands import SWEEP
from jaxagent.study.sweep_plan import SweepPlan, load_sweep

ROOT = Path(__file__).resolve().parents[1]
STUDY = ROOT / "results" / "quickstart"

SWEPT = {"name": "s", "plan": "train", "axes": {"train.gamma": [0.9, 1.0]}, "seeds": 1}

OUTPUTS = frozenset({"output", "out", "store", "results", "picture", "job", "to"})
INPUTS = frozenset({"policy", "folder", "first", "second", "file"})
OF_A_LIST = frozenset(
    {"model", "train.algorithm", "train.rule", "preset", "engine", "what", "algorithms", "task"}
) | {"tasks", "arms", "base.tasks", "evaluation.tasks", "variants", "index"}
"""Options that take one of a few names, or lines of a grammar."""

counts: Counter[str] = Counter()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a study and a sweep in it, where no real work can start."""
    guarded(monkeypatch)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(STUDY, tmp_path / "study")
    (tmp_path / "a-sweep.json").write_text(json.dumps(SWEPT))
    (tmp_path / "swept").mkdir()
    (tmp_path / "swept" / "sweep.json").write_text(json.dumps(SWEPT))
    return tmp_path


LINES = {
    "envs": (COMMANDS["envs"], ["envs"]),
    "play": (COMMANDS["play"], ["play", "textcraft/easy"]),
    "train": (COMMANDS["train"], ["train"]),
    "evaluate": (COMMANDS["evaluate"], ["evaluate", "--episodes", "8"]),
    "study": (COMMANDS["study"], ["study", "run", "quickstart"]),
    "compare": (COMMANDS["compare"], ["compare"]),
    "report": (COMMANDS["report"], ["report", "study"]),
    "report compare": (Difference, ["report", "compare", "study", "study"]),
    "bench": (COMMANDS["bench"], ["bench", "envs"]),
    "sweep plan": (SWEEP["plan"], ["sweep", "plan", "a-sweep.json"]),
    "sweep run": (SWEEP["run"], ["sweep", "run", "a-sweep.json"]),
    "sweep status": (SWEEP["status"], ["sweep", "status", "swept"]),
    "sweep collect": (SWEEP["collect"], ["sweep", "collect", "swept"]),
    "sweep submit": (SWEEP["submit"], ["sweep", "submit", "a-sweep.json", "--engine", "slurm"]),
}
"""Command -> its options, and a call of it that is right."""

POSITIONAL = {"task": 1, "folder": -1, "first": 2, "second": 3, "what": 1, "file": 2}
"""Places of arguments without a name in the calls."""


def test_every_command_is_tried() -> None:
    told = {name for name in COMMANDS if name != "sweep"} | {f"sweep {name}" for name in SWEEP}
    assert set(LINES) == told | {"report compare"}


def _kinds(name: str, hint: object, place: Path) -> list[str]:
    """Wrong values of an option."""
    last = name.rpartition(".")[2]
    if is_number(hint):
        known = ranges.PLAN.get(name) or ranges.COMMAND.get(name)
        allowed = {text for text in ("0", "-1") if known and float(text) in known}
        if known is None:  # the field checks itself; 0 often stands for a default
            allowed = {"0"}
        return [each for each in NO_NUMBERS if each not in allowed]
    values = list(HIDDEN)
    if last in OUTPUTS or (name == "json" and plain(hint) is str):
        values += bad_places(place.parent / "places")
    if name in INPUTS:
        values += bad_files(place.parent / "files")
    if name in OF_A_LIST or last in OF_A_LIST:
        values += ["", "no such thing", "x" * 300, "größe", "[/b]", "*", "babyai*nan"]
    return values


def _line(line: list[str], name: str, value: str, hint: object) -> list[str]:
    if name in POSITIONAL and name not in ("what", "folder") or name == "what":
        changed = list(line)
        changed[POSITIONAL[name]] = value
        return changed
    if name == "folder":
        return [*line[:-1], value]
    if plain(hint) is bool:
        return [*line, f"--{name.replace('_', '-')}", value]
    return [*line, f"--{name.replace('_', '-')}={value}"]


@pytest.mark.parametrize("command", sorted({*LINES} - {"sweep collect"}))
def test_the_lines_that_are_changed_are_right(command, place, capsys) -> None:
    assert said_of(LINES[command][1], capsys, place)[0] == "accepted"


@pytest.mark.parametrize("command", LINES)
def test_wrong_options_are_refused_in_a_line(command, place, capsys) -> None:
    kind, line = LINES[command]
    options = [(name, hint) for name, hint in leaves(kind)]
    if command in ("study", "compare"):  # the fields of the plan are those of `train`
        options = [each for each in options if each[0].partition(".")[0] not in _plan_fields()]
    cases = [
        (name, value, _line(line, name, value, hint))
        for name, hint in options
        for value in _kinds(name, hint, place)
    ]
    cases += [("", value, [*line, value]) for value in ("--no-such-option", "-x", "--=")]
    cases += [("", value, value.split()) for value in ("", "x") if command == "envs" and value]
    wrong = []
    for name, value, arguments in cases:
        became, why = said_of(arguments, capsys, place)
        counts[became] += 1
        if why:
            wrong.append(f"{name}={value[:40]!r}: {became}: {why}")
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)


def _plan_fields() -> set[str]:
    return {name.partition(".")[0] for name, _ in leaves(StudyPlan)}


def _refused(load, path: Path, content: object) -> str:
    """Why a file is not refused in one line; empty if it is."""
    path.write_text(json.dumps(content))
    try:
        load(str(path))
    except ValueError as error:
        told = str(error)
        kind = type(error)
        if kind is not ValueError or "\n" in told or len(told) > 2500:
            return f"{kind.__name__}: {told[:150]!r}"
        counts["refused"] += 1
        return ""
    except BaseException as error:
        return f"traceback: {type(error).__name__}: {str(error)[:150]}"
    return "accepted"


PLAN = {
    "name": "x",
    "tasks": ["textcraft/easy"],
    "base": {},
    "train": {},
    "evaluation": {},
}

SENSIBLE = {
    "about": ["", "no such thing"],
    "arms": [["textcraft"]],
    "base.clean": [],
    "name": [],
}
"""Values among the wrong ones that a field may have."""


def _is_sensible(name: str, hint: object, value: object) -> bool:
    if any(value is each or value == each for each in SENSIBLE.get(name, [])):
        return True
    numbers = ranges.PLAN.get(name)
    if numbers and isinstance(value, int | float) and not isinstance(value, bool):
        whole = isinstance(value, int) or plain(hint) is float
        return whole and value in numbers
    return False


def test_wrong_fields_of_plans_are_refused_in_a_line(tmp_path) -> None:
    wrong, tried = [], 0
    for name, hint in leaves(StudyPlan):
        for value in wrong_values(hint):
            if _is_sensible(name, hint, value):
                continue
            content = json.loads(json.dumps(PLAN))
            inside = content
            for part in name.split(".")[:-1]:
                inside = inside[part]
            inside[name.split(".")[-1]] = value
            tried += 1
            if why := _refused(load_plan, tmp_path / "plan.json", content):
                wrong.append(f"{name}={str(value)[:40]!r}: {why}")
    assert not wrong, f"{len(wrong)} of {tried}:\n" + "\n".join(wrong)


def test_wrong_fields_of_sweeps_are_refused_in_a_line(tmp_path) -> None:
    wrong, tried = [], 0
    sensible = {"seed": [1e308], "turns": [1.5, 10**30, 1e308]}
    for name, hint in leaves(SweepPlan):
        for value in wrong_values(hint):
            if any(value is each or value == each for each in sensible.get(name, [])):
                continue
            tried += 1
            if why := _refused(load_sweep, tmp_path / "sweep.json", {**SWEPT, name: value}):
                wrong.append(f"{name}={str(value)[:40]!r}: {why}")
    assert not wrong, f"{len(wrong)} of {tried}:\n" + "\n".join(wrong)


BAD_LINES = {
    "arms": [
        *("", " ", ">", "textcraft >", "> textcraft", ",", "textcraft,", "!textcraft", "!", "@"),
        *("textcraft @", "textcraft @ kl", "textcraft @ kl=", "textcraft @ kl=1 kl=2"),
        *(f"textcraft*{each}" for each in ("", "nan", "inf", "-1", "1e400", "x", "0", "1e7")),
        *(f"textcraft @ times={each}" for each in ("0", "nan", "inf", "-1", "1e300", "x")),
        *(f"textcraft @ temperature={each}" for each in ("1e-3", "nan", "inf", "-1", "0")),
        *(f"textcraft @ {each}" for each in ("kl=nan", "kl=inf", "kl=1e9", "magic", "times=1 x")),
        *("textcraft > textcraft @ rehearsal=2", "textcraft > textcraft @ average=nan"),
        *("textcraft > textcraft @ ewc=inf", "textcraft @ ewc=1", "textcraft @ rehearsal=0.1"),
        *("textcraft/easy+unseen", "babyai", "x" * 9000, " > ".join(["textcraft"] * 500)),
    ],
    "variants": [
        *("", ":", "a", ": seeds=2", "../x: seeds=2", "/x: seeds=2", "a/b: seeds=2", "-a: seeds=2"),
        *("=a: seeds=2", "a: seeds", "a: seeds=", "a: seeds=nan", "a: seeds=0", "a: seeds=1e3"),
        *("a: train.colour=1", "a: train=1", "a: train.learning_rate=NaN", "a: context=1"),
        *(
            f"a: seeds={'9' * 5000}",
            f"a: arms={'[' * 5000}",
            "a: train.gamma=Infinity",
            "a:seeds=2 x",
        ),
    ],
}
"""Lines that are none of an arm, or of a variant."""


@pytest.mark.parametrize("field", BAD_LINES)
def test_wrong_lines_are_refused_before_anything_is_written(field, place, capsys) -> None:
    wrong = []
    for line in BAD_LINES[field]:
        content = {**PLAN, field: [line]}
        (place.parent / "plan.json").write_text(json.dumps(content))
        became, why = said_of(["study", "run", str(place.parent / "plan.json")], capsys, place)
        counts[became] += 1
        wrong += [f"{line[:60]!r}: {became}: {why}"] * bool(why)
    assert not wrong, "\n".join(wrong)


DESIGN = {"name": "x", "tasks": ["{env}/easy"]}


def test_wrong_fields_of_designs_are_refused_in_a_line(tmp_path) -> None:
    (tmp_path / "study").mkdir()
    path, wrong = tmp_path / "study" / "design.json", []
    for name in ("environments", "scale", "shares", "updates", "tasks", "base", "train"):
        of_objects = name in ("scale", "shares", "updates", "base", "train")
        values = [
            each
            for each in wrong_values(dict if of_objects else list)
            if each != {} or not of_objects
        ]
        for value in values:
            if (name, value) == ("scale", {"a": {}}):  # of a preset that is not asked for
                continue
            if why := _refused(load_plan, path, {**DESIGN, name: value}):
                wrong.append(f"{name}={str(value)[:40]!r}: {why}")
    for name in ("shares", "updates"):
        for value in (None, "x", [], {}, -1, 1e400, math.nan, 10**30, True):
            if why := _refused(
                load_plan, path, {**DESIGN, name: {"textcraft": value, "babyai": 1}}
            ):
                wrong.append(f"{name}.textcraft={str(value)[:40]!r}: {why}")
    for content in ([], None, 1, "x", {}, {"name": "x"}):
        if why := _refused(load_plan, path, content):
            wrong.append(f"{content}: {why}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seeds": 10**20}, "seeds=100000000000000000000: expected at least 1, at most 1,000"),
        ({"arms": ["textcraft"] * 100_000}, "arms: 100,000 values, expected up to 1,000"),
        ({"arms": [f"textcraft @ times={i}" for i in range(1, 999)], "seeds": 999}, "phases, exp"),
        ({"train": {"rows": 2**20}}, "train.rows=1048576, turns=.* would take at least"),
        ({"train": {"turns": 10**11}}, "train.turns=100000000000: expected at least 1"),
        ({"context": 2**17}, "context=131072, model=tiny: would take at least .* GiB of memory"),
        ({"train": {"learning_rate": 1e30}}, "train.learning_rate=1e.30: expected 0 to 1"),
    ],
)
def test_sizes_that_no_machine_plays_are_refused_at_once(change, said, place, capsys) -> None:
    (place / "plan.json").write_text(json.dumps({**PLAN, **change}))
    start = time.monotonic()
    with pytest.raises(SystemExit) as stop:
        main(["study", "run", "plan.json"])
    told = capsys.readouterr().err
    assert stop.value.code == 2 and told.count("\n") == 1 and re.search(said, told), told
    assert time.monotonic() - start < 20


HOSTILE = [
    *("../../../OUTSIDE/x", "/OUTSIDE/x", "..", ".", "a/../b", "a\\b", "-rf", "[/b]", "[red]x"),
    *("=cmd|' /C calc'!A0", "@SUM(A1)", "\\input{x}", "<script>x</script>", "größe", "a b"),
    *("a\x1b[31mb", "a\u202eb", "x" * 300, "con", "a:b", "$(touch x)", "a'b", 'a"b'),
]
"""Names that a stranger may have given."""


@pytest.mark.parametrize("column", ["study", "variant", "phase", "task", "environment", "metric"])
def test_a_strangers_names_stay_in_the_folder(column, place, capsys) -> None:
    """Either refused in a line, or a report in which nothing is markup and no cell a formula."""
    header, *lines = (place / "study" / "results.csv").read_text().splitlines()
    names = header.split(",")
    folder = place / "hostile"
    folder.mkdir()
    for name in HOSTILE:
        rows = [next(csv.reader([line])) for line in lines]
        chosen = [row for row in rows if row[names.index("metric")] in ("success", "turns")][:6]
        for row in chosen:
            row[names.index(column)] = name
        with (folder / "results.csv").open("w", newline="") as file:
            csv.writer(file).writerows([names, *chosen])
        before = tree(place.parent)
        try:
            main(["report", "hostile"])
        except SystemExit as stop:
            captured = capsys.readouterr()
            assert stop.code == 2 and captured.err.count("\n") == 1, captured.err
            assert "\x1b" not in captured.err
            counts["refused"] += 1
            assert tree(place.parent) == before
            continue
        told = capsys.readouterr().out
        assert "\x1b" not in told and "\u202e" not in told
        made = {path for path, _ in set(tree(place.parent)) - set(before)}
        assert all(path.startswith(str(folder)) for path in made), made
        assert "<script>x" not in (folder / "report.html").read_text()
        for path in folder.rglob("*.csv"):
            if path.name != "results.csv":
                cells = [cell for row in csv.reader(path.open()) for cell in row]
                assert not [c for c in cells if c[:1] in "=@\t\r" and c], path
        for path in folder.rglob("*.tex"):
            assert "\\input" not in path.read_text()
        shutil.rmtree(folder)
        folder.mkdir()


CELLS = {"int": ["", "x", "1.5", "nan", "1e9", "9" * 5000, "9" * 30], "float": ["x", "1,5", "--"]}


def test_wrong_cells_of_a_table_are_refused_in_a_line(place, capsys) -> None:
    header, line, *_ = (place / "study" / "results.csv").read_text().splitlines()
    path = place / "study" / "results.csv"
    wrong = []
    for number, field in enumerate(dataclasses.fields(table.Row)):
        for value in CELLS.get(str(field.type), ["a\x00b", "a\x1bb"]):
            cells = next(csv.reader([line]))
            cells[number] = value
            with path.open("w", newline="") as file:
                csv.writer(file).writerows([header.split(","), cells])
            became, why = said_of(["report", "study"], capsys, place)
            counts[became] += 1
            wrong += [f"{field.name}={value[:20]!r}: {became}: {why}"] * bool(why)
    for bad in bad_files(place.parent / "files"):
        if bad.endswith(".json") and Path(bad).is_file():
            shutil.copy(bad, path)
            became, why = said_of(["report", "study"], capsys, place)
            counts[became] += 1
            wrong += [f"{bad[-20:]!r}: {became}: {why}"] * bool(why)
    assert not wrong, "\n".join(wrong)


def test_a_strangers_links_do_not_lead_out_of_the_folder(place, capsys) -> None:
    (place.parent / "outside").mkdir()
    shutil.rmtree(place / "study" / "tables")
    (place / "study" / "tables").symlink_to(place.parent / "outside")
    assert said_of(["report", "study"], capsys, place) == ("refused", "")
    assert not list((place.parent / "outside").iterdir())


def _not_json(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_printed_json_has_null_for_what_is_no_number(place, capsys, monkeypatch) -> None:
    main(["report", "study", "--json"])
    rows = json.loads(capsys.readouterr().out, parse_constant=_not_json)
    assert any(row["low"] is None for row in rows)
    nothing = Measurement("textcraft/easy", "success", 1.0, math.nan, math.inf, 1)
    monkeypatch.setattr("jaxagent.study.measurement.measure", lambda *_: [nothing])
    main(["evaluate", "--episodes", "1", "--json"])
    (row,) = json.loads(capsys.readouterr().out, parse_constant=_not_json)
    assert (row["value"], row["low"], row["high"]) == (1.0, None, None)


def test_a_disk_that_is_read_only_is_said_before_any_work(place, capsys) -> None:
    disk = place / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        for name, line in (
            ("output", ["train"]),
            ("out", ["study", "run", "quickstart"]),
            ("store", ["study", "run", "quickstart"]),
            ("output", ["compare"]),
            ("results", ["compare"]),
            ("picture", ["report", "study"]),
            ("json", ["bench", "envs"]),
            ("out", ["sweep", "run", "a-sweep.json"]),
        ):
            with pytest.raises(SystemExit) as stop:
                main([*line, f"--{name}={disk}/x"])
            told = capsys.readouterr().err
            assert (stop.value.code, told.count("\n")) == (74, 1), told
            assert "Read-only file system" in told
    finally:
        subprocess.run(["umount", "-l", str(disk)], capture_output=True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("of the inside"), None),
        (OSError("without a place"), None),
        (RecursionError("of the inside"), None),
        (FileNotFoundError(2, "No such file or directory", jaxagent.__file__ + "x"), None),
        (FileNotFoundError(2, "No such file or directory", "/no/where"), 2),
        (NotADirectoryError(20, "Not a directory", "x/y"), 2),
        (PermissionError(13, "Permission denied", "x"), 74),
    ],
)
def test_bugs_are_no_wrong_input(error, code, place, capsys, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("jaxagent.study.listing.show", fail)
    with pytest.raises(SystemExit if code else type(error)) as told:
        main(["envs"])
    if code:
        assert told.value.code == code and capsys.readouterr().err.count("\n") == 1


OTHERS = {
    **dict.fromkeys(["attempts.json", "transcripts.json", "plan.json"], ["report", "study"]),
    "policies.json": ["evaluate", "--policy", "study"],
}
"""Files in a study's folder, and a command that reads each."""


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_of_a_study_are_refused_in_a_line(name, place, capsys) -> None:
    wrong = []
    for bad in bad_files(place.parent / "files"):
        allowed = ("escape.json", "unknown.json") if name == "plan.json" else ()
        if not bad.endswith(".json") or not Path(bad).is_file() or bad.endswith(allowed):
            continue
        shutil.copy(bad, place / "study" / name)
        became, why = said_of(OTHERS[name], capsys, place)
        counts[became] += 1
        wrong += [f"{bad[-20:]!r}: {became}: {why}"] * bool(why)
    assert not wrong, "\n".join(wrong)


def test_counts() -> None:
    """Comes last: how many wrong inputs were tried, and what became of them."""
    print(dict(counts))
    assert set(counts) <= {"refused"}


def test_episodes_that_attempts_do_not_divide_are_refused_with_the_nearest(capsys) -> None:
    line = ["evaluate", "--tasks", "textcraft/easy", "--episodes", "5", "--attempts", "2"]
    with pytest.raises(SystemExit) as left:
        main(line)
    said = capsys.readouterr().err
    assert left.value.code == 2 and said.count("\n") == 1
    assert "episodes=5: expected a multiple of attempts=2, such as 4" in said
