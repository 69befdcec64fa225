"""Tasks, suites and pools: the environments' own results, put into the right words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from itertools import permutations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import COLOURS, DELAYED, READ

from jaxagent.envs import pool
from jaxagent.envs.dispatch import dispatch
from jaxagent.envs.environment import Environment, Level, Transition
from jaxagent.envs.registry import ENVIRONMENTS
from jaxagent.envs.suite import Suite, make_suite
from jaxagent.envs.task import Task, parse_task
from jaxagent.text import (
    ASIDE_COUNTS,
    ASIDES,
    END,
    ERRORS,
    INTERFACES,
    INVALID,
    LEXICONS,
    LISTINGS,
    NONE,
    PAD,
    Language,
    Phrases,
    Schema,
    Voice,
    compile_language,
    fact,
    only_if,
    verb,
)
from jaxagent.text.interface import COMMON_PHRASES

LEDGER_SCHEMA = Schema(
    {"item": ("apple", "pear", "plum")},
    (
        fact("OWES", a="item", n="number", b="item", m="number", first=1, step=0),
        fact("HAS", item="item", count="number", first=3, step=3),
        fact("NO", error=True),
    ),
    (verb("pay", item="item", count="number"),),
)
LEDGER_PHRASES = {
    "terse": Phrases(
        {"OWES": "owe {n} {a} {m} {b}", "HAS": "{count} {item}", "NO": "no"},
        {"pay": "pay {count} {item}"},
    ),
    "prose": Phrases(
        {"OWES": "{n} {a} and {m} {b} .", "HAS": "you have {count} {item} .", "NO": "no ."},
        {"pay": "pay {count} of your {item}"},
    ),
    "call": Phrases(
        {"OWES": "{a} = {n} ; {b} = {m} ;", "HAS": "{item} = {count}", "NO": "error ;"},
        {"pay": "pay ( {item} , {count} )"},
    ),
    "paraphrase": Phrases(
        {"OWES": "{m} {b} are due with {n} {a}", "HAS": "{item} : {count} ;", "NO": "never ."},
        {"pay": "hand over {item} times {count}"},
    ),
    "tags": Phrases(
        {
            "OWES": "<owe> {n} {a} </owe> <owe> {m} {b} </owe>",
            "HAS": "<has> {count} {item} </has>",
            "NO": "<no/>",
        },
        {"pay": "<pay> {count} {item} </pay>"},
    ),
}


@dataclass(frozen=True, eq=False)
class Ledger:
    """Pay a debt of two kinds; wider, and with longer messages, than the probes."""

    name: str = "ledger"
    schema: Schema = LEDGER_SCHEMA
    max_commands: int = 3

    @property
    def phrases(self):
        return LEDGER_PHRASES

    @property
    def levels(self):
        return {
            "easy": Level(np.int32(2), 3, "small debts"),
            "hard": Level(np.int32(50), 5, "large debts"),
        }

    def reset(self, key, params):
        debts = jax.random.randint(key, (3,), 0, params)
        first, schema = LEDGER_SCHEMA.first_of("item"), LEDGER_SCHEMA
        owes = schema.fact("OWES", first, debts[0], first + 1, debts[1])
        return debts, jnp.concatenate([owes[None], self.holdings(debts)])

    def holdings(self, debts):
        first = LEDGER_SCHEMA.first_of("item")
        rows = [LEDGER_SCHEMA.fact("HAS", first + i, debts[i]) for i in range(3)]
        return only_if(debts > 0, jnp.stack(rows))

    def step(self, state, command, params):
        del params
        item = command[1] - LEDGER_SCHEMA.first_of("item")
        pays = (command[0] == LEDGER_SCHEMA.verb_id("pay")) & (command[2] > 0)
        fine = pays & jnp.any((jnp.arange(3) == item) & (state >= command[2]))
        after = state - fine * (jnp.arange(3) == item) * command[2]
        facts = jnp.concatenate(
            [only_if(~fine, LEDGER_SCHEMA.fact("NO"))[None], only_if(fine, self.holdings(after))]
        )
        done = jnp.all(after == 0)
        return Transition(after, facts, jnp.float32(done & fine), done, done & fine)

    def valid_commands(self, state, params):
        del params
        first = LEDGER_SCHEMA.first_of("item")
        rows = [LEDGER_SCHEMA.command("pay", first + i, state[i]) for i in range(3)]
        return jnp.stack(rows), state > 0

    def expert(self, state, params):
        return self.valid_commands(state, params)[0][jnp.argmax(state)]

    def content(self, state):
        return state

    def fingerprint(self, state):
        return (state @ jnp.array([1, 100, 10000])).astype(jnp.uint32)


LEDGER = Ledger()
WORLDS: tuple[Environment, ...] = (READ, LEDGER, DELAYED)
MIXED = (
    "read/easy",
    "ledger/hard+renamed+call+list:every_turn",
    "delayed/easy+swapped+prose+errors:fixed",
    "ledger/easy+prose+list:on_error+errors:silent",
    "read/easy+call+list:first+errors:fixed",
)


@cache
def suite_of(*tasks: str) -> Suite:
    return make_suite(tasks, WORLDS)


@cache
def compiled(owner: Environment | Suite, method: str):
    """A method as one program, kept for all tests."""
    return jax.jit(getattr(owner, method))


@cache
def batched(suite: Suite, method: str):
    """A method of a suite over a batch, as one program."""
    return jax.jit(jax.vmap(getattr(suite, method)))


def words(suite: Suite, tokens) -> str:
    return suite.language.vocabulary.decode(tokens)


def at(tree, n: int):
    return jax.tree.map(lambda leaf: leaf[n], tree)


def random_command(rng: np.random.Generator, schema: Schema, width: int) -> np.ndarray:
    """`INVALID`, or a random verb with arguments that it may have."""
    kind = int(rng.integers(len(schema.verbs)))
    spans = [
        schema.spans[rng.choice(categories.split("|"))] for _, categories in schema.verbs[kind].args
    ]
    args = [int(rng.integers(*span)) for span in spans]
    return np.array([kind, *args] + [NONE] * (width - 1 - len(args)), np.int32)


# Tasks.


def test_every_task_is_read_as_it_is_written():
    for x in LEXICONS:
        for i in INTERFACES:
            for when in LISTINGS:
                for how in ERRORS:
                    for asides in ASIDE_COUNTS:
                        task = Task("ledger", "hard", "seen", x, i, when, how, str(asides))
                        assert parse_task(str(task), WORLDS) == task


def test_modifiers_stand_in_any_order_and_defaults_are_not_written():
    modifiers = ("renamed", "call", "list:first", "errors:silent")
    written = "ledger/easy+renamed+call+list:first+errors:silent"
    for order in permutations(modifiers):
        assert str(parse_task("+".join(["ledger/easy", *order]), WORLDS)) == written
    assert str(parse_task(" read/easy+terse+list:never+identity+errors:reason ", WORLDS)) == (
        "read/easy"
    )
    assert str(parse_task(written, WORLDS).but(list="never")) == (
        "ledger/easy+renamed+call+errors:silent"
    )


@pytest.mark.parametrize(
    ("text", "part", "options"),
    [
        ("book/easy", "environment 'book'", "read, ledger, delayed"),
        ("ledger", "level ''", "ledger's: easy, hard"),
        ("ledger/odd", "level 'odd'", "ledger's: easy, hard"),
        ("read/easy+loud", "'loud' is not one of", "identity, renamed, swapped, terse"),
        ("read/easy+unseen", "read/easy holds no content out", "expected seen"),
        ("read/easy+", "'' is not one of", "seen, unseen, identity"),
        ("read/easy+list:", "'list:' is not one of", "list:never, list:first"),
        ("read/easy+list:always", "'list:always' is not one of", "list:every_turn"),
        ("read/easy+asides:3", "'asides:3' is not one of", "asides:4"),
        ("read/easy+errors:first", "'errors:first' is not one of", "errors:silent"),
        ("read/easy+renamed+swapped", "lexicon is given twice", ""),
        ("read/easy+list:first+list:first", "list is given twice", ""),
    ],
)
def test_a_task_that_is_not_known_is_explained(text, part, options):
    with pytest.raises(ValueError) as caught:
        parse_task(text, WORLDS)
    assert repr(text) in str(caught.value)
    assert part in str(caught.value) and options in str(caught.value)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [("", "at least one"), ([], "at least one"), ("read/easy, read/easy+terse", "given twice")],
)
def test_a_suite_needs_distinct_tasks(tasks, message):
    with pytest.raises(ValueError, match=f"tasks: .*{message}"):
        make_suite(tasks, WORLDS)


def test_a_suite_holds_its_tasks_as_arrays():
    suite = make_suite("delayed/easy+swapped, ledger/hard+call,ledger/easy", WORLDS)
    assert suite.names == ("delayed/easy+swapped", "ledger/hard+call", "ledger/easy")
    assert [each.name for each in suite.environments] == ["ledger", "delayed"]
    assert suite.places == (1, 2)
    assert suite.owner.tolist() == [1, 0, 0]
    assert suite.turn_limits.tolist() == [3, 5, 3]
    assert [field.tolist() for field in suite.voices] == [[2, 1, 1], [2, 0, 0], [0, 2, 0], [0] * 3]


# Play.


def played_alone(suite: Suite, n: int, key: jax.Array, command: np.ndarray):
    """Task `n` as its own environment plays it: first facts, state, transition, valid, expert."""
    environment = suite.environments[suite.owner[n]]
    params = environment.levels[suite.tasks[n].level].params
    state, first = compiled(environment, "reset")(key, params)
    row = command[: 1 + environment.schema.max_args]
    move = compiled(environment, "step")(state, row, params)
    valid = compiled(environment, "valid_commands")
    expert = compiled(environment, "expert")(state, params)
    return (first, *valid(state, params)), (move, *valid(move.state, params)), state, expert


@cache
def compiled_say(language: Language):
    return jax.jit(language.say, static_argnums=2)


def said(suite: Suite, n: int, facts, commands, mask, listed: bool, size: int) -> list[int]:
    """The message of `facts`, and of the list behind them if it is `listed`."""
    language = suite.language
    wide = partial(np.pad, constant_values=NONE)
    missing = 1 + language.max_args - facts.shape[1]
    rows = [wide(np.asarray(facts), ((0, 0), (0, missing)))]
    if listed:
        commands = wide(np.asarray(commands), ((0, 0), (0, missing)))
        rows.append(np.asarray(language.listed(jnp.asarray(commands), mask)))
    spoken = Voice(*(jnp.int32(field[n]) for field in suite.voices))
    return compiled_say(language)(np.concatenate(rows), spoken, size)[0].tolist()


@pytest.mark.parametrize("seed", range(3))
def test_a_suite_plays_like_its_environments(seed):
    """All tasks in one batch, against each environment called by itself."""
    suite, rng = suite_of(*MIXED), np.random.default_rng(seed)
    width, tasks = 1 + suite.language.max_args, jnp.arange(len(suite))
    keys = jax.random.split(jax.random.key(seed), len(suite))
    schemas = [suite.environments[e].schema for e in suite.owner]
    commands = np.array([random_command(rng, schema, width) for schema in schemas])
    instances, opened = batched(suite, "reset")(keys, tasks)
    experts = batched(suite, "expert")(instances)
    steps = batched(suite, "step")(instances, commands)
    rows, masks = batched(suite, "valid_commands")(steps.instance)
    for n, task in enumerate(suite.tasks):
        before, (move, valid, mask), state, expert = played_alone(suite, n, keys[n], commands[n])
        own = int(suite.owner[n])
        jax.tree.map(np.testing.assert_array_equal, at(instances.states[own], n), state)
        jax.tree.map(np.testing.assert_array_equal, at(steps.instance.states[own], n), move.state)
        assert steps.reward[n] == move.reward and steps.terminated[n] == move.terminated
        error = bool(suite.language.is_error(move.facts, suite.voices.environment[n]))
        assert bool(steps.invalid[n]) == error
        listed = task.list == "every_turn" or (task.list == "on_error" and error)
        expected = said(suite, n, move.facts, valid, mask, listed, suite.step_tokens)
        assert steps.message.tokens[n].tolist() == expected
        assert int(steps.message.length[n]) == sum(token != PAD for token in expected)
        listed = task.list in ("first", "every_turn")
        expected = said(suite, n, *before, listed, suite.first_tokens)
        assert opened.tokens[n].tolist() == expected
        # What is narrower than the suite is padded.
        assert experts[n].tolist() == expert.tolist() + [NONE] * (width - len(expert))
        assert masks[n].tolist() == mask.tolist() + [False] * (len(masks[n]) - len(mask))
        assert (rows[n, : len(mask), : valid.shape[1]] == valid).all()
        assert (rows[n, : len(mask), valid.shape[1] :] == NONE).all()


def test_counsel_is_the_experts_command_and_the_valid_ones():
    suite = suite_of(*MIXED)
    keys = jax.random.split(jax.random.key(7), len(suite))
    instances, _ = batched(suite, "reset")(keys, jnp.arange(len(suite)))
    expert, commands, mask = batched(suite, "counsel")(instances)
    np.testing.assert_array_equal(expert, batched(suite, "expert")(instances))
    np.testing.assert_array_equal(commands, batched(suite, "valid_commands")(instances)[0])
    np.testing.assert_array_equal(mask, batched(suite, "valid_commands")(instances)[1])
    assert mask.any(1).all()


def test_an_action_is_read_in_the_words_of_its_task():
    suite = suite_of(*MIXED)
    tasks = jnp.arange(len(suite))
    keys = jax.random.split(jax.random.key(5), len(suite))
    instances, _ = batched(suite, "reset")(keys, tasks)
    experts = batched(suite, "expert")(instances)
    actions = batched(suite, "write")(instances, experts)
    assert actions.tokens.shape == (len(suite), suite.action_tokens)
    spoken = batched(suite, "act")(instances, actions.tokens)
    moved = batched(suite, "step")(instances, experts)
    jax.tree.map(np.testing.assert_array_equal, spoken, moved)
    assert not spoken.invalid.any()
    garbled = batched(suite, "act")(instances, actions.tokens.at[:, 0].set(END))
    assert garbled.invalid.all()


def messages(task: str) -> tuple[str, str, str]:
    """The first message, the one behind a valid command, and the one behind an unread one."""
    suite = suite_of(task)
    instance, first = compiled(suite, "reset")(jax.random.key(0), jnp.int32(0))
    good = compiled(suite, "step")(instance, compiled(suite, "expert")(instance))
    bad = compiled(suite, "act")(instance, jnp.full(suite.action_tokens, END))
    return tuple(words(suite, m.tokens) for m in (first, good.message, bad.message))


def listing() -> str:
    """The list of a probe's commands, in its own terse words."""
    verbs = DELAYED.phrases["terse"].verbs
    commands = [verbs["say"].replace("{colour}", colour) for colour in COLOURS]
    return " ".join(["can :", *(f"{command} ," for command in [*commands, verbs["wait"]])])


