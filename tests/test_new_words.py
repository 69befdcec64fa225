"""An environment more or less: policies keep their words, and nothing stale counts as finished."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import READ, REMEMBER
from test_study import PLAN, Told
from test_sweep_axes import begin

from jaxagent.envs import make_suite, registry
from jaxagent.models import ModelConfig, Policy
from jaxagent.rl.actor import Actor
from jaxagent.study.comparison import _is_finished, _settings, plan_for
from jaxagent.study.config import from_values
from jaxagent.study.files import write_json
from jaxagent.study.phase import phases
from jaxagent.study.plan import StudyPlan
from jaxagent.study.runner import Runner
from jaxagent.study.saved_policy import read_policy, save_policy
from jaxagent.study.sweep import claim_sweep

TASK = "textcraft/easy"
TEXT = "goal 1 stick > get 2 log , can : inventory"
MODEL = ModelConfig(width=16, layers=1, heads=2, hidden=16)


@pytest.fixture
def more(monkeypatch):
    """A function that adds a toy environment to the registry."""
    return lambda: monkeypatch.setattr(
        registry, "ENVIRONMENTS", (READ, *registry.ENVIRONMENTS, REMEMBER)
    )


def spoken(actor: Actor, params) -> dict[str, float]:
    """Logit of every word that may be said behind `TEXT`, by its spelling."""
    vocabulary = actor.suite.language.vocabulary
    tokens = jnp.asarray(vocabulary.encode(TEXT))
    places = jnp.arange(len(tokens))
    hidden = actor.policy.encode(params, tokens, places, jnp.zeros_like(places))
    logits = actor.logits(params, hidden[-1:], jnp.zeros(1, jnp.int32))[0]
    words = [vocabulary.words[word] for word in actor.words]
    return dict(zip(words, np.asarray(logits).tolist(), strict=True))


def test_a_policy_says_the_same_with_more_words_and_with_fewer(tmp_path, more):
    old = make_suite(TASK)
    policy = Policy(MODEL, len(old.language.vocabulary))
    params = policy.init(jax.random.key(3))
    save_policy(tmp_path / "old", policy, params, old)
    before = spoken(Actor(policy, old), params)
    more()
    new = make_suite(TASK)
    assert len(new.language.vocabulary) > len(old.language.vocabulary)
    assert new.language.vocabulary.words[:200] != old.language.vocabulary.words[:200]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the tasks at hand need no new word
        found = read_policy(tmp_path / "old", new)
    assert spoken(Actor(found.policy, new), found.params) == pytest.approx(before, abs=1e-5)
    save_policy(tmp_path / "new", found.policy, found.params, new)
    again = read_policy(tmp_path / "new", old)
    np.testing.assert_array_equal(again.params["embedding"], params["embedding"])


def test_words_that_a_policy_has_never_met_are_named(tmp_path, more):
    old = make_suite(TASK)
    policy = Policy(MODEL, len(old.language.vocabulary))
    params = policy.init(jax.random.key(3))
    save_policy(tmp_path / "old", policy, params, old)
    more()
    toy = make_suite("read/easy")
    with pytest.warns(UserWarning, match="has never met .* read/easy may use: wait$") as told:
        found = read_policy(tmp_path / "old", toy)
    assert "\n" not in str(told[0].message)
    rows, words = found.params["embedding"], toy.language.vocabulary.words
    known = set(old.language.vocabulary.words)
    fresh = found.policy.init(jax.random.key(0))["embedding"]
    for word in toy.words - known:
        np.testing.assert_array_equal(rows[words.index(word)], fresh[words.index(word)])
    both = sorted(toy.words & known)
    at_home = [old.language.vocabulary.id(word) for word in both]
    here = [words.index(word) for word in both]
    np.testing.assert_array_equal(rows[np.array(here)], params["embedding"][np.array(at_home)])


def test_a_finished_study_is_not_taken_for_one_in_other_words(tmp_path, more):
    plan = from_values(StudyPlan, PLAN)
    runner = Runner(plan, tmp_path / "study", Told())
    for work in runner.works():
        write_json(runner._trained(work.phase), {})
        write_json(runner._measured(work), {})
    assert all(runner.is_finished(work) for work in runner.works())
    old = [phase.key for phase in phases(plan)]
    more()
    assert not set(old) & {phase.key for phase in phases(plan)}
    assert not any(runner.is_finished(work) for work in runner.works())


def test_a_comparison_and_a_sweep_know_their_words(tmp_path, more):
    plan = plan_for(from_values(StudyPlan, PLAN), "ppo")
    kept = _settings(plan)
    assert _is_finished(kept, plan)
    unsaid = {name: value for name, value in kept.items() if name != "vocabulary"}
    assert _is_finished(unsaid, plan)  # a table from before it was kept
    assert not _is_finished(None, plan)
    sweep = begin(tmp_path / "out", axes={"train.entropy": [0.0, 0.01]})
    claim_sweep(sweep, tmp_path / "out")
    more()
    assert not _is_finished(kept, plan)
    with pytest.raises(ValueError, match="were made with a vocabulary of [0-9]+ words, which now"):
        claim_sweep(sweep, tmp_path / "out")
    claim_sweep(sweep, tmp_path / "other")
