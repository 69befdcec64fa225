"""Plans from JSON files, checked field by field, and their variants."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from jaxagent.study import ranges
from jaxagent.study.design import expand
from jaxagent.study.escapes import is_visible, quoted
from jaxagent.study.files import is_file, parse_json, read_json
from jaxagent.study.names import check_label, is_plain
from jaxagent.study.plan import StudyPlan, as_json

T = TypeVar("T")

PRESETS = "presets"
"""The file of the presets, among the designs."""

DEFAULT_PRESET = "mini"

_KINDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    tuple[str, ...]: "a list of texts",
    tuple[int, ...]: "a list of whole numbers",
    tuple[float, ...]: "a list of numbers",
    dict[str, Any]: "an object",
}


def plan_folder() -> Path:
    """Where the plans that come with jaxagent lie."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "configs"
    return inside if inside.is_dir() else here.parent / "configs"


def plan_names() -> list[str]:
    """Names of the plans that come with jaxagent and say everything themselves."""
    return sorted(path.stem for path in plan_folder().glob("*.json"))


def design_names() -> list[str]:
    """Names of the studies that come with jaxagent, of which a preset makes plans."""
    found = (path.stem for path in (plan_folder() / "study").glob("*.json"))
    return sorted(name for name in found if name != PRESETS)


def preset_names() -> list[str]:
    """Names of the presets."""
    return list(_presets())


def load_plan(name: str, preset: str = DEFAULT_PRESET) -> StudyPlan:
    """The plan of that name, or in the file at that path; a design's with the sizes of a preset.

    Raises:
        ValueError: there is none, or a field or value in it is not as expected.
    """
    path, presets = _path_of(name), _presets()
    if preset not in presets:
        raise ValueError(f"preset {quoted(preset)}: expected one of {', '.join(presets)}")
    try:
        values = read_json(path)
        if path.parent.name == "study":
            values = expand(values, preset, presets[preset])
        return from_values(StudyPlan, values)
    except ValueError as error:
        raise ValueError(f"plan {quoted(name)}: {error}") from None


def variants_of(plan: StudyPlan) -> dict[str, StudyPlan]:
    """The plans of all variants by their names; the plan itself, unnamed, where there are none.

    Raises:
        ValueError: a variant is not `NAME: FIELD=VALUE …`, or what it makes is no plan.
    """
    if not plan.variants:
        _check_phases([plan])
        return {"": plan}
    found: dict[str, StudyPlan] = {}
    for text in plan.variants:
        name, colon, changes = text.partition(":")
        if not colon or not name.strip() or name.strip() in found:
            raise ValueError(
                f"variants: {quoted(text)}: expected a name of its own, then ': FIELD=VALUE'"
            )
        check_label("variants", name.strip())
        values = {**as_json(plan), "variants": []}
        for change in changes.split():
            _set(values, change, text)
        try:
            found[name.strip()] = from_values(StudyPlan, values)
        except ValueError as error:
            raise ValueError(f"variants: {quoted(text)}: {error}") from None
    _check_phases(found.values())
    return found


def _check_phases(plans: Iterable[StudyPlan]) -> None:
    """Refuses a study whose phases would take a worker minutes to list."""
    count = sum(plan.seeds * (1 + sum(map(len, plan.stages))) for plan in plans)
    if count > ranges.PHASES:
        raise ValueError(
            f"seeds, arms, variants: {count:,} phases, expected up to {ranges.PHASES:,}"
        )


def _set(values: dict[str, Any], change: str, text: str) -> None:
    path, equals, value = change.partition("=")
    *places, last = path.split(".")
    for place in places:
        values = values.get(place) if isinstance(values, dict) else None  # type: ignore[assignment]
    if not equals or not isinstance(values, dict) or last not in values:
        raise ValueError(
            f"variants: {quoted(text)}: {quoted(change)}: expected a field of the plan = a value"
        )
    try:
        values[last] = parse_json(value)
    except ValueError:
        values[last] = value


def _path_of(name: str) -> Path:
    folder = plan_folder()
    named = [folder / f"{name}.json", folder / "study" / f"{name}.json"] if is_plain(name) else []
    paths = [Path(name)] if name.endswith(".json") and is_visible(name) else named
    path = next((path for path in paths if is_file(path)), None)
    if path is None or name == PRESETS:
        known = ", ".join([*plan_names(), *design_names()])
        raise ValueError(
            f"plan {quoted(name)}: expected one of {known}, or the path of a .json file"
        )
    return path


def _presets() -> dict[str, Any]:
    return read_json(plan_folder() / "study" / f"{PRESETS}.json")


def from_values(kind: type[T], values: Any, path: str = "") -> T:
    """An instance of a dataclass from nested dictionaries.

    Raises:
        ValueError: naming the field that is unknown, missing or of another kind.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{path or 'plan'}={quoted(values)}: expected an object with fields")
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, kind))}
    for name in values:
        if name not in fields:
            raise ValueError(
                f"{path}{quoted(name)[1:-1]}: no such field; expected one of {', '.join(fields)}"
            )
    for name, f in fields.items():
        required = f.default is f.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ValueError(f"{path}{name}: missing")
    hints = typing.get_type_hints(kind)
    given = {name: _value(hints[name], value, path + name) for name, value in values.items()}
    return kind(**given)


def _value(kind: Any, value: Any, path: str) -> Any:
    options = typing.get_args(kind)
    if types.NoneType in options:
        [kind] = (each for each in options if each is not types.NoneType)
        return None if value is None else _value(kind, value, path)
    if dataclasses.is_dataclass(kind):
        return from_values(typing.cast(type, kind), value, f"{path}.")
    if kind is float and _is_number(value):
        return _as_float(value)
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        each, _ = typing.get_args(kind)
        try:
            return tuple(_value(each, item, path) for item in value)
        except ValueError:
            raise ValueError(f"{path}={quoted(value)}: expected {_KINDS[kind]}") from None
    if kind is bool and isinstance(value, bool):
        return value
    if typing.get_origin(kind) is dict and isinstance(value, dict):
        return value
    if kind in (int, str) and isinstance(value, kind) and not isinstance(value, bool):
        return value
    raise ValueError(f"{path}={quoted(value)}: expected {_KINDS[kind]}")


def _as_float(value: int | float) -> float:
    """The number as a float; infinite where it is a whole number beyond what floats hold."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
