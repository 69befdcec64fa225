"""Tasks: an environment's level, and the way it is put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from jaxagent.checks import check_kind, check_option
from jaxagent.envs.environment import SPLITS, Environment
from jaxagent.text import ASIDE_COUNTS, ERRORS, INTERFACES, LEXICONS, LISTINGS

_SWITCHES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(SPLITS, ("split", SPLITS)),
    **dict.fromkeys(LEXICONS, ("lexicon", LEXICONS)),
    **dict.fromkeys(INTERFACES, ("interface", INTERFACES)),
}
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "split": SPLITS,
    "lexicon": tuple(LEXICONS),
    "interface": tuple(INTERFACES),
    "list": LISTINGS,
    "errors": ERRORS,
    "asides": tuple(map(str, ASIDE_COUNTS)),
}
_PREFIXED: Mapping[str, tuple[str, ...]] = {
    "list": LISTINGS,
    "errors": ERRORS,
    "asides": tuple(map(str, ASIDE_COUNTS)),
}


@dataclass(frozen=True)
class Task:
    """One line of a suite, written `environment/level+modifier+…`.

    Modifiers are the name of a split, of a lexicon, of an interface, `list:WHEN`, `errors:HOW` and
    `asides:NUMBER`; defaults are not written, so equal tasks have equal names.

    Attributes:
        environment: name of the environment.
        level: one of the environment's levels, e.g. `easy`.
        split: one of `SPLITS`: whether the content is that of training.
        lexicon: one of `LEXICONS`.
        interface: one of `INTERFACES`.
        list: when the valid commands are listed, one of `LISTINGS`.
        errors: what is said of a command without effect, one of `ERRORS`.
        asides: how many remarks that have nothing to do with the goal are added to every message,
            one of `ASIDE_COUNTS` as text.
    """

    environment: str
    level: str
    split: str = "seen"
    lexicon: str = "identity"
    interface: str = "terse"
    list: str = "never"
    errors: str = "reason"
    asides: str = "0"

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            check_kind(f.name, value, str, "a text")
            options = _OPTIONS.get(f.name)
            if options:
                check_option(f.name, value, options)

    def __str__(self) -> str:
        words = [
            f"{f.name}:{value}" if f.name in _PREFIXED else value
            for f in fields(self)[2:]
            if (value := getattr(self, f.name)) != f.default
        ]
        return "+".join([f"{self.environment}/{self.level}", *words])

    def but(self, **changes: str) -> Task:
        """The same task with some fields changed."""
        return replace(self, **changes)


def parse_task(text: str, environments: Sequence[Environment]) -> Task:
    """The task that `text` names, e.g. `textcraft/easy+renamed+call+list:every_turn`.

    Raises:
        ValueError: naming the part that is not known and what was expected.
    """
    place, *modifiers = text.strip().split("+")
    name, _, level = place.partition("/")
    known = {each.name: each for each in environments}
    if name not in known:
        raise ValueError(f"task {text!r}: environment {name!r} is not one of {_names(known)}")
    if level not in known[name].levels:
        levels = _names(known[name].levels)
        raise ValueError(f"task {text!r}: level {level!r} is not one of {name}'s: {levels}")
    task = Task(name, level, **_parse_modifiers(text, modifiers))
    if task.interface not in known[name].phrases:
        spoken = _names(known[name].phrases)
        raise ValueError(
            f"task {text!r}: {name} does not speak {task.interface!r}, expected {spoken}"
        )
    if known[name].levels[level].params_of(task.split) is None:
        raise ValueError(f"task {text!r}: level {name}/{level} holds no content out, expected seen")
    return task


def _parse_modifiers(text: str, modifiers: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for modifier in modifiers:
        prefix, _, value = modifier.partition(":")
        if modifier in _SWITCHES:
            prefix, value = _SWITCHES[modifier][0], modifier
        elif value not in _PREFIXED.get(prefix, ()):
            options = [*_SWITCHES, *(f"{p}:{v}" for p, vs in _PREFIXED.items() for v in vs)]
            raise ValueError(f"task {text!r}: {modifier!r} is not one of {_names(options)}")
        if prefix in values:
            raise ValueError(f"task {text!r}: {prefix} is given twice")
        values[prefix] = value
    return values


def _names(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(names)
