"""Primitive actions, view and mission against the minigrid package."""

from __future__ import annotations

from functools import partial

import gymnasium
import jax
import numpy as np
import pytest
from minigrid.utils.baby_ai_bot import BabyAIBot
from minigrid_import import import_state, make_level, positions

from jaxagent.envs.babyai import state as ours
from jaxagent.envs.babyai.rules import primitive, reward
from jaxagent.envs.babyai.view import ROW, SIDE, look

SIZE, ROWS, SEEN = 22, 40, 20
_primitive, _reward = jax.jit(primitive), jax.jit(reward)
_look = jax.jit(partial(look, seen=SEEN))

LEVELS = (
    "GoToRedBall-v0",
    "GoToLocal-v0",
    "GoToObjMazeS5-v0",
    "GoToImpUnlock-v0",
    "GoToSeqS5R2-v0",
    "GoToDoor-v0",
    "OpenDoorLoc-v0",
    "OpenRedBlueDoorsDebug-v0",
    "OpenDoorsOrderN4Debug-v0",
    "PickupLoc-v0",
    "PickupDistDebug-v0",
    "UnblockPickup-v0",
    "PutNextLocalS6N4-v0",
    "PutNextS5N2Carrying-v0",
    "MoveTwoAcrossS5N2-v0",
    "UnlockLocalDist-v0",
    "KeyInBox-v0",
    "BlockedUnlockPickup-v0",
    "ActionObjDoor-v0",
    "KeyCorridorS3R3-v0",
    "SynthS5R2-v0",
    "SynthSeq-v0",
    "MiniBossLevel-v0",
    "BossLevel-v0",
)
BOT_LEVELS = tuple(
    name
    for name in LEVELS
    if name.split("-")[0]
    not in ("KeyInBox", "PutNextS5N2Carrying", "GoToImpUnlock", "OpenDoorsOrderN4Debug")
)


def check_world(env: gymnasium.Env, state: ours.State, objects: list) -> None:
    """Pose, hands, and where everything is."""
    np.testing.assert_array_equal(state.agent.position, env.agent_pos)
    assert int(state.agent.direction) == env.agent_dir
    carried = None if int(state.agent.carries) < 0 else objects[int(state.agent.carries)]
    assert carried is env.carrying
    np.testing.assert_array_equal(state.position, positions(env, objects, ROWS))
    for row, each in enumerate(objects):
        if each.type == "door":
            assert int(state.door[row]) == each.encode()[2]


def check_view(env: gymnasium.Env, state: ours.State, objects: list) -> None:
    """Visible cells, obstacles and objects against the 7 x 7 image."""
    image, view = env.gen_obs()["image"], _look(state)
    seen = np.unpackbits(np.asarray(view.visible)[:SIDE, None], axis=1, bitorder="little")[:, :SIDE]
    np.testing.assert_array_equal(seen.T.astype(bool), image[:, :, 0] != 0)
    expected = {}
    for row in range(SIDE):
        for column in range(SIDE):
            kind, color, door = image[column, row]
            if kind in (4, 5, 6, 7) and (row, column) != (ROW, 3):
                thing = 3 + door if kind == 4 else kind - 5
                expected[(ROW - row, column - 3)] = (int(color), int(thing))
    there = np.asarray(view.there)
    found = {
        (int(view.ahead[k]), int(view.side[k])): (int(view.color[k]), int(view.thing[k]))
        for k in np.flatnonzero(there)
    }
    assert found == expected
    distance = [abs(int(a)) + abs(int(s)) for a, s in zip(view.ahead, view.side, strict=True)]
    assert distance[: there.sum()] == sorted(distance[: there.sum()])


def check_step(env: gymnasium.Env, state: ours.State, objects: list, action: int) -> tuple:
    """The same primitive on both sides; the new state and whether the episode ends."""
    _, gained, over, late, _ = env.step(action)
    state, _ = _primitive(state, np.int32(action))
    check_world(env, state, objects)
    check_view(env, state, objects)
    assert (int(state.progress.status) != ours.RUNNING) == over
    assert (int(state.progress.status) == ours.SUCCESS) == (gained > 0)
    if gained > 0:
        assert float(_reward(state)) == pytest.approx(gained, abs=1e-6)
    return state, over or late


def play_random(name: str, seed: int, steps: int) -> None:
    env = make_level(name, seed)
    state, objects = import_state(env, SIZE, ROWS)
    check_world(env, state, objects)
    check_view(env, state, objects)
    generator = np.random.default_rng(seed)
    for _ in range(steps):
        action = generator.choice(6, p=[0.15, 0.15, 0.35, 0.12, 0.1, 0.13])
        state, over = check_step(env, state, objects, int(action))
        if over:
            return


def play_bot(name: str, seed: int, steps: int) -> bool:
    """Plays MiniGrid's own expert with some noise; whether it succeeded."""
    env = make_level(name, seed)
    state, objects = import_state(env, SIZE, ROWS)
    bot, action = BabyAIBot(env), None
    for _ in range(steps):
        try:
            action = int(bot.replan(action))
        except AssertionError:
            return False
        state, over = check_step(env, state, objects, action)
        if over:
            return int(state.progress.status) == ours.SUCCESS
    return False


@pytest.mark.parametrize("name", LEVELS[::2])
def test_random_primitives_agree(name: str) -> None:
    play_random(name, seed=3, steps=40)


@pytest.mark.parametrize("name", BOT_LEVELS[1::3])
def test_the_original_expert_succeeds_in_both(name: str) -> None:
    assert play_bot(name, seed=5, steps=200)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("seed", range(10, 17))
def test_random_primitives_agree_at_length(name: str, seed: int) -> None:
    play_random(name, seed, steps=150)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOT_LEVELS)
def test_the_original_expert_succeeds_in_both_often(name: str) -> None:
    assert sum(play_bot(name, seed, steps=400) for seed in range(20, 25)) >= 4
