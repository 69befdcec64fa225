"""Policies that are found again: by folder and phase, with their limits, whatever else there is."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.cli import main
from jaxagent.envs import make_suite
from jaxagent.models import ModelConfig, Policy
from jaxagent.rl.window import Window
from jaxagent.study.files import write_json
from jaxagent.study.next_steps import next_steps
from jaxagent.study.play import make_player, watch
from jaxagent.study.policies import INDEX, Entry, entries_of, last_phases, open_policy
from jaxagent.study.saved_policy import read_policy, save_policy

TASK = "textcraft/easy"
LIMITS = Window(rows=4, turns=1, context=96, action_tokens=9, think=1)


@pytest.fixture(scope="module")
def suite():
    return make_suite(TASK)


@pytest.fixture(scope="module")
def policy(suite):
    model = ModelConfig(width=16, layers=1, heads=2, hidden=16)
    return Policy(model, len(suite.language.vocabulary))


def params_of(policy, number):
    return policy.init(jax.random.key(number))


def put(folder, policy, suite, number):
    """A phase's folder with a policy in it."""
    save_policy(folder / "checkpoints", policy, params_of(policy, number), suite, LIMITS)
    write_json(folder / "trained.json", {"name": folder.name, "updates": 1})


def study(folder, policy, suite, entries, without=()):
    """A study's folder whose i-th entry has the policy of the i-th key."""
    for number, entry in enumerate(entries):
        if entry.name not in without:
            put(folder / entry.folder, policy, suite, number)
    write_json(folder / INDEX, [asdict(entry) for entry in entries])
    return folder


def entry(name, seed=0, **more):
    place = name.replace(" ", "-").replace(":", "").replace(">", "")
    return Entry(name, seed, f"phases/{place}-seed{seed}-0", **more)


def equals(found, policy, number):
    wanted = params_of(policy, number)
    return all(
        np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    )


@pytest.mark.parametrize(
    ("names", "last"),
    [
        (["base"], ["base"]),
        (["base", "mixture"], ["mixture"]),
        (["base", "a", "a > b", "c"], ["a > b", "c"]),
        (["weak: base", "weak: a", "strong: base"], ["weak: a", "strong: base"]),
        (["base", "ab", "a"], ["ab", "a"]),
    ],
)
def test_the_last_phases_are_those_that_nothing_goes_on_from(names, last):
    assert last_phases(names) == last


def test_a_folder_stands_for_its_last_phase_and_a_phase_for_itself(tmp_path, policy, suite):
    entries = [entry("base"), entry("mixture"), entry("base", 1), entry("mixture", 1)]
    folder = study(tmp_path / "a: b", policy, suite, entries)
    chosen = {"": 1, ":base": 0, ":mixture": 1, ":base@seed1": 2, ":mixture@seed1": 3}
    for phase, number in chosen.items():
        assert equals(open_policy(f"{folder}{phase}", suite).params, policy, number)
    assert equals(open_policy(str(folder / entries[2].folder), suite).params, policy, 2)
    inside = folder / entries[2].folder / "checkpoints"
    assert equals(open_policy(str(inside)).params, policy, 2)  # on the tasks it was trained on
    assert open_policy(str(inside)).suite.names == (TASK,)


def test_an_averaged_stage_is_what_the_study_measured(tmp_path, policy, suite):
    base = entry("base")
    entries = [base, entry("textcraft @ average=0.25", average=0.25, parent=base.folder)]
    folder = study(tmp_path / "study", policy, suite, entries)
    found = open_policy(str(folder), suite).params["embedding"]
    old, new = (params_of(policy, number)["embedding"] for number in (0, 1))
    np.testing.assert_allclose(found, 0.25 * old + 0.75 * new, rtol=1e-6)


def test_a_study_without_an_index_is_searched(tmp_path, policy, suite):
    for number, name in enumerate(["base", "mixture"]):
        folder = tmp_path / "phases" / f"{name}-seed0-ab{number}"
        put(folder, policy, suite, number)
        write_json(folder / "trained.json", {"name": name, "updates": 1})
    assert [each.name for each in entries_of(tmp_path)] == ["base", "mixture"]
    assert equals(open_policy(str(tmp_path), suite).params, policy, 1)


