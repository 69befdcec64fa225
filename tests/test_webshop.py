"""WebShop: its goods, wishes, pages, rewards, expert and words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from env_play import (
    Played,
    assert_one_equals_many,
    assert_read_as_written,
    assert_unread_changes_nothing,
    play,
)

from jaxagent.envs import SPLITS
from jaxagent.envs.check import check_environment
from jaxagent.envs.webshop import WebShop, webshop, webshop_procedural
from jaxagent.envs.webshop.goods import FIRST_BRAND, FIRST_COLOUR, FIRST_SIZE, WORDS
from jaxagent.envs.webshop.reward import score
from jaxagent.envs.webshop.state import (
    ATTRIBUTE,
    BRAND,
    CATEGORY,
    DONE,
    HITS,
    ITEM,
    OWN_VALUES,
    PAGE,
    RESULTS,
    START,
    VALUE,
)
from jaxagent.envs.webshop.store import LINES, MODELS, make_goods
from jaxagent.envs.webshop.words import SCHEMA
from jaxagent.text.vocabulary import NUMBERS

STORE, DRAWN = webshop(), webshop_procedural()
LEVELS = tuple(STORE.levels)
TURNS, EPISODES = 15, 256

each_environment = pytest.mark.parametrize(
    "env", [STORE, pytest.param(DRAWN, marks=pytest.mark.slow)], ids=("store", "drawn")
)
each_level = pytest.mark.parametrize("level", LEVELS)


@cache
def _player(env: WebShop) -> WebShop:
    """The environment with one turn limit for all levels, so that they share a program."""
    levels = {name: replace(level, turn_limit=TURNS) for name, level in env.levels.items()}
    return replace(env, levels=levels)


@cache
def games(env: WebShop, level: str, split: str = "seen", chance: float = 0.0) -> Played:
    """Episodes of the level's turn limit; with `chance` a turn is a random valid command."""
    start, first, *turns = play(_player(env), level, split, chance, EPISODES)
    limit = env.levels[level].turn_limit
    return Played(start, first, *jax.tree.map(lambda x: x[:, :limit], turns))


def score_of(played: Played) -> np.ndarray:
    """float[episodes]: what was earned before the end."""
    over = np.cumsum(played.terminated, axis=1) - played.terminated
    return (played.reward * (over == 0)).sum(1)


# Goods and wishes


def test_models_of_a_line_differ_in_one_thing() -> None:
    goods = make_goods().reshape(-1, LINES, MODELS, VALUE + 2 * OWN_VALUES + 1)
    first, others = goods[:, :, :1], goods[:, :, 1:]
    differs = first != others
    parts = [
        *(differs[..., n] for n in range(ATTRIBUTE, VALUE)),
        differs[..., VALUE : VALUE + OWN_VALUES].any(-1),
        differs[..., VALUE + OWN_VALUES : -1].any(-1),
    ]
    assert not differs[..., [BRAND, CATEGORY]].any()
    assert (sum(part.astype(int) for part in parts) <= 1).all()
    assert (sum(part.astype(int) for part in parts) == 1).mean() > 0.7


@pytest.mark.slow
@each_environment
@each_level
def test_products_are_whole(env: WebShop, level: str) -> None:
    """As many as the level says; of each all words differ, and the price can be said."""
    start, params = games(env, level).start, env.levels[level].params
    words, prices = start.catalogue.words, start.catalogue.prices
    there = prices > 0
    assert (there.sum(1) == params.products).all()
    assert (there[:, : params.products]).all() and (words[~there] == -1).all()
    assert prices[there].min() >= 5 and prices.max() <= 99
    own = np.sort(words[there], axis=1)
    assert ((own[:, 1:] != own[:, :-1]) | (own[:, 1:] < 0)).all()
    assert (words[there][:, :VALUE] >= 0).all()
    axes = words[there][:, VALUE:].reshape(-1, 2, OWN_VALUES)
    assert ((axes >= 0).sum(-1) >= 2).all() and words.max() < WORDS
    colours, sizes = axes[:, 0], axes[:, 1]
    assert ((colours < 0) | ((colours >= FIRST_COLOUR) & (colours < FIRST_SIZE))).all()
    assert ((sizes < 0) | (sizes >= FIRST_SIZE)).all()


@each_environment
@each_level
def test_wishes_are_those_of_the_level_and_can_be_fulfilled(env: WebShop, level: str) -> None:
    start, params = games(env, level).start, env.levels[level].params
    goal, rows = start.goal, np.arange(EPISODES)
    target = start.catalogue.words[rows, goal.target]
    price = start.catalogue.prices[rows, goal.target]
    assert (goal.category == target[:, CATEGORY]).all()
    assert ((goal.attributes >= 0).sum(1) == params.attributes).all()
    options = (goal.options >= 0).sum(1)
    assert options.min() == params.least_options and options.max() == params.most_options
    for wanted in (*goal.attributes.T, *goal.options.T):
        assert ((wanted < 0) | (target == wanted[:, None]).any(1)).all()
    assert ((goal.most % 10 == 0) & (goal.most > price) & (goal.most <= price + 40)).all()
    worth = jax.vmap(score)(start.catalogue, goal, goal.target, goal.options)
    np.testing.assert_array_equal(worth, 1)


