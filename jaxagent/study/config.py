"""Plans from JSON files, checked field by field."""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from jaxagent.study.files import read_json
from jaxagent.study.plan import StudyPlan

T = TypeVar("T")

_KINDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    tuple[str, ...]: "a list of texts",
    tuple[int, ...]: "a list of whole numbers",
    tuple[float, ...]: "a list of numbers",
}


def plan_folder() -> Path:
    """Where the plans that come with jaxagent lie."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "configs"
    return inside if inside.is_dir() else here.parent / "configs"


def plan_names() -> list[str]:
    """Names of the plans that come with jaxagent."""
    return sorted(path.stem for path in plan_folder().glob("*.json"))


def load_plan(name: str) -> StudyPlan:
    """The plan of that name, or in the file at that path.

    Raises:
        ValueError: there is none, or a field or value in it is not as expected.
    """
    path = Path(name) if name.endswith(".json") else plan_folder() / f"{name}.json"
    if not path.is_file():
        known = ", ".join(plan_names())
        raise ValueError(f"plan {name!r}: expected one of {known}, or the path of a .json file")
    try:
        return from_values(StudyPlan, read_json(path))
    except ValueError as error:
        raise ValueError(f"plan {name!r}: {error}") from None


def from_values(kind: type[T], values: Any, path: str = "") -> T:
    """An instance of a dataclass from nested dictionaries.

    Raises:
        ValueError: naming the field that is unknown, missing or of another kind.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{path or 'plan'}={values!r}: expected an object with fields")
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, kind))}
    for name in values:
        if name not in fields:
            raise ValueError(f"{path}{name}: no such field; expected one of {', '.join(fields)}")
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
        return float(value)
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        each, _ = typing.get_args(kind)
        try:
            return tuple(_value(each, item, path) for item in value)
        except ValueError:
            raise ValueError(f"{path}={value!r}: expected {_KINDS[kind]}") from None
    if kind is bool and isinstance(value, bool):
        return value
    if kind in (int, str) and isinstance(value, kind) and not isinstance(value, bool):
        return value
    raise ValueError(f"{path}={value!r}: expected {_KINDS[kind]}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
