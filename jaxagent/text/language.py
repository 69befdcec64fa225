"""Say, write and read: facts and commands to tokens and back, as gathers from constant tables.

Everything a table depends on is a leading axis (environment, lexicon, interface), so that all of
them are traced integers and one compiled program speaks every way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxagent.text.interface import (
    ERRORS,
    HELD_OUT,
    INTERFACES,
    SEPARATOR,
    Phrases,
    fact_template,
    slot_of,
    verb_template,
)
from jaxagent.text.lexicon import lexicon_tables, reading_tables, renamable
from jaxagent.text.schema import ASIDE, COMMANDS, COMMON, INVALID, NO_EFFECT, NONE, Schema
from jaxagent.text.vocabulary import END, PAD, Vocabulary, heldout_words

_NO_EFFECT, _COMMANDS, _ASIDE = map(COMMON.index, (NO_EFFECT, COMMANDS, ASIDE))


class Speaker(Protocol):
    """What the language needs of an environment."""

    @property
    def name(self) -> str:
        """What it is called in task strings."""
        ...

    @property
    def schema(self) -> Schema:
        """Its concepts, facts and verbs."""
        ...

    @property
    def phrases(self) -> Mapping[str, Phrases]:
        """Its sentences by interface."""
        ...


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
        readings = jnp.asarray(self.readings).at[e, x, jnp.maximum(padded, 0)]
        concepts = readings.get(mode="fill", fill_value=NONE)
        templates = jnp.asarray(self.sentences)[e, i, self.max_facts :]
        known = jnp.asarray(self.lengths)[e, i, self.max_facts :] - 1
        words = (templates == padded) | (templates < 0) | (jnp.arange(width) >= known[:, None])
        slots = jnp.asarray(self.slots)[e, i]
        args = jnp.where(slots >= 0, concepts[jnp.maximum(slots, 0)], NONE)
        verbs, places = jnp.indices(args.shape)
        fits = jnp.asarray(self.allowed)[e, verbs, places, jnp.maximum(args, 0)]
        filled = jnp.all((slots < 0) | ((args >= 0) & fits), axis=1)
        match = (known == length) & (length > 0) & jnp.all(words, axis=1) & filled
        verb = jnp.where(jnp.any(match), jnp.argmax(match), INVALID)
        row = jnp.concatenate([verb[None], args[verb]])
        return jnp.where(verb == INVALID, jnp.where(jnp.arange(len(row)) == 0, 0, NONE), row)

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


def compile_language(environments: Sequence[Speaker]) -> Language:
    """The language of `environments`: their words, templates and lexicons as tables.

    Raises:
        ValueError: an environment lacks a template, a template names an argument that is not
            there, a verb's template leaves one out or has one twice, or two verbs could be read
            from one sentence.
    """
    schemas = tuple(environment.schema for environment in environments)
    heldout = heldout_words(max(renamable(schema) for schema in schemas), _all_words(environments))
    vocabulary = Vocabulary.of((*_all_words(environments), *heldout))
    lexicons = [lexicon_tables(schema, vocabulary, heldout) for schema in schemas]
    readings = [reading_tables(table, len(vocabulary)) for table in lexicons]
    max_facts = max(len(schema.facts) for schema in schemas)
    tables = [_sentences(each, vocabulary, max_facts) for each in environments]
    return Language(
        vocabulary,
        schemas,
        sentences=_stack([sentences for sentences, _ in tables]),
        lengths=_stack([lengths for _, lengths in tables]),
        errors=_stack([_errors(each, max_facts) for each in schemas]),
        lexicons=_stack(lexicons),
        readings=_stack(readings),
        allowed=_stack([_allowed(schema) for schema in schemas]),
        slots=_stack([_slots(each) for each in environments], fill=-1),
        max_facts=max_facts,
    )


def _all_words(environments: Sequence[Speaker]) -> list[str]:
    """Words of all templates, sorted, and then the concepts' own."""
    spoken = {word for each in environments for word in _spoken(each)}
    concepts = [word for each in environments for word in each.schema.concepts]
    return [*sorted(spoken), *concepts]


def _spoken(environment: Speaker) -> set[str]:
    words = {SEPARATOR}
    for templates in _templates(environment):
        words |= {w for words in templates for w in words if not w.startswith("{")}
    return words


def _templates(environment: Speaker) -> list[list[list[str]]]:
    """Per interface, the templates of the facts and then of the verbs."""
    schema, result = environment.schema, []
    for name in INTERFACES:
        if name not in environment.phrases:
            raise ValueError(f"environment {environment.name!r} has no phrases for {name!r}")
        phrases = environment.phrases[name]
        facts = [fact_template(schema, phrases, name, fact) for fact in schema.facts]
        verbs = [verb_template(schema, phrases, name, verb) for verb in schema.verbs]
        _check_unambiguous(schema, verbs, f"{environment.name}, {name}")
        result.append(facts + verbs)
    return result


