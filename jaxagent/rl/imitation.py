"""Imitation: demonstrations by experts with noise, and supervised fine-tuning on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Float, Int

from jaxagent.checks import check_flag, check_key, check_kind, check_share, check_whole
from jaxagent.envs.pool import Pool, draw_levels, pool_of
from jaxagent.envs.suite import Instance, Suite
from jaxagent.models import Cache, Params, log_prob
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.arguments import (
    check_params,
    check_state,
)
from jaxagent.rl.checked_run import checked_run
from jaxagent.rl.curriculum import Curriculum
from jaxagent.rl.devices import (
    across,
    arrange,
    check_devices,
    own_columns,
    own_key,
    row_keys,
    spread,
)
from jaxagent.rl.layout import Layout, layout_of
from jaxagent.rl.loss import imitation_loss
from jaxagent.rl.minibatch import over_minibatches
from jaxagent.rl.optimiser import descend, optimiser
from jaxagent.rl.outputs import word_choices, word_outputs
from jaxagent.rl.packing import PackedRow, pack
from jaxagent.rl.player import Spoken
from jaxagent.rl.rollout import rollout
from jaxagent.rl.updates import Curves, Metrics, as_traced, compiled, progress_of, repeat
from jaxagent.rl.window import Window
from jaxagent.text import END, NONE


@dataclass(frozen=True, eq=False)
class Expert:
    """The experts of a suite as a player; it reads no words and has no parameters.

    Attributes:
        suite: the tasks.
        noise: probability of a random valid command instead of the expert's. What follows is
            still the expert's answer to the state that the noise led to.
        slips: probability of the expert's command with one argument replaced by a random one of
            its category, most often an invalid command; so errors are shown, and how to go on.
    """

    suite: Suite
    noise: float = 0.0
    slips: float = 0.0

    def __post_init__(self) -> None:
        check_kind("suite", self.suite, Suite, "a jaxagent.Suite, as make_suite(…) returns it")
        check_share("noise", self.noise)
        check_share("slips", self.slips)
        if self.noise + self.slips > 1:
            raise ValueError(
                f"noise={self.noise}, slips={self.slips}: expected probabilities of sum at most 1"
            )

    def empty_cache(self, slots: int) -> Cache:
        """A memory that only counts words."""
        del slots
        return Cache((), (), jnp.int32(0))

    def prefill(self, params: Params, pool: Pool) -> Cache:
        """The lengths of the first messages."""
        del params
        return Cache((), (), pool.messages.length)

    def read(
        self, params: Params, cache: Cache, tokens: jax.Array, length: jax.Array
    ) -> tuple[jax.Array, Cache]:
        """Counts the words."""
        del params
        return jnp.zeros((len(tokens), 0)), cache.replace(length=cache.length + length)

    def value(self, params: Params, hidden: jax.Array) -> Float[Array, " rows"]:
        """0: experts expect nothing."""
        del params
        return jnp.zeros(len(hidden))

    def speak(
        self,
        params: Params,
        cache: Cache,
        hidden: jax.Array,
        instance: Instance,
        active: Bool[Array, " rows"],
        keys: jax.Array,
        size: int,
        temperature: jax.typing.ArrayLike,
        think: int = 0,
    ) -> tuple[Spoken, Cache]:
        """Says the expert's command, or one that noise or a slip puts in its place.

        Experts do not think: their scratch is `END` throughout.
        """
        del params, hidden, temperature
        command, expert = jax.vmap(self.command)(keys, instance)
        message = jax.vmap(self.suite.write)(instance, command)
        scratch = jnp.full((len(active), think), END)
        words = jnp.concatenate([scratch, message.tokens], axis=1)
        tokens = words[:, :size]
        tokens = jnp.pad(tokens, ((0, 0), (0, size - tokens.shape[1])))
        length = jnp.where(active, jnp.minimum(think + message.length, size), 0)
        nothing = jnp.zeros((len(active), size))
        spoken = Spoken(tokens, length, nothing, nothing, expert & active)
        inputs = jnp.maximum(length - 1, 0)
        return spoken, cache.replace(length=cache.length + inputs)

    def command(
        self, key: jax.Array, instance: Instance
    ) -> tuple[Int[Array, " row"], Bool[Array, ""]]:
        """A command of one row, and whether it is the expert's."""
        chance_key, choice_key, slip_key = jax.random.split(key, 3)
        chance, noisy = jax.random.uniform(chance_key), jnp.bool_(False)
        if self.noise:
            command, commands, valid = self.suite.counsel(instance)
            weights = jax.random.uniform(choice_key, valid.shape)
            random = commands[jnp.argmax(jnp.where(valid, weights, -1.0))]
            noisy = (chance < self.noise) & jnp.any(valid)
            said = jnp.where(noisy, random, command)
        else:
            said = command = self.suite.expert(instance)
        if self.slips:
            slipped = (chance >= self.noise) & (chance < self.noise + self.slips)
            wrong = self._slip(slip_key, instance, command)
            said = jnp.where(slipped, wrong, said)
            noisy |= slipped & jnp.any(wrong != command)
        return said, ~noisy

    def _slip(
        self, key: jax.Array, instance: Instance, command: Int[Array, " row"]
    ) -> Int[Array, " row"]:
        """The command with one argument, if it has any, replaced by one of the same category."""
        place_key, value_key = jax.random.split(key)
        weights = jax.random.uniform(place_key, command.shape).at[0].set(-1.0)
        place = jnp.argmax(jnp.where(command == NONE, -1.0, weights))
        owner = jnp.asarray(self.suite.owner)[instance.task]
        low, high = jnp.asarray(self._spans)[owner, command[place]]
        value = low + (jax.random.uniform(value_key) * (high - low)).astype(jnp.int32)
        return command.at[place].set(jnp.where(place > 0, value, command[place]))

    @cached_property
    def _spans(self) -> np.ndarray:
        """int32[environments, concepts, 2]: span of the category of every concept."""
        schemas = [each.schema for each in self.suite.environments]
        table = np.zeros((len(schemas), max(len(s.concepts) for s in schemas), 2), np.int32)
        for own, schema in zip(table, schemas, strict=True):
            own[: len(schema.concepts)] = np.array([*schema.spans.values()])[
                schema.concept_category
            ]
        return table


