"""Rollouts and packing: the same words in the same order, and the same numbers in both passes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import PROBES

from jaxagent.envs import draw_pool, make_suite
from jaxagent.models import ModelConfig, Policy, log_prob
from jaxagent.rl.actor import Actor
from jaxagent.rl.devices import row_keys
from jaxagent.rl.imitation import Expert
from jaxagent.rl.minibatch import gather_minibatch, over_minibatches, shuffled_rows
from jaxagent.rl.outputs import word_outputs
from jaxagent.rl.packing import GROUP, OPEN, pack
from jaxagent.rl.rollout import rollout
from jaxagent.rl.trajectory import turn_lengths
from jaxagent.rl.window import Window
from jaxagent.text import END

WINDOW = Window(rows=6, turns=9, context=40)
TASKS = ("remember/easy", "read/easy+prose", "delayed/easy+renamed+call", "remember/easy+swapped")


@pytest.fixture(scope="module")
def actor():
    suite = make_suite(TASKS, PROBES)
    model = ModelConfig(width=32, layers=2, heads=2, hidden=48)
    return Actor(Policy(model, len(suite.language.vocabulary)), suite)


@pytest.fixture(scope="module")
def params(actor):
    return actor.policy.init(jax.random.key(0))


@pytest.fixture(scope="module")
def pool(actor):
    return draw_pool(jax.random.key(1), actor.suite, jnp.ones(len(TASKS)), 12)


@pytest.fixture(scope="module")
def demonstrations(actor, pool):
    play = jax.jit(partial(rollout, Expert(actor.suite, 0.4), window=WINDOW))
    return play({}, pool, jax.random.key(2))


@pytest.fixture(scope="module")
def played(actor, params, pool):
    play = jax.jit(partial(rollout, actor, window=WINDOW))
    return play(params, pool, jax.random.key(3))


def episodes_of(trajectory, row):
    """Per episode of a row: the words that were read or said, and which of them were said."""
    turns = jax.tree.map(lambda x: np.asarray(x[row]), trajectory.turns)
    openings = jax.tree.map(np.asarray, trajectory.openings)
    episodes = []
    for t in range(len(turns.task)):
        if turns.fresh[t]:
            entry = turns.entry[t]
            episodes.append(
                [(int(w), False) for w in openings.tokens[entry][: openings.length[entry]]]
            )
        if turns.closing[t]:
            continue
        message = turns.message.tokens[t][: turns.message.length[t]]
        if not turns.fresh[t]:
            assert message[0] == episodes[-1].pop()[0]
            episodes[-1].append((int(message[0]), True))
            message = message[1:]
        episodes[-1] += [(int(w), False) for w in message]
        episodes[-1] += [(int(w), True) for w in turns.action[t][: turns.action_length[t]]]
    return episodes


def packed_rows(packing, context, words):
    """All filled packed rows of all groups."""
    used = np.asarray(packing.layout.used)
    group = np.repeat(np.arange(len(used)), used)
    number = np.concatenate([np.arange(count) for count in used])
    filled = jnp.ones(len(group), bool)
    batch = gather_minibatch(packing, group, number, filled, context, words)
    return jax.tree.map(np.asarray, batch)


@pytest.mark.parametrize("which", ["demonstrations", "played"])
@pytest.mark.parametrize("context", [pytest.param(40, marks=pytest.mark.slow), 48, 80])
def test_packed_rows_hold_every_episode_once_and_whole(which, context, request):
    trajectory = request.getfixturevalue(which)
    words = context // 2
    packed = packed_rows(pack(trajectory, context, words), context, words)
    action = np.asarray(trajectory.turns.action).reshape(-1, trajectory.turns.action.shape[-1])
    found = []
    for r, segments in enumerate(packed.segments):
        said = packed.said[r]
        slots, targets = packed.slot[r][said], action[packed.turn[r][said], packed.place[r][said]]
        assert (np.diff(slots) > 0).all()
        for segment in sorted(set(segments) - {-1}):
            mine = segments == segment
            assert (np.diff(np.flatnonzero(mine)) == 1).all()
            np.testing.assert_array_equal(packed.positions[r][mine], np.arange(mine.sum()))
            spoken = targets[mine[slots]].tolist()
            found.append((packed.tokens[r][mine].tolist(), spoken))
        for slot, word in zip(slots, targets, strict=True):
            if slot + 1 < context and segments[slot + 1] == segments[slot]:
                assert packed.tokens[r][slot + 1] == word
    episodes = [e for row in range(WINDOW.rows) for e in episodes_of(trajectory, row)]
    # The last word said is never read, so it is no input.
    expected = [([w for w, _ in e[:-1]], [w for w, said in e if said]) for e in episodes]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(("context", "words"), [(40, 20), (80, 40), (60, 16)])
def test_episodes_go_to_the_fullest_of_the_open_rows_with_room(demonstrations, context, words):
    """Against a plain reading of the rule, group by group."""
    packing = pack(demonstrations, context, words)
    lengths, said = jax.vmap(turn_lengths, in_axes=(0, None))(
        demonstrations.turns, demonstrations.openings
    )
    fresh = np.asarray(demonstrations.turns.fresh)
    per_group = WINDOW.rows // len(packing.layout.used)
    assert per_group == np.gcd(WINDOW.rows, GROUP) > 1
    for group, used in enumerate(packing.layout.used):
        rows = slice(group * per_group, (group + 1) * per_group)
        begins = np.flatnonzero(fresh[rows].reshape(-1))
        sizes = [
            np.add.reduceat(np.asarray(x)[rows].reshape(-1), begins).tolist()
            for x in (lengths, said)
        ]
        rooms, begun = [], 0
        for size, count in zip(*sizes, strict=True):
            fitting = [r for r in rooms if r[0] + size <= context and r[1] + count <= words]
            if not fitting:
                if len(rooms) == OPEN:
                    rooms.remove(max(rooms))
                fitting, begun = [[0, 0]], begun + 1
                rooms.append(fitting[0])
            fullest = max(fitting)
            fullest[0] += size
            fullest[1] += count
        assert used == begun


def test_the_packed_pass_gives_the_rollouts_own_numbers(actor, params, played):
    packing = pack(played, WINDOW.context, WINDOW.words)
    group, number = shuffled_rows(jax.random.key(0), packing)
    used = jnp.arange(len(group)) < packing.used
    batch = gather_minibatch(packing, group, number, used, WINDOW.context, WINDOW.words)
    logits, value = word_outputs(actor, params, batch, played.turns.task)
    choice = jnp.asarray(actor.places)[batch.words_of(played.turns.action)]
    said = np.asarray(batch.said)
    assert said.sum() == played.turns.action_length.sum()
    for new, old in (
        (log_prob(logits, choice), played.turns.log_prob),
        (value, played.turns.value),
    ):
        np.testing.assert_allclose(
            np.asarray(new)[said], np.asarray(batch.words_of(old))[said], atol=2e-5
        )


def test_value_behind_a_truncated_turn_is_read_off_its_final_message(actor, params, pool):
    """The closing turn reads the message that followed the last action, and nothing else."""
    short = Window(rows=6, turns=8, context=24)
    played = jax.jit(partial(rollout, actor, window=short))(params, pool, jax.random.key(0))
    turns = jax.tree.map(np.asarray, played.turns)
    assert turns.truncated.any() and turns.closing.any()
    rows, times = np.nonzero(turns.truncated[:, :-1])
    assert turns.closing[rows, times + 1].all()
    assert (turns.action_length[turns.closing] == 0).all()
    assert not (turns.reward[turns.closing]).any()
    fresh_after = turns.fresh[:, 1:] == (turns.terminated | turns.closing)[:, :-1]
    assert fresh_after.all()


@pytest.mark.parametrize("slots", [64, 24, 16])
def test_messages_of_any_lengths_are_read_as_if_alone(actor, params, slots):
    """Whether many rows go on or few, and whether what they read has slots or not."""
    first, second = np.array([[9, 1, 16, 5, 0, 7, 12, 3, 2], [20, 3, 7, 19, 4, 0, 25, 1, 13]])
    rows, size = len(first), 26
    words = jax.random.randint(jax.random.key(0), (2, rows, size), 0, actor.policy.vocabulary)
    empty = actor.empty_cache(slots)
    cache = jax.tree.map(lambda x: jnp.broadcast_to(x, (rows, *x.shape)), empty)
    read = jax.jit(actor.read)
    _, cache = read(params, cache, words[0, :, :16], first)
    last, cache = read(params, cache, words[1], second)
    assert cache.slots == slots
    np.testing.assert_array_equal(cache.length, first + second)

    extend = jax.jit(actor.policy.extend)
    for row in range(rows):
        alone = jnp.concatenate([words[0, row, : first[row]], words[1, row]])
        total = int(first[row] + second[row])
        padded = jnp.pad(alone, (0, 16 - int(first[row])))
        hidden, _ = extend(params, actor.policy.empty_cache(64), padded, total)
        expected = hidden[total - 1] if second[row] else jnp.zeros_like(hidden[0])
        np.testing.assert_allclose(last[row], expected, atol=1e-5)


def test_every_row_is_dealt_its_own_instances_in_order(played):
    """Whatever the other rows play; with twelve for six rows each has two, and begins again."""
    turns = jax.tree.map(np.asarray, played.turns)
    for row in range(WINDOW.rows):
        dealt = turns.entry[row][turns.fresh[row]]
        expected = (row + WINDOW.rows * np.arange(len(dealt))) % 12
        np.testing.assert_array_equal(dealt, expected)
    assert turns.fresh.sum() > 12


def test_minibatches_visit_every_word_once(played):
    packing = pack(played, WINDOW.context, WINDOW.words)
    ones = jnp.ones_like(played.turns.log_prob)

    def count(carry, batch, number):
        said = jnp.where(batch.said, batch.words_of(ones), 0.0)
        return carry + jnp.sum(said), number

    start = (jnp.float32(0), jnp.int32(0))
    total, number = over_minibatches(
        jax.random.key(0),
        packing,
        4,
        WINDOW.context,
        WINDOW.words,
        start,
        lambda carry, batch, number: count(carry[0], batch, number),
    )
    assert total == played.turns.action_length.sum()
    assert number == -(-int(packing.used) // 4)


def test_useful_share_is_counted_from_the_packed_rows(demonstrations):
    packing = pack(demonstrations, 48, 24)
    tokens = sum(
        len(episode) - 1
        for row in range(WINDOW.rows)
        for episode in episodes_of(demonstrations, row)
    )
    np.testing.assert_allclose(packing.useful(48), tokens / (int(packing.used) * 48), rtol=1e-6)


def test_noisy_commands_are_marked(demonstrations, actor, pool):
    assert 0.2 < float(jnp.mean(~demonstrations.turns.expert)) < 0.6
    play = jax.jit(partial(rollout, Expert(actor.suite), window=WINDOW))
    clean = play({}, pool, jax.random.key(2))
    finished = clean.turns.terminated
    assert clean.turns.expert.all() and clean.turns.success[finished].all() and finished.any()


def test_slips_change_one_argument_for_one_of_its_category(actor, pool):
    """And are labelled as not the expert's, unless they happen to say the same."""
    schema = actor.suite.environments[0].schema
    expert, slipping = Expert(actor.suite), Expert(actor.suite, slips=1.0)
    right, _ = jax.vmap(expert.command)(jax.random.split(jax.random.key(0), 12), pool.instances)
    changed = 0
    for seed in range(8):
        keys = jax.random.split(jax.random.key(seed), 12)
        said, as_expert = jax.vmap(slipping.command)(keys, pool.instances)
        different = np.asarray(said != right)
        np.testing.assert_array_equal(different.any(axis=1), ~np.asarray(as_expert))
        assert not different[:, 0].any() and (different.sum(axis=1) <= 1).all()
        kinds = schema.concept_category
        for row, column in zip(*np.nonzero(different), strict=True):
            assert kinds[said[row, column]] == kinds[right[row, column]]
        changed += different.any(axis=1).mean()
    assert changed / 8 > 0.2
    with pytest.raises(ValueError, match=r"noise=0.6, slips=0.5: expected probabilities"):
        Expert(actor.suite, 0.6, 0.5)


