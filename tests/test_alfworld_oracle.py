"""ALFWorld's rules against the original's own engine: TextWorld on the package's PDDL domain."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs.alfworld import ALFWorld
from jaxagent.envs.alfworld.affordances import OPENABLE
from jaxagent.envs.alfworld.pddl import make_game
from jaxagent.envs.alfworld.state import PLACES, TASKS, THINGS, State
from jaxagent.envs.alfworld.words import LISTED

pytestmark = pytest.mark.oracle
textworld = pytest.importorskip(
    "textworld", reason="the original is not installed: pip install 'jaxagent[alfworld-oracle]'"
)
pytest.importorskip("textworld.envs.pddl", reason="TextWorld's planner is not installed")

ENV = ALFWorld()
SCHEMA = ENV.schema
TURNS = 16

ORIGINAL = {
    "go": "go to {0}",
    "open": "open {0}",
    "close": "close {0}",
    "take": "take {0} from {1}",
    "put": "move {0} to {1}",
    "examine": "examine {0}",
    "use": "use {0}",
    "heat": "heat {0} with {1}",
    "cool": "cool {0} with {1}",
    "clean": "clean {0} with {1}",
    "slice": "slice {0} with {1}",
    "look": "look",
    "inventory": "inventory",
    "INVALID": "help me",
}
"""Verb -> the original's command (0.4.2)."""

SENTENCES = {
    "ARRIVED": "You arrive at {0}.",
    "OPENED": "You open the {0}.",
    "CLOSED": "You close the {0}.",
    "TOOK": "You pick up the {0} from the {1}.",
    "PUT": "You move the {0} to the {1}.",
    "TURNED_ON": "You turn on the {0}.",
    "HEATED": "You heat the {0} using the {1}.",
    "COOLED": "You cool the {0} using the {1}.",
    "CLEANED": "You clean the {0} using the {1}.",
    "CUT": "You sliced the {0} with the {1}.",
    "FACING": "You are facing the {0}. Next to it, you see nothing.",
    "MIDDLE": "You are in the middle of a room. Looking quickly around you, you see nothing.",
    "CARRYING": "You are carrying: a {0}.",
    "EMPTY_HANDED": "You are not carrying anything.",
    "IS_CLOSED": "The {0} is closed.",
    "INSIDE": "The {0} is open. In it, you see",
    "UPON": "On the {0}, you see",
    "PLAIN": "There's nothing special about {0}.",
}
"""Fact -> the original's sentence (0.4.2), up to the list of things."""

LISTS = ("SEES", "LAST_SEEN", "ONLY_SEEN")
MARKS = {"IS_CLEAN": "clean", "IS_HOT": "hot", "IS_COOL": "cool", "IS_SLICED": "sliced"}


class Record(NamedTuple):
    """What happened in episodes: arrays on leading axes episode and turn."""

    states: State
    commands: np.ndarray
    facts: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    valid: np.ndarray
    mask: np.ndarray


# Commands of every kind


def any_command(state: State, key: jax.Array) -> jax.Array:
    """A command about some thing, receptacle and tool of the room, or about what is not there."""
    numbers = jax.random.randint(key, (4,), 0, 2**16)
    place, thing, tool = numbers[0] % PLACES, numbers[1] % THINGS, numbers[2] % THINGS
    near = jnp.any(state.where == state.agent)
    thing = jnp.where(near & (numbers[3] % 2 > 0), jnp.argmax(state.where == state.agent), thing)
    at = jnp.minimum(state.agent, PLACES - 1)
    place = jnp.where(numbers[3] % 3 > 0, at, place)
    r = (SCHEMA.first_of("receptacle") + state.place_type[place].astype(jnp.int32).clip(0),
         state.place_number[place])  # fmt: skip
    o, t = (
        (SCHEMA.first_of("object") + state.thing_type[i].astype(jnp.int32).clip(0),
         state.thing_number[i]) for i in (thing, tool)
    )  # fmt: skip
    rows = [
        *(SCHEMA.command(verb, *r) for verb in ("go", "open", "close", "examine")),
        *(SCHEMA.command(verb, *o) for verb in ("examine", "use")),
        *(SCHEMA.command(verb, *o, *r) for verb in ("take", "put", "heat", "cool", "clean")),
        SCHEMA.command("slice", *o, *t),
        jnp.full(1 + SCHEMA.max_args, -1).at[0].set(0),
    ]
    return jnp.stack(rows)[jax.random.randint(jax.random.fold_in(key, 1), (), 0, len(rows))]


@cache
def _player() -> Any:
    """Compiled: keys and parameters -> what happened in as many episodes."""

    def turn(state: State, key: jax.Array) -> tuple[State, Any]:
        coin, choice, other = jax.random.split(key, 3)
        valid, mask = ENV.valid_commands(state, None)
        listed = valid[jax.random.categorical(choice, jnp.where(mask, 0.0, -jnp.inf))]
        options = jnp.stack([ENV.expert(state, None), listed, any_command(state, other)])
        command = options[(jax.random.uniform(coin) > jnp.array([0.5, 0.8])).sum()]
        after = ENV.step(state, command, None)
        seen = (command, after.facts, after.reward, after.terminated, valid, mask)
        return after.state, (state, *seen)

    def game(key: jax.Array, params: Any) -> Any:
        state, _ = ENV.reset(key, params)
        return jax.lax.scan(turn, state, jax.random.split(key, TURNS))[1]

    return jax.jit(jax.vmap(game, (0, None)))


def record(level: str, episodes: int, seed: int) -> Record:
    """Half of the commands are the expert's, three in ten are listed, the others are anything."""
    keys = jax.random.split(jax.random.key(seed), episodes)
    return Record(*jax.tree.map(np.asarray, _player()(keys, ENV.levels[level].params)))


