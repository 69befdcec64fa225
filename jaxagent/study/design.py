"""Designs: small files that say what a study compares; a preset says how large it is.

A design is a plan without sizes. In its lists, a line with `{env}` stands for one line per
environment of the preset, with `{env}` and `{other}` for one per ordered pair, with `{order}` for
one per row of a balanced Latin square of the environments; `{count}` is their number.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from jaxagent.envs.registry import ENVIRONMENTS
from jaxagent.study.escapes import quoted

Values = dict[str, Any]

_OWN = ("environments", "shares", "updates", "scale")
"""Fields of presets and designs that are no fields of a plan."""


def expand(design: Values, preset: str, sizes: Values) -> Values:
    """The values of a plan.

    Args:
        design: the design's values; under `scale` those that go with a preset's name.
        preset: name of the preset.
        sizes: its values: fields of a plan, and
            `environments`, a list of names;
            `shares`, environment -> how much of the demonstrations it gets (1);
            `updates`, environment -> updates of a training stage.

    Raises:
        ValueError: a field is missing or not as expected.
    """
    _check_objects(design)
    values = merged(merged(sizes, design), design.get("scale", {}).get(preset, {}))
    _check_objects(values)
    names = values.get("environments")
    known = [each.name for each in ENVIRONMENTS]
    if not isinstance(names, list) or not names or any(name not in known for name in names):
        raise ValueError(
            f"environments={quoted(names)}: expected a list of names: {', '.join(known)}"
        )
    plan = {name: _filled(value, names) for name, value in values.items() if name not in _OWN}
    if "updates" in values:
        order = dict.fromkeys(task.partition("/")[0] for task in plan.get("tasks", []))
        updates = [_of(values["updates"], name, "updates") for name in order]
        plan["train"] = {"stage_updates": updates, **plan.get("train", {})}
    if "shares" in values:
        tasks = plan.get("base", {}).get("tasks") or plan.get("tasks", [])
        plan["base"] = {"shares": _shares(tasks, values["shares"]), **plan.get("base", {})}
    return plan


def _check_objects(values: Any) -> None:
    """Refuses what is no object where one is expected, and numbers that are none."""
    if not isinstance(values, dict):
        raise ValueError(f"design={quoted(values)}: expected an object with fields")
    for name in ("scale", "shares", "updates", "base", "train", "evaluation"):
        if not isinstance(values.get(name, {}), dict):
            raise ValueError(f"{name}={quoted(values[name])}: expected an object")
    for name, each in values.get("scale", {}).items():
        if not isinstance(each, dict):
            raise ValueError(f"scale.{quoted(name)[1:-1]}={quoted(each)}: expected an object")
    for name, each in values.get("shares", {}).items():
        if not isinstance(each, int | float) or isinstance(each, bool):
            raise ValueError(f"shares.{quoted(name)[1:-1]}={quoted(each)}: expected a number")
    for name, each in values.get("updates", {}).items():
        if not isinstance(each, int) or isinstance(each, bool):
            raise ValueError(
                f"updates.{quoted(name)[1:-1]}={quoted(each)}: expected a whole number"
            )
    for part in (values, values.get("base", {})):
        tasks = part.get("tasks", [])
        if not isinstance(tasks, list) or not all(isinstance(each, str) for each in tasks):
            raise ValueError(f"tasks={quoted(tasks)}: expected a list of texts")


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> Values:
    """Both, field by field; the second wins."""
    both = {**first, **second}
    for name in set(first) & set(second):
        if isinstance(first[name], dict) and isinstance(second[name], dict):
            both[name] = merged(first[name], second[name])
    return both


def latin_square(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Orders in which everyone stands at every place equally often, and before every other equally
    often (Williams 1949): n orders for an even number n of names, 2n for an odd one."""
    count = len(names)
    zigzag = [k // 2 if k % 2 == 0 else count - 1 - k // 2 for k in range(count)]
    rows = [tuple(names[(place + shift) % count] for place in zigzag) for shift in range(count)]
    mirrored = [row[::-1] for row in rows] if count % 2 and count > 1 else []
    return [*rows, *mirrored]


def _filled(value: Any, names: Sequence[str]) -> Any:
    """The value with all lines that hold placeholders filled in, at any depth."""
    if isinstance(value, dict):
        return {name: _filled(each, names) for name, each in value.items()}
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        lines = [line for text in value for line in _lines(text, names)]
        return list(dict.fromkeys(lines))
    return value


def _lines(text: str, names: Sequence[str]) -> list[str]:
    text = text.replace("{count}", str(len(names)))
    if "{order}" in text:
        return [text.replace("{order}", " > ".join(row)) for row in latin_square(names)]
    if "{other}" in text:
        pairs = itertools.permutations(names, 2)
        return [text.replace("{env}", a).replace("{other}", b) for a, b in pairs]
    if "{env}" in text:
        return [text.replace("{env}", name) for name in names]
    return [text]


def _shares(tasks: Sequence[str], weights: Mapping[str, float]) -> list[float]:
    """Of every task: its environment's weight, shared evenly by the tasks of the environment."""
    names = [task.partition("/")[0] for task in tasks]
    return [weights.get(name, 1.0) / names.count(name) for name in names]


def _of(values: Mapping[str, Any], name: str, field: str) -> Any:
    if name not in values:
        raise ValueError(f"{field}.{name}: missing")
    return values[name]
