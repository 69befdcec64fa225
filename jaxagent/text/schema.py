"""What an environment can state and what it can be told: facts, verbs and the concepts they take.

A schema knows no sentence: it names categories of concepts, types of facts and verbs with
their arguments. Facts and commands are integer rows `[type, argument, …]` padded with `NONE`;
numbers are the concepts `0 … NUMBERS - 1`, so every argument is a concept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Int32

from jaxagent.text.vocabulary import NUMBERS, SPECIALS

NONE = -1
"""Padding of a fact's or a command's arguments."""

NUMBER = "number"
"""The category of the concepts `0 … NUMBERS - 1`, which no lexicon renames."""

ASIDES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aside_thing": (
            "radio",
            "neighbour",
            "weather",
            "traffic",
            "wallpaper",
            "staircase",
            "chimney",
            "calendar",
        ),
        "aside_state": (
            "loud",
            "pleasant",
            "dull",
            "strange",
            "ordinary",
            "distant",
            "familiar",
            "dusty",
        ),
    }
)
"""Categories of every environment for facts that have nothing to do with its goals."""

INVALID = 0
"""Verb of a command that could not be read."""


@dataclass(frozen=True)
class Fact:
    """A type of fact.

    Attributes:
        name: upper-case name, e.g. `GOT`.
        args: pairs of argument name and category (`"item"`, or `"item|group"` for either).
        first: how often it occurs at most in the message that opens an episode.
        step: how often it occurs at most in the message after a command.
        error: whether it tells that a command could not be carried out; a message holds at most
            one such fact.
    """

    name: str
    args: tuple[tuple[str, str], ...] = ()
    first: int = 0
    step: int = 1
    error: bool = False


@dataclass(frozen=True)
class Verb:
    """A verb of the command language: its name and its arguments, as in `Fact`."""

    name: str
    args: tuple[tuple[str, str], ...] = ()


def fact(name: str, /, *, first: int = 0, step: int = 1, error: bool = False, **args: str) -> Fact:
    """A `Fact` with its arguments as keywords: `fact("GOT", count="number", item="item")`."""
    return Fact(name, tuple(args.items()), first, step, error)


def verb(name: str, /, **args: str) -> Verb:
    """A `Verb` with its arguments as keywords: `verb("get", count="number", item="item")`."""
    return Verb(name, tuple(args.items()))


NOTHING = Fact("NOTHING", (), first=0, step=0)
NO_EFFECT = Fact("NO_EFFECT", (), first=0, step=1, error=True)
COMMANDS = Fact("COMMANDS", (), first=0, step=0)
ASIDE = Fact("ASIDE", tuple((name, name) for name in ASIDES), first=0, step=0)
COMMON = (NOTHING, NO_EFFECT, COMMANDS, ASIDE)
"""Facts of every environment: an empty row, the fixed error sentence, the head of a list, and a
remark that has nothing to do with the goal."""

INVALID_VERB = Verb("INVALID")


@dataclass(frozen=True, eq=False)
class Schema:
    """Concepts, facts and verbs of one environment.

    Attributes:
        categories: category name -> identity words of its concepts, one word each.
        own_facts: the environment's fact types; `COMMON` stands before them.
        own_verbs: the environment's verbs; `INVALID` stands before them as verb 0.
        literal: categories that no lexicon renames (directions, say).
        known: further categories of which all is known from the start: to name what no message has
            shown is no fabrication (`jaxagent.rl.failures`).
        shapes: names of facts that may stand together in one message. Given any, a message keeps
            to one of them, or is an error and nothing else; without, all facts may stand together.
            It makes the longest message shorter, and with it all room for messages.
    """

    categories: Mapping[str, tuple[str, ...]]
    own_facts: tuple[Fact, ...]
    own_verbs: tuple[Verb, ...]
    literal: tuple[str, ...] = ()
    shapes: tuple[tuple[str, ...], ...] = ()
    known: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if taken := {NUMBER, *ASIDES} & set(self.categories):
            raise ValueError(f"categories: {sorted(taken)} are in every schema already")
        _check_distinct("categories: the words", [*SPECIALS, *self.concepts])
        _check_distinct("facts: the names", [item.name for item in self.facts])
        _check_distinct("verbs: the names", [item.name for item in self.verbs])
        for item in (*self.facts, *self.verbs):
            for name, category in item.args:
                unknown = set(category.split("|")) - set(self.spans)
                if unknown:
                    raise ValueError(f"{item.name}.{name}: unknown category {sorted(unknown)}")

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """All fact types; a fact's type id is its place."""
        return (*COMMON, *self.own_facts)

    @cached_property
    def verbs(self) -> tuple[Verb, ...]:
        """All verbs; a verb's id is its place, and verb 0 is `INVALID`."""
        return (INVALID_VERB, *self.own_verbs)

    @cached_property
    def max_args(self) -> int:
        """Most arguments of a fact or a verb; rows have `1 + max_args` entries."""
        return max(len(item.args) for item in (*self.facts, *self.verbs))

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """Identity word of every concept, the numbers first and those of `ASIDES` last."""
        categories = (*self.categories.values(), *ASIDES.values())
        names = [word for words in categories for word in words]
        return (*(str(n) for n in range(NUMBERS)), *names)

    @cached_property
    def spans(self) -> Mapping[str, tuple[int, int]]:
        """Half-open range of concept ids of every category, `number` and `ASIDES` among them."""
        spans, start = {NUMBER: (0, NUMBERS)}, NUMBERS
        for name, words in (*self.categories.items(), *ASIDES.items()):
            spans[name] = (start, start + len(words))
            start += len(words)
        return spans

    @property
    def fixed(self) -> tuple[str, ...]:
        """The categories that no lexicon renames."""
        return (NUMBER, *self.literal, *ASIDES)

    @cached_property
    def concept_category(self) -> np.ndarray:
        """int8[concepts]: index of every concept's category, in the order of `spans`."""
        lengths = [stop - start for start, stop in self.spans.values()]
        return np.repeat(np.arange(len(lengths), dtype=np.int8), lengths)

    @cached_property
    def shape_masks(self) -> np.ndarray:
        """bool[shapes, facts]: which facts may stand together in each of `shapes`."""
        masks = np.zeros((len(self.shapes), len(self.facts)), bool)
        for mask, names in zip(masks, self.shapes, strict=True):
            mask[[self.fact_id(name) for name in names]] = True
        return masks

    def most_room(self, lengths: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """int[n]: the room of the longest message, in n languages.

        Args:
            lengths: int[n, facts], the room that every fact takes.
            counts: int[facts], how often it occurs at most; of the errors, one alone.
        """
        errors = np.array([fact.error for fact in self.facts])
        wrong = (lengths * (errors & (counts > 0))).max(1)
        stated = lengths * counts * ~errors
        if not self.shapes:
            return stated.sum(1) + wrong
        return np.maximum((stated @ self.shape_masks.T).max(1), wrong)

    def first_of(self, category: str) -> int:
        """Concept id of the first concept of `category`; add an index to get any of them."""
        return self.spans[category][0]

    def concept(self, category: str, word: str) -> int:
        """Concept id of `word` in `category`."""
        return self.first_of(category) + self.categories[category].index(word)

    def fact_id(self, name: str) -> int:
        """Type id of the fact called `name`; raises `ValueError` for a stranger."""
        return _place(self.facts, name, "fact")

    def verb_id(self, name: str) -> int:
        """Id of the verb called `name`; raises `ValueError` for a stranger."""
        return _place(self.verbs, name, "verb")

    def fact(self, name: str, *args: jax.typing.ArrayLike) -> jax.Array:
        """int32[1 + max_args]: the fact `name(*args)`; numbers are clipped to the sayable ones."""
        index = self.fact_id(name)
        return self._row(index, self.facts[index].args, args)

    def command(self, name: str, *args: jax.typing.ArrayLike) -> jax.Array:
        """int32[1 + max_args]: the command `name(*args)`."""
        index = self.verb_id(name)
        return self._row(index, self.verbs[index].args, args)

    def widen(self, rows: Int[Array, "*n k"]) -> Int32[Array, "*n row"]:
        """Facts or commands of fewer columns, padded with `NONE` to 1 + max_args."""
        missing = 1 + self.max_args - rows.shape[-1]
        padding = [(0, 0)] * (rows.ndim - 1) + [(0, missing)]
        return jnp.pad(rows, padding, constant_values=NONE).astype(jnp.int32)

    def _row(self, index: int, spec: tuple[tuple[str, str], ...], args: tuple) -> jax.Array:
        if len(args) != len(spec):
            raise ValueError(f"{len(args)} arguments given where {[n for n, _ in spec]} are needed")
        values = [
            jnp.clip(jnp.asarray(a, jnp.int32), 0, NUMBERS - 1) if category == NUMBER else a
            for a, (_, category) in zip(args, spec, strict=True)
        ]
        padding = [NONE] * (self.max_args - len(args))
        return jnp.stack([jnp.asarray(v, jnp.int32) for v in (index, *values, *padding)])


def only_if(condition: jax.typing.ArrayLike, rows: jax.Array) -> jax.Array:
    """`rows` (one or several facts) where `condition` holds, else the empty fact `NOTHING`."""
    condition = jnp.asarray(condition)
    condition = condition.reshape(condition.shape + (1,) * (rows.ndim - condition.ndim))
    return jnp.where(condition, rows, jnp.where(jnp.arange(rows.shape[-1]) == 0, 0, NONE))


def _check_distinct(what: str, words: list[str]) -> None:
    twice = sorted(word for word, count in Counter(words).items() if count > 1)
    if twice:
        raise ValueError(f"{what} {twice} are taken twice")


def _place(items: tuple, name: str, kind: str) -> int:
    names = [item.name for item in items]
    if name not in names:
        raise ValueError(f"{kind} {name!r} is not one of {', '.join(names)}")
    return names.index(name)