# Both sides in the same terms


def names(args: list[int]) -> list[str]:
    """`mug 1` for every pair of concept and number."""
    pairs = zip(args[::2], args[1::2], strict=True)
    return [f"{SCHEMA.concepts[concept]} {number}" for concept, number in pairs]


def in_original(command: np.ndarray) -> str:
    """The original's words for a command row."""
    verb = SCHEMA.verbs[command[0]]
    return ORIGINAL[verb.name].format(*names(command[1 : 1 + len(verb.args)].tolist()))


def our_answer(facts: np.ndarray) -> tuple[str, frozenset[str]]:
    """The original's sentence for our facts, and what is listed or said of a thing."""
    text, listed = [], set()
    for kind, *args in facts.tolist():
        fact = SCHEMA.facts[kind]
        called = names(args[: len(fact.args)])
        if fact.error:
            return "Nothing happens.", frozenset()
        if fact.name in LISTS:
            listed.add(called[0])
        if fact.name in MARKS:
            listed |= {called[0], MARKS[fact.name]}
        if fact.name in SENTENCES:
            text.append(SENTENCES[fact.name].format(*called))
    return " ".join(text), frozenset(listed)


def their_answer(feedback: str) -> tuple[str, frozenset[str]]:
    """The original's sentence, and what it lists or says of a thing."""
    head, sees, tail = feedback.strip().partition(" you see")
    if sees and "Next to" not in head and "Looking" not in head:
        return head + sees, frozenset(re.findall(r"an? (\w+ \d+)", tail))
    if feedback.startswith("This is a "):
        words = feedback.removeprefix("This is a ").rstrip(".").replace("cold", "cool").split()
        marks = set(words[:-2]) - {"and"}
        return "", frozenset({*marks, " ".join(words[-2:])})
    return feedback.strip(), frozenset()


def crowded(state: State) -> bool:
    """Whether more things lie before the agent than are said."""
    return bool((state.where == state.agent).sum() > LISTED)


def hidden_slices(state: State) -> set[str]:
    """What the original slices through a closed door."""
    at = int(state.agent)
    if at >= PLACES or not OPENABLE[state.place_type[at]] or state.is_open[at]:
        return set()
    inside = np.flatnonzero(state.where == at)
    concepts = SCHEMA.first_of("object") + state.thing_type[inside].astype(int)
    return set(names(np.stack([concepts, state.thing_number[inside]], 1).ravel().tolist()))


def load(state: State) -> Any:
    """The original's game of an instance, its entities called as ours."""
    infos = textworld.EnvInfos(admissible_commands=True, won=True, feedback=True)
    game = textworld.envs.PddlEnv(infos)
    game.load(make_game(state))
    for info in game._entity_infos.values():
        info.name = " ".join(info.id.rsplit("_", 1))
    return game


# The comparison


def compare(level: str, episodes: int, seed: int) -> Counter[str]:
    """Replays episodes in the original; returns how often each fact and task was compared."""
    played = record(level, episodes, seed)
    counts: Counter[str] = Counter()
    for i in range(episodes):
        state = jax.tree.map(lambda leaf: leaf[i, 0], played.states)  # noqa: B023
        counts[TASKS[int(state.task)]] += 1
        game = load(state)
        seen = game.reset()
        for t in range(TURNS):
            state = jax.tree.map(lambda leaf: leaf[i, t], played.states)  # noqa: B023
            compare_admissible(state, played.valid[i, t][played.mask[i, t]], seen)
            seen, done = compare_turn(game, state, played, i, t)
            counts.update(SCHEMA.facts[kind].name for kind in played.facts[i, t, :, 0])
            if done:
                counts["done"] += 1
                break
    return counts


def compare_admissible(state: State, valid: np.ndarray, seen: Any) -> None:
    ours = {in_original(row) for row in valid}
    theirs = set(seen["admissible_commands"]) - {"help"}
    shut = hidden_slices(state)
    theirs -= {c for c in theirs if c.startswith("slice ") and c.split(" with ")[0][6:] in shut}
    if crowded(state):
        assert ours <= theirs
    else:
        assert ours == theirs


def compare_turn(game: Any, state: State, played: Record, i: int, t: int) -> tuple[Any, bool]:
    command = played.commands[i, t]
    words = in_original(command)
    if words.startswith("slice ") and words.split(" with ")[0][6:] in hidden_slices(state):
        words = ORIGINAL["INVALID"]
    seen, _, _ = game.step(words)
    sentence, listed = our_answer(played.facts[i, t])
    their_sentence, their_list = their_answer(seen.feedback)
    assert sentence == their_sentence, words
    assert listed == their_list or (len(listed) == LISTED and listed < their_list), words
    assert bool(played.terminated[i, t]) == seen["won"], words
    assert played.rewards[i, t] == seen["won"]
    return seen, seen["won"]


@pytest.mark.parametrize("level", ["easy", "medium"])
def test_original_agrees(level: str) -> None:
    counts = compare(level, episodes=3, seed=0)
    assert counts["ARRIVED"] > 0 and sum(counts[task] for task in TASKS) == 3


@pytest.mark.slow
def test_original_agrees_on_all_tasks_and_facts() -> None:
    counts: Counter[str] = Counter()
    for level, episodes in (("easy", 60), ("medium", 120), ("hard", 120)):
        counts += compare(level, episodes, seed=1)
    assert all(counts[task] >= 10 for task in TASKS), counts
    assert all(counts[name] > 0 for name in (*SENTENCES, *MARKS, *LISTS)), counts
    assert counts["done"] >= 50, counts
    never = {fact.name for fact in SCHEMA.own_facts if fact.step and not counts[fact.name]}
    assert not never, never
