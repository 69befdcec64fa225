"""The transformer against a plain NumPy one, its cache against the full pass, its categorical."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent import models
from jaxagent.models import ModelConfig, Policy, attention
from jaxagent.models.attention import rotate, rotations

VOCABULARY = 37
SHAPES = {
    "multi-query": ModelConfig(32, 1, 4, 1, 48, dtype="float32"),
    "grouped": ModelConfig(24, 2, 4, 2, 40, head_dim=10, rope_base=100.0, dtype="float32"),
    "multi-head": ModelConfig(16, 1, 2, 2, 24, dtype="float32"),
}


init = jax.jit(Policy.init, static_argnums=0)
encode = jax.jit(Policy.encode, static_argnums=0)
extend = jax.jit(Policy.extend, static_argnums=0)
read_out = jax.jit(Policy.logits, static_argnums=0)


@pytest.fixture
def policy() -> Policy:
    return Policy(SHAPES["grouped"], VOCABULARY)


@functools.cache
def perturbed(policy: Policy, seed: int = 0) -> models.Params:
    """Parameters away from the initial ones and zeros, so that every one of them matters."""
    params = init(policy, jax.random.key(seed))
    leaves, structure = jax.tree.flatten(params)
    generator = np.random.default_rng(seed)
    noisy = [jnp.asarray(x + generator.normal(0, 0.1, x.shape), x.dtype) for x in leaves]
    return jax.tree.unflatten(structure, noisy)


def words(seed: int, count: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).integers(VOCABULARY, size=count), jnp.int32)


def alone(policy: Policy, params: models.Params, tokens: jax.Array) -> jax.Array:
    count = tokens.shape[0]
    return encode(policy, params, tokens, np.arange(count), np.zeros(count, np.int32))


def packed(*lengths: int, padding: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Positions and segments of episodes of these lengths in one row, padding behind them."""
    positions = np.concatenate([np.arange(n) for n in lengths] + [np.arange(padding)])
    segments = np.repeat([*range(len(lengths)), -1], [*lengths, padding])
    return positions.astype(np.int32), segments.astype(np.int32)


# --- a plain NumPy transformer: one episode, loops over heads, positions and channel pairs ---