LIST = listing()


@pytest.mark.parametrize(
    ("when", "listed"),
    [("never", ()), ("first", (0,)), ("on_error", (2,)), ("every_turn", (0, 1, 2))],
)
def test_commands_are_listed_when_they_should(when, listed):
    plain = messages("delayed/easy")
    assert plain[1:] == ("", "what")
    expected = [f"{text} {LIST}".strip() if n in listed else text for n, text in enumerate(plain)]
    assert list(messages(f"delayed/easy+list:{when}")) == expected


@pytest.mark.parametrize(
    ("how", "told"), [("reason", "what"), ("fixed", "nothing happens"), ("silent", "")]
)
@pytest.mark.parametrize("when", ["never", "on_error"])
def test_errors_are_told_as_they_should(how, told, when):
    plain = messages("delayed/easy")
    expected = f"{told} {LIST}".strip() if when == "on_error" else told
    assert messages(f"delayed/easy+errors:{how}+list:{when}") == (*plain[:2], expected)


@pytest.mark.parametrize("interface", INTERFACES)
def test_asides_are_added_and_change_nothing_else(interface):
    """Every message has as many as the task asks for, new ones each time, behind what it says."""
    plain = suite_of(f"ledger/hard+{interface}")
    suite = suite_of(*(f"ledger/hard+{interface}+asides:{n}" for n in (1, 2, 4)))
    keys = pool.evaluation_keys(jnp.arange(3))
    instances, opened = batched(suite, "reset")(keys, jnp.arange(3))
    alone, first = batched(plain, "reset")(keys, jnp.zeros(3, int))
    template, drawn = COMMON_PHRASES[interface]["ASIDE"].split(), set()
    slots = [place for place, word in enumerate(template) if "{" in word]
    for _ in range(3):
        for n, count in enumerate((1, 2, 4)):
            text = words(suite, opened.tokens[n]).split()
            base = words(plain, first.tokens[n]).split()
            assert text[: len(base)] == base
            asides = np.reshape(text[len(base) :], (count, len(template)))
            drawn |= {tuple(aside[slots]) for aside in asides}
        commands = batched(suite, "expert")(instances)
        step = batched(suite, "step")(instances, commands)
        other = batched(plain, "step")(alone, commands)
        assert (step.reward == other.reward).all() and (step.invalid == other.invalid).all()
        instances, opened = step.instance, step.message
        alone, first = other.instance, other.message
    assert len(drawn) > 10
    assert {frozenset(pair) for pair in drawn} <= {
        frozenset(pair) for pair in product(*ASIDES.values())
    }


