"""Episodes that the context cuts are counted and told, not taken for failures of the policy."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from jaxagent.cli import main
from jaxagent.envs import make_suite
from jaxagent.rl.evaluation import ContextWarning, evaluate
from jaxagent.rl.imitation import Expert
from jaxagent.rl.window import Window
from jaxagent.study.measurement import measurements

TASK = "maze/easy"
ROWS = 32


def played(context: int):
    expert = Expert(make_suite(TASK))
    window = Window(rows=ROWS, turns=1, context=context)
    return evaluate(expert, {}, 0, ROWS, 1, window, recorded=ROWS)


def plainly_cut(scripts, size: int, context: int) -> np.ndarray:
    """bool[rows]: whether whole episodes, played in less context, are cut before their end."""
    found = []
    for row in range(ROWS):
        heard, said = scripts.messages.length[row], scripts.actions.length[row]
        turns = int(scripts.outcome.turns[row])
        # The last word of an action is read with the next message, and counted there.
        read = scripts.opening.length[row] + np.cumsum(heard[:turns] + said[:turns] - 1)
        needs = read[:-1] + heard[1:turns] + size
        words = np.cumsum(said[: turns - 1]) + size
        found.append(bool(np.any((needs > context) | (words > context // 2))))
    return np.array(found)


def test_the_share_is_that_of_episodes_which_needed_more_context():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole, scripts = played(400)
    assert whole.success.all() and not whole.truncated_by_context.any()
    size = make_suite(TASK).action_tokens
    for context in (40, 60, 90):
        wanted = plainly_cut(scripts, size, context)
        assert 0 < wanted.sum() < ROWS
        with pytest.warns(ContextWarning, match=f"cut by the context of {context} tokens"):
            cut, _ = played(context)
        np.testing.assert_array_equal(cut.truncated_by_context[:, 0], wanted)
        np.testing.assert_array_equal(cut.success[:, 0], ~wanted)
        [share] = [m for m in measurements(TASK, cut) if m.metric == "truncated_by_context"]
        assert share.value == pytest.approx(wanted.mean())


def test_turns_that_are_up_are_no_fault_of_the_context():
    wanderer = Expert(make_suite(TASK), noise=1.0)
    outcome, _ = evaluate(wanderer, {}, 0, ROWS, 1, Window(rows=ROWS, turns=1, context=2000))
    assert not outcome.success.all() and not outcome.truncated_by_context.any()


def test_evaluate_says_so_in_a_line(capsys):
    options = ["--tasks", TASK, "--episodes", str(ROWS), "--context", "60", "--json"]
    main(["evaluate", *options])
    captured = capsys.readouterr()
    found = {each["metric"]: each["value"] for each in json.loads(captured.out)}
    assert found["truncated_by_context"] == pytest.approx(1 - found["success"]) and found
    assert "cut by the context of 60 tokens" in " ".join(captured.err.split())
