"""The loss against NumPy, term by term, and what the estimators of the divergence are worth."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxagent.rl.loss import RATIOS, SAMPLED_KL, Weights, Words, imitation_loss, policy_loss


def make_words(seed: int = 0) -> Words:
    """Words of two rows: random numbers, turns of three words and episodes of two turns."""
    rng = np.random.default_rng(seed)
    shape = (2, 12)
    names = [f.name for f in dataclasses.fields(Words)]
    values = {name: jnp.asarray(rng.normal(size=shape), jnp.float32) for name in names}
    turn = jnp.arange(24).reshape(shape) // 3
    counts = rng.random(shape) < 0.6
    weight = jnp.asarray(np.where(counts, rng.random(shape), 0), jnp.float32)
    return Words(**{**values, "turn": turn, "sequence": turn // 2, "weight": weight})


def plain_log_ratio(w: Words, at: tuple[int, int], kind: str) -> float:
    """The log ratio of a word, or its mean over the words of its turn or episode."""
    if kind == "token":
        return float(w.log_prob[at] - w.old_log_prob[at])
    unit = getattr(w, kind)
    same = (unit[at[0]] == unit[at]) & (w.weight[at[0]] > 0)
    return float((w.log_prob - w.old_log_prob)[at[0]][same].mean())


@pytest.mark.parametrize("kind", RATIOS)
@pytest.mark.parametrize("objective", ["clip", "cispo", "reinforce"])
def test_the_loss_is_the_plain_formula(kind, objective):
    weights = Weights(clip_low=0.1, clip_high=0.3, entropy=0.01, kl=0.05, dual_clip=1.5)
    words = make_words()
    w = jax.tree.map(np.asarray, words)
    sums = dict.fromkeys(("policy_loss", "value_loss", "entropy", "kl"), 0.0)
    for at in zip(*np.nonzero(w.weight), strict=True):
        ratio = np.exp(plain_log_ratio(w, at, kind))
        a, clipped = w.advantage[at], np.clip(ratio, 0.9, 1.3)
        loss = -min(a * ratio, a * clipped)
        loss = min(loss, -1.5 * a) if a < 0 else loss
        loss = {"clip": loss, "cispo": -clipped * a * w.log_prob[at]}.get(
            objective, -a * w.log_prob[at]
        )
        near = w.old_value[at] + np.clip(w.value[at] - w.old_value[at], -0.5, 0.5)
        errors = ((w.value[at] - w.target[at]) ** 2, (near - w.target[at]) ** 2)
        each = (loss, 0.5 * max(errors), w.entropy[at], w.kl[at])
        for name, value in zip(sums, each, strict=True):
            sums[name] += w.weight[at] * value
    total, parts = policy_loss(words, weights, kind, objective)
    for name, value in sums.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-4)
    expected = sums["policy_loss"] + 0.5 * sums["value_loss"] - 0.01 * sums["entropy"]
    np.testing.assert_allclose(total, expected + 0.05 * sums["kl"], rtol=1e-4)
    without, _ = policy_loss(words, weights, kind, objective, kl_counts=False)
    np.testing.assert_allclose(without, expected, rtol=1e-4)


def test_words_without_weight_have_no_gradient():
    words = make_words()
    words = words.replace(old_log_prob=jnp.where(words.counts, words.old_log_prob, -1e30))

    def loss(log_prob, value):
        return policy_loss(words.replace(log_prob=log_prob, value=value), Weights())[0]

    gradients = jax.grad(loss, argnums=(0, 1))(words.log_prob, words.value)
    for gradient in gradients:
        assert np.isfinite(gradient).all()
        np.testing.assert_array_equal(np.asarray(gradient)[~np.asarray(words.counts)], 0.0)
        assert np.abs(np.asarray(gradient)[np.asarray(words.counts)]).max() > 0


@pytest.mark.parametrize("kind", RATIOS)
@pytest.mark.parametrize("objective", ["clip", "cispo", "reinforce"])
def test_on_policy_gradient_is_that_of_the_policy_gradient_theorem(kind, objective):
    words = make_words(1)
    words = words.replace(old_log_prob=words.log_prob)

    def loss(log_prob):
        choice = (Weights(), kind, objective)
        return policy_loss(words.replace(log_prob=log_prob), *choice)[0]

    expected = -words.weight * words.advantage
    np.testing.assert_allclose(jax.grad(loss)(words.log_prob), expected, atol=1e-6)


def test_minibatch_losses_add_up_to_the_whole():
    words = make_words(2)
    whole = policy_loss(words, Weights())[0]
    halves = [jax.tree.map(lambda x, h=h: x[h : h + 1], words) for h in (0, 1)]
    parts = [policy_loss(half, Weights())[0] for half in halves]
    np.testing.assert_allclose(sum(parts), whole, rtol=1e-5)


def test_which_sampled_divergences_are_unbiased_and_where_their_gradients_lead():
    """All words of a small vocabulary, each with its probability: expectations are exact."""
    rng = np.random.default_rng(0)
    logits, base = (jnp.asarray(rng.normal(size=8), jnp.float32) for _ in range(2))

    def exact(logits, p_first=True):
        p, q = jax.nn.log_softmax(logits), jax.nn.log_softmax(base)
        first, second = (p, q) if p_first else (q, p)
        return jnp.sum(jnp.exp(first) * (first - second))

    def expected(logits, name):
        p = jax.nn.log_softmax(logits)
        said = jax.lax.stop_gradient(jnp.exp(p))
        return jnp.sum(said * SAMPLED_KL[name](jax.nn.log_softmax(base) - p))

    forward = jax.grad(exact)(logits)
    for name, unbiased in {"k1": True, "k2": False, "k3": True, "k3+": True}.items():
        assert bool(jnp.isclose(expected(logits, name), exact(logits), rtol=1e-4)) == unbiased
    gradients = {name: jax.grad(expected)(logits, name) for name in SAMPLED_KL}
    np.testing.assert_allclose(gradients["k1"], 0.0, atol=1e-6)
    np.testing.assert_allclose(gradients["k2"], forward, atol=1e-6)
    np.testing.assert_allclose(gradients["k3+"], forward, atol=1e-6)
    np.testing.assert_allclose(gradients["k3"], jax.grad(exact)(logits, False), atol=1e-6)
    assert np.abs(gradients["k3"] - forward).max() > 0.01


def test_imitation_loss_is_the_mean_cross_entropy_of_the_wanted_words():
    words = make_words(3)
    wanted = np.asarray(words.counts)
    expected = -np.asarray(words.log_prob)[wanted].mean()
    loss = imitation_loss(words.log_prob, words.counts, jnp.float32(wanted.sum()))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