def test_one_program_serves_every_task():
    suite = suite_of(*MIXED)
    reset = jax.jit(suite.reset)
    for n in range(len(suite)):
        reset(jax.random.key(0), jnp.int32(n))
    assert reset._cache_size() == 1


def test_a_policy_fits_every_suite_of_the_same_environments():
    one, other = suite_of(MIXED[0]), suite_of(*MIXED)
    assert one.language is other.language


def test_sayable_is_that_of_the_lexicons_and_interfaces_in_play():
    suite = suite_of("read/easy", "ledger/easy+swapped")
    words_of = {suite.language.vocabulary.words[w] for w in suite.sayable}
    assert {"<end>", "say", "red", "pay", "apple", "0", "99", "(", ","} <= words_of
    assert not {"<pad>", ">", "owe", "what", "<pay>", "hand"} & words_of
    tagged = set(suite_of("read/easy", "ledger/easy+tags").sayable)
    assert suite.language.vocabulary.id("<pay>") in tagged and set(suite.sayable) <= tagged
    renamed = set(suite_of("read/easy+renamed").sayable) - set(suite.sayable)
    assert len(renamed) == 4


def test_words_of_environments_that_are_not_in_the_suite_are_not_sayable():
    both, one = suite_of("read/easy", "ledger/easy"), suite_of("read/easy")
    assert set(one.sayable) < set(both.sayable)
    assert both.language.vocabulary.id("apple") not in one.sayable
    assert both.in_play.all(0)[both.sayable].all()