def _sentences(
    environment: Speaker, vocabulary: Vocabulary, max_facts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Templates int32[I, max_facts + V, T] and their lengths, verbs ending with `SEPARATOR`."""
    schema = environment.schema
    items = (*schema.facts, *schema.verbs)
    width = 1 + max(len(t) for templates in _templates(environment) for t in templates)
    sentences = np.zeros((len(INTERFACES), max_facts + len(schema.verbs), width), np.int32)
    lengths = np.zeros(sentences.shape[:2], np.int32)
    for i, templates in enumerate(_templates(environment)):
        for k, (item, words) in enumerate(zip(items, templates, strict=True)):
            is_verb = k >= len(schema.facts)
            row = k + (max_facts - len(schema.facts)) * is_verb
            ids = [_code(word, item.args, vocabulary) for word in words]
            ids += [vocabulary.id(SEPARATOR)] * (is_verb and bool(words))
            sentences[i, row, : len(ids)] = ids
            lengths[i, row] = len(ids)
    return sentences, lengths


def _code(word: str, args: tuple[tuple[str, str], ...], vocabulary: Vocabulary) -> int:
    slot = slot_of(word, args)
    return vocabulary.id(word) if slot is None else -1 - slot


def _slots(environment: Speaker) -> np.ndarray:
    """int32[I, V, K]: where every argument of every verb stands in its template."""
    schema = environment.schema
    slots = np.full((len(INTERFACES), len(schema.verbs), schema.max_args), -1, np.int32)
    for i, templates in enumerate(_templates(environment)):
        for v, (verb, words) in enumerate(
            zip(schema.verbs, templates[len(schema.facts) :], strict=True)
        ):
            for place, word in enumerate(words):
                slot = slot_of(word, verb.args)
                if slot is not None:
                    slots[i, v, slot] = place
            taken = [word for word in words if slot_of(word, verb.args) is not None]
            if (slots[i, v, : len(verb.args)] < 0).any():
                raise ValueError(f"{INTERFACES[i]} verb {verb.name}: an argument is left out")
            if len(taken) > len(verb.args):
                raise ValueError(f"{INTERFACES[i]} verb {verb.name}: an argument stands twice")
    return slots


def _errors(schema: Schema, max_facts: int) -> np.ndarray:
    """bool[max_facts + V]: which fact types tell of an error; no verb does."""
    errors = np.zeros(max_facts + len(schema.verbs), bool)
    errors[: len(schema.facts)] = [fact.error for fact in schema.facts]
    return errors


def _allowed(schema: Schema) -> np.ndarray:
    """bool[V, K, C]: whether an argument of a verb may be a concept."""
    allowed = np.zeros((len(schema.verbs), schema.max_args, len(schema.concepts)), bool)
    for v, verb in enumerate(schema.verbs):
        for k, (_, categories) in enumerate(verb.args):
            for category in categories.split("|"):
                allowed[v, k, slice(*schema.spans[category])] = True
    return allowed


def _check_unambiguous(schema: Schema, templates: list[list[str]], where: str) -> None:
    """Raises if one sentence could be two verbs, or a command has no word at all."""
    names = [verb.name for verb in schema.verbs]
    options = [
        [_options(schema, word, verb.args) for word in words]
        for verb, words in zip(schema.verbs, templates, strict=True)
    ]
    for v, mine in enumerate(options[1:], 1):
        if not mine:
            raise ValueError(f"{where}: verb {names[v]} has an empty template")
        for u, other in enumerate(options[1:v], 1):
            if len(mine) == len(other) and all(map(set.intersection, mine, other)):
                both = f"{names[v]} and {names[u]}"
                raise ValueError(f"{where}: {both} could be read from one sentence")


def _options(schema: Schema, word: str, args: tuple[tuple[str, str], ...]) -> set[str]:
    """Words that may stand for `word` of a template; no lexicon changes which sets overlap."""
    slot = slot_of(word, args)
    if slot is None:
        return {word}
    spans = [schema.spans[category] for category in args[slot][1].split("|")]
    return {name for start, stop in spans for name in schema.concepts[start:stop]}


def _stack(tables: Sequence[np.ndarray], fill: int = 0) -> np.ndarray:
    """The tables on a new leading axis, padded with `fill` to a common shape.

    The facts of all environments are padded to `max_facts` before, so that verbs line up.
    """
    shape = np.max([table.shape for table in tables], axis=0)
    stacked = np.full((len(tables), *shape), fill, tables[0].dtype)
    for row, table in zip(stacked, tables, strict=True):
        row[tuple(slice(n) for n in table.shape)] = table
    return stacked