def numpy_norm(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale


def numpy_rotate(head: np.ndarray, base: float) -> np.ndarray:
    turned, half = np.zeros_like(head), head.shape[1] // 2
    for position in range(head.shape[0]):
        for pair in range(half):
            angle = position * base ** (-2 * pair / head.shape[1])
            pairs = complex(head[position, pair], head[position, pair + half])
            pairs *= complex(np.cos(angle), np.sin(angle))
            turned[position, pair], turned[position, pair + half] = pairs.real, pairs.imag
    return turned


def numpy_attention(x: np.ndarray, kernel: np.ndarray, config: ModelConfig) -> np.ndarray:
    size, mixed = config.channels, []
    columns = [(x @ kernel)[:, i : i + size] for i in range(0, kernel.shape[1], size)]
    for head in range(config.heads):
        shared = config.heads + head * config.kv_heads // config.heads
        query = numpy_rotate(columns[head], config.rope_base)
        key = numpy_rotate(columns[shared], config.rope_base)
        value = columns[shared + config.kv_heads]
        for now in range(len(x)):
            weights = np.exp(key[: now + 1] @ query[now] / np.sqrt(size))
            mixed.append((weights / weights.sum()) @ value[: now + 1])
    return np.array(mixed).reshape(config.heads, len(x), size).swapaxes(0, 1).reshape(len(x), -1)


def numpy_forward(
    params: Any, config: ModelConfig, tokens: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    x = params["embedding"][tokens]
    for layer in range(config.layers):
        block = params[f"blocks_{layer}"]
        normed = numpy_norm(x, block["attention_norm"]["scale"])
        kernel = np.concatenate([block["query"]["kernel"], block["key_value"]["kernel"]], axis=1)
        mixed = numpy_attention(normed, kernel, config)
        x = x + mixed @ block["mix"]["kernel"]
        both = numpy_norm(x, block["mlp_norm"]["scale"]) @ block["gate_up"]["kernel"]
        gate, up = both[:, : config.hidden], both[:, config.hidden :]
        x = x + (gate / (1 + np.exp(-gate)) * up) @ block["down"]["kernel"]
    hidden = numpy_norm(x, params["final_norm"]["scale"])
    value = hidden @ params["value_head"]["kernel"][:, 0] + params["value_head"]["bias"][0]
    return hidden, hidden @ params["embedding"].T, value


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_is_that_of_plain_numpy(shape: str) -> None:
    policy = Policy(SHAPES[shape], VOCABULARY)
    params, tokens = perturbed(policy), words(1, 13)
    hidden = alone(policy, params, tokens)
    expected = numpy_forward(params, policy.config, np.asarray(tokens))
    np.testing.assert_allclose(hidden, expected[0], atol=2e-5)
    np.testing.assert_allclose(policy.logits(params, hidden), expected[1], atol=2e-5)
    np.testing.assert_allclose(policy.value(params, hidden), expected[2], atol=2e-5)


def test_hidden_states_of_some_slots_are_those_among_all(policy: Policy) -> None:
    params, tokens = perturbed(policy), words(1, 20)
    layout = packed(6, 9, 5)
    slots = jnp.array([3, 0, 19, 19, 8])
    some = jax.jit(policy.encode)(params, tokens, *layout, slots)
    np.testing.assert_allclose(some, encode(policy, params, tokens, *layout)[slots], atol=2e-6)


def test_logits_of_some_words_are_those_among_all(policy: Policy) -> None:
    params = perturbed(policy)
    hidden = alone(policy, params, words(15, 5))
    some = np.array([30, 2, 2, 7])
    everything = read_out(policy, params, hidden)
    np.testing.assert_allclose(
        read_out(policy, params, hidden, some), everything[:, some], rtol=1e-5, atol=1e-5
    )


# --- the cache ---


@pytest.mark.parametrize("shape", SHAPES)
def test_chunks_then_single_words_equal_the_full_pass(shape: str) -> None:
    policy = Policy(SHAPES[shape], VOCABULARY)
    params, tokens = perturbed(policy), words(2, 25)
    cache, parts, read = policy.empty_cache(25 + 7), [], 0
    for length in [5, 8, 1, 0, 6, 1, 1, 1, 1, 1]:
        chunk = np.full(8 if length > 1 else 1, 3 + read, np.int32)
        chunk[:length] = tokens[read : read + length]
        hidden, cache = extend(policy, params, cache, chunk, jnp.int32(length))
        parts.append(hidden[:length])
        read += length
    assert int(cache.length) == read == 25
    np.testing.assert_allclose(
        jnp.concatenate(parts), alone(policy, params, tokens), rtol=1e-5, atol=1e-5
    )


def test_chunk_padding_may_reach_behind_the_last_slot(policy: Policy) -> None:
    params, tokens = perturbed(policy), words(3, 10)
    cache = policy.empty_cache(10)
    _, cache = extend(policy, params, cache, tokens[:8], jnp.int32(8))
    chunk = jnp.concatenate([tokens[8:], words(4, 6)])
    hidden, cache = extend(policy, params, cache, chunk, jnp.int32(2))
    np.testing.assert_allclose(hidden[:2], alone(policy, params, tokens)[8:], atol=1e-5)


def test_batched_rows_of_different_lengths_keep_apart(policy: Policy) -> None:
    params, tokens = perturbed(policy), jnp.stack([words(5, 12), words(6, 12), words(7, 12)])
    lengths = jnp.array([2, 6, 0])
    batched = jax.jit(jax.vmap(policy.extend, in_axes=(None, 0, 0, 0)))
    caches = jax.vmap(lambda _: policy.empty_cache(16))(lengths)
    _, caches = batched(params, caches, tokens[:, :6], lengths)
    following = jnp.stack([row[n : n + 4] for row, n in zip(tokens, lengths, strict=True)])
    hidden, caches = batched(params, caches, following, jnp.array([4, 4, 4]))
    np.testing.assert_array_equal(caches.length, lengths + 4)
    for row, length, ours in zip(tokens, lengths, hidden, strict=True):
        expected = alone(policy, params, row[: length + 4])[length:]
        np.testing.assert_allclose(ours, expected, atol=1e-5)


# --- packed rows ---


def test_a_packed_episode_equals_the_episode_alone(policy: Policy) -> None:
    params, tokens = perturbed(policy), words(8, 20)
    hidden = encode(policy, params, tokens, *packed(6, 9, 5))
    for start, end in [(0, 6), (6, 15), (15, 20)]:
        np.testing.assert_allclose(
            hidden[start:end], alone(policy, params, tokens[start:end]), atol=1e-5
        )


def test_no_attention_across_episodes_nor_to_the_future(policy: Policy) -> None:
    params, tokens = perturbed(policy), words(9, 20)
    layout = packed(6, 9, 3, padding=2)
    before = encode(policy, params, tokens, *layout)
    for start, end in [(0, 6), (6, 15), (15, 18), (10, 15), (18, 20)]:
        changed = np.array(tokens)
        changed[start:end] = (changed[start:end] + 5) % VOCABULARY
        after = encode(policy, params, changed, *layout)
        others = np.r_[0:start, end:20]
        np.testing.assert_array_equal(after[others], before[others])
        np.testing.assert_array_equal(
            read_out(policy, params, after)[others], read_out(policy, params, before)[others]
        )
        moved = np.abs(np.asarray(after) - np.asarray(before))[start:end]
        assert moved.max(axis=-1).min() > 1e-3


def test_padding_gives_no_nan_and_no_gradient(policy: Policy) -> None:
    params = perturbed(policy)
    positions, segments = packed(7, 5, padding=6)

    @jax.jit
    @jax.grad
    def gradient_of(params: models.Params, tokens: jax.Array) -> jax.Array:
        hidden = policy.encode(params, tokens, positions, segments)
        return jnp.where(segments >= 0, jnp.sin(policy.logits(params, hidden)).sum(-1), 0.0).sum()

    tokens = words(10, 18)
    gradient = gradient_of(params, tokens)
    other = gradient_of(params, tokens.at[12:].set((tokens[12:] + 1) % VOCABULARY))
    assert np.isfinite(encode(policy, params, tokens, positions, segments)).all()
    for ours, theirs in zip(jax.tree.leaves(gradient), jax.tree.leaves(other), strict=True):
        assert np.isfinite(ours).all()
        np.testing.assert_array_equal(ours, theirs)
    empty = encode(policy, params, tokens, np.zeros(18, np.int32), np.full(18, -1, np.int32))
    assert np.isfinite(empty).all()


def test_gradient_of_the_full_pass_is_that_of_finite_differences(policy: Policy) -> None:
    params, tokens, layout = perturbed(policy), words(11, 9), packed(5, 4)
    direction = perturbed(policy, seed=7)

    @jax.jit
    def loss(step: jax.Array) -> jax.Array:
        moved = jax.tree.map(lambda x, d: x + step * d, params, direction)
        hidden = policy.encode(moved, tokens, *layout)
        return models.log_prob(policy.logits(moved, hidden), tokens).mean()

    numeric = (loss(jnp.float32(2e-3)) - loss(jnp.float32(-2e-3))) / 4e-3
    np.testing.assert_allclose(jax.grad(loss)(jnp.float32(0.0)), numeric, rtol=2e-2)


# --- rotary positions ---


def test_rotated_scores_depend_on_the_distance_alone() -> None:
    query, key = jax.random.normal(jax.random.key(0), (2, 1, 1, 16))

    @jax.jit
    def score(first: int, second: int) -> jax.Array:
        at_first = rotate(query, rotations(jnp.array([first]), 128, 16, 1000.0))
        return (at_first * rotate(key, rotations(jnp.array([second]), 128, 16, 1000.0))).sum()

    np.testing.assert_allclose(score(9, 4), score(105, 100), atol=1e-4)
    np.testing.assert_allclose(score(3, 3), (query * key).sum(), atol=1e-5)
    assert abs(score(9, 4) - score(9, 5)) > 1e-2


# --- parameters ---


def test_initial_words_are_near_uniform_and_values_near_zero() -> None:
    policy = Policy(models.SIZES["tiny"], 500)
    params = init(policy, jax.random.key(0))
    hidden = alone(policy, params, words(12, 30))
    entropies = models.entropy(policy.logits(params, hidden))
    assert entropies.min() > np.log(500) - 0.1
    assert np.abs(policy.value(params, hidden)).max() < 0.1
    assert type(params) is dict
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype("float32")}


def test_sizes_have_the_parameters_their_names_promise() -> None:
    counts = {}
    for name, config in models.SIZES.items():
        policy = Policy(config, 2048)
        counts[name] = policy.parameter_count(jax.eval_shape(policy.init, jax.random.key(0)))
    assert list(counts) == ["nano", "tiny", "small", "medium", "base"]
    assert counts["tiny"] == 2048 * 64 + 2 * (64 * 128 + 64 * 64 + 3 * 64 * 128 + 128) + 64 + 65
    assert 20e6 < counts["base"] < 30e6
    assert sorted(counts.values()) == list(counts.values())


def test_stacked_parameters_act_one_by_one(policy: Policy) -> None:
    members, tokens = [perturbed(policy, 0), perturbed(policy, 5)], words(13, 6)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    caches = jax.vmap(lambda _: policy.empty_cache(6))(jnp.arange(2))
    extend_all = jax.jit(jax.vmap(policy.extend, in_axes=(0, 0, None, None)))
    hidden, _ = extend_all(stacked, caches, tokens, jnp.int32(6))
    for member, ours in zip(members, hidden, strict=True):
        np.testing.assert_allclose(ours, alone(policy, member, tokens), atol=1e-5)
    assert np.abs(hidden[0] - hidden[1]).max() > 0.1


def test_a_donated_cache_is_updated_in_place() -> None:
    policy = Policy(SHAPES["multi-head"], VOCABULARY)
    donating = jax.jit(policy.extend, donate_argnums=1)
    cache = policy.empty_cache(4)
    _, extended = donating(perturbed(policy), cache, words(0, 2), jnp.int32(2))
    assert cache.keys[0].is_deleted() and cache.values[0].is_deleted()
    assert int(extended.length) == 2


def test_bfloat16_agrees_loosely() -> None:
    exact = Policy(SHAPES["grouped"], VOCABULARY)
    coarse = Policy(dataclasses.replace(exact.config, dtype="bfloat16"), VOCABULARY)
    params, tokens = perturbed(exact), words(14, 16)
    hidden = alone(coarse, params, tokens)
    _, cache = extend(coarse, params, coarse.empty_cache(16), tokens, jnp.int32(16))
    assert hidden.dtype == cache.keys[0].dtype == cache.values[0].dtype == jnp.bfloat16
    logits = coarse.logits(params, hidden)
    assert logits.dtype == coarse.value(params, hidden).dtype == jnp.float32
    expected = exact.logits(params, alone(exact, params, tokens))
    assert 1e-6 < np.abs(logits - expected).mean() < 0.03 * np.abs(expected).mean()


def test_policies_are_static_and_resolved() -> None:
    policy = Policy(models.SIZES["tiny"], 10)
    assert policy.config.dtype in ("float32", "bfloat16")
    assert policy.config.head_dim == 32
    assert hash(policy) == hash(Policy(models.SIZES["tiny"], 10))
    assert policy == Policy(models.SIZES["tiny"], 10) != Policy(models.SIZES["small"], 10)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, "width=0: expected at least 1"),
        ({"layers": -1}, "layers=-1: expected at least 1"),
        ({"hidden": 0}, "hidden=0: expected at least 1"),
        ({"kv_heads": 3}, "kv_heads=3: expected a divisor of heads=2"),
        ({"head_dim": 7}, "head_dim=7: expected an even number"),
        ({"width": 62}, r"width=62: expected a multiple of 2 \* heads=4"),
        ({"rope_base": 1.0}, "rope_base=1.0: expected more than 1"),
        ({"dtype": "float16"}, "dtype='float16': expected one of auto, float32, bfloat16"),
    ],
)
def test_bad_configurations_say_what_was_expected(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**fields)