def test_a_context_that_cannot_hold_an_opening_is_refused(actor):
    with pytest.raises(ValueError, match="context=8: an opening of up to"):
        Window(context=8).check(actor.suite)


def test_a_row_plays_what_it_would_play_in_any_batch(actor, params):
    """Halves of a batch are played as the whole is, given their own keys and pool entries; so are
    its rows in another order."""
    pool = draw_pool(jax.random.key(1), actor.suite, jnp.ones(len(TASKS)), 12)
    keys = row_keys(jax.random.key(4), 6)
    order = np.array([4, 2, 0, 5, 1, 3])
    for player, own in ((actor, params), (Expert(actor.suite, 0.4), {})):
        play = jax.jit(partial(rollout, player), static_argnames="window")
        whole = play(own, pool, keys, window=WINDOW).turns
        by_number = play(own, pool, jax.random.key(4), window=WINDOW).turns
        jax.tree.map(np.testing.assert_array_equal, whole, by_number)
        for rows in (np.arange(3), np.arange(3, 6), order):
            entries = np.concatenate([rows, rows + 6])
            few = jax.tree.map(lambda x, entries=entries: x[entries], pool)
            part = play(own, few, keys[rows], window=replace(WINDOW, rows=len(rows))).turns
            for name in ("task", "action", "action_length", "reward", "success", "truncated"):
                expected = np.asarray(getattr(whole, name))[rows]
                np.testing.assert_array_equal(getattr(part, name), expected)
            said = np.asarray(part.spoken)
            expected = np.asarray(whole.value)[rows][said]
            np.testing.assert_allclose(np.asarray(part.value)[said], expected, atol=1e-5)


