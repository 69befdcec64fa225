"""ALFWorld: its table, words, rooms, rules, experts and shapes."""

from __future__ import annotations

import importlib.util
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alfworld_rooms import a_room, command

from jaxagent.envs.alfworld import ALFWorld, plan
from jaxagent.envs.alfworld.affordances import (
    CAN_CONTAIN,
    IS_LAMP,
    OBJECTS,
    OPENABLE,
    RECEPTACLES,
    TABLE,
)
from jaxagent.envs.alfworld.generator import CROWD
from jaxagent.envs.alfworld.planner import LONGEST
from jaxagent.envs.alfworld.quests import APPLIANCE, QUEST_COUNT, QUESTS
from jaxagent.envs.alfworld.state import (
    ABSENT,
    HELD,
    IS_COOL,
    IS_HOT,
    LIGHT,
    MIDDLE,
    PLACES,
    TWO,
    WANTED,
    State,
)
from jaxagent.envs.check import check_environment
from jaxagent.envs.environment import SPLITS
from jaxagent.text import ERRORS, INTERFACES, LEXICONS, Voice, compile_language

ENV = ALFWorld()
SCHEMA = ENV.schema
EPISODES, TURNS = 200, 50
CASES = [(level, split) for level in ENV.levels for split in SPLITS]

each_level = pytest.mark.parametrize("level", ENV.levels)
each_case = pytest.mark.parametrize(("level", "split"), CASES)

_reset = jax.jit(jax.vmap(ENV.reset, (0, None)))
_step = jax.jit(lambda state, command: ENV.step(state, command, None))
_plan = jax.jit(jax.vmap(plan))
_listed = jax.jit(jax.vmap(lambda state: ENV.valid_commands(state, None)))
_step_all = jax.jit(jax.vmap(jax.vmap(lambda s, c: ENV.step(s, c, None), (None, 0))))
_content = jax.jit(jax.vmap(ENV.content))
_hashes = jax.jit(jax.vmap(ENV.fingerprint))


@cache
def instances(level: str, split: str = "seen") -> tuple[State, np.ndarray]:
    """States and first messages of `EPISODES` instances, as NumPy arrays."""
    params = ENV.levels[level].params_of(split)
    return jax.tree.map(np.asarray, _reset(_keys(0), params))


@cache
def games(level: str, split: str = "seen", noise: float = 0.0) -> tuple[Any, ...]:
    """Commands, facts, rewards, ends and states before each of `TURNS` turns.

    A share `noise` of the commands are random valid ones, the others the expert's.
    """
    states, _ = instances(level, split)
    return jax.tree.map(np.asarray, _play()(states, _keys(1), jnp.float32(noise)))


@cache
def _play() -> Any:
    def turn(carry: Any, key: jax.Array) -> tuple[Any, Any]:
        state, noise = carry
        listed, mask = ENV.valid_commands(state, None)
        coin, choice = jax.random.split(key)
        other = listed[jax.random.categorical(choice, jnp.where(mask, 0.0, -jnp.inf))]
        command = jnp.where(jax.random.uniform(coin) < noise, other, ENV.expert(state, None))
        after = ENV.step(state, command, None)
        seen = (command, after.facts, after.reward, after.terminated, after.success, state)
        return (after.state, noise), seen

    def game(state: State, key: jax.Array, noise: jax.Array) -> Any:
        return jax.lax.scan(turn, (state, noise), jax.random.split(key, TURNS))[1]

    return jax.jit(jax.vmap(game, (0, 0, None)))


def _keys(seed: int) -> jax.Array:
    return jax.random.split(jax.random.key(seed), EPISODES)


def _row(states: Any, *index: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[index]), states)


def _turns(terminated: np.ndarray) -> np.ndarray:
    """Turns until each game ended; more than `TURNS` where it did not."""
    return np.where(terminated.any(1), terminated.argmax(1) + 1, TURNS + 1)


def _facts(rows: Any) -> list[str]:
    return [SCHEMA.facts[kind].name for kind in np.asarray(rows)[:, 0] if kind]


def play(state: State, *commands: jax.Array) -> tuple[State, list[list[str]], list[bool]]:
    """The state after `commands`, the names of the facts of every answer, and the ends."""
    answers, ends = [], []
    for each in commands:
        after = _step(state, each)
        state = after.state
        answers.append(_facts(after.facts))
        ends.append(bool(after.success))
    return state, answers, ends


