"""Files and places: any bytes end in one line, and output is refused before any work."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from jaxagent.study.files import Unwritable, json_text, read_json, write_json
from jaxagent.study.places import check_file, check_folder


def test_json_has_null_for_what_is_not_finite(tmp_path: Path) -> None:
    content = {"a": math.nan, "b": [math.inf, -math.inf, 1.5], "c": {"d": (math.nan, "x")}}
    assert json_text(content) == ('{"a": null, "b": [null, null, 1.5], "c": {"d": [null, "x"]}}')
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json")["b"] == [None, None, 1.5]


BAD_JSON = {
    "empty": b"",
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "latin-1": '{"a": "größe"}'.encode("latin-1"),
    "brackets": b"[" * 100_000,
    "deep": b"[" * 200 + b"]" * 200,
    "digits": b'{"a": ' + b"1" * 5000 + b"}",
    "surrogate": b'{"a": "\\ud800"}',
    "surrogate name": b'{"\\udc80": 1}',
    "nul": b"\x00",
    "twice": b'{"a": 1, "a": 2}',
    "half": b'{"a": [1, 2',
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("kind", BAD_JSON)
def test_bad_files_are_one_line_with_their_path(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(BAD_JSON[kind])
    with pytest.raises(ValueError, match="x.json: expected") as told:
        read_json(path)
    assert type(told.value) is ValueError
    assert "\n" not in str(told.value)


def test_folders_and_pipes_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ValueError, match="expected a file, got a folder, device or pipe"):
            read_json(path)


def _places(root: Path) -> dict[str, Path | str]:
    (root / "file").write_text("")
    (root / "loop").symlink_to(root / "loop")
    (root / "dangling").symlink_to(root / "nowhere")
    os.mkfifo(root / "pipe")
    (root / "device").symlink_to("/dev/null")  # never itself: were it taken, root would replace it
    return {
        "inside a file": root / "file" / "x",
        "a loop": root / "loop",
        "inside a loop": root / "loop" / "x",
        "a dangling link": root / "dangling",
        "inside a dangling link": root / "dangling" / "x",
        "a device": root / "device",
        "inside a device": root / "device" / "x",
        "a pipe": root / "pipe",
        "the kernel's": "/proc/x",
        "a long name": root / ("x" * 300),
        "a long path": root / "/".join(["x" * 100] * 50),
        "a line feed": root / "a\nb",
        "an escape": root / "a\x1b[31mb",
        "nul": f"{root}/a\x00b",
        "half a pair": f"{root}/\ud800",
    }


@pytest.mark.parametrize("check", [check_file, check_folder])
def test_places_that_take_no_output(check, tmp_path: Path) -> None:
    places = _places(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for kind, place in places.items():
        with pytest.raises((ValueError, Unwritable), match="out=") as told:
            check("out", place)
        assert "\n" not in str(told.value), kind
    assert sorted(tmp_path.rglob("*")) == before


def test_only_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ValueError, match="expected a file, got a folder, device or pipe"):
            write_json(tmp_path / name, {})
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "pipe"]


def test_places_that_do(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for folder in ("folder", "new/one", "link", "link/new"):
        assert check_folder("out", tmp_path / folder) == tmp_path / folder
    for file in ("file", "new/one", "link/new"):
        assert check_file("out", tmp_path / file) == tmp_path / file
    with pytest.raises(ValueError, match="expected a folder, got a file"):
        check_folder("out", tmp_path / "file")
    with pytest.raises(ValueError, match="expected a file, got a folder"):
        check_file("out", tmp_path / "folder")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder", "link"]
