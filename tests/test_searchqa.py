"""SearchQA: its tables, instances, rules, expert and words."""

from __future__ import annotations

from collections.abc import Mapping
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

from jaxagent.envs import SPLITS, Level
from jaxagent.envs.check import check_environment
from jaxagent.envs.searchqa import searchqa, searchqa_counterfactual, searchqa_global
from jaxagent.envs.searchqa.chains import ASKED, CHAIN, CHAINS, EARLIER, SPANS
from jaxagent.envs.searchqa.environment import SearchQA
from jaxagent.envs.searchqa.ontology import NAMES, RELATIONS
from jaxagent.envs.searchqa.state import BY_NICKNAME, COMPARED
from jaxagent.envs.searchqa.words import ANSWER, SCHEMA, SEARCH, STATEMENTS

EPISODE, GLOBAL, CONTRARY = searchqa(), searchqa_global(), searchqa_counterfactual()
LEVELS = tuple(EPISODE.levels)
FIRST_RELATION = SCHEMA.first_of("relation")
TURNS, EPISODES = 10, 256

each_environment = pytest.mark.parametrize(
    "env",
    [EPISODE, *(pytest.param(env, marks=pytest.mark.slow) for env in (GLOBAL, CONTRARY))],
    ids=("episode", "global", "counterfactual"),
)
each_level = pytest.mark.parametrize("level", LEVELS)

Thing = tuple[int, ...]
"""A name or a year: its two concepts."""


@cache
def _long(env: SearchQA, wrong_answers: int = 2) -> Mapping[str, Level]:
    """The levels under one turn limit, so that they share a program."""
    levels = _make[env.graph](wrong_answers).levels.items()
    return {name: replace(level, turn_limit=TURNS) for name, level in levels}


_make = {"episode": searchqa, "global": searchqa_global, "counterfactual": searchqa_counterfactual}


@cache
def _player(env: SearchQA) -> SearchQA:
    """The environment with levels under both rules: `free` where wrong answers are."""
    free = {f"{name} free": level for name, level in _long(env, 0).items()}
    return replace(env, levels={**_long(env), **free})


@cache
def games(
    env: SearchQA, level: str, split: str = "seen", chance: float = 0.0, rule: str = ""
) -> Played:
    """Episodes of the level's turn limit; with `chance` a turn is a random valid command."""
    start, first, *turns = play(_player(env), level + rule, split, chance, EPISODES)
    limit = env.levels[level].turn_limit
    return Played(start, first, *jax.tree.map(lambda x: x[:, :limit], turns))


def told(documents: Any, n: int, outdated: bool = False) -> dict[tuple[Thing, int], list[Thing]]:
    """What the documents of episode `n` say now: name and relation -> where it leads.

    With `outdated`, what they say of former times instead.
    """
    statements: dict[tuple[Thing, int], list[Thing]] = {}
    for d, title in enumerate(documents.title[n]):
        for s, relation in enumerate(documents.relation[n, d]):
            is_old = bool(documents.outdated[n, d]) and s == 0
            if relation < 0 or is_old != outdated:
                continue
            thing = tuple(documents.thing[n, d, s].tolist())
            key = (tuple(title.tolist()), int(relation) - FIRST_RELATION)
            statements.setdefault(key, []).append(thing)
    return statements


def solution(start: Any, n: int) -> Thing:
    """The answer of episode `n` by what its documents say, in plain Python."""
    question, facts = start.question, told(start.documents, n)
    relations = [int(r) - FIRST_RELATION for r in question.relations[n] if r >= 0]
    here: Thing = tuple(question.subject[n].tolist())
    if question.kind[n] == COMPARED:
        pair = [here, tuple(question.other[n].tolist())]
        years = [facts[name, relations[0]][0] for name in pair]
        is_earlier = question.order[n] == SCHEMA.concept("order", "earlier")
        assert years[0] != years[1]
        return pair[years.index(min(years) if is_earlier else max(years))]
    if question.kind[n] == BY_NICKNAME:
        [place] = np.flatnonzero(start.documents.nickname[n][:16] == here[0])
        here = tuple(start.documents.title[n, place].tolist())
    for relation in relations:
        here = facts[here, relation][0]
    return here