class ImitatorState(flax.struct.PyTreeNode):
    """All that a supervised run is.

    Attributes:
        params: of the policy.
        optimiser: state of Adam.
        key: of everything random still to come.
        update: int32[], updates done.
        updates: int32[], updates of the whole run, which progress is measured by.
    """

    params: Params
    optimiser: optax.OptState
    key: jax.Array
    update: Int[Array, ""]
    updates: Int[Array, ""]


@dataclass(frozen=True, eq=False)
class Imitator:
    """Supervised fine-tuning on fresh demonstrations.

    Attributes:
        actor: the policy in the suite.
        window: shape of the demonstrations that an update plays.
        noise: of the demonstrations, the probability of a random valid command.
        slips: of the demonstrations, the probability of a mistake in an argument.
        clean: learn the experts' words only, from the states that noise leads to; else learn
            the others as well, which makes a fluent policy of limited competence.
        minibatch: packed rows of a gradient step.
        updates: updates of a whole run, unless `start` is told another number.
        devices: that share every batch.
        split: keep parameters and optimiser in parts, one on each of the devices.
    """

    actor: Actor
    window: Window = Window(rows=128, turns=16)
    noise: float = 0.1
    slips: float = 0.15
    clean: bool = True
    minibatch: int = 8
    updates: int = 36
    devices: int = 1
    split: bool = False

    def start(self, params: Params, key: jax.Array, updates: int | None = None) -> ImitatorState:
        """The state before the first of `updates`.

        Raises:
            TypeError: an argument is of another kind.
            ValueError: parameters are not those of the policy, or `updates` is below 1.
        """
        check_params("params", self.actor.policy, params)
        check_key("key", key)
        if updates is not None:
            check_whole("updates", updates)
        counters = jnp.int32(0), jnp.int32(self.updates if updates is None else updates)
        state = ImitatorState(params, optimiser().init(params), key, *counters)
        return arrange(state, self.devices, self._places)

    @cached_property
    def played(self) -> Window:
        """The window as demonstrations are played: every row by itself, to the last turn."""
        return self.window.plain()

    @cached_property
    def layout(self) -> Layout:
        """Where parameters lie."""
        return layout_of(self.actor.policy, self.devices, self.split)

    @property
    def _places(self) -> ImitatorState:
        """Where the parts of the state lie."""
        rest = [PartitionSpec()] * 3
        return ImitatorState(self.layout.of_params, self.layout.of_optimiser, *rest)  # type: ignore

    def __post_init__(self) -> None:
        check_kind("actor", self.actor, Actor, 'a jaxagent.Actor, e.g. Actor("tiny", suite)')
        check_kind("window", self.window, Window, "a jaxagent.Window")
        Expert(self.actor.suite, self.noise, self.slips)  # checks the probabilities
        check_whole("updates", self.updates)
        for name in ("clean", "split"):
            check_flag(name, getattr(self, name))
        if self.clean and self.noise + self.slips >= 1:
            raise ValueError(
                f"noise={self.noise}, slips={self.slips}: expected a sum below 1 with clean=True, "
                "or no word of the experts' is left to learn"
            )
        self.window.check(self.actor.suite)
        check_devices(self.devices, self.window.rows, self.minibatch)

    @property
    def turns_per_update(self) -> int:
        """Turns that an update plays."""
        return self.window.rows * self.window.turns

    @property
    def settings(self) -> Hyper:
        """The settings that `run` takes where it is given none."""
        return Hyper(learning_rate=2e-3, final_rate=0.1, max_gradient=1.0)

    def run(
        self,
        state: ImitatorState,
        hyper: Hyper | None = None,
        curriculum: Curriculum | None = None,
        count: int | None = None,
        progress: bool = True,
    ) -> tuple[ImitatorState, Curves]:
        """Learn from demonstrations: do `count` updates, show a bar, return state and curves.

        Arguments and errors are those of `Learner.run`; the metrics are `loss` (nats per word),
        `accuracy` (share of the experts' words) and `tokens`, a leading axis [count].
        """
        check_state(state, ImitatorState, self.actor.policy)
        return checked_run(self, state, hyper, curriculum, count, "imitating", progress)

    def advance(
        self,
        state: ImitatorState,
        hyper: Hyper,
        curriculum: Curriculum,
        count: jax.typing.ArrayLike = 1,
    ) -> tuple[ImitatorState, Metrics]:
        """Do `count` updates in one program, and return the means of their metrics.

        It checks nothing, and uses up the arrays of the state that it is given.
        """
        return self._advance(state, *as_traced((hyper, curriculum, count)))

    def compile(
        self, state: ImitatorState, hyper: Hyper, curriculum: Curriculum
    ) -> jax.stages.Compiled:
        """Compile what `advance` runs, run nothing of it, and return the program."""
        return compiled(self, state, hyper, curriculum)

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def _advance(
        self, state: ImitatorState, hyper: Hyper, curriculum: Curriculum, count: jax.Array
    ) -> tuple[ImitatorState, Metrics]:
        def updates(state: ImitatorState, *traced: Any) -> tuple[ImitatorState, Metrics]:
            hyper, curriculum, count = traced
            step = partial(imitation_step, self, hyper=hyper, curriculum=curriculum)
            return repeat(step, state, count)

        everywhere = spread(updates, self.devices, state=self._places)
        return everywhere(state, hyper, curriculum, count)


