"""The check of environments: the good ones pass, and every kind of mistake is named."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import pytest
from probes import DELAYED, READ, SCHEMA, Probe

from jaxagent.envs.check import check_environment
from jaxagent.envs.environment import Level
from jaxagent.envs.registry import ENVIRONMENTS
from jaxagent.text import Phrases, Schema, fact, verb


@pytest.mark.parametrize("probe", [READ, DELAYED], ids=lambda probe: probe.name)
def test_a_good_environment_passes(probe):
    check_environment(probe, episodes=8)


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.name)
def test_registered_environments_pass(environment):
    check_environment(environment, episodes=128)


def complaints(environment) -> str:
    with pytest.raises(ValueError) as caught:
        check_environment(environment, episodes=8)
    text = str(caught.value)
    assert text.startswith(f"environment {environment.name!r}:\n- ")
    return text


class Bare:
    """Nothing but a name and a wrong bound."""

    name = "bare"
    max_commands = "many"


def test_missing_attributes_are_all_named():
    text = complaints(Bare())
    for name in ("schema", "phrases", "levels", "reset", "step", "expert", "content"):
        assert f"- {name}: " in text
    assert "max_commands: is 'many', expected a int" in text


@dataclass(frozen=True, eq=False)
class Reworded(Probe):
    """Words with a mistake in every interface and category."""

    schema: Schema = Schema(
        {"colour": ("red", "Green", "light blue")},
        (fact("SHOWN", colour="colour", first=-1), fact("STRANGE", first=1, error=True)),
        (verb("say", colour="colour"),),
    )

    @property
    def phrases(self):
        terse = Phrases({"SHOWN": "see {color}", "STRANGE": "What"}, {"say": "say {colour}"})
        prose = Phrases({"SHOWN": "<end> {colour}", "ODD": "odd"}, {"say": "say {colour}"})
        return {"terse": terse, "prose": prose, "song": prose}


def test_mistakes_in_the_words_are_all_named():
    text = complaints(Reworded("re/worded"))
    for part in (
        "name 're/worded': expected a word without",
        "categories, colour: 'Green' is not one lower-case word",
        "categories, colour: 'light blue' is not one lower-case word",
        "SHOWN: first=-1",
        "STRANGE: first=1, step=1 with error=True",
        "terse facts, SHOWN: slot {color} is not an argument",
        "terse facts, STRANGE: 'What' is reserved or not lower-case",
        "prose facts: no template for STRANGE",
        "prose facts: ODD is not a fact of the schema",
        "prose facts, SHOWN: '<end>' is reserved",
        "phrases: 'song' is not one of terse, prose",
    ):
        assert part in text


@dataclass(frozen=True, eq=False)
class Ambiguous(Probe):
    @property
    def phrases(self):
        call = super().phrases["call"]
        return {**super().phrases, "call": replace(call, verbs={"say": "{colour}", "wait": "red"})}


def test_ambiguous_verbs_are_named():
    assert "call: wait and say could be read from one sentence" in complaints(Ambiguous("a"))


@dataclass(frozen=True, eq=False)
class Uneven(Probe):
    @property
    def levels(self):
        easy = super().levels["easy"]
        return {
            "easy": easy,
            "hard": Level({"colors": np.int32(4)}, 0, unseen=np.int32(4)),
            "wide": Level({"colours": np.float32(4)}, 1),
        }


def test_levels_that_differ_are_named():
    text = complaints(Uneven("uneven"))
    assert "level hard: turn_limit is 0, expected a positive integer" in text
    assert "level hard: params differ in structure from the params of easy" in text
    assert "level hard: unseen differ in structure from the params of easy" in text
    assert "level wide: params are {'colours': 'float32[]'}" in text


@dataclass(frozen=True, eq=False)
class Misshapen(Probe):
    max_commands: int = 4

    def step(self, state, command, params):
        after = super().step(state, command, params)
        state = replace(after.state, turn=after.state.turn.astype(jnp.int16))
        return replace(after, state=state, reward=jnp.int32(0), facts=after.facts[:, :1])

    def fingerprint(self, state):
        return state.turn


def test_wrong_shapes_are_all_named():
    text = complaints(Misshapen("misshapen"))
    for part in (
        "step, facts: is int32[3, 1], expected int32[n, 3]",
        "step, reward: is int32[], expected float32[]",
        "step, state.turn: int32[] became int16[]",
        "valid_commands, commands: is int32[5, 3], expected int32[4, 3]",
        "valid_commands, mask: is bool[5], expected bool[4]",
        "fingerprint: is int32[], expected uint32[]",
    ):
        assert part in text


@dataclass(frozen=True, eq=False)
class Untraceable(Probe):
    def expert(self, state, params):
        return SCHEMA.command("wait" if state.turn > 0 else "say", 100)


def test_a_method_that_cannot_be_traced_is_told():
    assert "a method cannot be traced: TracerBoolConversionError" in complaints(Untraceable("u"))


@dataclass(frozen=True, eq=False)
class Careless(Probe):
    """Facts out of bounds, errors for valid commands, rewards for nothing, a lost expert."""

    def reset(self, key, params):
        state, facts = super().reset(key, params)
        return state, jnp.concatenate([facts, facts.at[:, 1].set(7)])

    def step(self, state, command, params):
        after = super().step(state, command, params)
        error = jnp.where(command[0] == 0, 0, SCHEMA.fact_id("STRANGE"))
        facts = after.facts.at[:2, 0].set(error)
        no, yes = jnp.bool_(False), jnp.bool_(True)
        return replace(after, facts=facts, reward=jnp.float32(1), terminated=no, success=yes)

    def valid_commands(self, state, params):
        rows, mask = super().valid_commands(state, params)
        return rows.at[0, 1].set(3), mask


def test_mistakes_in_play_are_all_named():
    text = complaints(Careless("careless"))
    for part in (
        "level easy, first message: SHOWN occurs 2 times in a message, expected at most first=1",
        "level easy, first message: SHOWN.colour is 7, expected colour (100 … 103)",
        "level easy, step: STRANGE occurs 2 times in a message, expected at most step=1",
        "level easy, step: a message holds two errors, expected at most one",
        "level easy: a step with success did not terminate",
        "gives an error",
        "level easy: a command that cannot be read gives no error",
        "level easy: commands that cannot be read give a reward",
        "level easy: the expert solves 0.0 % of 8 instances in 1 turns, expected at least 99 %",
        "command say(3) is not read as it is written",
    ):
        assert part in text


@dataclass(frozen=True, eq=False)
class Shapeless(Probe):
    """Says what no shape of its schema allows."""

    schema: Schema = replace(SCHEMA, shapes=(("WAIT", "ASKED"),))


def test_messages_of_no_shape_are_named():
    expected = "level easy, first message: a message of SHOWN, expected one of the schema's shapes"
    assert expected in complaints(Shapeless("shapeless"))
    check_environment(
        Shapeless("shaped", schema=replace(SCHEMA, shapes=(("SHOWN",), ("WAIT",)))), 8
    )