def test_rows_of_a_group_play_the_same_instances_and_other_groups_others(actor):
    suite = actor.suite
    window = Window(rows=6, turns=12, context=40, group=3, whole=True, anchors=True)
    pool = draw_pool(jax.random.key(5), suite, jnp.ones(len(TASKS)), 16)
    play = jax.jit(partial(rollout, Expert(suite, 0.4), window=window))
    turns = jax.tree.map(np.asarray, play({}, pool, jax.random.key(2)).turns)
    dealt = [turns.entry[row][turns.fresh[row]] for row in range(6)]
    for first in (0, 3):
        shortest = min(len(dealt[row]) for row in range(first, first + 3))
        assert shortest > 1
        for row in range(first + 1, first + 3):
            np.testing.assert_array_equal(dealt[row][:shortest], dealt[first][:shortest])
    every = [entry for row in (0, 3) for entry in dealt[row]]
    assert len(set(every)) == len(every)
    opened = turns.anchor[turns.fresh]
    expected = jax.vmap(suite.fingerprint)(pool.instances)[turns.entry[turns.fresh]]
    np.testing.assert_array_equal(opened, expected)


def test_whole_episodes_are_begun_only_where_they_can_end(actor):
    """A row rests once its next episode might not end; no turn is only read, none is cut off."""
    suite = actor.suite
    window = Window(rows=6, turns=7, context=40, whole=True)
    pool = draw_pool(jax.random.key(6), suite, jnp.ones(len(TASKS)), 24)
    play = jax.jit(partial(rollout, Expert(suite, 0.4), window=window))
    turns = jax.tree.map(np.asarray, play({}, pool, jax.random.key(2)).turns)
    ended, acted = turns.terminated | turns.truncated, turns.action_length > 0
    assert not turns.closing.any()
    for row in range(window.rows):
        assert turns.fresh[row].sum() == ended[row].sum()
        last = np.flatnonzero(acted[row])[-1]
        assert ended[row, last] and acted[row, : last + 1].all()
        assert not (turns.fresh | turns.invalid)[row, last + 1 :].any()
        for t in np.flatnonzero(turns.fresh[row]):
            assert window.turns - t >= suite.turn_limits[turns.task[row, t]]
    assert not acted.all()
    with pytest.raises(ValueError, match="turns=2: whole episodes of up to 3 turns"):
        Window(rows=6, turns=2, context=40, whole=True).check(suite)
    with pytest.raises(ValueError, match="rows=6: expected a multiple of group=4"):
        Window(rows=6, group=4)


