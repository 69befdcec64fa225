"""The compiler: environments' words, templates and lexicons become the tables of a language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from jaxagent.text.interface import (
    INTERFACES,
    SEPARATOR,
    Phrases,
    fact_template,
    slot_of,
    verb_template,
)
from jaxagent.text.language import Language
from jaxagent.text.lexicon import lexicon_tables, reading_tables, renamable
from jaxagent.text.schema import Schema
from jaxagent.text.vocabulary import Vocabulary, heldout_words


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
    """Per interface, the templates of the facts and then of the verbs; empty ones where the
    environment does not speak it, which only the first interface it has to."""
    schema, result = environment.schema, []
    for name in INTERFACES:
        if name not in environment.phrases:
            if name == INTERFACES[0]:
                raise ValueError(f"environment {environment.name!r} has no phrases for {name!r}")
            result.append([[]] * (len(schema.facts) + len(schema.verbs)))
            continue
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
        if INTERFACES[i] not in environment.phrases:
            continue
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