# Pools.


def test_training_and_evaluation_keys_never_meet():
    training = np.asarray(jax.random.key_data(pool.training_keys(jax.random.key(3), 1000)))
    evaluation = np.asarray(jax.random.key_data(pool.evaluation_keys(jnp.arange(1000))))
    assert (training[:, 0] < 2**31).all() and (evaluation[:, 0] >= 2**31).all()
    assert len(np.unique(training, axis=0)) == len(np.unique(evaluation, axis=0)) == 1000
    again = jax.random.key_data(pool.evaluation_keys(990 + jnp.arange(10)))
    assert (np.asarray(again) == evaluation[990:]).all()


def test_deal_gives_the_next_entries_in_order_and_wraps():
    dealt, size = jnp.int32(0), 7
    order = []
    for done in np.random.default_rng(0).random((20, 5)) < 0.5:
        entries, after = pool.deal(jnp.asarray(done), dealt, size)
        assert int(after) == int(dealt) + done.sum()
        assert ((entries >= 0) & (entries < size)).all()
        order += np.asarray(entries)[done].tolist()
        dealt = after
    assert order == [n % size for n in range(len(order))] and len(order) > 3 * size


@pytest.mark.parametrize("weights", [(1, 1, 1), (0, 1, 3), (5, 0, 0), (0, 0, 1), (0.1, 0.7, 0.2)])
def test_a_pool_holds_every_task_in_its_share(weights):
    suite, size = suite_of("read/easy", "ledger/easy", "delayed/easy"), 37
    draw = jax.jit(partial(pool.draw_pool, suite=suite, size=size))
    orders = set()
    for seed in range(5):
        drawn = draw(jax.random.key(seed), weights=jnp.asarray(weights, jnp.float32))
        assert drawn.size == size
        tasks = np.asarray(drawn.instances.task)
        counts = np.bincount(tasks, minlength=3)
        exact = size * np.array(weights) / sum(weights)
        assert (np.abs(counts - exact) < 1).all() and (counts[exact == 0] == 0).all()
        orders.add(tuple(tasks))
    assert len(orders) == (1 if 0 in weights and sum(w > 0 for w in weights) == 1 else 5)