@pytest.mark.parametrize("level", ("medium", "hard"))
def test_near_misses_miss_in_one_thing(level: str) -> None:
    """As many products of the wanted category as the level says lack but one thing."""
    start, params = games(DRAWN, level).start, DRAWN.levels[level].params
    worth = jax.vmap(jax.vmap(score, (None, None, 0, None)), (0, 0, None, 0))
    products = jnp.arange(int(params.products))
    scores = np.asarray(worth(start.catalogue, start.goal, products, start.goal.options))
    # `score` takes the options as chosen, so those that cannot be chosen are looked up here.
    words, options = start.catalogue.words[:, : len(products)], start.goal.options[:, None]
    offers = (words[..., None] == options[:, :, None]).any(2)
    missing = (~offers & (options >= 0)).sum(-1)
    parts = (start.goal.attributes >= 0).sum(1) + (options >= 0).sum((1, 2)) + 1
    lacking = np.rint((1 - scores) * parts[:, None]) + missing
    same = words[..., CATEGORY] == start.goal.category[:, None]
    near = (same & (lacking == 1)).sum(1)
    assert (near >= params.near).all()


@each_environment
def test_splits_share_no_content(env: WebShop) -> None:
    for level in LEVELS:
        seen, unseen = (
            set(jax.vmap(env.content)(games(env, level, split).start).ravel().tolist())
            for split in SPLITS
        )
        assert not seen & unseen and min(len(seen), len(unseen)) > 5


@each_environment
def test_brands_and_categories_of_a_catalogue_are_of_its_split(env: WebShop) -> None:
    """Not only what is wished for: nothing of the unseen split stands on a page of the other."""
    words = [games(env, "hard", split).start.catalogue.words for split in SPLITS]
    for column in (BRAND, CATEGORY):
        seen, unseen = (set(each[..., column].ravel().tolist()) for each in words)
        assert not seen & unseen
    assert set(words[0][..., BRAND].ravel().tolist()) <= set(range(FIRST_BRAND, FIRST_BRAND + 24))


def test_the_store_sells_the_same_goods_in_all_episodes() -> None:
    goods = {tuple(row) for row in make_goods().tolist()}
    catalogue = games(STORE, "hard").start.catalogue
    rows = np.concatenate([catalogue.words, catalogue.prices[..., None]], axis=-1)
    for row in rows[:16]:
        products = [tuple(product) for product in row.tolist()]
        assert set(products) <= goods and len(set(products)) > 0.95 * len(products)


@each_environment
def test_instances_differ(env: WebShop) -> None:
    hashes = np.asarray(jax.vmap(env.fingerprint)(games(env, "hard").start))
    assert len(np.unique(hashes)) == len(hashes)


# The expert and chance


@each_environment
@each_level
@pytest.mark.parametrize("split", SPLITS)
def test_expert_solves_every_level(env: WebShop, level: str, split: str) -> None:
    played = games(env, level, split)
    assert played.solved.mean() >= 0.99
    np.testing.assert_allclose(score_of(played)[played.solved], 1)


@each_environment
@each_level
def test_chance_scores_but_seldom_succeeds(env: WebShop, level: str) -> None:
    played = games(env, level, chance=1.0)
    assert played.solved.mean() < 0.1
    assert 0.02 < score_of(played).mean() < 0.4


@each_environment
def test_expert_recovers_wherever_nothing_was_bought(env: WebShop) -> None:
    """A quarter of the commands at random; a purchase cannot be taken back."""
    played = games(env, "easy", chance=0.25)
    rash = (played.terminated & ~played.success).any(1)
    late = played.turns == env.levels["easy"].turn_limit
    assert (played.solved | rash | late).all() and (rash | late).mean() < 0.3


# The rules, as they hold whatever is done