# Tables


def test_relations_are_those_of_the_schema() -> None:
    assert SCHEMA.categories["relation"] == NAMES == tuple(RELATIONS)


def test_chains_follow_the_types() -> None:
    kinds = list(RELATIONS.values())
    for chain, asked in zip(CHAINS.tolist(), ASKED, strict=True):
        chain = [r for r in chain if r >= 0]
        if asked == CHAIN:
            assert all(kinds[a][1] == kinds[b][0] for a, b in zip(chain, chain[1:], strict=False))
            assert len(set(chain)) == len(chain)
        else:
            assert len(set(chain)) == 1 and kinds[chain[0]][1] == "year"


def test_ranges_of_questions_are_disjoint_and_complete() -> None:
    spans = sorted(SPANS.values())
    assert [start for start, _ in spans] == [0, *(stop for _, stop in spans[:-1])]
    assert spans[-1][1] == len(CHAINS) and all(start < stop for start, stop in spans)
    for (group, _), (start, stop) in SPANS.items():
        is_compared = group == "compared"
        assert ((ASKED[start:stop] != CHAIN) == is_compared).all()
        assert ((CHAINS[start:stop] >= 0).sum(1) == (2 if is_compared else int(group))).all()


# Instances


@each_environment
@each_level
def test_documents_lead_to_the_answer(env: SearchQA, level: str) -> None:
    """What the documents say decides, whatever the graph says."""
    start = games(env, level).start
    for n in range(64):
        assert solution(start, n) == tuple(start.question.answer[n].tolist())


@each_environment
@each_level
def test_documents_never_contradict_each_other(env: SearchQA, level: str) -> None:
    start = games(env, level).start
    for n in range(64):
        facts = told(start.documents, n)
        assert all(len(set(things)) == 1 for things in facts.values())
        for key, former in told(start.documents, n, outdated=True).items():
            assert not set(former) & set(facts[key])


@each_level
def test_instances_have_the_shape_of_their_level(level: str) -> None:
    start, params = games(EPISODE, level).start, EPISODE.levels[level].params
    documents = start.documents
    is_there = documents.title[..., 0] >= 0
    assert (is_there.sum(1) == params.documents + params.copies).all()
    statements = (documents.relation >= 0).sum(2)[is_there & ~documents.outdated]
    assert statements.max() == params.most_statements <= STATEMENTS
    assert np.median(statements) >= params.least_statements
    kinds = set(start.question.kind.tolist())
    expected = {"easy": {0}, "medium": {1}, "hard": {2, BY_NICKNAME, COMPARED}}
    assert kinds == expected[level]


def test_names_differ_and_are_shared_by_halves() -> None:
    documents = games(EPISODE, "hard").start.documents
    for n in range(64):
        titles = documents.title[n][~documents.outdated[n] & (documents.title[n, :, 0] >= 0)]
        assert len({tuple(title) for title in titles.tolist()}) == len(titles)
        assert all(len(set(words)) < len(words) for words in titles.T.tolist())


@each_environment
def test_splits_share_no_content(env: SearchQA) -> None:
    for level in LEVELS:
        seen, unseen = (
            set(jax.vmap(env.content)(games(env, level, split).start).ravel().tolist())
            for split in SPLITS
        )
        assert seen & unseen == {-1} and min(len(seen), len(unseen)) > 10


def test_names_of_the_unseen_split_are_nowhere_in_the_other() -> None:
    """Not even in documents that have nothing to do with the question."""
    names = []
    for split in ("seen", "unseen"):
        documents = games(EPISODE, "hard", split).start.documents
        things = np.concatenate([documents.title[:, :, None], documents.thing], axis=2)
        things = things.reshape(-1, 2)
        names.append({tuple(thing) for thing in things[things[:, 0] >= 100].tolist()})
    assert not names[0] & names[1]


def _worlds_of(env: SearchQA) -> dict[tuple[Thing, int], set[Thing]]:
    """All that the documents of many episodes say."""
    start = games(env, "medium").start
    statements: dict[tuple[Thing, int], set[Thing]] = {}
    for n in range(len(start.wrong)):
        for key, things in told(start.documents, n).items():
            statements.setdefault(key, set()).update(things)
    return statements