def test_rounding_draws_no_task_without_weight(monkeypatch):
    """With the largest random offset the last point is rounded up to 1."""
    largest = jnp.float32(1 - 2**-24)
    monkeypatch.setattr(jax.random, "uniform", lambda key: largest)
    draw = jax.jit(partial(pool.draw_pool, suite=suite_of("read/easy", "ledger/easy"), size=4096))
    drawn = draw(jax.random.key(0), weights=jnp.array([1.0, 0.0]))
    assert (drawn.instances.task == 0).all()


def test_a_pool_is_filled_by_its_keys():
    suite = suite_of("read/easy", "ledger/easy")
    keys, tasks = pool.evaluation_keys(jnp.arange(4)), jnp.array([1, 0, 0, 1])
    filled = jax.jit(partial(pool.fill_pool, suite))(keys, tasks)
    for n in range(4):
        alone = compiled(suite, "reset")(keys[n], tasks[n])
        jax.tree.map(
            np.testing.assert_array_equal, at((filled.instances, filled.messages), n), alone
        )


@pytest.mark.parametrize("size", [7, 8, 12])
def test_a_pool_is_the_same_filled_in_parts(monkeypatch, size):
    suite = suite_of("read/easy", "ledger/easy")
    keys, tasks = pool.evaluation_keys(jnp.arange(size)), jnp.arange(size) % 2
    whole = jax.jit(partial(pool.fill_pool, suite))(keys, tasks)
    monkeypatch.setattr(pool, "_MOST_AT_ONCE", 4)
    parts = jax.make_jaxpr(partial(pool.fill_pool, suite))(keys, tasks)
    # A size that does not divide, in parts that are not much smaller, is filled whole.
    assert ("scan" in str(parts)) == (size != 7)
    filled = jax.jit(lambda *levels: pool.fill_pool(suite, *levels))(keys, tasks)
    jax.tree.map(np.testing.assert_array_equal, filled, whole)


