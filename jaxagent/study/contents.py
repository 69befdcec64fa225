"""The shapes of a study's JSON files, checked where they are read: they may be a stranger's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxagent.study.escapes import quoted
from jaxagent.study.files import read_json

Shape = Any
"""A dictionary for an object (the shape of all its values stands under any name; none where they
may be anything), a list for a list, and a type for a value."""

TRANSCRIPTS: Shape = {"phase": {"task": str}}
"""Phase -> task -> an episode as text."""

ATTEMPTS: Shape = {"variant": {"phase": {"seed": {"task": [int]}}}}
"""Variant -> phase -> seed -> task -> successful attempts at every instance."""

_NAMES = {str: "a text", int: "a whole number", float: "a number"}


def checked(path: Path, shape: Shape) -> Any:
    """Return the content of a JSON file, or None where there is no such file.

    Args:
        path: of the file.
        shape: that the content is expected to have.

    Raises:
        ValueError: naming the path and the part that is of another shape.
    """
    if not path.exists():
        return None
    content = read_json(path)
    _check(content, shape, str(path))
    return content


def _check(content: Any, shape: Shape, place: str) -> None:
    if isinstance(shape, dict):
        if not isinstance(content, dict):
            raise ValueError(f"{place}: got {quoted(content)}, expected an object")
        for inner in shape.values():
            for name, each in content.items():
                _check(each, inner, f"{place}: {quoted(name)}")
    elif isinstance(shape, list):
        if not isinstance(content, list):
            raise ValueError(f"{place}: got {quoted(content)}, expected a list")
        for each in content:
            _check(each, shape[0], place)
    elif not isinstance(content, shape) or isinstance(content, bool):
        raise ValueError(f"{place}: got {quoted(content)}, expected {_NAMES[shape]}")
    elif shape is int and not 0 <= content < 2**31:
        raise ValueError(f"{place}: got {quoted(content)}, expected 0 to 2**31 - 1")