def test_global_graph_is_the_same_in_all_episodes() -> None:
    assert all(len(things) == 1 for things in _worlds_of(GLOBAL).values())
    assert any(len(things) > 1 for things in _worlds_of(EPISODE).values())


def test_global_graph_does_not_depend_on_the_level() -> None:
    medium = _worlds_of(GLOBAL)
    start = games(GLOBAL, "hard").start
    common = 0
    for n in range(64):
        for key, things in told(start.documents, n).items():
            common += key in medium
            assert set(things) <= medium.get(key, set(things))
    assert common > 100


def test_counterfactual_denies_what_is_asked_and_nothing_else() -> None:
    """By the documents of `searchqa_global`, no needed statement is true, but most others are."""
    truth = _worlds_of(GLOBAL)
    start = games(CONTRARY, "medium").start
    agree = total = 0
    for n in range(len(start.wrong)):
        facts = told(start.documents, n)
        name: Thing = tuple(start.question.subject[n].tolist())
        for relation in start.question.relations[n]:
            if relation < 0:
                continue
            key = (name, int(relation) - FIRST_RELATION)
            name = facts.pop(key)[0]
            assert name not in truth.get(key, set())
        known = {key: set(things) for key, things in facts.items() if key in truth}
        total += len(known)
        agree += sum(things == truth[key] for key, things in known.items())
    assert agree == total > 1000


@pytest.mark.slow
@each_environment
def test_instances_differ(env: SearchQA) -> None:
    start = games(env, "hard").start
    hashes = np.asarray(jax.vmap(env.fingerprint)(start))
    assert len(np.unique(hashes)) == len(hashes)


# The expert and the commands listed


@each_environment
@each_level
@pytest.mark.parametrize("split", ("seen", "unseen"))
def test_expert_solves_every_level(env: SearchQA, level: str, split: str) -> None:
    played = games(env, level, split)
    assert played.solved.mean() >= 0.99
    assert played.turns.max() <= LEVELS.index(level) + 2


@each_level
def test_expert_recovers_from_chance(level: str) -> None:
    """Where wrong answers do not end an episode; elsewhere some of them do."""
    assert games(EPISODE, level, chance=0.25, rule=" free").solved.mean() > 0.97
    assert games(EPISODE, level, chance=0.25).solved.mean() > 0.8


@each_environment
def test_chance_seldom_solves_medium(env: SearchQA) -> None:
    assert games(env, "medium", chance=1.0).solved.mean() < 0.3


def test_guessing_pays_where_wrong_answers_are_free() -> None:
    """Why they are not."""
    free = games(EPISODE, "hard", chance=1.0, rule=" free")
    assert free.solved.mean() > games(EPISODE, "hard", chance=1.0).solved.mean() + 0.05


def test_first_command_of_the_expert_is_listed() -> None:
    env, level = EPISODE, "hard"
    played = games(env, level)
    params = env.levels[level].params
    listed, mask = jax.vmap(lambda state: env.valid_commands(state, params))(played.start)
    is_same = (np.asarray(listed) == played.command[:, :1]).all(-1) & np.asarray(mask)
    assert is_same.any(1).all()


def test_answer_is_listed_once_it_is_found() -> None:
    env, level = EPISODE, "medium"
    played = games(env, level)
    params = env.levels[level].params
    found = jax.tree.map(lambda x: x[:, 1], played.after)
    listed, mask = map(np.asarray, jax.vmap(lambda s: env.valid_commands(s, params))(found))
    is_right = (listed[..., 1:3] == played.start.question.answer[:, None]).all(-1)
    is_answer = mask & is_right & (listed[..., 0] == ANSWER + 1)
    assert (is_answer.sum(1) == 1).all()