def test_rows_make_no_worlds_but_their_own():
    suite = suite_of("read/easy", "ledger/easy")
    tasks = np.array([0, 1, 1, 0, 1])
    filled = jax.jit(partial(pool.fill_pool, suite))(pool.evaluation_keys(jnp.arange(5)), tasks)
    for environment, states in enumerate(filled.instances.states):
        leaves = [np.asarray(leaf).reshape(5, -1) for leaf in jax.tree.leaves(states)]
        made = np.concatenate(leaves, axis=1).any(1)
        assert not made[tasks != environment].any() and made[tasks == environment].any()


# Dispatch: every row by its own branch, however the rows are mixed.


def branches():
    """Three branches: one counts, one only looks, one answers in a narrower row."""

    def count(state, x):
        return state + x, jnp.stack([state, x, state * x])

    def look(state, x):
        return None, jnp.stack([x, state[0], state[1]])

    def narrow(state, x):
        return state - x, x[None]

    return count, look, narrow


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
@pytest.mark.parametrize("mixture", [(0,), (2, 1), (0, 1, 2)])
def test_dispatch_equals_a_loop(rows, mixture):
    rng = np.random.default_rng(rows)
    owners = jnp.asarray(rng.choice(mixture, rows))
    xs = jnp.asarray(rng.integers(-9, 9, rows))
    states = tuple(jnp.asarray(rng.integers(-9, 9, s)) for s in ((rows,), (rows, 2), (rows,)))
    alone = partial(dispatch, branches())
    after, results = jax.jit(jax.vmap(alone))(owners, states, xs)
    for n, owner in enumerate(owners.tolist()):
        mine = at(states, n)
        state, result = branches()[owner](mine[owner], xs[n])
        expected = [mine[i] if i != owner or state is None else state for i in range(3)]
        jax.tree.map(np.testing.assert_array_equal, at(after, n), tuple(expected))
        assert results[n].tolist() == result.tolist() + [0] * (3 - len(result))
        jax.tree.map(
            np.testing.assert_array_equal, alone(owners[n], mine, xs[n]), at((after, results), n)
        )