# The table and what can be asked


def test_table_can_be_rebuilt() -> None:
    if importlib.util.find_spec("alfworld") is None:
        pytest.skip("the package alfworld is not installed")
    path = Path(__file__).parents[1] / "scripts" / "build_affordances.py"
    spec = importlib.util.spec_from_file_location("build_affordances", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.dump(script.build(script.package())) == script.TABLE.read_text()


def test_table_is_about_its_own_words() -> None:
    places = {place for room in TABLE["rooms"].values() for place in room["receptacles"]}
    things = {thing for room in TABLE["rooms"].values() for thing in room["objects"]}
    assert places == set(RECEPTACLES) and things == set(OBJECTS)
    for name in ("heatable", "coolable", "cleanable", "sliceable", "lamps"):
        assert set(TABLE[name]) <= set(OBJECTS)
    assert {RECEPTACLES[i] for i in np.flatnonzero(OPENABLE)} == set(TABLE["openable"])


def test_quests_can_be_asked() -> None:
    assert QUEST_COUNT.sum() == len(QUESTS) and (QUEST_COUNT.sum(2) > 0).all()
    for _, task, _, target, goal in QUESTS.tolist():
        fits = IS_LAMP[goal] if task == LIGHT else CAN_CONTAIN[goal, target]
        assert fits and not IS_LAMP[target] and (task == LIGHT or goal != APPLIANCE[task])


def test_splits_share_no_content() -> None:
    found = {}
    for split in SPLITS:
        states = [instances(level, split)[0] for level in ENV.levels]
        ids = [np.asarray(_content(state)) for state in states]
        found[split] = set(np.concatenate(ids).ravel().tolist()) - {-1}
    assert not found["seen"] & found["unseen"]
    assert len(found["seen"]) > 200 and len(found["unseen"]) > 100
    rows = {split: QUESTS[QUESTS[:, 0] == k] for k, split in enumerate(SPLITS)}
    pairs = {split: set(map(tuple, rows[split][:, [1, 3, 4]].tolist())) for split in SPLITS}
    assert not pairs["seen"] & pairs["unseen"]


# Words


def test_what_is_written_is_read() -> None:
    """Every verb in every lexicon and interface."""
    language = compile_language([ENV])
    size = language.longest_command([0], range(len(INTERFACES)))
    values = {"object": "mug", "receptacle": "fridge", "object|receptacle": "desk", "number": 7}
    commands = jnp.stack(
        [command(verb.name, *(values[kind] for _, kind in verb.args)) for verb in SCHEMA.verbs[1:]]
    )

    def back(command: jax.Array, lexicon: jax.Array, interface: jax.Array) -> jax.Array:
        voice = Voice(jnp.int32(0), lexicon, interface, jnp.int32(ERRORS.index("reason")))
        return language.read(language.write(command, voice, size)[0], voice)

    lexicons, interfaces = np.indices((len(LEXICONS), len(INTERFACES))).reshape(2, -1)
    over_voices = jax.vmap(back, in_axes=(None, 0, 0))
    result = jax.jit(jax.vmap(over_voices, (0, None, None)))(commands, lexicons, interfaces)
    assert (np.asarray(result) == commands[:, None]).all()


@each_level
def test_messages_keep_their_bounds(level: str) -> None:
    _, first = instances(level)
    _, facts, _, terminated, _, _ = games(level, noise=0.5)
    step = facts[np.cumsum(terminated, axis=1) - terminated == 0]
    most = ENV.levels[level].most
    for number, fact in enumerate(SCHEMA.facts[1:], 1):
        bounds = most.get(fact.name, (fact.first, fact.step))
        for rows, bound in zip((first, step), bounds, strict=True):
            assert (rows[..., 0] == number).sum(-1).max() <= bound, fact.name
    errors = np.array([fact.error for fact in SCHEMA.facts])
    assert not errors[step[..., 0]].any()


def test_messages_are_as_long_as_the_schema_says() -> None:
    """Nothing that is said is cut, and a full table takes all the room there is."""
    language, place = compile_language([ENV]), INTERFACES.index("prose")
    voice = Voice(*map(jnp.int32, (0, 0, place, 0)))
    longest = language.longest_message(0, [place], first=False, most=ENV.levels["hard"].most)
    say = jax.jit(jax.vmap(lambda facts: language.say(facts, voice, longest + 20)[1]))
    facts = games("hard", noise=0.5)[1]
    assert say(facts.reshape(-1, *facts.shape[2:])).max() <= longest
    state = a_room("drawer", " ".join(["pen@0"] * 10))
    state, _, _ = play(state, command("go", "drawer", 1))
    assert say(_step(state, command("open", "drawer", 1)).facts[None])[0] == longest


def test_prose_reads_as_english() -> None:
    language = compile_language([ENV])
    voice = Voice(*map(jnp.int32, (0, 0, INTERFACES.index("prose"), 0)))
    say = jax.jit(lambda facts: language.say(facts, voice, 80)[0])
    state = a_room("fridge desk", "apple@0 mug@0 egg@0", "heat", "egg", "desk")
    commands = [command("go", "fridge", 1), command("open", "fridge", 1)]
    for each in (*commands, command("take", "egg", 1, "fridge", 1)):
        after = _step(state, each)
        state = after.state
        said = language.vocabulary.decode(np.asarray(say(after.facts)))
        if int(each[0]) == SCHEMA.verb_id("open"):
            assert said == (
                "you open the fridge 1 . the fridge 1 is open . in it , you see "
                "a apple 1 , a mug 1 , and a egg 1 ."
            )
    assert said == "you pick up the egg 1 from the fridge 1 ."


# Rooms


@each_case
def test_rooms_have_the_shape_of_their_level(level: str, split: str) -> None:
    states, _ = instances(level, split)
    params = ENV.levels[level].params
    assert ((states.place_type >= 0).sum(1) == params.places).all()
    there = states.where != ABSENT
    assert (there.sum(1) <= params.things).all() and there.sum(1).mean() > 0.9 * params.things
    assert set(states.task.tolist()) <= set(np.flatnonzero(params.tasks).tolist())
    assert (states.agent == MIDDLE).all() and not states.is_open.any()
    for i in range(EPISODES):
        _check_room(_row(states, i), params)


def _check_room(state: State, params: Any) -> None:
    """Everything lies where it may, nothing is solved, and all that is needed is there."""
    where, kinds, places = (
        np.asarray(x) for x in (state.where, state.thing_type, state.place_type)
    )
    lying = np.flatnonzero(where >= 0)
    holders = places[where[lying]]
    assert CAN_CONTAIN[holders, kinds[lying]].all() and (holders >= 0).all()
    assert np.bincount(where[lying], minlength=PLACES).max() <= CROWD
    assert params.closed > 0 or not OPENABLE[holders].any()
    is_target = kinds == int(state.target)
    assert is_target.sum() >= (2 if state.task == TWO else 1)
    wanted = int(WANTED[int(state.task)])
    assert wanted == 0 or not (np.asarray(state.marks)[is_target] & wanted).any()
    if state.task == LIGHT:
        assert (kinds == int(state.goal)).any()
    else:
        assert (places == int(state.goal)).any()
        assert (places[where[is_target]] != int(state.goal)).all()
    appliance = APPLIANCE[int(state.task)]
    assert appliance < 0 or (places == appliance).any()


@each_level
def test_names_are_unique(level: str) -> None:
    states, _ = instances(level)
    for kinds, numbers in (
        (states.place_type, states.place_number),
        (states.thing_type, states.thing_number),
    ):
        for row, number in zip(kinds, numbers, strict=True):
            there = row >= 0
            pairs = Counter(zip(row[there].tolist(), number[there].tolist(), strict=True))
            counts = Counter(row[there].tolist())
            expected = {(kind, n) for kind, most in counts.items() for n in range(1, most + 1)}
            assert set(pairs) == expected and max(pairs.values()) == 1
            assert (number[~there] == 0).all()


def test_hard_rooms_hold_what_misleads() -> None:
    states, _ = instances("hard")
    assert (states.marks[:, :] & (IS_HOT | IS_COOL)).any() and set(states.task.tolist()) == {
        *range(6)
    }
    targets = (states.thing_type == states.target[:, None]).sum(1)
    assert (targets > 2).mean() > 0.3
    assert OPENABLE[np.take_along_axis(states.place_type, states.where.clip(0), 1)].mean() > 0.5


# Rules


def test_containers_hide_what_they_hold() -> None:
    state = a_room("drawer desk", "pen@0 pen@1")
    take = command("take", "pen", 1, "drawer", 1)
    _, answers, _ = play(
        state, take, command("go", "drawer", 1), take, command("open", "drawer", 1), take
    )
    assert answers == [
        ["NOT_AT"],
        ["ARRIVED", "IS_CLOSED"],
        ["SHUT"],
        ["OPENED", "INSIDE", "ONLY_SEEN"],
        ["TOOK"],
    ]


def test_one_thing_fits_in_the_hand() -> None:
    state = a_room("desk bed", "pen@0 mug@0")
    at_desk = [command("go", "desk", 1), command("take", "pen", 1, "desk", 1)]
    _, answers, _ = play(
        state,
        *at_desk,
        command("take", "mug", 1, "desk", 1),
        command("inventory"),
        command("go", "bed", 1),
        command("put", "pen", 1, "bed", 1),
        command("put", "mug", 1, "bed", 1),
    )
    assert answers[1:] == [
        ["TOOK"], ["HANDS_FULL"], ["CARRYING"], ["ARRIVED", "UPON", "NOTHING_SEEN"],
        ["NOT_FITTING"], ["NOT_HELD"],
    ]  # fmt: skip


def test_heat_and_cold_undo_each_other_and_cleanliness_stays() -> None:
    state = a_room("fridge microwave sink_basin", "apple@held")
    verbs = (("clean", "sink_basin"), ("heat", "microwave"), ("cool", "fridge"))
    told = []
    for verb, place in verbs:
        go, treat = command("go", place, 1), command(verb, "apple", 1, place, 1)
        state, answers, _ = play(state, go, treat, command("examine", "apple", 1))
        told.append(answers[-1])
    assert told == [["IS_CLEAN"], ["IS_CLEAN", "IS_HOT"], ["IS_CLEAN", "IS_COOL"]]
    _, answers, _ = play(state, command("heat", "apple", 1, "fridge", 1))
    assert answers == [["USELESS"]]


def test_knives_slice_what_is_near() -> None:
    state = a_room("counter_top desk", "knife@held apple@0 mug@0 bread@1 fork@0")
    cut = [command("slice", thing, 1, "knife", 1) for thing in ("apple", "mug", "bread")]
    fork = command("slice", "apple", 1, "fork", 1)
    state, answers, _ = play(state, command("go", "counter_top", 1), *cut, fork)
    assert answers[1:] == [["CUT"], ["USELESS"], ["NOT_FOUND"], ["NO_TOOL"]]
    put, take = (
        command("put", "knife", 1, "counter_top", 1),
        command("take", "apple", 1, "counter_top", 1),
    )
    assert play(state, put, take, command("examine", "apple", 1))[1][-1] == ["IS_SLICED"]


def test_tasks_end_when_they_are_done() -> None:
    """Two things count in one receptacle only; a lamp counts before the agent's eyes."""
    two = a_room("desk desk bed", "pen@held pen@2 pen@1", "two", "pen", "desk")
    two = two.replace(where=two.where.at[1].set(HELD).at[0].set(1).at[2].set(2))
    put = [command("put", "pen", 2, "desk", n) for n in (1, 2)]
    assert play(two, command("go", "desk", 1), put[0])[2] == [False, False]
    assert play(two, command("go", "desk", 2), put[1])[2] == [False, True]
    light = a_room("desk bed", "pen@held desk_lamp@0", "light", "pen", "desk_lamp")
    use = command("use", "desk_lamp", 1)
    _, answers, ends = play(light, use, command("go", "desk", 1), use)
    assert answers[0] == ["NOT_FOUND"] and ends == [False, False, True]
    away = light.replace(where=light.where.at[0].set(1))
    commands = [command("go", "desk", 1), use, command("go", "bed", 1)]
    commands += [command("take", "pen", 1, "bed", 1), command("go", "desk", 1)]
    assert play(away, *commands)[2] == [False, False, False, False, True]


def test_clean_things_alone_count() -> None:
    state = a_room("sink_basin shelf", "mug@held", "clean", "mug", "shelf")
    go, put = command("go", "shelf", 1), command("put", "mug", 1, "shelf", 1)
    assert play(state, go, put)[2] == [False, False]
    wash = [command("go", "sink_basin", 1), command("clean", "mug", 1, "sink_basin", 1)]
    assert play(state, *wash, go, put)[2] == [False, False, False, True]


def test_nothing_is_lost_or_doubled() -> None:
    visited = games("hard", noise=0.7)[-1]
    there = visited.where[:, :1] != ABSENT
    assert ((visited.where != ABSENT) == there).all()
    assert ((visited.where == HELD).sum(-1) <= 1).all()
    on = visited.where < HELD
    holders = np.take_along_axis(visited.place_type, visited.where.clip(0, PLACES - 1), 2)
    assert CAN_CONTAIN[holders, visited.thing_type][there & on].all()
    assert not ((visited.marks & IS_HOT > 0) & (visited.marks & IS_COOL > 0)).any()
    for name in ("place_type", "place_number", "thing_type", "thing_number", "task", "goal"):
        leaf = getattr(visited, name)
        assert (leaf == leaf[:, :1]).all(), name


def test_more_things_than_are_said_can_still_be_had() -> None:
    state = a_room("desk", " ".join(["pen@0"] * 10))
    state, answers, _ = play(state, command("go", "desk", 1))
    assert answers == [["ARRIVED", "UPON", *["SEES"] * 7, "LAST_SEEN"]]
    assert play(state, command("take", "pen", 10, "desk", 1))[1] == [["TOOK"]]


# Experts and the commands listed


@each_case
def test_expert_solves_every_level(level: str, split: str) -> None:
    _, _, rewards, terminated, success, _ = games(level, split)
    assert (_turns(terminated) <= ENV.levels[level].turn_limit).mean() >= 0.99
    assert (rewards == success).all() and (terminated == success).all()


def test_expert_recovers_from_noise() -> None:
    """With every fourth command drawn from the list."""
    assert games("medium", noise=0.25)[3].any(1).mean() >= 0.99


def test_expert_uses_nothing_that_it_has_not_seen() -> None:
    """Whatever lies where it has not looked, its command is the same."""
    visited = games("hard")[-1]
    generator = np.random.default_rng(0)
    advise = jax.jit(jax.vmap(lambda state: ENV.expert(state, None)))
    turn = generator.integers(0, 12, EPISODES)
    states = jax.tree.map(lambda leaf: leaf[np.arange(EPISODES), turn], visited)
    hidden = np.take_along_axis(~states.seen, states.where.clip(0, PLACES - 1).astype(int), 1)
    hidden &= (states.where >= 0) & (states.where < HELD)
    emptied = states.replace(where=np.where(hidden, np.int8(ABSENT), states.where))
    assert hidden.any(1).mean() > 0.5
    np.testing.assert_array_equal(advise(states), advise(emptied))


def test_random_commands_seldom_succeed() -> None:
    terminated = games("medium", noise=1.0)[3]
    assert (_turns(terminated) <= ENV.levels["medium"].turn_limit).mean() < 0.3


@each_case
def test_plans_are_short(level: str, split: str) -> None:
    _, length = _plan(instances(level, split)[0])
    assert (length <= LONGEST).all() and (length <= ENV.levels[level].turn_limit).all()
    searched = _turns(games(level, split)[3])
    assert (np.asarray(length) <= searched).mean() > 0.95


@pytest.mark.slow
def test_plans_of_small_rooms_are_near_the_shortest() -> None:
    """Breadth-first search over all listed commands; a plan is at most two commands longer."""
    rooms = [
        a_room("drawer desk", "pen@0 mug@1", "place", "pen", "desk"),
        a_room("microwave shelf drawer", "cup@1", "heat", "cup", "shelf"),
        a_room("desk bed", "book@1 desk_lamp@0", "light", "book", "desk_lamp"),
        a_room("desk bed shelf", "book@1 book@2", "two", "book", "desk"),
    ]
    for room in rooms:
        _, length = plan(room)
        shortest = _shortest(room)
        assert shortest <= length <= shortest + 2


def _shortest(start: State) -> int:
    """Fewest commands that solve a small room, found layer by layer, `EPISODES` at a time."""
    layer, known = [start], set()
    for depth in range(1, LONGEST):
        ahead = []
        for first in range(0, len(layer), EPISODES):
            chunk = layer[first : first + EPISODES]
            states = jax.tree.map(
                lambda *x: np.stack(x), *chunk, *[start] * (EPISODES - len(chunk))
            )
            commands, mask = _listed(states)
            after = jax.tree.map(np.asarray, _step_all(states, commands))
            if (after.success & mask)[: len(chunk)].any():
                return depth
            after = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), after.state)
            hashes = np.asarray(_hashes(after)).tolist()
            for i in np.flatnonzero(np.asarray(mask)).tolist():
                if hashes[i] not in known:
                    known.add(hashes[i])
                    ahead.append(jax.tree.map(lambda x: x[i], after))  # noqa: B023
        layer = ahead
    raise AssertionError("no plan")


