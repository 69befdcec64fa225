"""Failure modes on episodes written by hand, and none in the experts'."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxagent
from jaxagent.envs.misstep import INCONSISTENT, UNREAD, UNVERIFIED
from jaxagent.envs.suite import Message
from jaxagent.rl.failures import MODES, STILL, start_watch, watch_turn
from jaxagent.rl.imitation import Expert
from jaxagent.rl.trajectory import Turn

KEY = jax.random.key(0)


def opened(task: str):
    """A suite of one task, and an instance of it."""
    suite = jaxagent.make_suite(task)
    return suite, jax.jit(suite.reset)(KEY, jnp.int32(0))[0]


def said(suite, text: str) -> jax.Array:
    """The words of an action, with its end."""
    words = suite.language.vocabulary.encode(text)
    return jnp.array([*words, 2] + [0] * (suite.action_tokens + 4 - len(words)), jnp.int32)


def played(task: str, *actions: str) -> list[int]:
    """The missteps of these actions, one behind the other."""
    suite, instance = opened(task)
    act, found = jax.jit(suite.act), []
    for action in actions:
        step = act(instance, said(suite, action))
        instance = step.instance
        found.append(int(step.misstep))
    return found


def test_words_that_are_no_command_are_unread_and_nothing_else():
    for task in ("textcraft/easy", "babyai/easy", "alfworld/easy", "webshop/easy", "searchqa/easy"):
        assert played(task, "get get get") == [UNREAD], task


def test_textcraft_crafting_from_nothing_contradicts_and_getting_a_product_is_unverified():
    suite, instance = opened("textcraft/easy")
    schema, state = suite.environments[0].schema, instance.states[0]
    goal = int(state.goal) + schema.first_of("item")
    word = suite.language.vocabulary.words[suite.language.lexicons[suite.places[0], 0, goal]]
    assert played("textcraft/easy", f"get 1 {word}", "inventory") == [UNVERIFIED, 0]
    assert played("textcraft/easy", f"craft 1 {word} 1 stick") == [INCONSISTENT]


def test_babyai_dropping_nothing_contradicts_and_what_is_out_of_sight_is_unverified():
    assert played("babyai/easy", "drop", "left", "go red ball 9") == [INCONSISTENT, 0, UNVERIFIED]


def test_alfworld_using_what_is_not_held_contradicts_and_unseen_places_are_unverified():
    suite, instance = opened("alfworld/easy")
    state = instance.states[0]
    language, schema = suite.language, suite.environments[0].schema
    lexicon = language.lexicons[suite.places[0], 0]
    place = lexicon[schema.first_of("receptacle") + int(state.place_type[0])]
    there = int(np.argmax(state.thing_type >= 0))
    thing = lexicon[schema.first_of("object") + int(state.thing_type[there])]
    place, thing = (language.vocabulary.words[word] for word in (place, thing))
    take = f"take {thing} {int(state.thing_number[there])} {place} 1"
    put = f"put {thing} {int(state.thing_number[there])} {place} 1"
    go = f"go {place} 1"
    assert played("alfworld/easy", go, go) == [0, INCONSISTENT]
    away = played("alfworld/easy", take)[0]
    assert away & UNVERIFIED and away & INCONSISTENT
    assert played("alfworld/easy", go, put)[1] == INCONSISTENT


def test_webshop_buying_unread_is_unverified_until_every_page_was_open():
    # On hard, titles hold one attribute of three that are asked for.
    suite, instance = opened("webshop/hard")
    step, expert = jax.jit(suite.step), jax.jit(suite.expert)
    schema = suite.environments[0].schema
    buy = jnp.asarray(schema.command("buy"))
    while int(instance.states[0].page) != 2:  # the expert opens a product
        instance = step(instance, expert(instance)).instance
    assert int(step(instance, buy).misstep) == UNVERIFIED
    missteps = []
    for _ in range(10):
        done = step(instance, expert(instance))
        missteps.append(int(done.misstep))
        instance = done.instance
        if done.terminated:
            break
    assert done.success and not any(missteps)
    assert played("webshop/hard", "buy") == [INCONSISTENT]


def test_searchqa_answering_before_searching_is_unverified():
    suite, instance = opened("searchqa/medium")
    schema, question = suite.environments[0].schema, instance.states[0].question
    step = jax.jit(suite.step)
    answer = jnp.asarray(schema.command("answer_2", *question.answer.tolist()))
    assert int(step(instance, answer).misstep) == UNVERIFIED
    for _ in range(2):
        instance = step(instance, jax.jit(suite.expert)(instance)).instance
    done = step(instance, answer)
    assert bool(done.success) and int(done.misstep) == 0


def test_maze_walking_against_a_wall_contradicts():
    found = played("maze/easy", "left", "up", "right", "down")
    assert set(found) <= {0, INCONSISTENT} and INCONSISTENT in found


@pytest.mark.slow
def test_experts_fail_in_no_mode():
    names = "textcraft/medium, babyai/easy, alfworld/medium, webshop/medium, searchqa/medium, "
    suite = jaxagent.make_suite(names + "maze/easy, wordle/easy")
    window = jaxagent.Window(rows=32, turns=1, context=2000)
    for number, name in enumerate(suite.names):
        outcome, _ = jaxagent.evaluate(Expert(suite, noise=0.0), {}, number, 32, 1, window)
        assert outcome.success.all(), name
        assert not outcome.failures.any(), (name, outcome.failures.sum((0, 1)))


def watched(turns: list[dict]) -> dict[str, list[int]]:
    """The modes that turns of one row count, by the turns."""
    suite = jaxagent.make_suite("textcraft/easy")
    size, step = 6, jax.jit(watch_turn, static_argnums=0)
    openings = Message(jnp.zeros((1, 4), jnp.int32), jnp.zeros(1, jnp.int32))
    watch, found = start_watch(suite, openings), {mode: [] for mode in MODES}
    for number, each in enumerate(turns):
        heard = suite.language.vocabulary.encode(each.get("heard", ""))
        words = suite.language.vocabulary.encode(each["said"])
        message = np.zeros((1, 8), np.int32)
        message[0, 1 : 1 + len(heard)] = heard
        action = np.zeros((1, size), np.int32)
        action[0, : len(words)] = words
        zero = jnp.zeros(1)
        turn = Turn(
            task=jnp.zeros(1, jnp.int32),
            fresh=zero > 0,
            entry=jnp.zeros(1, jnp.int32),
            message=Message(jnp.asarray(message), jnp.array([1 + len(heard)])),
            action=jnp.asarray(action),
            action_length=jnp.array([len(words)]),
            log_prob=jnp.zeros((1, size)),
            value=jnp.zeros((1, size)),
            reward=zero,
            terminated=zero > 0,
            truncated=jnp.array([each.get("truncated", False)]),
            out_of_context=zero > 0,
            closing=zero > 0,
            success=zero > 0,
            invalid=jnp.array([each.get("invalid", False)]),
            misstep=jnp.array([each.get("misstep", 0)], jnp.int8),
            expert=zero > 0,
            anchor=jnp.array([each.get("state", 7)], jnp.uint32),
        )
        before = watch.counts
        watch = step(suite, watch, turn, jnp.int32(number))
        for mode, count in zip(MODES, (watch.counts - before)[0].tolist(), strict=True):
            found[mode].append(count)
    return found


def test_naming_what_was_never_shown_is_fabrication_until_it_is_shown():
    found = watched(
        [
            {"said": "get 1 stick", "state": 1},
            {"said": "get 2 stick", "heard": "got 1 stick", "state": 2},
            {"said": "inventory", "state": 3},
        ]
    )
    assert found["fabrication"] == [1, 0, 0]


def test_loops_and_stubbornness_need_the_same_action_in_the_same_state():
    found = watched(
        [
            {"said": "inventory", "state": 1},
            {"said": "inventory", "state": 2, "invalid": True},
            {"said": "get 1 stick", "state": 2},
            {"said": "inventory", "state": 1},
            {"said": "inventory", "state": 2},
        ]
    )
    assert found["loop"] == [0, 0, 0, 1, 1]
    assert found["unverified"] == [0, 0, 0, 0, 1]


def test_giving_up_is_a_cut_behind_actions_in_one_state():
    moving = [{"said": "inventory", "state": n} for n in range(4)]
    still = [{"said": f"get {n} stick", "state": 9} for n in range(STILL - 1)]
    end = {"said": "inventory", "state": 9, "truncated": True}
    assert watched([*moving, *still, end])["gave_up"][-1] == 1
    assert watched([*moving, *still[1:], end])["gave_up"][-1] == 0
    assert watched([*moving, *still, {**end, "truncated": False}])["gave_up"][-1] == 0
    assert watched([*moving, end])["out_of_turns"] == [0, 0, 0, 0, 1]


def test_missteps_of_environments_are_counted_and_rows_that_rest_are_not():
    bits = UNREAD + UNVERIFIED + INCONSISTENT
    found = watched([{"said": "what", "misstep": bits}, {"said": "", "misstep": bits}])
    for mode in ("unread", "unverified", "inconsistent"):
        assert found[mode] == [1, 0]
