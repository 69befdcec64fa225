"""The improvement of a policy by a rollout: epochs of gradient steps over its packed rows."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxagent.models import Params, kl, log_prob, log_prob_and_entropy
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.consolidation import drift
from jaxagent.rl.credit import Credit
from jaxagent.rl.devices import across
from jaxagent.rl.learner_parts import LearnerParts, LearnerState
from jaxagent.rl.loss import SAMPLED_KL, Words, clamped, policy_loss
from jaxagent.rl.minibatch import over_minibatches
from jaxagent.rl.optimiser import descend
from jaxagent.rl.outputs import word_choices, word_outputs
from jaxagent.rl.packing import PackedRow, Packing
from jaxagent.rl.updates import Metrics

LOSSES = ("policy_loss", "value_loss", "entropy", "kl", "clipped", "old_kl")
PARTS = (*LOSSES, "gradient", "drift")


def improve(
    learner: LearnerParts,
    state: LearnerState,
    hyper: Hyper,
    packing: Packing,
    credit: Credit,
    key: jax.Array,
) -> tuple[LearnerState, Metrics]:
    """Epochs of gradient steps; returns the state with parameters and optimiser renewed, and the
    mean parts of the loss.

    Args:
        learner: static parts.
        state: before the update.
        hyper: traced numbers.
        packing: the packed rows of the rollout.
        credit: of all its words.
        key: for the order of the rows.
    """
    algorithm, devices, layout = learner.algorithm, learner.devices, learner.layout
    total = jnp.maximum(across(jnp.sum(credit.weight), devices), 1e-9)
    rate = hyper.rate_at(state.progress, 1.0 / state.updates)
    choice = (algorithm.ratio, algorithm.objective, not algorithm.pays_kl)

    def loss(params: Params, batch: PackedRow, count: Array) -> tuple[Array, Metrics]:
        both = layout.whole(params), layout.whole(state.reference)
        words = _words(learner, *both, packing, credit, batch)
        value, parts = policy_loss(words, hyper.weights, *choice)
        return value * count, parts

    def step(carry: tuple, batch: PackedRow, count: Array) -> tuple:
        return move(carry, jax.grad(loss, has_aux=True)(carry[0], batch, count), count)

    def move(carry: tuple, found: tuple[Params, Metrics], count: Array | int) -> tuple:
        params, adam, sums = carry
        gradient, parts = layout.summed(found[0]), across(found[1], devices)
        moved = jnp.float32(0)
        if algorithm.consolidates:
            moved, back = jax.value_and_grad(drift)(params, state.memory)
            gradient = jax.tree.map(lambda g, b: g + hyper.consolidation * b, gradient, back)
        norm = layout.norm(gradient)
        params, adam = descend(gradient, norm, adam, params, rate, hyper.max_gradient)
        parts = {name: value / total for name, value in parts.items()}
        parts |= {"gradient": norm / count, "drift": moved / count}
        return params, adam, sums + jnp.stack([parts[name] for name in PARTS])

    def epoch(carry: tuple, key: jax.Array) -> tuple[tuple, None]:
        return over_minibatches(key, packing, *learner.visit, carry, step, devices), None

    def add(carry: tuple, batch: PackedRow, count: Array) -> tuple:
        del count
        params, found = carry
        more = jax.grad(loss, has_aux=True)(params, batch, 1)
        return params, jax.tree.map(jnp.add, found, more)

    def one_step(carry: tuple, key: jax.Array) -> tuple[tuple, None]:
        nothing = jax.tree.map(jnp.zeros_like, carry[0]), dict.fromkeys(LOSSES, jnp.float32(0))
        start = (carry[0], nothing)
        _, found = over_minibatches(key, packing, *learner.visit, start, add, devices)
        return move(carry, found, 1), None

    carry = (state.params, state.optimiser, jnp.zeros(len(PARTS)))
    keys = jax.random.split(key, algorithm.epochs)
    each = one_step if algorithm.on_policy else epoch
    (params, adam, sums), _ = jax.lax.scan(each, carry, keys)
    means = sums / algorithm.epochs
    parts = {name: means[i] for i, name in enumerate(PARTS)}
    return state.replace(params=params, optimiser=adam), parts


def divergence_of_rollout(
    learner: LearnerParts, state: LearnerState, packing: Packing
) -> Float[Array, "rows turns action"]:
    """The divergence from the reference that every word of a rollout tells of (see `Algorithm.kl`),
    under the policy that said it."""
    turns = packing.trajectory.turns
    size, reference = turns.action.shape[-1], learner.layout.whole(state.reference)

    def add(grid: Array, batch: PackedRow, count: Array) -> Array:
        del count
        base, _ = word_outputs(learner.actor, reference, batch, turns.task)
        said = batch.words_of(turns.log_prob)
        distance = _sampled_divergence(learner, batch, turns.action, base, said)
        place = jnp.where(batch.said, batch.turn * size + batch.place, grid.size)
        return grid.at[place].set(distance, mode="drop")

    # Every row is visited once, whatever the order.
    order, empty = jax.random.key(0), jnp.zeros(turns.log_prob.size)
    grid = over_minibatches(order, packing, *learner.visit, empty, add, learner.devices)
    return grid.reshape(turns.log_prob.shape)


def _words(
    learner: LearnerParts,
    params: Params,
    reference: Params,
    packing: Packing,
    credit: Credit,
    batch: PackedRow,
) -> Words:
    """What the loss knows of a minibatch's words under `params`."""
    actor, algorithm, turns = learner.actor, learner.algorithm, packing.trajectory.turns
    logits, value = word_outputs(actor, params, batch, turns.task)
    choice = word_choices(actor, batch, turns.action)
    said, entropy = log_prob_and_entropy(logits, choice)
    distance = batch.words_of(credit.kl)
    if algorithm.measures_kl and not algorithm.pays_kl:
        base = jax.lax.stop_gradient(word_outputs(actor, reference, batch, turns.task)[0])
        distance = kl(logits, base)
        if algorithm.kl != "exact":
            distance = _sampled_divergence(learner, batch, turns.action, base, said)
    return Words(
        log_prob=said,
        entropy=entropy,
        kl=distance,
        value=value,
        old_log_prob=batch.words_of(turns.log_prob),
        old_value=batch.words_of(turns.value),
        advantage=batch.words_of(credit.advantage),
        target=batch.words_of(credit.target),
        weight=jnp.where(batch.said, batch.words_of(credit.weight), 0.0),
        turn=batch.turn,
        sequence=jnp.take_along_axis(batch.segments, batch.slot, axis=1),
    )


def _sampled_divergence(
    learner: LearnerParts, batch: PackedRow, actions: Array, base: Array, said: Array
) -> Float[Array, "rows words"]:
    """What the words said, of log probabilities `said`, tell of the divergence from `base`."""
    choice = word_choices(learner.actor, batch, actions)
    return SAMPLED_KL[learner.algorithm.kl](clamped(log_prob(base, choice) - said))