def test_listed_commands_have_an_effect() -> None:
    visited = games("hard", noise=0.5)[-1]
    visited = jax.tree.map(lambda x: x[::10, ::5].reshape(-1, *x.shape[2:]), visited)
    commands, mask = _listed(visited)
    assert commands.shape[1:] == (ENV.max_commands, 1 + SCHEMA.max_args)
    facts = np.asarray(_step_all(visited, commands).facts)
    is_error = np.array([fact.error for fact in SCHEMA.facts])[facts[..., 0]].any(-1)
    np.testing.assert_array_equal(is_error, ~np.asarray(mask))
    kinds = Counter(np.asarray(commands[..., 0])[np.asarray(mask)].tolist())
    assert all(kinds[k] > 0 for k in range(1, len(SCHEMA.verbs)) if SCHEMA.verbs[k].name != "slice")


# The state machine


@each_level
def test_instances_differ(level: str) -> None:
    hashes = np.asarray(_hashes(instances(level)[0]))
    assert hashes.dtype == np.uint32 and len(np.unique(hashes)) == EPISODES


def test_fingerprint_tells_states_apart() -> None:
    """Two states of the same game have the same hash if and only if only `seen` differs."""
    visited = games("medium", noise=0.7)[-1]
    states = jax.tree.map(lambda x: x[:20].reshape(-1, *x.shape[2:]), visited)
    hashes = np.asarray(_hashes(states)).tolist()
    plain = [leaf.reshape(len(hashes), -1) for leaf in jax.tree.leaves(states.replace(seen=None))]
    known = [row.tobytes() for row in np.concatenate(plain, axis=1)]
    assert len(set(zip(hashes, known, strict=True))) == len(set(hashes)) == len(set(known))


