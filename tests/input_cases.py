"""Kinds of wrong values, and a guard that records what would have started real work."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jaxagent.cli import main

HIDDEN = ("a\x1b[31mb", "a\nb", "a\tb", "a\rb", "a\x00b", "\ud800", "a\u202eb", "x" * 20_000)
"""Texts that no argument, name or path may be."""

NO_NUMBERS = ("", "x", "nan", "inf", "-inf", "1e999", "9" * 5000, "10" * 20, "-1", "0", "1,5")
"""What is no number, or none of a sensible size; `-1` and `0` are where they are in the range."""


class Accepted(BaseException):
    """Raised instead of real work: the input was taken."""


STARTS = (
    "jaxagent.study.runner.Runner.run",
    "jaxagent.study.measurement.compile_evaluation",
    "jaxagent.study.measurement.play_tasks",
    "jaxagent.study.play.evaluation_keys",
    "jaxagent.study.text_env.TextEnv.reset",
    "jaxagent.study.benchmark._all",
    "jaxagent.study.sweep.Workshop",
    "jaxagent.study.sweep_estimate.measure_ceilings",
    "jaxagent.study.estimate.measure_ceilings",
)
"""Where real work begins."""


def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has everything that starts real work raise `Accepted` instead."""

    def start(*_: object, **__: object) -> None:
        raise Accepted

    for name in STARTS:
        monkeypatch.setattr(name, start)
    # In that module alone: the tests start processes of their own.
    known = {"CalledProcessError": subprocess.CalledProcessError, "run": start}
    monkeypatch.setattr("jaxagent.study.sweep_commands.subprocess", SimpleNamespace(**known))
    which = SimpleNamespace(which=lambda name: name)
    monkeypatch.setattr("jaxagent.study.sweep_commands.shutil", which)


def tree(folder: Path) -> list[tuple[str, int]]:
    """Every path under a folder, with its size and time of change."""
    found = []
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            state = os.lstat(os.path.join(root, name))
            found.append((os.path.join(root, name), state.st_size + state.st_mtime_ns))
    return sorted(found)


def said_of(
    arguments: list[str], capsys: pytest.CaptureFixture[str], folder: Path
) -> tuple[str, str]:
    """What became of a command line, in a word, and what was wrong with that, empty if nothing."""
    before = tree(folder)
    try:
        main(arguments)
    except SystemExit as stop:
        code = stop.code
    except Accepted:
        code = "accepted"
    except BaseException as error:  # the point is that there should be none
        capsys.readouterr()
        return "traceback", f"{type(error).__name__}: {str(error)[:200]}"
    else:
        code = "accepted"
    captured = capsys.readouterr()
    if code not in (2, 74):
        return str(code), f"exit {code}: {captured.err[:200]}"
    lines = [line for line in captured.err.splitlines() if line.strip()]
    if len(lines) != 1 or captured.out or len(captured.err) > 5000:
        return "lines", f"{len(lines)} lines: {captured.err[:200]!r} {captured.out[:100]!r}"
    if tree(folder) != before:
        return "written", f"changed {set(tree(folder)) ^ set(before)}"
    return "refused", ""


def bad_places(root: Path) -> list[str]:
    """Places that take neither a file nor a folder."""
    root.mkdir(exist_ok=True)
    (root / "file").write_text("")
    # The device through a link: were it taken, root would replace the link and not the device.
    links = (("loop", "loop"), ("dangling", "nowhere"), ("device", "/dev/null"))
    for name, target in links:
        if not (root / name).is_symlink():
            (root / name).symlink_to(root / target)
    inside = [root / "file" / "x", root / "loop", root / "dangling" / "x", root / ("x" * 300)]
    long = ["/".join(["x" * 100] * 60), "x" * 5000, "größe\n", "/proc/x"]
    return [*map(str, [*inside, root / "device"]), *long]


def bad_files(root: Path) -> list[str]:
    """Files of a JSON kind that are none: any bytes, folders, devices."""
    root.mkdir(exist_ok=True)
    contents = {
        "empty": b"",
        "utf-16": '{"name": 1}'.encode("utf-16"),
        "latin-1": b'{"name": "gr\xf6sse"}',
        "brackets": b"[" * 100_000,
        "digits": b'{"name": ' + b"1" * 5000 + b"}",
        "surrogate": b'{"name": "\\ud800", "tasks": ["textcraft/easy"]}',
        "escape": b'{"name": "a\\u001b[31m", "tasks": ["textcraft/easy"]}',
        "twice": b'{"name": "a", "name": "b"}',
        "nul": b"\x00\x01",
        "list": b"[]",
        "null": b"null",
        "nan": b"NaN",
        "unknown": b'{"name": "a", "tasks": ["textcraft/easy"], "colour": "\\u001b"}',
    }
    for name, content in contents.items():
        (root / f"{name}.json").write_bytes(content)
    (root / "folder.json").mkdir(exist_ok=True)
    places = [*(f"{name}.json" for name in contents), "folder.json", "missing.json", "x" * 300]
    return [*(str(root / name) for name in places), "/proc/self/mem", "", "."]


def leaves(kind: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted name and the type of every field, those of nested dataclasses included."""
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        while typing.get_origin(hint) is typing.Annotated:
            inside = typing.get_args(hint)
            prefix_of = "" if any("name=''" in repr(each) for each in inside[1:]) else None
            hint = inside[0]
            if dataclasses.is_dataclass(hint) and prefix_of == "":
                yield from leaves(typing.cast(type, hint), prefix)
        if dataclasses.is_dataclass(hint):
            if typing.get_origin(hints[field.name]) is not typing.Annotated:
                yield from leaves(typing.cast(type, hint), f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", hint


def plain(hint: Any) -> Any:
    """The type without `| None`."""
    options = [each for each in typing.get_args(hint) if each is not types.NoneType]
    return options[0] if isinstance(hint, types.UnionType) else hint


def is_number(hint: Any) -> bool:
    """Whether a field holds a number, or a list of numbers."""
    hint = plain(hint)
    return hint in (int, float) or typing.get_args(hint)[:1] in ((int,), (float,))


def wrong_values(hint: Any) -> list[Any]:
    """Values of a JSON file that a field of that type cannot have."""
    optional, kind = hint != plain(hint), plain(hint)
    every: list[Any] = [None, True, "x\x1b", "", "no such thing", 1.5, -1, 10**30, 10**400]
    every += [math.nan, math.inf, -math.inf, [], {}, [None], [[]], {"a": {}}, "x" * 20_000]
    every += [["\ud800"], [math.nan], [10**30], ["\x1b"], [-1], "\x00", [1, "x"], 1e308]
    if optional:
        every.remove(None)
    if kind is bool:
        every = [each for each in every if each is not True]
    if typing.get_origin(kind) is tuple:
        every = [each for each in every if each != []]
    if typing.get_origin(kind) is dict:
        every = [each for each in every if each != {}]
    return every
