"""The PPO loss against NumPy, term by term."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxagent.rl.loss import Weights, Words, imitation_loss, ppo_loss


def make_words(seed: int = 0) -> Words:
    rng = np.random.default_rng(seed)
    shape = (6, 7)
    names = [f for f in Words.__dataclass_fields__ if f != "said"]
    values = {name: jnp.asarray(rng.normal(size=shape), jnp.float32) for name in names}
    return Words(**values, said=jnp.asarray(rng.random(shape) < 0.6))


def test_ppo_loss_is_the_plain_formula():
    words, weights = make_words(), Weights(clip_low=0.1, clip_high=0.3, kl=0.05)
    w = jax.tree.map(np.asarray, words)
    policy, value, entropy, kl = [], [], [], []
    for at in zip(*np.nonzero(w.said), strict=True):
        ratio = np.exp(w.log_prob[at] - w.old_log_prob[at])
        policy.append(-min(w.advantage[at] * ratio, w.advantage[at] * np.clip(ratio, 0.9, 1.3)))
        near = w.old_value[at] + np.clip(w.value[at] - w.old_value[at], -0.5, 0.5)
        errors = ((w.value[at] - w.target[at]) ** 2, (near - w.target[at]) ** 2)
        value.append(0.5 * max(errors))
        entropy.append(w.entropy[at])
        kl.append(w.kl[at])
    loss, parts = ppo_loss(words, weights, jnp.float32(10.0))
    np.testing.assert_allclose(parts["policy_loss"], sum(policy) / 10, rtol=1e-5)
    np.testing.assert_allclose(parts["value_loss"], sum(value) / 10, rtol=1e-5)
    expected = sum(policy) + 0.5 * sum(value) - 0.01 * sum(entropy) + 0.05 * sum(kl)
    np.testing.assert_allclose(loss, expected / 10, rtol=1e-5)


def test_words_that_were_not_said_have_no_gradient():
    words = make_words()
    words = words.replace(old_log_prob=jnp.where(words.said, words.old_log_prob, -1e30))

    def loss(log_prob, value):
        return ppo_loss(words.replace(log_prob=log_prob, value=value), Weights(), jnp.float32(1))[0]

    gradients = jax.grad(loss, argnums=(0, 1))(words.log_prob, words.value)
    for gradient in gradients:
        assert np.isfinite(gradient).all()
        np.testing.assert_array_equal(np.asarray(gradient)[~np.asarray(words.said)], 0.0)
        assert np.abs(np.asarray(gradient)[np.asarray(words.said)]).max() > 0


def test_on_policy_gradient_is_that_of_the_policy_gradient_theorem():
    words = make_words(1)
    words = words.replace(old_log_prob=words.log_prob)

    def loss(log_prob):
        return ppo_loss(words.replace(log_prob=log_prob), Weights(), jnp.float32(1))[0]

    expected = jnp.where(words.said, -words.advantage, 0.0)
    np.testing.assert_allclose(jax.grad(loss)(words.log_prob), expected, atol=1e-6)


def test_minibatch_losses_add_up_to_the_mean():
    words = make_words(2)
    total = jnp.sum(words.said).astype(jnp.float32)
    whole = ppo_loss(words, Weights(), total)[0]
    halves = [jax.tree.map(lambda x, h=h: x[h], words) for h in (slice(0, 2), slice(2, 6))]
    parts = [ppo_loss(half, Weights(), total / 2)[0] for half in halves]
    np.testing.assert_allclose(sum(parts) / 2, whole, rtol=1e-5)


def test_imitation_loss_is_the_mean_cross_entropy_of_the_wanted_words():
    words = make_words(3)
    wanted = np.asarray(words.said)
    expected = -np.asarray(words.log_prob)[wanted].mean()
    loss = imitation_loss(words.log_prob, words.said, jnp.float32(wanted.sum()))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