def test_unread_command_changes_nothing() -> None:
    state = _row(games("medium", noise=0.5)[-1], 3, 9)
    after = _step(state, jnp.full(1 + SCHEMA.max_args, -1).at[0].set(0))
    chex.assert_trees_all_equal(after.state, state)
    assert _facts(after.facts) == ["NOT_UNDERSTOOD"]
    assert not after.terminated and not after.success and after.reward == 0


def test_one_row_equals_its_place_in_a_batch() -> None:
    states, first = instances("hard")
    commands, facts, _, _, _, visited = games("hard")
    reset, expert = jax.jit(ENV.reset), jax.jit(lambda state: ENV.expert(state, None))
    for i in (0, 7, 11):
        state, opening = reset(_keys(0)[i], ENV.levels["hard"].params)
        chex.assert_trees_all_equal(state, _row(states, i))
        np.testing.assert_array_equal(opening, first[i])
        for t in range(4):
            np.testing.assert_array_equal(expert(state), commands[i, t])
            after = _step(state, jnp.asarray(commands[i, t]))
            np.testing.assert_array_equal(after.facts, facts[i, t])
            state = after.state
            chex.assert_trees_all_equal(state, _row(visited, i, t + 1))


@pytest.mark.slow
def test_eager_equals_compiled() -> None:
    states, first = instances("hard")
    commands, facts, _, _, _, visited = games("hard")
    with jax.disable_jit():
        state, opening = ENV.reset(_keys(0)[3], ENV.levels["hard"].params)
        advice = ENV.expert(state, None)
        after = ENV.step(state, advice, None)
    chex.assert_trees_all_equal(state, _row(states, 3))
    np.testing.assert_array_equal(opening, first[3])
    np.testing.assert_array_equal(advice, commands[3, 0])
    np.testing.assert_array_equal(after.facts, facts[3, 0])
    chex.assert_trees_all_equal(after.state, _row(visited, 3, 1))


@pytest.mark.slow
def test_environment_keeps_the_protocol() -> None:
    check_environment(ENV, episodes=16)
