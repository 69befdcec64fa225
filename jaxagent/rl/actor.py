"""An actor: a policy that reads and speaks in a suite, turn by turn, from a key-value cache."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from jaxagent.checks import check_kind, check_option
from jaxagent.envs.pool import Pool
from jaxagent.envs.suite import Instance, Suite
from jaxagent.models import SIZES, Cache, Params, Policy, log_prob, sample
from jaxagent.rl.player import Spoken
from jaxagent.text import END

PIECE = 6
"""Words read in one go. Longer messages take several."""

STRAGGLERS = 4
"""Once at most one row in so many still reads or speaks, these go on in a batch of their own."""

COLDEST = 1e-6
"""Temperature below which, and at 0, the likeliest word is said: logits stay finite."""

FORBIDDEN = -1e9
"""Logit of a word that is not in play under the row's lexicon and interface."""


class _Reading(NamedTuple):
    """Rows in the middle of their messages.

    Attributes:
        place: int32[], words of every message that are read, unless it is shorter.
        hidden: [rows, width], behind the last word of each, once it is read.
        cache: what they have read.
    """

    place: jax.Array
    hidden: jax.Array
    cache: Cache


class _Speakers(NamedTuple):
    """Rows in the middle of their actions, all of a batch or some; a leading axis [some].

    Attributes:
        index: int32[some], their places in the batch.
        task: int32[some].
        alive: bool[some], rows that have not ended their action.
        hidden: [some, width], behind their last word.
        cache: what they have read.
    """

    index: jax.Array
    task: jax.Array
    alive: jax.Array
    hidden: jax.Array
    cache: Cache


_Speech = tuple[jax.Array, _Speakers, Spoken]
"""Words said so far, int32[]; who speaks; and what the whole batch said, grids [action, rows]."""


class _Draw(NamedTuple):
    """What an action is decided with.

    Attributes:
        uniform: float32[action, rows] in [0, 1).
        temperature: of the distribution.
        think: first words, which END does not end.
    """

    uniform: jax.Array
    temperature: jax.typing.ArrayLike
    think: int