def test_bad_vocabularies_and_slots_say_what_was_expected() -> None:
    with pytest.raises(ValueError, match="vocabulary=1: expected at least 2"):
        Policy(ModelConfig(), 1)
    with pytest.raises(ValueError, match="slots=0: expected at least 1"):
        Policy(ModelConfig(), 9).empty_cache(0)


# --- the categorical ---

sample = jax.jit(models.sample)

EXTREME = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [1e30, -1e30, 3.0, 1e30, 0.0],
        [-3e38, 3e38, 0.0, 1.0, 2.0],
        [-1e30, -1e30, -1e30, -1e30, -1e30],
        [900.0, 899.0, 0.0, -900.0, 898.5],
        [-1e30, 1.0, 2.0, -1e30, 3.0],
    ],
    np.float32,
)


def numpy_log_probs(logits: np.ndarray) -> np.ndarray:
    logits = np.asarray(logits, np.float64)
    relative = logits - logits.max(-1, keepdims=True)
    return relative - np.log(np.exp(relative).sum(-1, keepdims=True))


def numpy_expectation(p_log: np.ndarray, of: np.ndarray) -> np.ndarray:
    return np.where(np.exp(p_log) > 0, np.exp(p_log) * of, 0.0).sum(-1)


@pytest.mark.parametrize("scale", [0.1, 3.0, 50.0])
def test_log_probs_entropy_and_kl_are_those_of_numpy(scale: float) -> None:
    p, q = scale * np.random.default_rng(0).normal(size=(2, 3, 4, 150)).astype(np.float32)
    log_p, log_q = numpy_log_probs(p), numpy_log_probs(q)
    tokens = np.random.default_rng(1).integers(150, size=(3, 4))
    chosen = np.take_along_axis(log_p, tokens[..., None], -1)[..., 0]
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(models.log_probs(p), log_p, **close)
    np.testing.assert_allclose(models.log_prob(p, tokens), chosen, **close)
    np.testing.assert_allclose(models.entropy(p), -numpy_expectation(log_p, log_p), **close)
    np.testing.assert_allclose(models.kl(p, q), numpy_expectation(log_p, log_p - log_q), **close)
    np.testing.assert_allclose(models.kl(p, p), 0.0, atol=1e-6)