def imitation_step(
    imitator: Imitator, state: ImitatorState, hyper: Hyper, curriculum: Curriculum
) -> tuple[ImitatorState, Metrics]:
    """One update: play demonstrations, and one pass of gradient steps over them. Pure."""
    devices, layout = imitator.devices, imitator.layout
    key, pool_key, play_key, order_key = jax.random.split(state.key, 4)
    suite, window = imitator.actor.suite, imitator.played.shared(devices)
    progress = progress_of(state.update, state.updates)
    rate = hyper.rate_at(progress, 1.0 / state.updates)
    levels = draw_levels(pool_key, curriculum.weights_at(progress), 4 * imitator.window.rows)
    pool = pool_of(suite, own_columns(levels, imitator.window.rows, devices))
    expert, horizon = Expert(suite, imitator.noise, imitator.slips), curriculum.horizon_at(progress)
    keys = row_keys(play_key, window.rows, devices)
    trajectory = rollout(expert, {}, pool, keys, window, horizon)
    packing = pack(trajectory, window.context, window.words)
    turns = trajectory.turns
    wanted = turns.spoken & (turns.expert[..., None] | (not imitator.clean))
    total = jnp.maximum(across(jnp.sum(wanted).astype(jnp.float32), devices), 1.0)

    def loss(params: Params, batch: PackedRow, count: Array) -> tuple[Array, Array]:
        logits, _ = word_outputs(imitator.actor, layout.whole(params), batch, turns.task)
        choice = word_choices(imitator.actor, batch, turns.action)
        counts = batch.said & batch.words_of(wanted)
        correct = counts & (jnp.argmax(logits, -1) == choice)
        mean = total / count
        return imitation_loss(log_prob(logits, choice), counts, mean), jnp.sum(correct) / total

    def step(carry: tuple, batch: PackedRow, count: Array) -> tuple:
        params, adam, summed = carry
        results = jax.value_and_grad(loss, has_aux=True)(params, batch, count)
        (value, correct), gradient = across(results[0], devices), layout.summed(results[1])
        norm = layout.norm(gradient)
        params, adam = descend(gradient, norm, adam, params, rate, hyper.max_gradient)
        return params, adam, summed + jnp.stack([value / count, correct])

    carry = (state.params, state.optimiser, jnp.zeros(2))
    visit = (imitator.minibatch // devices, window.context, window.words)
    order_key = own_key(order_key, devices)
    params, adam, summed = over_minibatches(order_key, packing, *visit, carry, step, devices)
    state = ImitatorState(params, adam, key, state.update + 1, state.updates)
    tokens = across(packing.useful(window.context) * packing.used * window.context, devices)
    metrics = {"loss": summed[0], "accuracy": summed[1], "tokens": tokens, "progress": progress}
    finished = across(jnp.sum(turns.terminated | turns.truncated), devices)
    cut = across(jnp.sum(turns.out_of_context), devices)
    metrics["truncated_by_context"] = cut / jnp.maximum(finished, 1)
    return state, metrics