@each_environment
def test_invariants_hold_by_chance(env: WebShop) -> None:
    played = games(env, "hard", chance=0.8)
    start, after = played.start, played.after
    for before, now in ((start.catalogue, after.catalogue), (start.goal, after.goal)):
        jax.tree.map(lambda b, a: np.testing.assert_array_equal(b[:, None] + 0 * a, a), before, now)
    found = (after.hits >= 0).sum(-1)
    assert found.max() <= HITS
    pages = -(-found // PAGE)
    assert ((after.number >= 0) & (after.number < np.maximum(pages, 1))).all()
    opened = (after.page >= ITEM) & (after.page <= DONE)
    assert ((after.rank >= 0) == opened).all() and (after.rank < np.maximum(found, 1)).all()
    item = np.take_along_axis(after.hits, np.maximum(after.rank, 0)[..., None], -1)[..., 0]
    rows = np.arange(EPISODES)[:, None]
    offers = start.catalogue.words[rows, item][..., VALUE:]
    chosen = after.chosen
    assert ((chosen < 0) | (chosen[..., None] == offers[..., None, :]).any(-1)).all()
    assert (chosen[~opened] == -1).all() and (after.hits[after.page == START] == -1).all()
    assert ((played.reward >= 0) & (played.reward <= 1)).all()
    np.testing.assert_array_equal(played.success, played.terminated & (played.reward == 1))


def test_pages_are_seen_by_chance() -> None:
    """All that the invariants are about does happen."""
    after = games(STORE, "hard", chance=0.8).after
    assert set(np.unique(after.page)) == set(range(START, DONE + 1))
    assert after.number.max() >= 2 and (after.chosen >= 0).any()
    assert (after.page == RESULTS).mean() > 0.05


def test_episodes_end_with_the_purchase() -> None:
    """Whatever is said afterwards, nothing happens."""
    played = games(STORE, "medium")
    last = jax.tree.map(lambda x: jnp.asarray(x[0, -1]), played.after)
    assert last.page == DONE
    params = STORE.levels["medium"].params
    for name, words in (("search_1", (NUMBERS,)), ("back", ()), ("buy", ())):
        move = jax.jit(STORE.step)(last, SCHEMA.command(name, *words), params)
        assert not move.terminated and move.reward == 0
        jax.tree.map(np.testing.assert_array_equal, move.state, last)


def test_a_search_that_finds_nothing_says_so() -> None:
    start = jax.tree.map(lambda x: jnp.asarray(x[0]), games(STORE, "easy").start)
    words = set(np.asarray(start.catalogue.words).ravel().tolist())
    absent = next(word for word in range(WORDS) if word not in words)
    command = SCHEMA.command("search_1", NUMBERS + absent)
    move = jax.jit(STORE.step)(start, command, STORE.levels["easy"].params)
    heads = move.facts[move.facts[:, 0] > 0]
    assert heads.shape[0] == 1 and heads[0, :2].tolist() == [SCHEMA.fact_id("HITS"), 0]


def test_unread_command_changes_nothing() -> None:
    assert_unread_changes_nothing(STORE, "hard")


# Words and shapes


@each_environment
def test_listed_commands_have_an_effect(env: WebShop) -> None:
    params = env.levels["hard"].params
    visited = games(env, "hard", chance=0.8).after
    visited = jax.tree.map(lambda x: x[::8, ::3].reshape(-1, *x.shape[2:]), visited)

    def every(state: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        commands, mask = env.valid_commands(state, params)
        facts = jax.vmap(lambda command: env.step(state, command, params).facts)(commands)
        return commands, mask, facts

    commands, mask, facts = map(np.asarray, jax.jit(jax.vmap(every))(visited))
    is_error = np.array([fact.error for fact in SCHEMA.facts])[facts[..., 0]].any(-1)
    assert not is_error[mask].any()
    assert (mask.any(1) == (visited.page != DONE)).all()
    for rows, listed in zip(commands, mask, strict=True):
        assert len(np.unique(rows[listed], axis=0)) == listed.sum()


def test_what_is_written_is_read() -> None:
    commands = [
        SCHEMA.command(verb.name, *rows[: len(verb.args)])
        for verb in SCHEMA.verbs[1:]
        for rows in _arguments(verb)
    ]
    assert_read_as_written(STORE, np.stack(commands))


def _arguments(verb: Any) -> list[list[int]]:
    """For every argument words of the first of its categories, then of the second, …"""
    firsts = [[SCHEMA.first_of(c) for c in categories.split("|")] for _, categories in verb.args]
    return [[first[n % len(first)] + n for first in firsts] for n in range(5)]


@each_level
def test_messages_keep_their_bounds(level: str) -> None:
    most = STORE.levels[level].most
    played = games(STORE, level, chance=0.8)
    later = played.facts.reshape(-1, *played.facts.shape[2:])
    for facts, bound in ((played.first, 0), (later, 1)):
        for number, fact in enumerate(SCHEMA.facts[1:], 1):
            highest = most.get(fact.name, (fact.first, fact.step))[bound]
            assert (facts[..., 0] == number).sum(-1).max() <= highest, fact.name


def test_fingerprint_tells_states_apart() -> None:
    states = games(STORE, "medium", chance=0.5).after
    states = jax.tree.map(lambda x: x[:64].reshape(-1, *x.shape[2:]), states)
    hashes = np.asarray(jax.vmap(STORE.fingerprint)(states))
    leaves = jax.tree.leaves(states)
    distinct = {tuple(leaf[n].tobytes() for leaf in leaves) for n in range(len(hashes))}
    assert len(np.unique(hashes)) == len(distinct) > 100
    other = states.replace(catalogue=states.catalogue.replace(average_idf=0 * hashes + 1.0))
    np.testing.assert_array_equal(jax.vmap(STORE.fingerprint)(other), hashes)


@pytest.mark.slow
@each_environment
def test_compiled_equals_eager_and_a_row_its_place_in_a_batch(env: WebShop) -> None:
    assert_one_equals_many(env, "hard", rows=2)


@pytest.mark.slow
@each_environment
def test_is_what_the_protocol_asks_for(env: WebShop) -> None:
    check_environment(env, episodes=16)