def test_scratch_words_are_kept_and_learnt_and_no_environment_reads_them(actor, params, pool):
    """The same commands come behind two words of scratch, which END does not end."""
    window = Window(rows=6, turns=9, context=60, think=2)
    expert = Expert(actor.suite)
    plain = jax.jit(partial(rollout, expert, window=WINDOW))({}, pool, jax.random.key(2)).turns
    trajectory = jax.jit(partial(rollout, expert, window=window))({}, pool, jax.random.key(2))
    turns = trajectory.turns
    for name in ("reward", "terminated", "success", "invalid", "task"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(turns, name))
    acted = np.asarray(turns.action_length) > 0
    np.testing.assert_array_equal(turns.action[..., 2:][acted], plain.action[acted])
    np.testing.assert_array_equal(turns.action[..., :2][acted], END)
    np.testing.assert_array_equal(turns.action_length, plain.action_length + 2 * acted)
    own = jax.jit(partial(rollout, actor, window=window))(params, pool, jax.random.key(3))
    spoken = np.asarray(own.turns.action_length)[np.asarray(own.turns.action_length) > 0]
    assert spoken.min() >= 3 and spoken.max() <= window.speech(actor.suite)
    for played in (trajectory, own):
        packed = packed_rows(pack(played, 60, 30), 60, 30)
        assert packed.said.sum() == np.asarray(played.turns.action_length).sum()
