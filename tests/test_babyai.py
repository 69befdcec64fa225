"""BabyAI: generator, macros, messages and expert against plain rules."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from env_play import play

from jaxagent.envs import SPLITS
from jaxagent.envs.babyai import BabyAI, original
from jaxagent.envs.babyai import state as ours
from jaxagent.envs.babyai.commands import path_of, understand
from jaxagent.envs.babyai.generator import generate
from jaxagent.envs.babyai.holdout import IS_HELD_OUT
from jaxagent.envs.babyai.params import make_params
from jaxagent.envs.babyai.rules import primitive
from jaxagent.envs.babyai.view import look
from jaxagent.text import Voice, compile_language

ENV, ORIGINALS = BabyAI(), original()
LANGUAGE = compile_language([ENV])
VOICE = Voice(*[jnp.int32(0)] * 4)
BATCH = 48
_reset = jax.jit(jax.vmap(ENV.reset, in_axes=(0, None)))
_steps = jax.jit(jax.vmap(ENV.step, in_axes=(0, 0, None)))
_experts = jax.jit(jax.vmap(ENV.expert, in_axes=(0, None)))
_step, _expert = jax.jit(ENV.step), jax.jit(ENV.expert)
_valid = jax.jit(ENV.valid_commands)
_primitive = jax.jit(primitive)
_generate = jax.jit(jax.vmap(partial(generate, size=16, objects=32), in_axes=(0, None)))


def instances(level: str, seed: int = 0):
    """A batch of states, always of one size so that one program draws them all."""
    return _reset(jax.random.split(jax.random.key(seed), BATCH), ENV.levels[level].params)[0]


def pick(tree, index: int):
    return jax.tree.map(lambda leaf: leaf[index], tree)


def equal(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True))


def random_command(state, generator: np.random.Generator):
    commands, mask = map(np.asarray, _valid(state, None))
    return jnp.asarray(generator.choice(commands[mask]))


def solved(level: str, seed: int) -> np.ndarray:
    """Which instances of a batch the expert solves within the turn limit."""
    states = instances(level, seed)
    for _ in range(ENV.levels[level].turn_limit):
        states = _steps(states, _experts(states, None), None).state
    return np.asarray(states.progress.status == ours.SUCCESS)


def test_expert_solves_easy() -> None:
    assert solved("easy", 7).all()


@pytest.mark.slow
@pytest.mark.parametrize("level", ENV.levels)
def test_expert_solves_every_level_in_time(level: str) -> None:
    assert np.mean([solved(level, seed) for seed in range(20, 32)]) >= 0.99


@pytest.mark.slow
def test_random_commands_seldom_succeed() -> None:
    assert play(ENV, "medium", chance=1.0, episodes=1024).solved.mean() < 0.3


def walkable_from(state, start: tuple) -> set:
    """Cells reached from `start` through floor and doors of any state, and the cells beside."""
    blocked = {tuple(p) for p, k in zip(state.position, state.kind, strict=True) if 0 <= k < 3}
    seen, stack = set(), [start]
    while stack:
        x, y = stack.pop()
        if (x, y) in seen or state.walls[y, x]:
            continue
        seen.add((x, y))
        if (x, y) not in blocked:
            stack += [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
    return seen


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_instances_are_sound(level: str) -> None:
    states, blocked = instances(level), 0
    for index in range(BATCH):
        state = jax.tree.map(np.asarray, pick(states, index))
        there = state.kind >= 0
        cells = [tuple(int(v) for v in p) for p in state.position[there]]
        agent = tuple(int(v) for v in state.agent.position)
        assert len(set(cells)) == len(cells) and agent not in cells
        assert not any(state.walls[y, x] for x, y in (*cells, agent))
        blocked += not set(cells) <= walkable_from(state, agent)
        assert (state.position[~there] == -1).all()
        kinds = state.mission.kind
        assert kinds[0] >= 0 and state.mission.first[kinds >= 0].any(1).all()
        assert int(state.progress.status) == ours.RUNNING
    assert blocked == 0 if level != "hard" else blocked < 10


def described(words, state, place_ok) -> np.ndarray:
    fits = (state.kind >= 0) & ((words.kind == state.kind) | ((words.kind < 0) & (state.kind < 3)))
    fits &= (words.color < 0) | (state.color == words.color)
    return fits & place_ok


def in_place(state, place: int, room: int) -> np.ndarray:
    """BabyAI's rule of places: in the agent's room, by the sign of a scalar product."""
    if place < 0:
        return np.ones(len(state.kind), bool)
    position, agent = state.position.astype(int), state.agent.position.astype(int)
    top = agent // (room - 1) * (room - 1)
    forward = [(1, 0), (0, 1), (-1, 0), (0, -1)][int(state.agent.direction)]
    offset, right = position - agent, np.array([-forward[1], forward[0]])
    score = [-(offset @ right), offset @ right, offset @ forward, -(offset @ forward)][place]
    return (score > 0) & ((position >= top) & (position < top + room)).all(1)


@pytest.mark.parametrize("place", [0.0, 1.0])
def test_clauses_are_about_what_they_describe(place: float) -> None:
    params = make_params(
        rows=2,
        cols=2,
        room=6,
        objects=(8, 10),
        clauses=(1, 1, 1, 1),
        forms=(1, 1, 1),
        joined=0.5,
        doors_meant=True,
        by_color=0.5,
        by_kind=0.7,
        by_place=place,
    )
    states, clauses = _generate(jax.random.split(jax.random.key(3), 64), params)
    states, clauses = jax.tree.map(np.asarray, (states, clauses))
    for index in range(64):
        state, clause = pick(states, index), pick(clauses, index)
        for row in np.flatnonzero(state.mission.kind >= 0):
            sets = [(state.mission.first[row], pick(clause.first_words, row))]
            if state.mission.kind[row] == ours.PUT_NEXT:
                sets.append((state.mission.second[row], pick(clause.second_words, row)))
                assert not (sets[0][0] & sets[1][0]).any()
            for members, words in sets:
                expected = described(words, state, in_place(state, int(words.place), 6))
                np.testing.assert_array_equal(members, expected)
                assert bool(words.many) == (members.sum() > 1)


def test_nothing_is_lost_or_doubled() -> None:
    generator = np.random.default_rng(0)
    states = instances("medium", seed=5)
    for index in range(4):
        state = pick(states, index)
        count = int((state.kind >= 0).sum())
        for _ in range(25):
            state = _step(state, random_command(state, generator), None).state
            cells = [tuple(p) for p in np.asarray(state.position).tolist() if p[0] >= 0]
            assert len(set(cells)) == len(cells)
            assert len(cells) + (int(state.agent.carries) >= 0) == count
            assert tuple(np.asarray(state.agent.position).tolist()) not in [
                tuple(np.asarray(p).tolist())
                for p, kind, door in zip(state.position, state.kind, state.door, strict=True)
                if not (kind == ours.DOOR and door == ours.OPEN)
            ]


@jax.jit
def _plan(state, command):
    view = look(state, ENV.seen)
    plan = understand(ENV.schema, state, view, command)
    return plan, path_of(state, view, plan)


def test_a_macro_is_its_primitives_up_to_the_first_without_effect() -> None:
    generator = np.random.default_rng(1)
    states = instances("hard", seed=2)
    for index in range(6):
        state = pick(states, index)
        for _ in range(12):
            command = random_command(state, generator)
            plan, path = _plan(state, command)
            expected = state
            for action in (*path.actions[: int(path.length)].tolist(), *plan.tail.tolist()):
                if action < 0 or int(expected.progress.status) != ours.RUNNING:
                    break
                expected, effect = _primitive(expected, np.int32(action))
                if not bool(effect):
                    break
            state = _step(state, command, None).state
            assert equal(state, expected)


def test_a_macro_stops_when_the_mission_is_over() -> None:
    """The text version walks on through the door it was to open, and loses the success."""
    level = ORIGINALS.levels["OpenRedDoor"]
    state = pick(_reset(jax.random.split(jax.random.key(0), BATCH), level.params)[0], 0)
    for _ in range(level.turn_limit):
        transition = _step(state, _expert(state, None), None)
        state = transition.state
        if bool(transition.terminated):
            break
    assert int(state.progress.status) == ours.SUCCESS
    share = int(state.progress.steps) / int(state.max_steps)
    assert float(transition.reward) == pytest.approx(1 - 0.9 * share)
    doors = np.asarray(state.position)[np.asarray(state.kind) == ours.DOOR]
    assert np.asarray(state.agent.position).tolist() not in doors.tolist()


def test_what_ends_stays_ended() -> None:
    state = pick(instances("easy"), 0)
    for _ in range(8):
        state = _step(state, _expert(state, None), None).state
    again = _step(state, ENV.schema.command("left"), None)
    assert bool(again.terminated) and float(again.reward) == 0 and equal(again.state, state)


def said(facts) -> str:
    return LANGUAGE.vocabulary.decode(LANGUAGE.say(facts, VOICE, 96)[0])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("nonsense", "unknown"),
        ("drop", "empty"),
        ("get red ball 9", "unknown"),
        ("toggle", "unknown"),
    ],
)
def test_objections(text: str, answer: str) -> None:
    state = pick(instances("easy"), 0)
    tokens = jnp.asarray([*LANGUAGE.vocabulary.encode(text), 2, 0, 0, 0, 0])
    transition = _step(state, LANGUAGE.read(tokens, VOICE), None)
    assert said(transition.facts) == answer
    assert equal(transition.state, state)


def test_batch_equals_loop() -> None:
    states = instances("hard", seed=9)
    commands = _experts(states, None)
    together = _steps(states, commands, None)
    for index in range(6):
        assert equal(pick(commands, index), _expert(pick(states, index), None))
        one = _step(pick(states, index), commands[index], None)
        assert equal(pick(together, index), one)


@pytest.mark.slow
def test_jit_equals_eager() -> None:
    params = ENV.levels["hard"].params
    state, facts = ENV.reset(jax.random.key(4), params)
    assert equal((state, facts), jax.jit(ENV.reset)(jax.random.key(4), params))
    command = ENV.expert(state, params)
    assert equal(command, _expert(state, None))
    assert equal(ENV.step(state, command, params), _step(state, command, None))
    assert equal(ENV.valid_commands(state, params), _valid(state, None))


def test_fingerprints_tell_states_apart() -> None:
    states = instances("medium")
    prints = jax.vmap(ENV.fingerprint)(states)
    assert len(np.unique(prints)) == BATCH
    np.testing.assert_array_equal(prints, jax.vmap(ENV.fingerprint)(states))


@pytest.mark.parametrize("knobs", [{"rows": 4}, {"room": 3}, {"colour": 1}])
def test_bad_knobs_are_named(knobs: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(knobs))):
        make_params(**knobs)


def test_a_level_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="'medium' needs 9"):
        BabyAI(size=8, objects=20)


@pytest.mark.slow
def test_expert_solves_the_original_levels() -> None:
    def is_solved(key, params):
        def turn(state, _):
            return ORIGINALS.step(state, ORIGINALS.expert(state, params), params).state, None

        state, _ = jax.lax.scan(turn, ORIGINALS.reset(key, params)[0], length=128)
        return state.progress.status == ours.SUCCESS

    played = jax.jit(jax.vmap(is_solved, in_axes=(0, None)))
    keys = jax.random.split(jax.random.key(1), 64)
    solved = {name: played(keys, each.params).mean() for name, each in ORIGINALS.levels.items()}
    assert min(solved.values()) >= 0.95, solved


# What the unseen split holds out


@pytest.mark.parametrize("level", ENV.levels)
def test_missions_are_about_names_of_their_split(level: str) -> None:
    """By the sets of objects themselves: all of one name held out in unseen, of none in seen."""
    keys = jax.random.split(jax.random.key(4), BATCH)
    for split in SPLITS:
        states = jax.tree.map(np.asarray, _reset(keys, ENV.levels[level].params_of(split))[0])
        for n in range(BATCH):
            state = pick(states, n)
            sets = [*state.mission.first, *state.mission.second]
            names = [{tuple(row) for row in _names(state)[mask]} for mask in sets if mask.any()]
            held = [len(each) == 1 and each <= HELD_OUT for each in names]
            assert held[0] if split == "unseen" else not any(held)
            ids = [i for i in _contents(states)[n].tolist() if i >= 0]
            assert all({(i // 6, i % 6)} <= HELD_OUT for i in ids) == (split == "unseen" or not ids)


def _names(state) -> np.ndarray:
    return np.stack([state.kind, state.color], axis=1)


HELD_OUT = {tuple(map(int, divmod(name, 6))) for name in np.flatnonzero(IS_HELD_OUT)}
_contents = jax.jit(jax.vmap(ENV.content))


def test_one_name_of_every_kind_is_held_out_and_lies_about_in_training() -> None:
    assert sorted(kind for kind, _ in HELD_OUT) == [ours.KEY, ours.BALL, ours.BOX]
    states = jax.tree.map(np.asarray, instances("hard"))
    lying = {tuple(row) for n in range(BATCH) for row in _names(pick(states, n)).tolist()}
    assert lying >= HELD_OUT


def test_levels_without_a_choice_of_names_hold_nothing_out() -> None:
    split = {name for name, level in ORIGINALS.levels.items() if level.unseen is not None}
    assert {"GoToLocal", "Pickup", "PutNextLocal", "BossLevel"} <= split
    assert not {"GoToRedBall", "OneRoomS8", "OpenDoorLoc", "UnlockLocal"} & split


@pytest.mark.slow
def test_originals_hold_names_out_as_well() -> None:
    """Levels in which names are random, distinct, or about any of 18 objects."""
    reset = jax.jit(jax.vmap(ORIGINALS.reset, in_axes=(0, None)))
    content = jax.jit(jax.vmap(ORIGINALS.content))
    keys = jax.random.split(jax.random.key(6), BATCH)
    for name in ("GoToLocal", "PickupDist", "PutNextLocal", "SynthLoc", "BossLevel"):
        level = ORIGINALS.levels[name]
        ids = [np.asarray(content(reset(keys, level.params_of(s))[0])) for s in SPLITS]
        held = [set(each.ravel().tolist()) & set(np.flatnonzero(IS_HELD_OUT)) for each in ids]
        assert not held[0] and len(held[1]) == 3
        assert (ids[1] >= 0).any(1).all()