def test_what_is_no_policy_or_several_is_told_in_one_line(tmp_path, policy, suite):
    many = study(tmp_path / "many", policy, suite, [entry("base"), entry("a"), entry("b")])
    half = study(tmp_path / "half", policy, suite, [entry("base"), entry("a")], without=("a",))
    twins = [entry("weak: base"), entry("strong: base")]
    twin = study(tmp_path / "twin", policy, suite, twins)
    (tmp_path / "none" / "phases").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("")
    said = {
        f"{many}": "holds several, expected .*:PHASE of 'base', 'a', 'b'",
        f"{many}:c": "no phase 'c'; expected one of 'base', 'a', 'b'",
        f"{many}:a@seed3": "no phase 'a@seed3'; expected one of",
        f"{half}": r"'a' \(seed 0\) is not trained; expected one of 'base'",
        f"{twin}:base": "several phases 'base'; expected one of 'weak: base', 'strong: base'",
        f"{tmp_path / 'none'}": "holds no policy that is trained",
        f"{tmp_path / 'empty'}": "the folder holds no checkpoint",
        f"{tmp_path / 'note.txt'}": "is a file, expected a folder",
        f"{tmp_path / 'empty'}:base": "holds no study, expected no phase",
        "/no/where:base": "no such folder; expected expert, random",
        "x" * 5000: "no such folder",
        "a\0b": "no such folder",
        "": "no such folder",
    }
    for text, message in said.items():
        with pytest.raises(ValueError, match=message) as caught:
            open_policy(text, suite)
        assert "\n" not in str(caught.value)
    assert not list((tmp_path / "empty").iterdir())


def test_a_broken_checkpoint_is_told_in_one_line(tmp_path, policy, suite):
    save_policy(tmp_path / "p", policy, params_of(policy, 0), suite)
    for path in (tmp_path / "p").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(ValueError, match="none that can be read") as caught:
        read_policy(tmp_path / "p", suite)
    assert "\n" not in str(caught.value)


def test_the_limits_of_a_policy_are_the_defaults_of_those_who_play_it(tmp_path, policy, suite):
    folder = tmp_path / "p"
    save_policy(folder, policy, params_of(policy, 0), suite, LIMITS)
    window = make_player(str(folder), suite)[2]
    assert (window.context, window.action_tokens, window.think) == (96, 9, 1)
    assert make_player(str(folder), suite, context=200)[2] == Window(1, 1, 200, 9, 1)
    assert make_player("expert", suite)[2] == Window(1, 1, 1024)
    with pytest.raises(ValueError, match="context=0: expected at least 1"):
        make_player(str(folder), suite, context=0)
    with pytest.raises(ValueError, match="context=20: an opening"):
        watch(TASK, str(folder), 0, 0, context=20)


def test_a_policy_is_saved_over_itself_and_over_nothing_else(tmp_path, policy, suite):
    for number in range(4):
        save_policy(tmp_path / "p", policy, params_of(policy, number), suite)
        assert equals(read_policy(tmp_path / "p", suite).params, policy, number)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("")
    params = params_of(policy, 0)
    with pytest.raises(ValueError, match="is not empty, expected a new"):
        save_policy(tmp_path / "thesis", policy, params, suite)
    with pytest.raises(ValueError, match="expected a folder, got a file"):
        save_policy(tmp_path / "thesis" / "thesis.txt", policy, params, suite)
    wrong = {**params, "embedding": jnp.zeros((3, 16))}
    with pytest.raises(ValueError, match=r"params: an array of shape \(3, 16\) at .*embedding"):
        save_policy(tmp_path / "q", policy, wrong, suite)
    assert not (tmp_path / "q").exists()


def test_next_steps_can_be_pasted(tmp_path, policy, suite):
    arms = ["base", "a > b", "it's; $(x)"]
    folder = study(tmp_path / "my runs", policy, suite, [entry(name) for name in arms])
    write_json(folder / "plan.json", {"tasks": [TASK], "evaluation": {"tasks": []}})
    lines = next_steps(folder)
    taken = [shlex.split(line) for line in lines]
    assert [line[1] for line in taken] == ["evaluate", "evaluate", "play", "play", "report"]
    for line in taken:
        for word in line:
            if word.startswith("--policy="):
                open_policy(word.removeprefix("--policy="), suite)
    assert taken[-1] == ["jaxagent", "report", str(folder)]


@pytest.mark.slow  # an update of each kind, and an evaluation
def test_what_train_made_is_found_by_the_commands_that_it_prints(tmp_path, capsys):
    folder = str(tmp_path / "my run")
    small = "--base.updates 1 --base.rows 8 --base.turns 4 --base.minibatch 4 --train.updates 1"
    small += " --train.rows 8 --train.turns 4 --train.minibatch 4 --evaluation.instances 4"
    main(["train", "--output", folder, *small.split()])
    lines = capsys.readouterr().out.split("What comes next:\n")[1].splitlines()
    evaluate, play, report = (shlex.split(line)[1:] for line in lines)
    main([*evaluate, "--episodes", "8", "--json"])
    assert json.loads(capsys.readouterr().out)[0]["episodes"] == 8
    main(play)
    assert "turns, return" in capsys.readouterr().out
    main(report)
    main(["evaluate", "--policy", f"{folder}:base", "--tasks", TASK, "--episodes", "8", "--json"])