def test_extreme_logits_stay_exact() -> None:
    expected = numpy_log_probs(EXTREME)
    tokens = EXTREME.argmax(-1)
    score, entropies = models.log_prob_and_entropy(jnp.asarray(EXTREME), tokens)
    np.testing.assert_allclose(score, expected.max(-1), atol=1e-6)
    np.testing.assert_allclose(entropies, -numpy_expectation(expected, expected), atol=1e-5)
    np.testing.assert_allclose(
        models.kl(jnp.asarray(EXTREME), jnp.asarray(EXTREME)), 0.0, atol=1e-6
    )
    np.testing.assert_allclose(
        jnp.exp(models.log_probs(jnp.asarray(EXTREME))), np.exp(expected), atol=1e-6
    )


def test_derivatives_are_those_of_the_formulas() -> None:
    logits = 2 * np.random.default_rng(2).normal(size=(6, 40)).astype(np.float32)
    tokens = np.array([0, 39, 7, 7, 1, 20])
    log_p = numpy_log_probs(logits)
    p, nats = np.exp(log_p), -numpy_expectation(log_p, log_p)
    of_choice = np.eye(40)[tokens] - p
    of_entropy = -p * (log_p + nats[:, None])
    weights = np.arange(1.0, 7.0)

    def loss(logits: jax.Array) -> jax.Array:
        score, entropies = models.log_prob_and_entropy(logits, tokens)
        return (weights * score).sum() + 0.3 * (entropies**2).sum()

    expected = weights[:, None] * of_choice + 0.6 * nats[:, None] * of_entropy
    np.testing.assert_allclose(jax.grad(loss)(logits), expected, atol=2e-5)
    of_all = jax.grad(lambda x: models.log_probs(x)[jnp.arange(6), tokens].sum())(logits)
    np.testing.assert_allclose(of_all, of_choice, atol=1e-5)


