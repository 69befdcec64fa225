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
from alfworld_rooms import a_room, command

from jaxagent.envs.alfworld import ALFWorld
from jaxagent.envs.alfworld.affordances import OPENABLE
from jaxagent.envs.alfworld.pddl import make_game
from jaxagent.envs.alfworld.state import IS_COOL, PLACES, TASKS, THINGS, State
from jaxagent.envs.alfworld.words import LISTED
from jaxagent.envs.environment import Transition

pytestmark = pytest.mark.oracle
textworld = pytest.importorskip(
    "textworld", reason="the original is not installed: pip install 'jaxagent[alfworld-oracle]'"
)
pytest.importorskip("textworld.envs.pddl", reason="TextWorld's planner is not installed")

ENV = ALFWorld()
SCHEMA = ENV.schema
TURNS = 12

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
    after: Transition
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
        row = options[(jax.random.uniform(coin) > jnp.array([0.5, 0.8])).sum()]
        after = ENV.step(state, row, None)
        return after.state, (state, row, after, valid, mask)

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


def in_original(row: np.ndarray) -> str:
    """The original's words for a command row."""
    verb = SCHEMA.verbs[row[0]]
    return ORIGINAL[verb.name].format(*names(row[1 : 1 + len(verb.args)].tolist()))


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
        state, *_ = _at(played, i, 0)
        counts[TASKS[int(state.task)]] += 1
        game = load(state)
        seen = game.reset()
        for t in range(TURNS):
            state, row, after, valid, mask = _at(played, i, t)
            compare_admissible(state, valid[mask], seen)
            seen = compare_turn(game, state, row, after)
            counts.update(SCHEMA.facts[kind].name for kind in after.facts[:, 0])
            if seen["won"]:
                counts["done"] += 1
                break
    return counts


def _at(played: Record, i: int, t: int) -> Record:
    """What happened in turn `t` of episode `i`."""
    return jax.tree.map(lambda leaf: leaf[i, t], played)


def compare_admissible(state: State, valid: np.ndarray, seen: Any) -> None:
    ours = {in_original(row) for row in valid}
    theirs = set(seen["admissible_commands"]) - {"help"}
    shut = hidden_slices(state)
    theirs -= {c for c in theirs if c.startswith("slice ") and c.split(" with ")[0][6:] in shut}
    if crowded(state):
        assert ours <= theirs
    else:
        assert ours == theirs


def compare_turn(game: Any, state: State, row: np.ndarray, after: Transition) -> Any:
    """What the original says to a command, which is what we say."""
    words = in_original(row)
    if words.startswith("slice ") and words.split(" with ")[0][6:] in hidden_slices(state):
        words = ORIGINAL["INVALID"]
    seen, _, _ = game.step(words)
    sentence, listed = our_answer(np.asarray(after.facts))
    their_sentence, their_list = their_answer(seen.feedback)
    assert sentence == their_sentence, words
    assert listed == their_list or (len(listed) == LISTED and listed < their_list), words
    assert bool(after.terminated) == bool(after.success) == seen["won"], words
    assert after.reward == seen["won"], words
    return seen


@pytest.mark.parametrize("level", ["easy", "medium"])
def test_original_agrees(level: str) -> None:
    counts = compare(level, episodes=3, seed=0)
    assert counts["ARRIVED"] > 0 and sum(counts[task] for task in TASKS) == 3


def test_original_agrees_on_every_fact() -> None:
    """A session by hand in which everything is said, errors included."""
    start = a_room(
        "counter_top fridge microwave sink_basin drawer side_table",
        "knife@0 apple@0 mug@1 bread@4 bread@0 desk_lamp@5",
        task="cool",
        target="apple",
        goal="side_table",
    )
    start = start.replace(marks=start.marks.at[2].set(IS_COOL))
    game = load(jax.tree.map(np.asarray, start))
    seen, state, said = game.reset(), start, Counter()
    options = jax.jit(lambda state: ENV.valid_commands(state, None))
    step = jax.jit(lambda state, row: ENV.step(state, row, None))
    for row in session():
        valid, mask = map(np.asarray, options(state))
        compare_admissible(jax.tree.map(np.asarray, state), valid[mask], seen)
        after = step(state, row)
        host = jax.tree.map(np.asarray, state)
        seen, state = compare_turn(game, host, np.asarray(row), after), after.state
        said.update(SCHEMA.facts[kind].name for kind in np.asarray(after.facts)[:, 0])
    assert not {fact.name for fact in SCHEMA.own_facts if fact.step and not said[fact.name]}


def session() -> list[jax.Array]:
    """Commands that bring about every fact in the room above."""
    top, drawer, table = ("counter_top", 1), ("drawer", 1), ("side_table", 1)
    fridge, microwave, sink = ("fridge", 1), ("microwave", 1), ("sink_basin", 1)
    knife, apple, mug, bread = ("knife", 1), ("apple", 1), ("mug", 1), ("bread", 2)
    lamp = ("desk_lamp", 1)
    return [
        jnp.full(1 + SCHEMA.max_args, -1).at[0].set(0),
        *(command(verb) for verb in ("look", "inventory")),
        command("go", "fridge", 2),
        command("go", *top),
        command("go", *top),
        command("look"),
        command("examine", *apple),
        command("examine", *fridge),
        command("take", *knife, *top),
        command("take", *apple, *top),
        command("inventory"),
        command("examine", *knife),
        command("open", *top),
        *(command("slice", *thing, *knife) for thing in (apple, mug, knife, bread)),
        command("slice", *apple, *mug),
        command("put", *apple, *top),
        command("go", *drawer),
        command("slice", "bread", 1, *knife),
        *(command(verb, *drawer) for verb in ("close", "open", "examine", "open", "close")),
        command("put", *knife, *drawer),
        command("open", *drawer),
        command("put", *knife, *drawer),
        command("go", *top),
        command("examine", *top),
        command("take", *apple, *top),
        command("take", *mug, *top),
        command("examine", *apple),
        command("clean", *apple, *sink),
        command("go", *sink),
        command("put", "knife", 1, *sink),
        command("clean", *apple, *sink),
        command("heat", *apple, *sink),
        command("examine", *apple),
        command("go", *microwave),
        command("heat", *apple, *microwave),
        command("examine", *apple),
        command("go", *table),
        *(command("use", *thing) for thing in (lamp, apple, lamp)),
        command("take", *lamp, *table),
        command("put", *apple, *table),
        command("take", *lamp, *table),
        command("take", *apple, *table),
        command("go", *fridge),
        command("cool", *apple, *fridge),
        command("open", *fridge),
        command("examine", *apple),
        command("put", *apple, *fridge),
        command("take", *mug, *fridge),
        command("examine", *mug),
        command("go", *drawer),
        command("put", *mug, *drawer),
        command("go", *fridge),
        command("put", *mug, *fridge),
        command("take", *apple, *fridge),
        command("go", *table),
        command("put", *apple, *table),
    ]


@pytest.mark.slow
def test_original_agrees_on_all_tasks() -> None:
    counts: Counter[str] = Counter()
    for level, episodes in (("easy", 60), ("medium", 120), ("hard", 120)):
        counts += compare(level, episodes, seed=1)
    assert all(counts[task] >= 10 for task in TASKS), counts
    assert counts["done"] >= 50, counts
