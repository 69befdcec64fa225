"""Say, write and read: facts and commands to tokens and back, as gathers from constant tables.

Everything a table depends on is a leading axis (environment, lexicon, interface), so that all of
them are traced integers and one compiled program speaks every way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxagent.text.interface import ERRORS, HELD_OUT, INTERFACES
from jaxagent.text.schema import ASIDE, COMMANDS, COMMON, INVALID, NO_EFFECT, NONE, Schema
from jaxagent.text.vocabulary import END, PAD, Vocabulary

_NO_EFFECT, _COMMANDS, _ASIDE = map(COMMON.index, (NO_EFFECT, COMMANDS, ASIDE))


class Voice(NamedTuple):
    """How one row of a batch is spoken to; every field a traced int32.

    Attributes:
        environment: place of the environment in the language.
        lexicon: place in `LEXICONS`.
        interface: place in `INTERFACES`.
        errors: place in `ERRORS`.
    """

    environment: jax.Array | np.ndarray
    lexicon: jax.Array | np.ndarray
    interface: jax.Array | np.ndarray
    errors: jax.Array | np.ndarray


@dataclass(frozen=True, eq=False)
class Language:
    """The compiled words of a tuple of environments. Build it with `compile_language`.

    Attributes:
        vocabulary: the closed vocabulary.
        schemas: the environments' schemas, in the order of `Voice.environment`.
        sentences: int32[E, I, F + V, T], templates of the fact types and then of the verbs: a word
            id, or -1 - k for argument k. A verb's ends with `SEPARATOR`.
        lengths: int32[E, I, F + V], their lengths; 0 for what is not there.
        errors: bool[E, F + V], whether a fact type tells of an error.
        lexicons: int32[E, X, C], word of every concept.
        readings: int32[E, X, W], concept of every word or -1.
        allowed: bool[E, V, K, C], whether a verb's argument may be a concept.
        slots: int32[E, I, V, K], place of a verb's argument in its template, or -1.
        max_facts: F, the most fact types of an environment.
    """

    vocabulary: Vocabulary
    schemas: tuple[Schema, ...]
    sentences: np.ndarray
    lengths: np.ndarray
    errors: np.ndarray
    lexicons: np.ndarray
    readings: np.ndarray
    allowed: np.ndarray
    slots: np.ndarray
    max_facts: int

    @cached_property
    def sayable(self) -> np.ndarray:
        """bool[E, X, I, W]: the words that a command of each environment may contain.

        A policy's distribution spans those of its lexicon and of all environments in play, in every
        interface that is not `HELD_OUT` (unless it is its own), and `END`: it may speak the wrong
        language, but not one that is not in play.
        """
        shape = (*self.lexicons.shape[:2], len(INTERFACES), len(self.vocabulary))
        words = np.zeros(shape, bool)
        templates = self.sentences[:, :, self.max_facts :]
        inside = np.arange(templates.shape[-1]) < self.lengths[:, :, self.max_facts :, None] - 1
        for e, schema in enumerate(self.schemas):
            for i, interface in enumerate(INTERFACES):
                plain = templates[e, i][inside[e, i] & (templates[e, i] >= 0)]
                words[e, :, i if interface in HELD_OUT else slice(None), plain] = True
            args = self.allowed[e].any((0, 1))[: len(schema.concepts)]
            for x, lexicon in enumerate(self.lexicons[e, :, : len(schema.concepts)]):
                words[e, x, :, lexicon[args]] = True
        words[..., END] = True
        return words

    def words_of(self, environment: int, lexicon: int, interface: int) -> np.ndarray:
        """int32[n]: the words that an environment may use, said one way, sorted."""
        lengths = self.lengths[environment, interface]
        templates = self.sentences[environment, interface]
        inside = (np.arange(templates.shape[-1]) < lengths[:, None]) & (templates >= 0)
        concepts = len(self.schemas[environment].concepts)
        named = self.lexicons[environment, lexicon, :concepts]
        return np.unique(np.concatenate([templates[inside], named]))

    @property
    def max_args(self) -> int:
        """K, the most arguments of a fact or a command of any environment."""
        return self.slots.shape[-1]

    def say(
        self, facts: Int[Array, "facts row"], voice: Voice, size: int
    ) -> tuple[Int[Array, "size"], Int[Array, ""]]:
        """The sentences of `facts` one behind the other, padded or cut to `size` tokens.

        Args:
            facts: rows `[type, argument, …]`; type 0 says nothing; the types from `max_facts` on
                are the verbs, so that commands can be listed.
            voice: how to speak.
            size: length of the result.

        Returns:
            The tokens, and how many of them are not padding.
        """
        e, i, x = voice.environment, voice.interface, voice.lexicon
        types = self._voiced(facts[:, 0], voice)
        ends = jnp.cumsum(jnp.asarray(self.lengths)[e, i, types])
        places = jnp.arange(size)
        # By at most 32 at once: of more, XLA makes an array before it adds them up.
        pieces = jnp.split(ends, [*range(32, len(ends), 32)])
        row = sum(jnp.sum(piece <= places[:, None], axis=1) for piece in pieces)
        starts = jnp.concatenate([jnp.zeros(1, ends.dtype), ends])
        row = jnp.minimum(row, len(facts) - 1)
        template = jnp.asarray(self.sentences)[e, i, types[row], places - starts[row]]
        word = jnp.asarray(self.lexicons)[e, x, facts[row, jnp.maximum(-template, 1)]]
        tokens = jnp.where(template >= 0, template, word)
        return jnp.where(places < ends[-1], tokens, PAD), jnp.minimum(ends[-1], size)

    def listed(
        self, commands: Int[Array, "n row"], mask: Bool[Array, "n"]
    ) -> Int[Array, "n+1 row"]:
        """The facts that list the commands under `mask`, to be said behind the others."""
        head = jnp.full((1, commands.shape[1]), NONE, jnp.int32).at[0, 0].set(_COMMANDS)
        rows = commands.at[:, 0].add(self.max_facts)
        return jnp.concatenate([head, jnp.where(mask[:, None], rows, 0)])

    def write(
        self, command: Int[Array, "row"], voice: Voice, size: int
    ) -> tuple[Int[Array, "size"], Int[Array, ""]]:
        """The tokens of `command` and `END`, padded to `size`, and how many they are."""
        e, i, x = voice.environment, voice.interface, voice.lexicon
        verb = command[0] + self.max_facts
        length = jnp.maximum(jnp.asarray(self.lengths)[e, i, verb] - 1, 0)
        places = jnp.arange(size)
        template = jnp.take(jnp.asarray(self.sentences)[e, i, verb], places, mode="clip")
        word = jnp.asarray(self.lexicons)[e, x, command[jnp.maximum(-template, 1)]]
        tokens = jnp.where(template >= 0, template, word)
        tokens = jnp.where(places < length, tokens, jnp.where(places == length, END, PAD))
        return tokens, jnp.minimum(length + 1, size)

    def read(self, tokens: Int[Array, "size"], voice: Voice) -> Int[Array, "row"]:
        """The command that `tokens` up to the first `END` (or all of them) spell, or `INVALID`."""
        e, i, x = voice.environment, voice.interface, voice.lexicon
        size = tokens.shape[0]
        width = self.sentences.shape[-1]
        padded = jnp.pad(tokens, (0, max(0, width - size)), constant_values=END)[:width]
        ended = jnp.concatenate([tokens == END, jnp.ones(1, bool)])
        length = jnp.argmax(ended)
        templates = jnp.asarray(self.sentences)[e, i, self.max_facts :]
        known = jnp.asarray(self.lengths)[e, i, self.max_facts :] - 1
        words = (templates == padded) | (templates < 0) | (jnp.arange(width) >= known[:, None])
        match = (known == length) & (length > 0) & jnp.all(words, axis=1)
        row = jnp.full(1 + self.max_args, NONE).at[0].set(INVALID)
        # Where the words fit few verbs at most, the arguments of few need to be looked at.
        for _ in range(self._most_alike):
            verb = jnp.argmax(match)
            slots = jnp.asarray(self.slots)[e, i, verb]
            readings = jnp.asarray(self.readings).at[e, x, jnp.maximum(padded[slots], 0)]
            args = jnp.where(slots >= 0, readings.get(mode="fill", fill_value=NONE), NONE)
            places = jnp.arange(len(args))
            fits = (args >= 0) & jnp.asarray(self.allowed)[e, verb, places, jnp.maximum(args, 0)]
            is_read = match[verb] & jnp.all((slots < 0) | fits)
            row = jnp.where(is_read, jnp.concatenate([verb[None], args]), row)
            match &= jnp.arange(len(match)) != verb
        return row

    @cached_property
    def _most_alike(self) -> int:
        """How many verbs at most could be meant by the words that are not arguments."""
        templates = self.sentences[:, :, self.max_facts :]
        known = self.lengths[:, :, self.max_facts :]
        one, other = templates[:, :, :, None], templates[:, :, None]
        alike = np.all((one == other) | (one < 0) | (other < 0), axis=-1)
        alike &= (known[..., None] == known[:, :, None]) & (known[..., None] > 1)
        return int(alike.sum(-1).max())

    def is_error(
        self, facts: Int[Array, "facts row"], environment: jax.typing.ArrayLike
    ) -> Bool[Array, ""]:
        """Whether any of `facts` tells that a command had no effect."""
        return jnp.any(jnp.asarray(self.errors)[environment, facts[:, 0]])

    def longest_command(self, environments: Sequence[int], interfaces: Sequence[int]) -> int:
        """Tokens of the longest command, `END` included."""
        return int(self.lengths[np.ix_(environments, interfaces)][..., self.max_facts :].max())

    def longest_message(
        self,
        environment: int,
        interfaces: Sequence[int],
        first: bool,
        listed: int = 0,
        asides: int = 0,
        most: Mapping[str, tuple[int, int]] = MappingProxyType({}),
    ) -> int:
        """Tokens of the longest message that `environment` can give, by its schema's bounds.

        Of the errors only the longest counts, as a message holds at most one, and of the schema's
        shapes, if it has any, only the longest too.

        Args:
            environment: place of the environment.
            interfaces: places of the interfaces to look at.
            first: the message that opens an episode, or one behind a command.
            listed: how many commands may be listed in it.
            asides: how many asides are in it.
            most: fact name -> bounds on the first and the later messages, where they are tighter.
        """
        schema, k = self.schemas[environment], 0 if first else 1
        counts = [most.get(fact.name, (fact.first, fact.step))[k] for fact in schema.facts]
        lengths = self.lengths[environment, list(interfaces)]
        stated = schema.most_room(lengths[:, : len(counts)], np.array(counts))
        stated = stated + asides * lengths[:, _ASIDE]
        listing = listed * lengths[:, self.max_facts :].max(1) + lengths[:, _COMMANDS]
        return int((stated + (listing if listed else 0)).max())

    def _voiced(self, types: jax.Array, voice: Voice) -> jax.Array:
        error = jnp.asarray(self.errors)[voice.environment, types]
        instead = jnp.where(voice.errors == ERRORS.index("fixed"), _NO_EFFECT, 0)
        return jnp.where(error & (voice.errors != ERRORS.index("reason")), instead, types)
