"""Playing: an episode at the terminal, by hand or by a policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxagent.envs import Suite, evaluation_keys, fill_pool, make_suite
from jaxagent.models import Params
from jaxagent.rl.actor import Actor
from jaxagent.rl.evaluation import episode_key, play_episodes
from jaxagent.rl.imitation import Expert
from jaxagent.rl.player import Player
from jaxagent.rl.window import Window
from jaxagent.study.policies import open_policy
from jaxagent.study.text_env import TextEnv, shown
from jaxagent.study.transcript import transcript

DEFAULT_CONTEXT = 1024
"""Tokens of an episode at most, for players that were trained with no limit of their own."""


def make_player(
    name: str, suite: Suite, context: int | None = None
) -> tuple[Player, Params, Window]:
    """The player called `name`: `expert`, `random` (valid commands), or a policy that was kept.

    Args:
        name: of the player; for policies see `jaxagent.study.policies.open_policy`.
        suite: in which it plays.
        context: tokens of an episode at most; by default those that it was trained with.

    Returns:
        The player, its parameters, and a window of one row with the limits of its episodes.

    Raises:
        ValueError: there is no such player, or an episode of the suite does not fit the context.
    """
    limits: Window | None = None
    if name in ("expert", "random"):
        player, params = Expert(suite, noise=float(name == "random")), {}
    else:
        policy, params, _, limits = open_policy(name, suite)
        player = Actor(policy, suite)
    window = limits or Window(context=DEFAULT_CONTEXT)
    if context is not None:
        window = replace(window, context=context)
    window = replace(window, rows=1, turns=1)
    window.check(suite)
    return player, params, window


def watch(task: str, policy: str, instance: int, seed: int, context: int | None = None) -> str:
    """One episode of a policy as plain text: its words, or in `prose` what they say in English."""
    suite = make_suite([task])
    player, params, window = make_player(policy, suite, context)
    number = jnp.array([instance])
    pool = fill_pool(suite, evaluation_keys(number), jnp.zeros(1, jnp.int32))
    own = episode_key(jax.random.key(seed), number[0], jnp.int32(0))
    play = jax.jit(partial(play_episodes, player, window=window))
    _, script = play(params, pool, own[None])
    text = transcript(suite, jax.tree.map(lambda x: np.asarray(x[0]), script))
    return "\n".join(shown(suite, line) for line in text.splitlines())


def play_by_hand(
    task: str, instance: int, ask: Callable[[str], str], tell: Callable[[str], None]
) -> None:
    """An episode in which a person says the commands; an empty line or end of input stops it."""
    env, total = TextEnv(task), 0.0
    tell(env.reset(instance))
    for turn in range(env.turn_limit):
        try:
            line = ask("> ").strip()
        except EOFError:
            line = ""
        if not line:
            tell(f"(left after {turn} turns)")
            return
        text, reward, terminated, _, _ = env.step(line)
        total += reward
        tell(text)
        if terminated:
            tell(f"(the end, behind {turn + 1} turns, return {total:.2f})")
            return
    tell(f"(the {env.turn_limit} turns are up, return {total:.2f})")