def test_dispatch_may_be_mapped_twice_or_over_states_alone():
    rng = np.random.default_rng(0)
    owners = jnp.asarray(rng.integers(0, 3, (4, 5)))
    xs = jnp.asarray(rng.integers(-9, 9, (4, 5)))
    states = tuple(jnp.asarray(rng.integers(-9, 9, s)) for s in ((4, 5), (4, 5, 2), (4, 5)))
    once = jax.vmap(partial(dispatch, branches()))
    twice = jax.jit(jax.vmap(once))(owners, states, xs)
    for n in range(4):
        alone = once(owners[n], at(states, n), xs[n])
        jax.tree.map(np.testing.assert_array_equal, at(twice, n), alone)
    shared = jax.vmap(partial(dispatch, branches()), in_axes=(None, 0, None))
    found = shared(owners[0, 0], at(states, 0), xs[0, 0])
    expected = once(jnp.full(5, owners[0, 0]), at(states, 0), jnp.full(5, xs[0, 0]))
    jax.tree.map(np.testing.assert_array_equal, found, expected)


# Random play: nothing that can be said may crash or corrupt an environment.


def limits_of(environment: Environment, language: Language) -> tuple[int, int, int]:
    """The longest first message, the longest one behind a command, the longest command."""
    every, count = range(len(INTERFACES)), environment.max_commands
    return (
        language.longest_message(0, every, True, count),
        language.longest_message(0, every, False, count),
        language.longest_command([0], every),
    )


def argument_table(schema: Schema) -> np.ndarray:
    """bool[fact types, arguments, concepts + 1]: what a fact may hold, `NONE` in the last place."""
    table = np.zeros((len(schema.facts), schema.max_args, len(schema.concepts) + 1), bool)
    for kind, item in enumerate(schema.facts):
        table[kind, len(item.args) :] = True
        for k, (_, categories) in enumerate(item.args):
            for category in categories.split("|"):
                table[kind, k, slice(*schema.spans[category])] = True
    return table


def facts_are_allowed(table: np.ndarray, facts: jax.Array) -> jax.Array:
    known = (facts[:, 0] >= 0) & (facts[:, 0] < len(table))
    inside = (facts[:, 1:] >= NONE) & (facts[:, 1:] < table.shape[2] - 1)
    places = jnp.where(facts[:, 1:] == NONE, table.shape[2] - 1, facts[:, 1:])
    fits = jnp.asarray(table)[facts[:, :1], jnp.arange(table.shape[1]), places]
    return jnp.all(known & jnp.all((inside & fits) | (facts[:, :1] == 0), axis=1))


def is_finite(tree) -> jax.Array:
    floats = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(x)) for x in floats] + [True]))


def is_message(language: Language, tokens: jax.Array, length: jax.Array, limit: int) -> jax.Array:
    """Whether a message is padded words of the vocabulary, at most `limit`."""
    within = (tokens >= 0) & (tokens < len(language.vocabulary))
    padded = jnp.arange(len(tokens)) >= length
    return jnp.all(within & ((tokens == PAD) == padded)) & (length <= limit)


def near_miss(key: jax.Array, tokens: jax.Array, language: Language) -> jax.Array:
    """`tokens` with none, about one or all of them replaced, now and then by ids of no word."""
    rate_key, where_key, noise_key = jax.random.split(key, 3)
    rates = jnp.array([0, 1 / len(tokens), 1.0])
    rate = jax.random.choice(rate_key, rates)
    noise = jax.random.randint(noise_key, tokens.shape, -2, len(language.vocabulary) + 2)
    return jnp.where(jax.random.bernoulli(where_key, rate, tokens.shape), noise, tokens)