def test_derivatives_of_extreme_logits_are_finite() -> None:
    def loss(logits: jax.Array) -> jax.Array:
        score, entropies = models.log_prob_and_entropy(logits, EXTREME.argmax(-1))
        return score.sum() + entropies.sum() + models.kl(logits, jnp.asarray(EXTREME)).sum()

    gradient = np.asarray(jax.grad(loss)(jnp.asarray(EXTREME)))
    assert np.isfinite(gradient).all()
    hopeless = np.exp(numpy_log_probs(EXTREME)) == 0
    assert hopeless.sum() == 11
    np.testing.assert_array_equal(gradient[hopeless], 0.0)


@pytest.mark.parametrize("vocabulary", [2, 64, 65, 200])
def test_samples_follow_the_softmax(vocabulary: int) -> None:
    logits = 1.5 * jax.random.normal(jax.random.key(vocabulary), (vocabulary,))
    logits = logits.at[1::7].set(-1e30).at[0].set(1.0)
    count = 20_000
    uniform = (np.arange(count) + 0.5) / count
    drawn = sample(jnp.asarray(uniform), jnp.broadcast_to(logits, (count, vocabulary)))
    assert drawn.dtype == jnp.int32
    frequencies = np.bincount(drawn, minlength=vocabulary) / count
    np.testing.assert_allclose(frequencies, np.exp(numpy_log_probs(logits)), atol=1.5 / count)


