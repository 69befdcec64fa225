"""The command line: help, JSON, and one-line errors that name what was expected."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from jaxagent.cli import COMMANDS, main
from jaxagent.study.config import from_values, load_plan, plan_names
from jaxagent.study.folder import claim_folder
from jaxagent.study.phase import phases
from jaxagent.study.plan import StudyPlan, as_json
from jaxagent.study.xla_flags import PATIENCE


def test_help_of_every_command(capsys):
    main(["--help"])
    overview = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name}" in overview
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0
        assert "usage: jaxagent" in capsys.readouterr().out


def test_envs_as_json(capsys):
    main(["envs", "--json"])
    content = json.loads(capsys.readouterr().out)
    names = [each["name"] for each in content["environments"]]
    assert {"textcraft", "babyai"} <= set(names)
    assert content["interfaces"][0] == "terse" and content["lexicons"][0] == "identity"


def test_every_core_is_a_device_and_programs_are_kept(tmp_path):
    code = (
        "from jaxagent import cli; import jax; cli._prepare_jax();"
        "print(jax.device_count(), jax.config.jax_compilation_cache_dir)"
    )
    known = _plain_environment() | {"XDG_CACHE_HOME": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", code], env=known, capture_output=True, text=True, check=True
    )
    devices, folder = found.stdout.split()
    assert int(devices) == min(os.cpu_count() or 1, 8)
    assert folder == str(tmp_path / "jaxagent" / "compiled")


@pytest.mark.parametrize("given", ["", "--xla_cpu_collective_call_terminate_timeout_seconds=70"])
def test_devices_wait_for_each_other(given):
    code = (
        "from jaxagent import cli; import jax, os; cli._prepare_jax(); cli._prepare_jax();"
        "jax.devices(); print(os.environ['XLA_FLAGS'])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=_plain_environment() | {"XLA_FLAGS": given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == (given or PATIENCE)


def _plain_environment():
    left = ("JAX_", "XLA_")
    known = {name: value for name, value in os.environ.items() if not name.startswith(left)}
    return known | {"JAX_PLATFORMS": "cpu"}


def test_evaluate_as_json(capsys):
    main(["evaluate", "--tasks", "textcraft/easy", "--episodes", "32", "--json"])
    captured = capsys.readouterr()
    found = {each["metric"]: each for each in json.loads(captured.out)}
    assert set(found["success"]) == {"task", "metric", "value", "low", "high", "episodes"}
    assert found["success"]["value"] == 1.0 and found["success"]["episodes"] == 32


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["fly"], "command 'fly': expected one of envs"),
        (["evaluate", "--tasks", "labyrinth/easy"], "environment 'labyrinth' is not one of"),
        (["evaluate", "--tasks", "babyai/trivial"], "level 'trivial' is not one of"),
        (["evaluate", "--tasks", "babyai/easy+sung"], "'sung' is not one of"),
        (["evaluate", "--policy", "/no/where"], "no such folder"),
        (["evaluate", "--episodes", "none"], "episodes"),
        (["study", "run", "slowstart"], "plan 'slowstart': expected one of algorithms, quickstart"),
        (["study", "run", "quickstart", "--train.colour", "red"], "--train.colour"),
        (["study", "run", "quickstart", "--train.algorithm", "magic"], "expected one of ppo"),
        (["study", "run", "quickstart", "--base.noise", "2"], "base.noise=2.0: expected 0 to 1"),
        (
            ["study", "run", "quickstart", "--tasks", "textcraft/easy+unseen"],
            "tasks: textcraft/easy+unseen is for evaluation alone",
        ),
        (
            [
                "study",
                "run",
                "quickstart",
                "--base.tasks",
                "babyai/easy+tags",
                "--base.shares",
                "1",
            ],
            "base.tasks: babyai/easy+tags is for evaluation alone",
        ),
        (
            ["study", "run", "quickstart", "--train.gamma", "1.5"],
            "train.gamma=1.5: expected 0 to 1",
        ),
        (
            ["study", "run", "quickstart", "--train.entropy", "nan"],
            "train.entropy=nan: expected at least 0",
        ),
        (["study", "run", "quickstart", "--context", "32"], "context=32: an opening"),
        (["report", "/no/where"], "/no/where"),
        (["bench", "nothing"], "what='nothing': expected one of envs"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, expected, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert expected in captured.err


def test_a_full_disk_is_one_line_and_exit_code_74(monkeypatch, capsys):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "here/results.csv")

    monkeypatch.setattr("jaxagent.study.sweep.run", full)
    monkeypatch.setattr("jaxagent.study.sweep_plan.load_sweep", lambda _: SimpleNamespace(name="x"))
    with pytest.raises(SystemExit) as stop:
        main(["sweep", "run", "some.json"])
    assert stop.value.code == 74
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told == "jaxagent: [Errno 28] No space left on device: 'here/results.csv'"


def test_a_folder_with_another_study_is_left_alone(tmp_path):
    plan = load_plan("quickstart")
    claim_folder(tmp_path / "study", as_json(plan))
    claim_folder(tmp_path / "study", as_json(plan))
    changed = as_json(plan)
    changed["train"]["updates"] = 7
    before = (tmp_path / "study" / "plan.json").read_text()
    with pytest.raises(ValueError, match="holds another study: train.updates is"):
        claim_folder(tmp_path / "study", changed)
    assert (tmp_path / "study" / "plan.json").read_text() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("")
    with pytest.raises(ValueError, match="is not empty and holds no study"):
        claim_folder(tmp_path / "other", as_json(plan))


@pytest.mark.parametrize("name", plan_names())
def test_shipped_plans_are_read_back_as_they_are(name):
    plan = load_plan(name)
    assert from_values(StudyPlan, as_json(plan)) == plan


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x"}, "tasks: missing"),
        ({"name": "x", "tasks": "babyai/easy"}, "expected a list of texts"),
        ({"name": "x", "tasks": ["babyai/easy"], "sedes": 3}, "sedes: no such field"),
        ({"name": "x", "tasks": ["babyai/easy"], "train": {"rows": 1.5}}, "train.rows=1.5"),
        (
            {"name": "x", "tasks": ["babyai/easy"], "arms": ["textcraft"]},
            "expected a task or one of babyai",
        ),
        ({"name": "../x", "tasks": ["babyai/easy"]}, "name='../x'"),
        (
            {"name": "x", "tasks": ["babyai/easy"], "train": {"stage_updates": [1, 2]}},
            r"train.stage_updates=\(1, 2\): expected a number for each of babyai",
        ),
        (
            {"name": "x", "tasks": ["babyai/easy"], "train": {"stage_updates": [0]}},
            "train.stage_updates=0: expected at least 1",
        ),
        (
            {"name": "x", "tasks": ["babyai/easy"], "train": {"stage_updates": [1.5]}},
            "expected a list of whole numbers",
        ),
        (
            {"name": "x", "tasks": ["babyai/easy"], "evaluation": {"context": 40}},
            "context=40: an opening",
        ),
    ],
)
def test_bad_plans_name_the_field(values, message):
    with pytest.raises(ValueError, match=message):
        from_values(StudyPlan, values)


def test_arms_share_the_stages_they_begin_with():
    plan = load_plan("quickstart")
    names = [phase.name for phase in phases(plan)]
    assert names == [
        "base",
        "textcraft",
        "babyai",
        "mixture",
        "textcraft > babyai",
        "babyai > textcraft",
    ]
    assert len({phase.key for phase in phases(plan)}) == len(names)