def is_spelt(language: Language, command, tokens, spoken: Voice) -> jax.Array:
    """Whether `command` is `INVALID`, or written as `tokens` up to their end."""
    written, _ = language.write(command, spoken, len(tokens))
    ended = jnp.cumsum(tokens == END) > 0
    same = jnp.where(ended, PAD, tokens) == jnp.where(written == END, PAD, written)
    return (command[0] == INVALID) | jnp.all(same)


def random_turn(environment, language, table, params, spoken, start, before, key):
    """One random action; what it did, and whether all was as it should be.

    An ended episode begins again at `start`: little can go wrong after the end.
    """
    state, rows, mask = before
    pick_key, miss_key = jax.random.split(key)
    _, step_limit, action_limit = limits_of(environment, language)
    choice = jax.random.categorical(pick_key, jnp.where(mask, 0.0, -jnp.inf))
    written, _ = language.write(rows[choice], spoken, action_limit)
    tokens = near_miss(miss_key, written, language)
    command = language.read(tokens, spoken)
    after = environment.step(state, command, params)
    valid = environment.valid_commands(after.state, params)
    listed = language.listed(*valid)
    message = language.say(jnp.concatenate([after.facts, listed]), spoken, step_limit + 8)
    fine = {
        "read": is_spelt(language, command, tokens, spoken),
        "finite": is_finite((after.state, after.reward)),
        "facts": facts_are_allowed(table, after.facts),
        "message": is_message(language, *message, step_limit),
        "one error": jnp.sum(jnp.asarray(language.errors)[0, after.facts[:, 0]]) <= 1,
    }
    onward = jax.tree.map(partial(jnp.where, after.terminated), start, (after.state, *valid))
    return onward, (command[0] != INVALID, fine)


def random_play(environment, language, table, turns, key, params, spoken):
    """Random actions on one row: how many were read, and what was always as it should be."""
    first_limit, *_ = limits_of(environment, language)
    reset_key, walk_key = jax.random.split(key)
    state, facts = environment.reset(reset_key, params)
    opened = language.say(facts, spoken, first_limit + 8)
    start = (state, *environment.valid_commands(state, params))
    turn = partial(random_turn, environment, language, table, params, spoken, start)
    _, (read, fine) = jax.lax.scan(turn, start, jax.random.split(walk_key, turns))
    fine = jax.tree.map(jnp.all, fine)
    fine["first"] = is_message(language, *opened, first_limit) & facts_are_allowed(table, facts)
    return jnp.sum(read), fine


def check_random_play(environment: Environment, rows: int, turns: int) -> None:
    """`rows * turns` actions, levels and voices drawn by row."""
    language = compile_language([environment])
    rng = np.random.default_rng(0)
    levels = [level.params for level in environment.levels.values()]
    drawn = rng.integers(len(levels), size=rows)
    params = jax.tree.map(lambda *leaves: np.stack(leaves)[drawn], *levels)
    sizes = (1, len(LEXICONS), len(INTERFACES), len(ERRORS))
    spoken = Voice(*(rng.integers(size, size=rows, dtype=np.int32) for size in sizes))
    keys = jax.random.split(jax.random.key(0), rows)
    play = partial(random_play, environment, language, argument_table(environment.schema), turns)
    read, fine = jax.jit(jax.vmap(play))(keys, params, spoken)
    assert {name for name, ok in fine.items() if not bool(ok.all())} == set()
    assert 0.1 < float(read.sum()) / (rows * turns) < 0.9


PLAYED = [LEDGER, DELAYED, *ENVIRONMENTS]
NAMED = {"ids": lambda environment: environment.name}


@pytest.mark.optimised
@pytest.mark.parametrize("name", ["textcraft", "babyai"])
def test_random_words_do_no_harm(name):
    [environment] = (each for each in ENVIRONMENTS if each.name == name)
    check_random_play(environment, rows=512, turns=100)


@pytest.mark.slow
@pytest.mark.parametrize("environment", PLAYED, **NAMED)
def test_a_million_random_actions_do_no_harm(environment):
    check_random_play(environment, rows=4096, turns=245)