def test_listed_commands_have_an_effect() -> None:
    env, level = EPISODE, "hard"
    params = env.levels[level].params
    visited = games(env, level, chance=0.5).after
    visited = jax.tree.map(lambda x: x[::8, ::3].reshape(-1, *x.shape[2:]), visited)

    def every(state: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        commands, mask = env.valid_commands(state, params)
        facts = jax.vmap(lambda command: env.step(state, command, params).facts)(commands)
        return commands, mask, facts

    commands, mask, facts = map(np.asarray, jax.jit(jax.vmap(every))(visited))
    is_error = np.array([fact.error for fact in SCHEMA.facts])[facts[..., 0]].any(-1)
    assert not is_error[mask].any() and mask.any(1).all()
    for row, count in zip(commands, mask, strict=True):
        assert len(np.unique(row[count], axis=0)) == count.sum()


# The rules


def _state(level: str = "medium", n: int = 0, env: SearchQA = EPISODE) -> Any:
    return jax.tree.map(lambda x: jnp.asarray(x[n]), games(env, level).start)


@cache
def _step(env: SearchQA) -> Any:
    return jax.jit(env.step)


def _answered(state: Any, *words: Any, env: SearchQA = EPISODE, level: str = "medium") -> Any:
    command = SCHEMA.command(f"answer_{len(words)}", *words)
    return _step(env)(state, command, env.levels[level].params)


def _says(move: Any, name: str) -> bool:
    return bool((move.facts[:, 0] == SCHEMA.fact_id(name)).any())


def test_articles_do_not_count_and_order_does() -> None:
    state = _state()
    a, b = state.question.answer
    the = SCHEMA.concept("article", "the")
    for words in ((a, b), (the, a, b), (a, the, b), (a, b, the)):
        move = _answered(state, *words)
        assert move.success and move.terminated and move.reward == 1 and _says(move, "RIGHT")
    for words in ((b, a), (a,), (b,), (the,), (a, a, b), (a, b, b)):
        assert not _answered(state, *words).success


def test_nickname_is_right_as_well() -> None:
    start = games(EPISODE, "hard").start
    n = int(np.flatnonzero(start.question.nickname >= 0)[0])
    state = _state("hard", n)
    the = SCHEMA.concept("article", "the")
    nickname = state.question.nickname
    assert _answered(state, nickname, level="hard").success
    assert _answered(state, the, nickname, level="hard").success
    assert not _answered(state, nickname, nickname, level="hard").success


@pytest.mark.parametrize("allowed", (0, 1, 2))
def test_wrong_answers_end_the_episode_as_the_rule_says(allowed: int) -> None:
    env, state = searchqa(wrong_answers=allowed), _state()
    wrong = state.question.subject
    for n in range(1, 5):
        move = _answered(state, *wrong, env=env)
        is_over = allowed > 0 and n >= allowed
        assert bool(move.terminated) == is_over and not move.success and move.reward == 0
        assert _says(move, "FAILED" if is_over else "WRONG")
        state = move.state


def test_comparison_cannot_be_guessed() -> None:
    """Two answers for two names would always do."""
    start = games(EPISODE, "hard").start
    n = int(np.flatnonzero(start.question.kind == COMPARED)[0])
    question = start.question
    pair = np.stack([question.subject[n], question.other[n]])
    [loser] = [name for name in pair if (name != question.answer[n]).any()]
    assert _answered(_state("hard", n), *map(int, loser), level="hard").terminated


def test_search_without_a_match_finds_nothing() -> None:
    env, state = EPISODE, _state("easy")
    words = set(np.asarray(state.documents.title).ravel().tolist())
    words |= set(np.asarray(state.documents.thing).ravel().tolist())
    absent = next(c for c in range(100, FIRST_RELATION - 64) if c not in words)
    params = env.levels["easy"].params
    move = _step(env)(state, SCHEMA.command("search_1", absent), params)
    assert _says(move, "NO_DOCUMENTS") and (move.state.hits < 0).all()
    jax.tree.map(np.testing.assert_array_equal, move.state, state)


def test_search_tells_its_hits() -> None:
    """Every document found stands in the message with all its statements, and no other."""
    played = games(EPISODE, "hard", chance=0.5)
    document, states = SCHEMA.fact_id("DOCUMENT"), SCHEMA.fact_id("STATES")
    old, nicknamed = SCHEMA.fact_id("OUTDATED"), SCHEMA.fact_id("NICKNAMED")
    is_search = (played.command[..., 0] >= SEARCH) & (played.command[..., 0] < ANSWER)
    for n, t in np.argwhere(is_search[:48]):
        expected, pages = [], played.start.documents
        for rank, hit in enumerate(played.after.hits[n, t][played.after.hits[n, t] >= 0], 1):
            expected.append((document, rank, *pages.title[n, hit].tolist()))
            for s, relation in enumerate(pages.relation[n, hit]):
                kind = old if pages.outdated[n, hit] and s == 0 else states
                row = (kind, int(relation), *pages.thing[n, hit, s].tolist())
                expected += [row] * int(relation >= 0)
            nickname = int(pages.nickname[n, hit])
            expected += [(nicknamed, nickname, -1, -1)] * int(nickname >= 0)
        facts = played.facts[n, t]
        stated = facts[np.isin(facts[:, 0], (document, states, old, nicknamed))]
        assert [tuple(row) for row in stated[:, :4].tolist()] == expected


def test_documents_and_question_never_change() -> None:
    played = games(EPISODE, "hard", chance=0.7)
    for before, after in (
        (played.start.documents, played.after.documents),
        (played.start.question, played.after.question),
    ):
        jax.tree.map(
            lambda b, a: np.testing.assert_array_equal(b[:, None] + 0 * a, a), before, after
        )


def test_unread_command_changes_nothing() -> None:
    assert_unread_changes_nothing(EPISODE, "hard")


def test_fingerprint_tells_states_apart() -> None:
    state = _state()
    searched = _step(EPISODE)(
        state, EPISODE.expert(state, None), EPISODE.levels["medium"].params
    ).state
    wrong = _answered(state, *state.question.subject).state
    assert len({int(EPISODE.fingerprint(s)) for s in (state, searched, wrong)}) == 3


# Words and shapes


def test_what_is_written_is_read() -> None:
    commands = [
        SCHEMA.command(verb.name, *rows[: len(verb.args)])
        for verb in SCHEMA.verbs[1:]
        for rows in [[low for low, _ in SCHEMA.spans.values()][1:6], [19, 99, 0, 40, 7]]
    ]
    relation = SCHEMA.concept("relation", "capital")
    commands.append(SCHEMA.command("search_2", 130, relation))
    assert_read_as_written(EPISODE, np.stack(commands))


@each_level
def test_messages_keep_their_bounds(level: str) -> None:
    most = EPISODE.levels[level].most
    played = games(EPISODE, level, chance=0.5)
    for facts, bound in ((played.first, 0), (played.facts.reshape(-1, *played.facts.shape[2:]), 1)):
        for number, fact in enumerate(SCHEMA.facts[1:], 1):
            highest = most.get(fact.name, (fact.first, fact.step))[bound]
            assert (facts[..., 0] == number).sum(-1).max() <= highest, fact.name


def test_one_row_equals_its_place_in_a_batch() -> None:
    played, params = games(EPISODE, "hard"), EPISODE.levels["hard"].params
    state = _state("hard", 5)
    for t in range(3):
        command = EPISODE.expert(state, params)
        np.testing.assert_array_equal(command, played.command[5, t])
        move = _step(EPISODE)(state, command, params)
        np.testing.assert_array_equal(move.facts, played.facts[5, t])
        state = move.state
        after = jax.tree.map(lambda x, t=t: x[5, t], played.after)
        jax.tree.map(np.testing.assert_array_equal, state, after)


@pytest.mark.slow
def test_compiled_equals_eager_and_a_row_its_place_in_a_batch() -> None:
    assert_one_equals_many(EPISODE, "hard", rows=2)


@pytest.mark.slow
@each_environment
def test_is_what_the_protocol_asks_for(env: SearchQA) -> None:
    check_environment(env, episodes=16)


def test_unknown_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="graph='none'"):
        SearchQA("x", "none", EPISODE.levels)


def test_earlier_and_later_are_asked_for_alike() -> None:
    assert set(ASKED.tolist()) == {CHAIN, EARLIER, EARLIER + 1}
    start = games(EPISODE, "hard").start
    orders = start.question.order[start.question.kind == COMPARED] - SCHEMA.first_of("order")
    assert set(orders.tolist()) == {0, 1}