def test_samples_invert_the_cumulative_distribution() -> None:
    logits = np.random.default_rng(3).normal(size=(500, 300)).astype(np.float32)
    uniform = np.random.default_rng(4).uniform(size=500).astype(np.float32)
    cumulative = np.cumsum(np.exp(numpy_log_probs(logits)), axis=-1)
    expected = (cumulative <= uniform[:, None]).sum(-1)
    assert (np.asarray(sample(uniform, logits)) == expected).mean() > 0.99


def test_a_key_draws_every_row_afresh() -> None:
    drawn = np.asarray(sample(jax.random.key(0), jnp.zeros((4, 500, 10))))
    assert drawn.shape == (4, 500)
    np.testing.assert_allclose(np.bincount(drawn.ravel()) / 2000, 0.1, atol=0.03)
    assert (drawn[0] == drawn[1]).mean() < 0.2


def test_samples_are_never_out_of_range_nor_impossible() -> None:
    edges = np.array([0.0, 1e-38, 0.5, 1 - 2**-24, 1.0], np.float32)
    rng = np.random.default_rng(5)
    wide = rng.normal(size=(40, 130)).astype(np.float32) * 10.0 ** rng.integers(-3, 30, (40, 1))
    wide = np.where(rng.random(wide.shape) < 0.5, np.float32(-1e30), wide.astype(np.float32))
    for logits in (EXTREME, wide):
        possible = np.exp(numpy_log_probs(logits)).astype(np.float32) > 0
        for edge in edges:
            drawn = np.asarray(sample(np.full(len(logits), edge), logits))
            assert ((drawn >= 0) & (drawn < logits.shape[1])).all()
            assert possible[np.arange(len(logits)), drawn].all()


@pytest.mark.parametrize("count", [3, 8, 13])
def test_attention_in_blocks_is_attention(monkeypatch, policy, count):
    """The same hidden states and gradients, whatever the size of a block."""
    params, tokens = perturbed(policy), words(3, 13)
    positions, segments = packed(6, 5, padding=2)
    slots = jnp.arange(count)

    def loss(params):
        hidden = policy.encode(params, tokens, positions, segments, slots)
        return jnp.sum(jnp.sin(hidden)), hidden

    whole, expected = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    monkeypatch.setattr(attention, "BLOCK", 4)
    parts, found = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    pairs = zip(*map(jax.tree.leaves, ((whole, expected), (parts, found))), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


def test_memory_of_a_gradient_grows_linearly_in_the_context():
    """Four times the tokens of a row: at most five times the memory, not sixteen."""
    policy = Policy(ModelConfig(32, 2, 4, 1, 48, dtype="float32"), VOCABULARY)
    params = init(policy, jax.random.key(0))

    def memory(context: int) -> int:
        row = jnp.zeros(context, jnp.int32)
        gradient = jax.grad(lambda p: policy.encode(p, row, row, row).sum())
        return jax.jit(gradient).lower(params).compile().memory_analysis().temp_size_in_bytes

    assert memory(4096) < 5 * memory(1024)


# --- logits ---


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_gradients_of_logits_are_those_of_the_plain_product(dtype: Any, tolerance: float) -> None:
    policy = Policy(dataclasses.replace(SHAPES["grouped"], dtype=dtype), VOCABULARY)
    params = policy.init(jax.random.key(0))
    hidden = jax.random.normal(jax.random.key(1), (2, 3, 5, policy.config.width)).astype(dtype)

    def ours(params: Any, hidden: jax.Array) -> jax.Array:
        return jnp.sin(policy.logits(params, hidden)).sum()

    def plain(params: Any, hidden: jax.Array) -> jax.Array:
        embedding = params["embedding"].astype(dtype).astype(jnp.float32)
        return jnp.sin(hidden.astype(jnp.float32) @ embedding.T).sum()

    def alone(function: Any) -> Any:
        return jax.grad(function, (0, 1))

    for gradients in (alone, lambda function: jax.vmap(alone(function), (None, 0))):
        for got, expected in zip(
            jax.tree.leaves(gradients(ours)(params, hidden)),
            jax.tree.leaves(gradients(plain)(params, hidden)),
            strict=True,
        ):
            assert got.dtype == expected.dtype
            scale = float(jnp.abs(expected).max()) + 1e-6
            np.testing.assert_allclose(got / scale, expected / scale, atol=tolerance)