@dataclass(frozen=True, eq=False)
class Actor:
    """A policy in a suite. Static; the parameters are an argument.

    Attributes:
        policy: reads and writes words; its vocabulary is that of the suite's language. The name
            of a size makes one, e.g. `Actor("tiny", suite)`.
        suite: the tasks.
    """

    policy: Policy
    suite: Suite

    def __post_init__(self) -> None:
        check_kind("suite", self.suite, Suite, "a jaxagent.Suite, as make_suite(…) returns it")
        words = len(self.suite.language.vocabulary)
        named: Any = self.policy
        if isinstance(named, str):
            check_option("policy", named, SIZES)
            object.__setattr__(self, "policy", Policy(named, words))  # type: ignore[arg-type]
        check_kind("policy", self.policy, Policy, "a jaxagent.Policy, or the name of a size")
        if self.policy.vocabulary != words:
            raise ValueError(
                f"vocabulary={self.policy.vocabulary}: the policy does not know the suite's "
                f"{words} words; both must be made from the same environments"
            )

    @cached_property
    def words(self) -> np.ndarray:
        """int32[n]: the words that logits are about, sorted: `suite.sayable`."""
        return self.suite.sayable

    @cached_property
    def places(self) -> np.ndarray:
        """int32[vocabulary]: place in `words` of every word, 0 for those not in it."""
        places = np.zeros(self.policy.vocabulary, np.int32)
        places[self.words] = np.arange(len(self.words))
        return places

    def logits(
        self, params: Params, hidden: Float[Array, "*n width"], task: Int[Array, "*n"]
    ) -> Float[Array, "*n words"]:
        """Float32 logits of `words`; those that are not in play in the task are ruled out."""
        logits = self.policy.logits(params, hidden, self.words)
        known = self.suite.in_play[:, self.words]
        return logits if known.all() else jnp.where(jnp.asarray(known)[task], logits, FORBIDDEN)

    def empty_cache(self, slots: int) -> Cache:
        """The cache of one row that has read nothing and may read `slots` words."""
        return self.policy.empty_cache(slots)

    def value(self, params: Params, hidden: Float[Array, "rows width"]) -> Float[Array, " rows"]:
        """The return expected behind the words that were read."""
        return self.policy.value(params, hidden)

    def prefill(self, params: Params, pool: Pool) -> Cache:
        """The cache of every pool entry behind its first message, of `first_tokens` slots."""
        slots = _whole_pieces(self.suite.first_tokens)
        empty = self.policy.empty_cache(slots)
        cache = jax.tree.map(lambda x: jnp.broadcast_to(x, (pool.size, *x.shape)), empty)
        return self.read(params, cache, pool.messages.tokens, pool.messages.length)[1]

    def read(
        self,
        params: Params,
        cache: Cache,
        tokens: Int[Array, "rows chunk"],
        length: Int[Array, " rows"],
    ) -> tuple[Float[Array, "rows width"], Cache]:
        """Reads the first `length` tokens of every row.

        Where a message does not fit behind what the row has read, it is read all the same, but
        what has no slot is not kept.

        Returns:
            The hidden state at each row's last word (zeros where there is none), and the cache.
        """
        (rows, size), slots = tokens.shape, cache.slots
        few, whole = -(-rows // STRAGGLERS), _whole_pieces(size)
        tokens = jnp.pad(tokens, ((0, 0), (0, whole - size)))
        none = jnp.zeros((rows, self.policy.config.width), self.policy.config.dtype)
        reading = _Reading(jnp.int32(0), none, cache)
        place, hidden, cache = self._read_pieces(params, reading, tokens, length, few)

        def read_few(carry: tuple) -> tuple:
            unread, hidden, cache = carry
            chosen = jnp.argsort(~unread)[:few]
            some = jax.tree.map(lambda x: x[chosen], cache).with_slots(slots + whole)
            reading = _Reading(place, hidden[chosen], some)
            rest = jnp.where(unread, length, 0)[chosen]
            read = self._read_pieces(params, reading, tokens[chosen], rest, 0)
            hidden, cache = jax.tree.map(
                lambda all_, some: all_.at[chosen].set(some, unique_indices=True),
                (hidden, cache),
                (read.hidden, read.cache.with_slots(slots)),
            )
            return unread.at[chosen].set(False), hidden, cache

        carry = (length > place, hidden, cache)
        return jax.lax.while_loop(lambda carry: jnp.any(carry[0]), read_few, carry)[1:]

    def _read_pieces(
        self, params: Params, reading: _Reading, tokens: jax.Array, length: jax.Array, enough: int
    ) -> _Reading:
        """Reads piece by piece until at most `enough` rows go on or one has no slots to go on."""

        def going_on(reading: _Reading) -> jax.Array:
            behind = reading.cache.length + jnp.clip(length - reading.place, 0, PIECE)
            unread = length > reading.place
            stuck = unread & (behind > reading.cache.slots)
            return (jnp.sum(unread) > enough) & ~jnp.any(stuck)

        def read_piece(reading: _Reading) -> _Reading:
            start, last, cache = reading
            piece = jax.lax.dynamic_slice_in_dim(tokens, start, PIECE, axis=1)
            count = jnp.clip(length - start, 0, PIECE)
            hidden, cache = jax.vmap(self.policy.extend, in_axes=(None, 0, 0, 0))(
                params, cache, piece, count
            )
            place = length - 1 - start
            here = hidden[jnp.arange(len(length)), jnp.clip(place, 0, PIECE - 1)]
            inside = (place >= 0) & (place < PIECE)
            return _Reading(start + PIECE, jnp.where(inside[:, None], here, last), cache)

        return jax.lax.while_loop(going_on, read_piece, reading)

    def speak(
        self,
        params: Params,
        cache: Cache,
        hidden: Float[Array, "rows width"],
        instance: Instance,
        active: Bool[Array, " rows"],
        keys: jax.Array,
        size: int,
        temperature: jax.typing.ArrayLike = 1.0,
        think: int = 0,
    ) -> tuple[Spoken, Cache]:
        """Says one action per active row, word by word, until all have ended or `size` is full.

        The last word of an action is not in the cache yet: it is read with the next message.

        Args:
            params: the policy's parameters.
            cache: what the rows have read.
            hidden: hidden state behind the last word that was read.
            instance: the episodes, for their tasks.
            active: rows that act; the others say nothing.
            keys: [rows], for the words of each.
            size: most words of an action.
            temperature: of the distribution that is sampled; at 0 it is the likeliest word.
                `log_prob` is that at 1.
            think: words of scratch that come first.

        Raises:
            ValueError: the temperature is negative or not finite (unless it is traced).
        """
        known = not isinstance(temperature, Tracer)
        if known and not 0 <= np.asarray(temperature).item() < math.inf:
            raise ValueError(f"temperature={temperature}: expected at least 0, and finite")
        rows = len(active)
        few = -(-rows // STRAGGLERS)
        uniform = jax.vmap(partial(jax.random.uniform, shape=(size,)), out_axes=1)(keys)
        draw = _Draw(uniform, temperature, think)
        speakers = _Speakers(jnp.arange(rows), instance.task, active, hidden, cache)
        start = (jnp.int32(0), speakers, _nothing_said(size, rows))
        place, speakers, spoken = self._say_words(params, start, draw, few)
        last = jnp.argsort(~speakers.alive)[:few]
        rest = jax.tree.map(lambda x: x[last], speakers)
        _, rest, spoken = self._say_words(params, (place, rest, spoken), draw, 0)
        cache = jax.tree.map(
            lambda all_, some: all_.at[last].set(some, unique_indices=True),
            speakers.cache,
            rest.cache,
        )
        grids = {name: getattr(spoken, name).T for name in ("tokens", "log_prob", "value")}
        return spoken._replace(**grids), cache

    def _say_words(self, params: Params, start: _Speech, draw: _Draw, enough: int) -> _Speech:
        """Says words until at most `enough` of the speakers go on, or the actions are full."""
        size = len(draw.uniform)

        def going_on(speech: _Speech) -> jax.Array:
            place, speakers, _ = speech
            return (place < size) & (jnp.sum(speakers.alive) > enough)

        say = partial(self._say_word, params, draw)
        return jax.lax.while_loop(going_on, say, start)

    def _say_word(self, params: Params, draw: _Draw, speech: _Speech) -> _Speech:
        place, speakers, spoken = speech
        index, task, alive, hidden, cache = speakers
        logits = self.logits(params, hidden, task)
        scale = jnp.maximum(draw.temperature, COLDEST)
        choice = sample(draw.uniform[place, index], logits / scale)
        token = jnp.asarray(self.words)[choice]
        here = (place, index)
        spoken = Spoken(
            tokens=spoken.tokens.at[here].set(jnp.where(alive, token, 0)),
            length=spoken.length.at[index].add(alive),
            log_prob=spoken.log_prob.at[here].set(log_prob(logits, choice)),
            value=spoken.value.at[here].set(self.policy.value(params, hidden)),
            expert=spoken.expert,
        )
        alive &= (token != END) | (place < draw.think)
        hidden, cache = jax.lax.cond(
            jnp.any(alive) & (place + 1 < len(draw.uniform)),
            lambda cache: self._read_word(params, cache, token, alive),
            lambda cache: (hidden, cache),
            cache,
        )
        return place + 1, _Speakers(index, task, alive, hidden, cache), spoken

    def _read_word(
        self, params: Params, cache: Cache, token: jax.Array, alive: jax.Array
    ) -> tuple[jax.Array, Cache]:
        """Reads one word in every row that is alive; the others' slots stay unused."""
        hidden, cache = jax.vmap(self.policy.extend, in_axes=(None, 0, 0, 0))(
            params, cache, token[:, None], alive.astype(jnp.int32)
        )
        return hidden[:, 0], cache


def _nothing_said(size: int, rows: int) -> Spoken:
    return Spoken(
        tokens=jnp.zeros((size, rows), jnp.int32),
        length=jnp.zeros(rows, jnp.int32),
        log_prob=jnp.zeros((size, rows)),
        value=jnp.zeros((size, rows)),
        expert=jnp.zeros(rows, bool),
    )


def _whole_pieces(size: int) -> int:
    return -(-size // PIECE) * PIECE
